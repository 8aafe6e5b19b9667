"""Read the text of a signal table: a plain file, gzip or a sheet of Excel."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, open_zip

# in the order in which endings are tried
TEXTS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".xlsx")
_LARGEST_SHEET = 500 * MB  # unpacked
_TAIL = 1 << 16


class NoSignal(InputError):
    """A readable file without a column named as a signal; it may not be a recording at all."""


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """Open the file's text, UTF-8 with or without a byte order mark; a sheet as tab-separated text.

    Raises
    ------
    InputError
        A file that cannot be read or is not text.
    """
    try:
        if is_workbook(path):
            stat = path.stat()
            yield io.StringIO(_sheet(path, stat.st_mtime_ns, stat.st_size))
        elif path.suffix.lower() == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
                yield file
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield file
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as CSV UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def is_workbook(path: Path) -> bool:
    """Tell whether the file is an Excel workbook by its content, not by its name."""
    if path.suffix.lower() != ".xlsx":
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def sidecar_of(path: Path) -> Path:
    """Return the path of the JSON of the same name: ``a.csv.gz`` -> ``a.json``."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).with_suffix(".json")


def blank_lines_at_end(path: Path) -> int:
    """Count the empty lines after the last row."""
    tail = ""
    with opened(path) as file:
        if file.seekable() and path.suffix.lower() not in (".gz", ".xlsx"):
            size = path.stat().st_size
            with path.open("rb") as raw:
                raw.seek(max(0, size - _TAIL))
                tail = raw.read().decode("latin1")
        else:
            for part in iter(lambda: file.read(1 << 20), ""):
                tail = (tail + part)[-_TAIL:]
    lines = tail.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    blank = 0
    while blank < len(lines) and not lines[-1 - blank].strip(" "):
        blank += 1
    return blank


@lru_cache(maxsize=2)
def _sheet(path: Path, changed_ns: int, size: int) -> str:
    """Yield the first sheet's rows as text; formulas as the values that Excel saved."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise InputError(
            f"{path}: Excel is read with openpyxl: pip install 'emotion-rppg[files]', or save it "
            "as CSV"
        ) from error
    with open_zip(path, limit_bytes=_LARGEST_SHEET) as archive:
        if archive.unpacked_bytes > _LARGEST_SHEET:
            raise InputError(f"{path} unpacks to more than {_LARGEST_SHEET / MB:.0f} MB")
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        rows = [[_cell(value) for value in row] for row in book.worksheets[0].values]
        book.close()
    except Exception as error:  # of a broken workbook openpyxl raises whatever its parts do
        raise InputError(
            f"{path} cannot be read as an Excel workbook ({type(error).__name__}: {error}): save "
            "it as CSV"
        ) from error
    while rows and not any(rows[-1]):  # formatted cells without values
        rows.pop()
    width = max((len(row) for row in rows[:1]), default=0)
    width = max((k + 1 for k, cell in enumerate(rows[0]) if cell), default=width) if rows else 0
    return "".join("\t".join(_cut(row, width)) + "\n" for row in rows)


def _cut(row: list[str], width: int) -> list[str]:
    """Cut a row to the header's length, but keep cells beyond it that are not empty."""
    while len(row) > width and not row[-1]:
        row = row[:-1]
    return row + [""] * (width - len(row))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):  # seconds, as all clocks here
        return repr(value.replace(tzinfo=UTC).timestamp())
    if isinstance(value, time):
        return repr(value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6)
    return " ".join(str(value).split())
