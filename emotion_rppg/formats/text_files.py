"""Open signal tables as text: plain files, gzip files and the first sheet of Excel workbooks."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
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
MAX_CELLS = 20_000_000  # of a sheet, counted with the empty ones that its last row and column imply
# of a text file, unpacked: two days of three signals at 1000 Hz
MAX_TEXT_BYTES, MAX_LINES, MAX_LINE_BYTES = 4000 * MB, 200_000_000, MB
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
            with gzip.open(path, "rb") as packed, _as_text(path, packed) as file:
                yield file
        else:
            with path.open("rb") as raw, _as_text(path, raw) as file:
                yield file
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as CSV UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _as_text(path: Path, raw: io.BufferedIOBase) -> io.TextIOWrapper:
    limited = io.BufferedReader(_LimitedText(path, raw), 1 << 16)
    return io.TextIOWrapper(limited, encoding="utf-8-sig", newline="")


class _LimitedText(io.RawIOBase):
    """Bytes of a text file, no more than memory can hold: a small file can unpack to gigabytes."""

    def __init__(self, path: Path, raw: io.BufferedIOBase) -> None:
        self.path, self.raw = path, raw
        self.size, self.lines, self.line_size = 0, 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        chunk = self.raw.read(len(buffer))
        buffer[: len(chunk)] = chunk
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self.size, self.lines = self.size + len(chunk), self.lines + chunk.count(b"\n")
        self.line_size = len(chunk) - 1 - end if end >= 0 else self.line_size + len(chunk)
        for what, found, most in (
            ("bytes", self.size, MAX_TEXT_BYTES),
            ("lines", self.lines, MAX_LINES),
            ("bytes in a line", self.line_size, MAX_LINE_BYTES),
        ):
            if found > most:
                raise InputError(
                    f"{self.path} has more than {most} {what}: is it the right file? Split a long "
                    "recording into several files"
                )
        return len(chunk)


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
        if path.suffix.lower() not in (".gz", ".xlsx"):
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
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=True)
            rows = list(_sheet_rows(path, book.worksheets[0].values))
    except InputError:
        raise
    except Exception as error:  # openpyxl raises errors of many kinds for a damaged workbook
        raise InputError(
            f"{path} cannot be read as an Excel workbook ({type(error).__name__}: {error}): save "
            "it as CSV"
        ) from error
    width = len(rows[0]) if rows else 0
    return "".join("\t".join(_fit_row(row, width)) + "\n" for row in rows)


def _sheet_rows(path: Path, values: Iterable[Iterable[Any]]) -> Iterator[list[str]]:
    """Yield the cells of each row up to the last row with a value, each up to its last value.

    Raises
    ------
    InputError
        More cells than a recording has: a small file can claim 16 thousand million.
    """
    cells, empty = 0, 0
    for row in values:
        texts = [_format_cell(value) for value in row]
        cells += len(texts)
        if cells > MAX_CELLS:
            raise InputError(
                f"{path} has more than {MAX_CELLS} cells: delete empty rows and columns, or save "
                "it as CSV"
            )
        while texts and not texts[-1]:
            texts.pop()
        if not texts:  # formatted cells without values
            empty += 1
            continue
        yield from ([] for _ in range(empty))
        yield texts
        empty = 0


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
