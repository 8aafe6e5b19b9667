"""Read small tables of data sets (ratings, protocols): text, rows by column name, numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, checked

_LARGEST_WHOLE = 2**53  # beyond it a float leaves out whole numbers


def load_text(path: str | Path, *, limit_bytes: int = 200 * MB) -> str:
    """Read a text file, UTF-8 with or without a byte order mark."""
    path = checked(path, limit_bytes)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is no UTF-8 text ({error}): download it again") from error


def load_rows(
    path: str | Path, columns: Sequence[str], *, comma: str = ","
) -> list[tuple[int, dict[str, str]]]:
    """Read line number and cells of each row of a table with a header; skip blank rows.

    Raises
    ------
    InputError
        A missing file, no table, a missing column, or a row without a cell of one of these columns
        (a file that is cut off).
    """
    path = Path(path)
    reader = csv.DictReader(io.StringIO(load_text(path), newline=""), delimiter=comma)
    out = []
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
        lacking = [name for name in columns if name not in reader.fieldnames]
        if lacking:
            raise InputError(
                f"{path} lacks the columns {', '.join(lacking)}; it has: "
                f"{', '.join(reader.fieldnames[:12])[:200] or 'nothing'}"
            )
        for row in reader:
            cells = {str(k): (v or "").strip() for k, v in row.items() if isinstance(v, str | None)}
            short = [name for name in columns if row[name] is None]
            if short:
                raise InputError(
                    f"{path}, line {reader.line_num}: no {short[0]}: the file may be cut off"
                )
            out.append((reader.line_num, cells))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: no CSV ({error})") from error
    return out


def load_numbers(path: str | Path, *, comma: str | None = None) -> np.ndarray:
    """Read numbers without a header, (rows, columns); ``comma=None``: separated by white space.

    Raises
    ------
    InputError
        A missing or empty file, a cell that is not a number, or lines of unequal length.
    """
    lines = [line for line in load_text(path).splitlines() if line.strip()]
    try:
        out = np.array([[float(cell) for cell in line.split(comma)] for line in lines])
    except ValueError as error:
        raise InputError(
            f"{path} is no table of bare numbers ({error}): it may be cut off; download it again"
        ) from error
    if not out.size:
        raise InputError(f"{path} is empty: download it again")
    return out


def number(
    text: str, where: str, name: str, low: float = -math.inf, high: float = math.inf
) -> float:
    """Parse a cell as a finite number within its scale; ``where`` is the file and line."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {name} is {text[:40]!r}, want a number")
    if not low <= value <= high:
        raise InputError(
            f"{where}: {name} is {text[:40]}, outside its scale {low:g}–{high:g}: are the columns "
            "in their places?"
        )
    return value


def whole(text: str, where: str, name: str) -> int:
    """Parse a cell as a whole number."""
    value = number(text, where, name)
    if value != int(value) or abs(value) > _LARGEST_WHOLE:
        raise InputError(f"{where}: {name} is {text[:40]!r}, not a whole number")
    return int(value)
