"""Write sections of the web page as HTML, with the numbers of each figure for screen readers."""

from __future__ import annotations

from html import escape

from emotion_rppg.app.analysis import PersonContent
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots.signals import as_data_uri

NOTHING_YET = '<p class="nothing">Nothing is read yet.</p>'

CSS = """
.section figure { margin: 0 0 1.5rem }
.section figcaption, .section caption { text-align: left; font-size: .9rem; opacity: .85 }
.section caption { padding-bottom: .5rem }
.section .scroll { overflow-x: auto }
.section img { width: 100%; max-width: 60rem; background: #fff; border-radius: 4px }
.section .wide img { min-width: 34rem }
.section table { border-collapse: collapse; width: 100%; border: 0 }
.section tr { border: 0 !important }
.section th, .section td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border: 0 !important; border-bottom: 1px solid rgb(128 128 128 / 30%) !important }
.section .warning { border-left: 3px solid #d55e00; padding-left: .7rem }
.nothing { opacity: .75 }
.people { width: 100%; max-width: 44rem; height: auto; display: block }
#video video, #rest video { max-height: 15rem }
#downloads button[aria-label*="emove"] { display: none }
#summary h2 { font-size: 1.25rem; margin: .3rem 0 }
@media (max-width: 40rem) {
  .section thead { position: absolute; clip-path: inset(50%) }
  .section tr { display: block; padding: .4rem 0;
    border-bottom: 1px solid rgb(128 128 128 / 30%) !important }
  .section th, .section td { display: inline; border: 0 !important; padding: 0 .6rem 0 0 }
  .section td:last-child { display: block; font-size: .85rem; opacity: .85 }
}
"""

# Gradio's own elements lack these: the summary is read aloud when it changes.
LABELS = """
() => {
  const label = (place, name, value) => document.querySelectorAll(place).forEach(
    (element) => element.setAttribute(name, value));
  document.documentElement.lang = "en";
  label("#summary", "role", "status");
  label("#summary", "aria-live", "polite");
  label("#video input[type=file]", "aria-label", "Video of a face");
  label("#rest input[type=file]", "aria-label", "Video of the same person at rest");
  label("#rest-file input[type=file]", "aria-label", "File of the same person at rest");
  label("#file input[type=file]", "aria-label", "File of a sensor");
}
"""


def summary_html(text: str) -> str:
    """Write the line above the tabs."""
    return f"<h2>{escape(text)}</h2>"


def panels_of(person: PersonContent) -> list[str]:
    """Write what the tabs Pulse, HRV and Emotion show of one person."""
    summary = f"<p><strong>{escape(person.summary)}</strong></p>" if person.name else ""
    return [
        summary + section_html(person.pulse),
        section_html(person.hrv),
        section_html(person.emotion),
    ]


def section_html(section: Section | None) -> str:
    """Write warning, text, captioned figures and table of a section; a sentence if there is none.

    A screen reader hears each caption once, as the text of the figure.
    """
    if section is None:
        return NOTHING_YET
    parts = [f'<p class="warning">{escape(section.warning)}</p>'] if section.warning else []
    parts += [f"<p>{escape(text)}</p>" for text in section.text]
    for figure, caption in section.figures:
        wide = " wide" if figure.get_figwidth() > 5 else ""
        picture = f'<img src="{as_data_uri(figure)}" alt="{escape(caption)}">'
        parts.append(
            f'<figure><div class="scroll{wide}" tabindex="0" role="group" aria-label="Figure">'
            f'{picture}</div><figcaption aria-hidden="true">{escape(caption)}</figcaption></figure>'
        )
    return f'<div class="section">{"".join(parts)}{_table_html(section)}</div>'


def _table_html(section: Section) -> str:
    """Write the table of a section: the first cell of a row is its heading."""
    if section.table is None:
        return ""
    heads = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in section.table)
    rows = []
    for first, *others in section.table.itertuples(index=False):
        cells = "".join(f"<td>{escape(str(cell))}</td>" for cell in others)
        rows.append(f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>')
    return (
        f"<table><caption>{escape(section.table_caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
