"""Read small text tables of data sets, such as ratings and protocols, and parse their cells."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, check_file

_MAX_WHOLE_NUMBER = 2**53  # beyond it floats do not represent every whole number


def load_text(path: str | Path, *, limit_bytes: int = 200 * MB) -> str:
    """Read a UTF-8 text file, with or without a byte order mark."""
    path = check_file(path, limit_bytes)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is not UTF-8 text ({error}): download it again") from error


def load_rows(
    path: str | Path, columns: Sequence[str], *, delimiter: str = ","
) -> list[tuple[int, dict[str, str]]]:
    """Read line number and cells by column name of each row of a table; skip blank rows.

    Raises
    ------
    InputError
        A missing file, one that is not CSV, a missing column, or a row without a cell of one of
        ``columns``, as in a file that is cut off.
    """
    path = Path(path)
    reader = csv.DictReader(io.StringIO(load_text(path), newline=""), delimiter=delimiter)
    out = []
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
        missing = [name for name in columns if name not in reader.fieldnames]
        if missing:
            raise InputError(
                f"{path} does not have the columns {', '.join(missing)}; it has: "
                f"{', '.join(reader.fieldnames[:12])[:200] or 'nothing'}"
            )
        for row in reader:
            cells = {str(k): (v or "").strip() for k, v in row.items() if isinstance(v, str | None)}
            absent = [name for name in columns if row[name] is None]
            if absent:
                raise InputError(
                    f"{path}, line {reader.line_num}: no {absent[0]}: the file may be cut off"
                )
            out.append((reader.line_num, cells))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    return out


def load_numbers(path: str | Path, *, delimiter: str | None = None) -> np.ndarray:
    """Read numbers without a header, (rows, columns); ``delimiter=None`` means white space.

    Raises
    ------
    InputError
        A missing or empty file, a cell that is not a number, or lines of unequal length.
    """
    lines = [line for line in load_text(path).splitlines() if line.strip()]
    try:
        out = np.array([[float(cell) for cell in line.split(delimiter)] for line in lines])
    except ValueError as error:
        raise InputError(
            f"{path} is not a table of numbers ({error}): it may be cut off; download it again"
        ) from error
    if not out.size:
        raise InputError(f"{path} is empty: download it again")
    return out


def number(
    text: str, where: str, name: str, low: float = -math.inf, high: float = math.inf
) -> float:
    """Parse a cell as a finite number within its scale.

    ``where`` (file and line) and ``name`` (of the column) appear in the message.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {name} is {text[:40]!r}, want a number")
    if not low <= value <= high:
        raise InputError(
            f"{where}: {name} is {text[:40]}, outside its scale {low:g}–{high:g}: are the columns "
            "in the expected order?"
        )
    return value


def whole_number(text: str, where: str, name: str) -> int:
    """Parse a cell as a whole number."""
    value = number(text, where, name)
    if value != int(value) or abs(value) > _MAX_WHOLE_NUMBER:
        raise InputError(f"{where}: {name} is {text[:40]!r}, not a whole number")
    return int(value)
