"""The README's table of data sets and docs/datasets.md, made of the cards: `make pages`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

from emotion_rppg.datasets import DATASETS
from emotion_rppg.datasets.cards import verified
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card
from emotion_rppg.runtime.atomic_files import atomic_file

BEGIN = "<!-- data sets: made by `make pages` -->"
END = "<!-- end of data sets -->"
PAGE = "docs/datasets.md"
HEAD = """# Data sets

`make pages` writes this page from the readers' cards. `emotion-rppg datasets` prints the same
facts, `emotion-rppg datasets NAME --root DIR` checks a download, and `--cite` prints BibTeX.

A reader *verified on real files* has read the data set itself. A reader made *from documents* was
written from published descriptions of the files, and its tests read a fake that was written from
the same descriptions: both can contain the same mistake. The reader therefore checks rates, scales,
units and lengths, and refuses a file that does not match. Please report such a file to
{report_to}.

We know of no person who took part in two of these data sets. Where people also took part in a data
set that has no reader here, a trap says so. Subject `s1` of two data sets counts as two people.
"""
ADD = """## To add a data set: two files and two lines

1. `emotion_rppg/datasets/NAME.py`: a docstring whose first line says what the data set is and whose
   next lines say where its files lie; a subclass of `listed.Listed` with a `card`, `expected` (a
   glob that matches at least one file) and `recordings()`, which lists lazy `Recording`s and opens
   only the labels. One line in `DATASETS`, in `emotion_rppg/datasets/__init__.py`.
2. `tests/datasets/fakes/NAME.py`: `write(folder, *, seconds=8)` writes the real layout with seconds
   of content, at least two people, a different heart rate in each recording (`shared.rate_of`) and
   `shared.DECOY_BPM` in every other channel; it returns the folder. One line in `FAKES`, in
   `tests/datasets/fakes/__init__.py`.

Every test that walks `DATASETS` then runs: order, labels within their scale, the planted rate in
each recording and in no other, damaged files named in the message, columns found by name, `make
fuzz`. `make pages` writes the row and the section of the data set. `case.py` and `dreamer.py` are
short examples, as readers and as fakes. Readers open files through `safely`, `rows`, `e4` and
`listed.read_columns`, never with a bare `pickle.load`.
"""


def table() -> str:
    """The README's table, a row a data set, in Markdown."""
    rows = ["| name | people | what | rated | access | reader |", "|---|---|---|---|---|---|"]
    for each in DATASETS.values():
        card: Card = each.card
        people = "any" if card.people is None else f"{card.people:,}"
        what = ", ".join(card.modalities)
        rated = _scales(card.scales) or "–"
        cells = (_linked(card), people, what, rated, card.access, verified(card))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def in_readme(text: str) -> str:
    """The README's text with its table made anew between its two marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"the README has no table of data sets: want {BEGIN} and {END} once each")
    part = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return part.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", text)


def page() -> str:
    """docs/datasets.md: a section a data set, and how to add one."""
    report_to = next(iter(DATASETS.values())).card.report_to
    sections = [_section(each) for each in DATASETS.values()]
    return "\n".join([HEAD.format(report_to=report_to), *sections, ADD])


def _section(reader: Any) -> str:
    """What, people, rates, scales, access, licence, traps, layout, citation of one set."""
    card: Card = reader.card
    said = cleandoc(sys.modules[reader.__module__].__doc__ or "").replace("``", "`")
    facts = {
        "people": "any" if card.people is None else f"{card.people:,}",
        "signals": ", ".join(card.modalities),
        "rates": ", ".join(f"{kind} {rate:g} Hz" for kind, rate in card.rates_hz.items()),
        "ratings": _scales(card.scales),
        "access": card.access,
        "licence": card.licence,
        "reader": card.verified,
        "looked for": " or ".join(_places(reader)),
    }
    lines = [f"## {card.title} (`{card.name}`)", "", said, ""]
    lines += [f"- {key}: {value}" for key, value in facts.items() if value]
    lines += ["- traps:", *(f"  - {trap}" for trap in card.traps)] if card.traps else []
    if card.reference:
        lines += ["", f"{card.reference} <{card.url}>" if card.url else card.reference]
    lines += ["", "```bibtex", card.bibtex, "```"] if card.bibtex else []
    return "\n".join([*lines, ""])


def _places(reader: Any) -> list[str]:
    """Globs of which a file must lie under the root."""
    expected = getattr(reader, "expected", "")
    inside = getattr(reader, "inside", (".",))
    return [f"`{place}/{expected}`".replace("`./", "`") for place in inside] if expected else []


def _scales(scales: Mapping[str, tuple[float, float]]) -> str:
    """Ratings by scale: arousal, valence 1–9; stress 0–1."""
    names: dict[tuple[float, float], list[str]] = {}
    for name, scale in scales.items():
        names.setdefault((scale[0], scale[1]), []).append(name)
    return "; ".join(
        f"{', '.join(n)} {low:g}–{high:g}".replace("-", "−") for (low, high), n in names.items()
    )


def _linked(card: Card) -> str:
    return f"[{card.name}]({card.url})" if card.url else card.name


def write(root: Path) -> None:
    """The README's table and the page, in a checkout."""
    readme = root / "README.md"
    for path, text in ((readme, in_readme(readme.read_text("utf-8"))), (root / PAGE, page())):
        with atomic_file(path) as part:
            part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path())
