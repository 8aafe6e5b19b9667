"""Open signal tables as text: plain files, gzip files and the first sheet of Excel workbooks."""

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

# file endings of signal tables
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".xlsx")
_MAX_SHEET_BYTES = 500 * MB  # unpacked
_TAIL_BYTES = 1 << 16


class NoSignal(InputError):
    """Error for a readable file without a signal column, which need not be a recording at all."""


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a file as UTF-8 text, with or without a byte order mark; a sheet is tab-separated.

    Raises
    ------
    InputError
        A file that cannot be read or is not text.
    """
    try:
        if is_workbook(path):
            stat = path.stat()
            yield io.StringIO(_sheet_as_text(path, stat.st_mtime_ns, stat.st_size))
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
    """Return whether a file named .xlsx really is an Excel workbook, by its first bytes."""
    if path.suffix.lower() != ".xlsx":
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def sidecar_of(path: Path) -> Path:
    """Return the path of the JSON file of the same name: ``a.csv.gz`` -> ``a.json``."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).with_suffix(".json")


def blank_lines_at_end(path: Path) -> int:
    """Count the empty lines at the end of a file."""
    tail = ""
    with open_text(path) as file:
        if file.seekable() and path.suffix.lower() not in (".gz", ".xlsx"):
            size = path.stat().st_size
            with path.open("rb") as raw:
                raw.seek(max(0, size - _TAIL_BYTES))
                tail = raw.read().decode("latin1")
        else:
            for chunk in iter(lambda: file.read(1 << 20), ""):
                tail = (tail + chunk)[-_TAIL_BYTES:]
    lines = tail.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    blank = 0
    while blank < len(lines) and not lines[-1 - blank].strip(" "):
        blank += 1
    return blank


@lru_cache(maxsize=2)
def _sheet_as_text(path: Path, changed_ns: int, size: int) -> str:
    """Return the first sheet's rows as tab-separated text; formulas as the values Excel saved.

    Modification time and size are arguments so that a changed file is read again.
    """
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise InputError(
            f"{path}: reading Excel needs openpyxl: pip install 'emotion-rppg[files]', or save the "
            "file as CSV"
        ) from error
    with open_zip(path, limit_bytes=_MAX_SHEET_BYTES) as archive:
        if archive.unpacked_bytes > _MAX_SHEET_BYTES:
            raise InputError(
                f"{path} unpacks to more than {_MAX_SHEET_BYTES / MB:.0f} MB: save it as CSV"
            )
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        rows = [[_format_cell(value) for value in row] for row in book.worksheets[0].values]
        book.close()
    except Exception as error:  # openpyxl raises errors of many kinds for a damaged workbook
        raise InputError(
            f"{path} cannot be read as an Excel workbook ({type(error).__name__}: {error}): save "
            "it as CSV"
        ) from error
    while rows and not any(rows[-1]):  # formatted cells without values
        rows.pop()
    width = max((len(row) for row in rows[:1]), default=0)
    width = max((k + 1 for k, cell in enumerate(rows[0]) if cell), default=width) if rows else 0
    return "".join("\t".join(_fit_row(row, width)) + "\n" for row in rows)


def _fit_row(row: list[str], width: int) -> list[str]:
    """Pad or cut a row to the header's length, but keep cells beyond it that are not empty."""
    while len(row) > width and not row[-1]:
        row = row[:-1]
    return row + [""] * (width - len(row))


def _format_cell(value: Any) -> str:
    """Format a cell as text; dates and times of day in seconds."""
    if value is None:
        return ""
    if isinstance(value, datetime):  # as seconds, like all times
        return repr(value.replace(tzinfo=UTC).timestamp())
    if isinstance(value, time):
        return repr(value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6)
    return " ".join(str(value).split())
