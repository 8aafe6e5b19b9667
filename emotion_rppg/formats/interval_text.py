"""Split the text of an interval file into cells, and read cells as numbers and times."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.missing_values import codes_to_nan
from emotion_rppg.formats.safe_io import MB, check_file
from emotion_rppg.formats.text_files import NoSignal, is_workbook, open_text
from emotion_rppg.interval_timeline import possible

_MAX_BYTES = 100 * MB
_HEAD_BYTES = 1 << 18
_DATES = ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_TIME_OF_DAY = re.compile(r"(\d{1,3}):(\d{2}):(\d{2}(?:[.,]\d+)?)")
HEAD_LINES = 600  # within which a header is searched; reports have many lines before their data


@dataclass(frozen=True)
class Text:
    """Cells of a text file's lines, its comment lines apart."""

    rows: list[list[str]]
    comments: list[str]
    path: Path


def read_text(path: Path, *, head: bool = False) -> Text:
    """Split a text file into cells by the delimiter that most lines have."""
    lines = read_lines(path, _HEAD_BYTES)[:HEAD_LINES] if head else read_lines(path)
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    body = [line for line in lines if line and not line.startswith("#")]
    sample = body[:HEAD_LINES]
    usual = [d for d in ";\t," if sum(d in line for line in sample) > len(sample) / 2]
    delimiter = usual[0] if usual else None
    if delimiter == "," and _has_decimal_commas(sample):
        delimiter = None
    rows = [[cell.strip().strip('"').strip() for cell in line.split(delimiter)] for line in body]
    if delimiter != ",":
        rows = [[_with_point(cell) for cell in row] for row in rows]
    return Text(rows, comments, path)


def read_lines(path: Path, size: int = -1) -> list[str]:
    """Read the stripped lines of a file, or of its first bytes, in UTF-8, UTF-16 or Latin-1."""
    check_file(path, _MAX_BYTES)
    if is_workbook(path):
        with open_text(path) as file:
            return [line.strip() for line in file]
    try:
        open_file = gzip.open if path.suffix.lower() == ".gz" else open
        with open_file(path, "rb") as binary:
            raw = binary.read(size if size >= 0 else _MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if len(raw) > _MAX_BYTES:
        raise InputError(
            f"{path} unpacks to more than {_MAX_BYTES / MB:.0f} MB, which no list of intervals "
            "has: is it the right file?"
        )
    if b"\0" in raw and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NoSignal(f"{path} is not text: want a list or table of intervals")
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:  # an older program's notes; the numbers are the same
        text = raw.decode("latin-1")
    return [line.strip() for line in text.splitlines()]


def _has_decimal_commas(lines: Sequence[str]) -> bool:
    """Return whether every line is one number with a decimal comma, not two columns.

    Of two columns, one would be a row number or a time, which only increases.
    """
    numbers = [line for line in lines if "," in line]
    if len(numbers) < 2 or not all(_DECIMAL_COMMA.fullmatch(line) for line in numbers):
        return False
    parts = np.array([line.split(",") for line in numbers], dtype=float)
    increases = np.all(np.diff(parts, axis=0) > 0, axis=0) if len(parts) > 2 else [False]
    both = possible(parts[:, 1]).all() and parts[:, 0].max() > 2  # a time and an interval
    return not (np.any(increases) or both)


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def number_of(cell: str) -> float:
    """Parse a number; NaN for any other text."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def is_number(cell: str) -> bool:
    return not math.isnan(number_of(cell))


def numbers_of(cells: Sequence[str], path: Path) -> np.ndarray:
    return codes_to_nan(np.array([number_of(cell) for cell in cells]), path.name)


def clock_of(cells: Sequence[str]) -> np.ndarray | None:
    """Read a column as times: numbers in their own unit, dates and times of day from the first, s.

    None if a cell is something else, or times decrease other than at midnight.
    """
    for parse in (number_of, _iso_s, _time_of_day_s, *(_by_format(f) for f in _DATES)):
        times = np.array([parse(cell) for cell in cells])
        if len(times) and np.isfinite(times).all():
            if parse is _time_of_day_s:
                times = times + 86400 * np.r_[0, np.cumsum(np.diff(times) < -43200)]
            if times[-1] > times[0]:
                return times if parse is number_of else times - times[0]
    return None


def _iso_s(cell: str) -> float:
    if not re.match(r"\d{4}-\d\d", cell):
        return float("nan")
    cell = re.sub(r" ([+-]\d{2}:?\d{2})$", r"\1", cell.strip())
    try:
        return datetime.fromisoformat(cell).timestamp()
    except ValueError:
        return float("nan")


def _time_of_day_s(cell: str) -> float:
    match = _TIME_OF_DAY.fullmatch(cell)
    if match is None:
        return float("nan")
    hours, minutes, seconds = match.groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", "."))


def _by_format(form: str) -> Callable[[str], float]:
    def parse(cell: str) -> float:
        try:
            return datetime.strptime(cell, form).timestamp()
        except ValueError:
            return float("nan")

    return parse
