"""Read signal tables: a time and one or more of ``rppg``, ``bvp`` (or ``ppg``), ``ecg``.

CSV, TSV and text, also within gzip, and the first sheet of an Excel workbook. ``time_s`` is in
seconds; ``time_ms``, ``time_us``, ``time_ns`` and ``time_min`` are in those units.

A table without times or without a header is read if a JSON of the same name describes it with
BIDS fields: ``{"SamplingFrequency": 100, "Columns": ["ppg", "ecg"]}``; ``Columns`` is for a file
without a header, ``StartTime`` (seconds) is 0 by default. Its rows are evenly spaced in time: a row
with empty cells is a missing sample.
"""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.missing_values import is_missing, without_codes
from emotion_rppg.formats.safe_io import load_json
from emotion_rppg.formats.shared_timestamps import even_clock, shared
from emotion_rppg.formats.text_files import NoSignal, blank_lines_at_end, opened, sidecar_of
from emotion_rppg.runtime.tables import AS_WRITTEN
from emotion_rppg.signals import SHORTEST_STEP_S, Signal

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
SIGNAL_COLUMNS = {"rppg": "rppg", "bvp": "bvp", "ppg": "bvp", "ecg": "ecg"}
# column of a clock -> seconds in its unit
CLOCKS = {"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "time_ns": 1e-9, "time_min": 60.0}
_UNITS = {"s": "s", "sec": "s", "seconds": "s", "ms": "ms", "us": "us", "µs": "us", "ns": "ns"}
_UNITS |= {"min": "min", "minutes": "min"}
_ALIASES = {  # as PhysioNet's exports and others name them; compared in lower case
    **{f"time [{unit}]": f"time_{name}" for unit, name in _UNITS.items()},
    **{f"time ({unit})": f"time_{name}" for unit, name in _UNITS.items()},
    **{f"time_{unit}": f"time_{name}" for unit, name in _UNITS.items()},
    "seconds": "time_s",
    "pleth": "ppg",
    "cardiac": "ppg",
    "ii": "ecg",
}
_LONGEST_STEP_S = 0.5  # slower than two samples a second no pulse can be seen
_MORE = "more"
_LARGEST_JSON = 10 << 20
_MOST_FILLING = 100  # times as many samples as the file has: then its clock is wrong
_FEW, _MOST = 0.05, 0.5  # shares of samples that have the stamp of the one before
_IN_MINUTES_HZ = 1200.0  # twenty samples a second, if minutes were taken for seconds
_FASTER = 50.0  # times the power above 2400 bpm: no heart


def kinds_in(path: str | Path) -> list[str]:
    """List the kinds of signal in the table's header, reading only the header."""
    header = _layout(Path(path)).header
    return list(dict.fromkeys(SIGNAL_COLUMNS[name] for name in header if name in SIGNAL_COLUMNS))


def columns_in(path: str | Path) -> list[str]:
    """List the table's columns without clock and quality, reading only the header."""
    header = _layout(Path(path), any_signal=True).header
    return [name for name in header if name and name not in (*CLOCKS, "quality")]


@dataclass(frozen=True)
class _Layout:
    """Column names, cell separator, lines before the first row, and the clock if it is even."""

    header: list[str]
    comma: str
    skip: int = 1
    rate_hz: float | None = None
    start_s: float = 0.0

    @property
    def clock(self) -> str | None:
        """Name of the time column; None if the number of the row is the clock."""
        return None if self.rate_hz else next(name for name in CLOCKS if name in self.header)


def read_signal(path: str | Path, kind: str | None = None, *, channel: str | None = None) -> Signal:
    """Read one signal of a table onto an even grid, with its ``quality`` column if there is one.

    Times need not be regular. Samples with repeated times are averaged with a warning; where
    rounding or packets cause the repeats, the even clock is reconstructed
    (:mod:`emotion_rppg.formats.shared_timestamps`).

    Parameters
    ----------
    kind : {"rppg", "bvp", "ecg"}, optional
        Kind to read; needed only if the file has several.
    channel : str, optional
        Name of its column, if that is none of the usual names.

    Raises
    ------
    InputError
        No signal table, a cell that is not a number (the message names its line), or times that
        decrease or are not in seconds.
    """
    path = Path(path)
    layout = _layout(path, any_signal=channel is not None)
    column, kind = _column(path, layout, kind, channel)
    wanted = [column, *(["quality"] if "quality" in layout.header else [])]
    if any(layout.header.count(name) > 1 for name in wanted):
        raise InputError(_once(path, layout.header))
    if layout.clock is None:
        return _by_row(path, layout, wanted, kind)
    return _by_time(path, layout, wanted, kind)


def _column(path: Path, layout: _Layout, kind: str | None, channel: str | None) -> tuple[str, str]:
    """Return the name of the column to read, and its kind."""
    if channel is not None:
        if channel not in layout.header:
            raise InputError(f"{path} has no column {channel!r}; it has: {layout.header}")
        return channel, kind or "bvp"
    kinds = list(
        dict.fromkeys(SIGNAL_COLUMNS[name] for name in layout.header if name in SIGNAL_COLUMNS)
    )
    if kind is None and len(kinds) > 1:
        raise InputError(f"{path} has several signals ({', '.join(kinds)}): say which one")
    kind = kinds[0] if kind is None else kind
    columns = [name for name in layout.header if SIGNAL_COLUMNS.get(name) == kind]
    if not columns:
        raise InputError(f"{path} has no {kind}; it has: {', '.join(kinds)}")
    if len(columns) > 1:
        raise InputError(_once(path, layout.header))
    return columns[0], kind


def _once(path: Path, header: list[str]) -> str:
    return (
        f"{path} has the columns {', '.join(header[:8])}: want each signal once; "
        "name one by --channel (channel=… in Python), or rename or drop the others"
    )


def _by_row(path: Path, layout: _Layout, wanted: list[str], kind: str) -> Signal:
    """Build a signal whose clock is the number of the row; empty cells are missing samples."""
    table = _cells(path, layout, wanted)
    table = table.iloc[: max(0, len(table) - blank_lines_at_end(path))]
    if not len(table):
        raise InputError(f"{path} has no rows: copy it again")
    found = _columns(path, layout, table, wanted)
    samples = without_codes(found[0], path.name)
    quality = found[1] if len(found) > 1 else None
    rate, start = layout.rate_hz, layout.start_s
    return Signal(samples, rate or 0.0, kind=kind, start_s=start, quality=quality)


def _by_time(path: Path, layout: _Layout, wanted: list[str], kind: str) -> Signal:
    """Build a signal with a time in each row; skip blank rows."""
    clock = str(layout.clock)
    table = _cells(path, layout, [clock, *wanted])
    table = table[table[[clock, *wanted]].notna().any(axis=1)]
    lines = table.index.to_numpy() + layout.skip + 1  # lines count from 1
    stamps, values, *rest = _columns(path, layout, table, [clock, *wanted])
    values = without_codes(values, path.name)
    times, values = _even(path, clock, stamps * CLOCKS[clock], values, kind)
    _check_clock(path, clock, times, lines)
    try:
        signal = Signal.from_times(times, values, kind=kind)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    _check_unit(path, clock, signal)
    if not rest:
        return signal
    quality = np.interp(signal.times_s, times, rest[0])
    return replace(signal, quality=quality)


def _layout(path: Path, *, any_signal: bool = False) -> _Layout:
    """Detect the layout of the file from its first two lines and a JSON beside it."""
    with opened(path) as file:
        first, second = file.readline(), file.readline()
    beside = sidecar_of(path)
    facts = _facts(beside)
    comma = _separator(first)
    named = "Columns" in facts
    cells = facts["Columns"] if named else _split(first.strip("\r\n"), comma)
    header = [_named(str(cell)) for cell in cells]
    even = "SamplingFrequency" in facts and not set(CLOCKS) & set(header)
    has_clock = even or bool(set(CLOCKS) & set(header))
    has_signal = any_signal or any(name in SIGNAL_COLUMNS for name in header)
    if not (has_clock and has_signal):
        shown = ", ".join(str(cell).strip() for cell in cells[:6]) or "nothing"
        raise NoSignal(
            f"{path} starts with {shown!r}: want a header with time_s (seconds) and one of "
            f"{', '.join(SIGNAL_COLUMNS)}; for a signal of another name --channel NAME; for a file "
            f'without times or header, a {beside.name} with {{"SamplingFrequency": HZ, "Columns": '
            "[NAMES]}"
        )
    cells = _split(second.strip(), comma) if '"' not in second else []
    if any(cells[len(header) :]):
        raise InputError(
            f"{path}, line 2: {len(cells)} cells for {len(header)} columns; where a comma is the "
            "decimal point, separate the cells by ;"
        )
    rate = float(facts["SamplingFrequency"]) if even else None
    return _Layout(header, comma, 0 if named else 1, rate, float(facts.get("StartTime", 0.0)))


def _separator(line: str) -> str:
    """Detect the cell separator of a line; white space where no other is present."""
    comma = max(",;\t", key=line.count)
    blanks = line.count(comma) == 0 and len(line.split()) > 1 and _named(line) not in CLOCKS
    return r"\s+" if blanks else comma


def _split(line: str, comma: str) -> list[str]:
    return line.split() if comma == r"\s+" else line.split(comma)


def _named(cell: str) -> str:
    """Return a column's name; translate other tools' names for time and pulse."""
    name = cell.strip().strip('"').strip()
    if name.lower() in SIGNAL_COLUMNS or name.lower() in CLOCKS:
        return name.lower()
    return _ALIASES.get(name.lower(), name)


def _facts(path: Path) -> dict[str, Any]:
    """Read and check the JSON beside a CSV, if it exists and describes a clock."""
    if not path.is_file():
        return {}
    facts = load_json(path, limit_bytes=_LARGEST_JSON)
    if not isinstance(facts, dict) or "SamplingFrequency" not in facts:
        return {}
    rate, start, names = (
        facts.get(k, v) for k, v in (("SamplingFrequency", 0), ("StartTime", 0), ("Columns", []))
    )
    numbers = all(isinstance(n, int | float) and math.isfinite(n) for n in (rate, start))
    if not (numbers and rate > 0 and isinstance(names, list)):
        raise InputError(
            f"{path}: want SamplingFrequency in Hz, StartTime in seconds and a list of Columns, "
            f"got {rate!r}, {start!r}, {names!r}"
        )
    return facts


def _cells(path: Path, layout: _Layout, wanted: list[str]) -> pd.DataFrame:
    """Read these columns, one row per line, as numbers if all cells are plain numbers."""
    try:
        try:
            if layout.comma != ",":
                raise ValueError("decimal commas are read as text")
            table = _table(path, layout, wanted, float)
        except ValueError:  # some cell is no plain number: read as text, slower, to say which
            table = _table(path, layout, wanted, str)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a CSV: {str(error).strip()}") from error
    for row in table.index[table[_MORE].notna()][:1]:
        raise InputError(
            f"{path}, line {row + layout.skip + 1}: more cells than the header's "
            f"{len(layout.header)} columns"
        )
    return table


def _columns(
    path: Path, layout: _Layout, table: pd.DataFrame, wanted: list[str]
) -> list[np.ndarray]:
    """Read these columns as floats; empty cells and words for missing values are NaN."""
    lines = table.index.to_numpy() + layout.skip + 1
    return [_numbers(table[name], path, layout.comma, lines) for name in wanted]


def _table(path: Path, layout: _Layout, wanted: list[str], dtype: type) -> pd.DataFrame:
    """Parse the wanted columns and any cells beyond the header, so that none shifts others."""
    import pandas as pd

    n = len(layout.header)
    names = {layout.header.index(name): name for name in wanted} | {n: _MORE}
    with warnings.catch_warnings(), opened(path) as file:
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of several empty cells beyond
        try:
            table = pd.read_csv(
                file,
                sep=layout.comma,
                header=None,
                skiprows=layout.skip,
                names=range(n + 1),
                index_col=False,
                dtype={k: dtype if k in names else str for k in range(n + 1)},
                skipinitialspace=True,
                skip_blank_lines=False,
                **AS_WRITTEN,
            )
        except pd.errors.EmptyDataError:
            table = pd.DataFrame(columns=range(n + 1), dtype=dtype)
    return table[list(names)].rename(columns=names)


def _numbers(column: pd.Series, path: Path, comma: str, lines: np.ndarray) -> np.ndarray:
    """Convert cells to finite floats or NaN; accept a decimal comma if it separates no cells."""
    if column.dtype == float:
        numbers = column.to_numpy()
    else:
        numbers = np.full(len(column), np.nan)
        for row, cell in enumerate(column.fillna("").str.strip()):
            text = cell if comma == "," else cell.replace(",", ".")
            if is_missing(text):
                continue
            try:  # not pandas.to_numeric, which an exponent of ten digits crashes
                numbers[row] = float(text)
            except ValueError as error:
                raise InputError(
                    f"{path}, line {lines[row]}: {column.name} is {text!r}, want a number"
                ) from error
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _even(
    path: Path, clock: str, times: np.ndarray, values: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Reconstruct even times where rounding or packets repeat timestamps; else return them as is.

    125 Hz written to hundredths of a second gives 0.01, 0.02, 0.02, 0.03: averaging the two at 0.02
    would distort the wave. A camera's timestamps jitter and repeat occasionally.
    """
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        return times, values
    share = shared(times)
    found = even_clock(times) if share > (_MOST if kind == "rppg" else 0.0) else None
    if found is not None:
        if share > _FEW:
            _log.warning(
                "%s: %.0f samples have each %s on average: set on the even clock of %.5g Hz behind",
                path.name,
                1 / (1 - share),
                clock,
                found.rate_hz,
            )
        return found.times_s, np.where(found.certain, values, np.nan)
    if share > _MOST and len(times) > 1:
        steps = np.diff(times)
        by = f"goes by {np.median(steps[steps > 0]):g} s" if (steps > 0).any() else "stands still"
        raise InputError(
            f"{path}: {clock} {by}, with {len(times) / len(np.unique(times)):.0f} samples to each, "
            "and no even clock fits them (a time in single precision?): write it with more "
            "digits, best as seconds from the start, or drop the column and give "
            f'{{"SamplingFrequency": HZ}} in '
            f"{sidecar_of(path).name}"
        )
    return times, values


def _check_clock(path: Path, clock: str, times: np.ndarray, lines: np.ndarray) -> None:
    """Refuse times that are no clock in their unit; count repeated ones."""
    for row in np.flatnonzero(np.isnan(times))[:1]:
        raise InputError(f"{path}: {clock} is empty on line {lines[row]}, want a time")
    steps = np.diff(times)
    for row in np.flatnonzero(steps < 0)[:1]:
        raise InputError(
            f"{path}: {clock} goes back on line {lines[row + 1]}: sort the rows, or split the "
            "file where the clock was set"
        )
    repeats = int((steps == 0).sum())
    if repeats:
        _log.warning("%s: %d repeated time stamps, their values are averaged", path.name, repeats)
    forward = steps[steps > 0]
    if not len(forward):
        return
    step = float(np.median(forward))
    if not SHORTEST_STEP_S <= step <= _LONGEST_STEP_S:
        speed = "slow" if step > _LONGEST_STEP_S else "fast"
        raise InputError(
            f"{path}: {clock} goes by {step:g} s from row to row, too {speed} to be that of a "
            "pulse: were milliseconds or sample numbers given? Name the column by its unit: "
            f"{', '.join(CLOCKS)}"
        )
    if times[-1] - times[0] > (_MOST_FILLING * len(times) + 1e6) * step:
        raise InputError(
            f"{path}: {clock} leaps by {forward.max():g} s before line "
            f"{lines[int(steps.argmax()) + 1]}: want one clock; split the file there"
        )


def _check_unit(path: Path, clock: str, signal: Signal) -> None:
    """Refuse a wave of a thousand beats per minute, whose times are in minutes."""
    if signal.rate_hz < _IN_MINUTES_HZ:
        return
    seen = signal.samples[np.isfinite(signal.samples)][: 1 << 17]
    if len(seen) < 64:
        return
    power = np.abs(np.fft.rfft((seen - seen.mean()) * np.hanning(len(seen)))) ** 2
    hz = np.fft.rfftfreq(len(seen), 1 / signal.rate_hz)
    slow, fast = (power[(hz >= a) & (hz < b)] for a, b in ((0.5, 20.0), (40.0, 300.0)))
    if fast.size and fast.sum() > _FASTER * slow.sum():
        bpm = 60 * hz[(hz >= 40) & (hz < 300)][int(fast.argmax())]
        raise InputError(
            f"{path}: by {clock} there are {signal.rate_hz:.0f} samples a second, and the wave "
            f"goes {bpm:.0f} times a minute: are the times in minutes? Then name the column "
            "time_min, or give seconds"
        )
