"""Render report.html: one self-contained page that loads nothing from the network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from emotion_rppg._version import __version__
from emotion_rppg.report.plots.signals import as_data_uri
from emotion_rppg.runtime.atomic_files import atomic_file

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, captioned figures, a table, references, code and a warning.

    The page numbers figures and tables in their order and writes the number before the caption.
    """

    title: str
    text: Sequence[str] = ()
    figures: Sequence[tuple[Figure, str]] = ()
    table: pd.DataFrame | None = None
    table_caption: str = ""
    references: Sequence[str] = ()
    code: str = ""
    warning: str = ""


def _made() -> str:
    """State the day, in UTC, and the version that writes the page."""
    now = datetime.now(UTC)
    return f"{now.day} {now:%B %Y}, by emotion_rppg {__version__}"


@dataclass(frozen=True)
class Page:
    """A page: title, introductory sentence, sections, and a closing line on what is withheld.

    ``made`` is the line below the title, by default the date and the version of the package. A page
    with more than four sections has a table of contents.
    """

    title: str
    lead: str
    sections: Sequence[Section] = field(default_factory=tuple)
    closing: str = ""
    made: str = field(default_factory=_made)


def write_page(page: Page, path: Path) -> Path:
    """Render the page to ``path``, complete or not at all; return the path."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("emotion_rppg.report", "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["uri"] = as_data_uri
    environment.filters["wide"] = _is_wide
    environment.filters["cell"] = _cell
    environment.filters["kinds"] = _kinds
    html = environment.get_template("report.html").render(page=page)
    with atomic_file(path) as fresh:
        fresh.write_text(html, encoding="utf-8")
    return path


def _cell(value: object) -> str:
    """Format a table cell: numbers to three decimals, NaN as empty, text unchanged."""
    if isinstance(value, float):
        return "" if value != value else f"{round(value, 3) + 0.0:.3f}"  # no "-0.000"
    return str(value)


_WIDE_IN = 5.0  # wider figures scroll sideways on a phone; the text of smaller ones stays readable


def _is_wide(figure: Figure) -> bool:
    return bool(figure.get_figwidth() > _WIDE_IN)


_LONG = 40  # characters of a cell whose text is wrapped
_NUMBER = re.compile(r"\s*$|[\[<−–-]?\s*\d")  # also intervals, "< 0.001" and empty cells


def _kinds(table: pd.DataFrame) -> list[str]:
    """Name the CSS classes of the columns: "text" is aligned to the left, "long" is wrapped."""
    kinds = []
    for position in range(table.shape[1]):
        cells = [value for value in table.iloc[:, position] if isinstance(value, str)]
        text = "text" if any(not _NUMBER.match(cell) for cell in cells) else ""
        kinds.append("text long" if any(len(cell) > _LONG for cell in cells) else text)
    return kinds
