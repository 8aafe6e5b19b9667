"""Save figures for a journal: column widths, small fonts, editable text, 300 dots per inch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.atomic_files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS_MM = {"single": 85.0, "double": 180.0}  # of a column and of a page in most journals
LEAST_MM, MOST_MM = 40.0, 400.0
DPI = 300
_MM_PER_INCH = 25.4
_METADATA: dict[str, dict[str, Any]] = {  # without a date: the same figure is the same file
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
    ".png": {},
}
_STYLE: dict[Any, Any] = {  # a key is a literal of matplotlib
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"],
    "font.size": 7.5,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",  # text stays text, which an editor of drawings can change
    "svg.hashsalt": "emotion_rppg",
    "pdf.fonttype": 42,
}


def width_mm(text: str) -> float:
    """Parse a width: ``single`` (85 mm), ``double`` (180 mm) or a number of millimetres.

    Raises
    ------
    InputError
        Another word, or a width that no page has.
    """
    if text in WIDTHS_MM:
        return WIDTHS_MM[text]
    try:
        width = float(text)
    except ValueError:
        width = float("nan")
    if not LEAST_MM <= width <= MOST_MM:
        raise InputError(
            f"width is {text!r}: want single ({WIDTHS_MM['single']:g} mm), double "
            f"({WIDTHS_MM['double']:g} mm) or millimetres from {LEAST_MM:g} to {MOST_MM:g}"
        )
    return width


def check_ending(path: Path) -> Path:
    """Check that a path ends with .svg, .pdf or .png and return it.

    Raises
    ------
    InputError
        It has another ending.
    """
    if path.suffix.lower() not in _METADATA:
        raise InputError(
            f"unknown format of {str(path)!r}: end the name with {', '.join(_METADATA)}"
        )
    return path


@contextmanager
def style() -> Iterator[None]:
    """Draw and save with small fonts, thin lines and editable text inside the block."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


def size_in(width: float, *, height_per_width: float) -> tuple[float, float]:
    """Convert a width in mm to (width, height) in inches."""
    return width / _MM_PER_INCH, height_per_width * width / _MM_PER_INCH


def add_caption(figure: Figure, caption: str) -> None:
    """Write a caption below the axes, in lines as wide as the figure."""
    letters = int(figure.get_figwidth() * 23)  # of 6 points
    figure.supxlabel(fill(caption, letters), fontsize=6, x=0.01, ha="left")


def save(figure: Figure, path: Path) -> None:
    """Write the figure by the ending of the path, complete or not at all."""
    ending = check_ending(path).suffix.lower()
    with atomic_file(path) as fresh, style():
        figure.savefig(fresh, format=ending[1:], dpi=DPI, metadata=_METADATA[ending])
