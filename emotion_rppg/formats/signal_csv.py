"""Read signal tables: a time and one or more of ``rppg``, ``bvp`` (or ``ppg``), ``ecg``.

Columns ``eda`` (µS), ``resp``, ``temp`` (°C) and ``acc`` (magnitude in g) are read, too; an empty
cell is a missing sample, so one table may hold signals of several rates.

Tables are CSV, TSV or text files, also compressed by gzip, or the first sheet of an Excel workbook.
``time_s`` is in seconds; ``time_ms``, ``time_us``, ``time_ns`` and ``time_min`` are in those units.

A table without times or without a header is read if a JSON file of the same name describes it with
BIDS fields: ``{"SamplingFrequency": 100, "Columns": ["ppg", "ecg"]}``. ``Columns`` is for a file
without a header; ``StartTime`` (seconds) is 0 by default. Its rows are evenly spaced in time: a row
with empty cells is a missing sample.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.missing_values import codes_to_nan, is_missing
from emotion_rppg.formats.safe_io import load_json
from emotion_rppg.formats.shared_timestamps import even_clock, repeated_share
from emotion_rppg.formats.text_files import NoSignal, blank_lines_at_end, open_text, sidecar_of
from emotion_rppg.formats.time_columns import DATE, clock_of, dates_to_seconds, order_late_rows
from emotion_rppg.runtime.tables import AS_WRITTEN
from emotion_rppg.signals import SHORTEST_STEP_S, UNITS, Signal

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
SIGNAL_COLUMNS = {"rppg": "rppg", "bvp": "bvp", "ppg": "bvp", "ecg": "ecg"}
# columns beside the pulse, which alone do not make a file a recording of a pulse
SENSOR_COLUMNS = {kind: kind for kind in UNITS}
_COLUMNS = SIGNAL_COLUMNS | SENSOR_COLUMNS
# name of a time column -> seconds per unit
CLOCKS = {"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "time_ns": 1e-9, "time_min": 60.0}
CLOCKS |= {DATE: 1.0}
_UNITS = {"s": "s", "sec": "s", "seconds": "s", "ms": "ms", "us": "us", "µs": "us", "ns": "ns"}
_UNITS |= {"min": "min", "minutes": "min"}
_ALIASES = {  # names in PhysioNet's exports and other tools; compared in lower case
    **{f"time [{unit}]": f"time_{name}" for unit, name in _UNITS.items()},
    **{f"time ({unit})": f"time_{name}" for unit, name in _UNITS.items()},
    **{f"time_{unit}": f"time_{name}" for unit, name in _UNITS.items()},
    "seconds": "time_s",
    "pleth": "ppg",
    "cardiac": "ppg",
    "ii": "ecg",
}
_MAX_STEP_S = 0.5  # with less than two samples per second a pulse is not visible
_EXTRA = "more"
_MAX_COLUMNS = 10_000
_MAX_JSON_BYTES = 10 << 20
_MAX_FILL = 100  # samples on the even grid, per row of the file; more means that a time is wrong
_WARN_SHARE, _PACKET_SHARE = 0.05, 0.5  # shares of repeated timestamps
_SUSPECT_HZ = 1200.0  # 20 samples per second, if minutes were read as seconds
_MAX_FAST_RATIO = 50.0  # power above 2400 bpm to power of heart rates: more is not a heartbeat


def kinds_in(path: str | Path) -> list[str]:
    """List the kinds of signal in a table, reading only its header."""
    header = _layout(Path(path)).header
    return list(dict.fromkeys(_COLUMNS[name] for name in header if name in _COLUMNS))


def columns_in(path: str | Path) -> list[str]:
    """List the columns of a table except time and quality, reading only its header."""
    header = _layout(Path(path), any_signal=True).header
    return [name for name in header if name and name not in (*CLOCKS, "quality")]


def kind_of_column(name: str) -> str | None:
    """Return the kind of a column that is read by its name, None for any other column."""
    return SIGNAL_COLUMNS.get(name)


@dataclass(frozen=True)
class _Layout:
    """Column names, delimiter, lines before the first row, and rate and start of an even clock."""

    header: list[str]
    delimiter: str
    skip: int = 1
    rate_hz: float | None = None
    start_s: float = 0.0

    @property
    def clock(self) -> str | None:
        """Name of the time column; None if the row number is the clock."""
        return None if self.rate_hz else next(name for name in CLOCKS if name in self.header)


def read_signal(path: str | Path, kind: str | None = None, *, channel: str | None = None) -> Signal:
    """Read one signal of a table on an even grid, with its ``quality`` column if there is one.

    Times need not be regular. Samples with repeated times are averaged with a warning; where
    rounding or packets cause the repeats, the even clock is reconstructed
    (:mod:`emotion_rppg.formats.shared_timestamps`).

    Parameters
    ----------
    kind : str, optional
        Kind to read; needed only if the file has several of ``"rppg"``, ``"bvp"`` and ``"ecg"``, or
        for ``"eda"``, ``"resp"``, ``"temp"``, ``"acc"`` beside one of these.
    channel : str, optional
        Name of its column, if it is not one of the usual names.

    Raises
    ------
    InputError
        Not a signal table, a cell that is not a number (the message names its line), or times that
        decrease or are not in the unit of their column.
    """
    path = Path(path)
    layout = _layout(path, any_signal=channel is not None)
    column, kind = _column(path, layout, kind, channel)
    of_pulse = "quality" in layout.header and kind not in SENSOR_COLUMNS
    names = [column, *(["quality"] if of_pulse else [])]
    if any(layout.header.count(name) > 1 for name in names):
        raise InputError(_duplicates_message(path, layout.header))
    if layout.clock is None:
        return _read_by_row(path, layout, names, kind)
    return _read_by_time(path, layout, names, kind)


def read_column(
    path: Path,
    column: str,
    *,
    header: Sequence[str],
    delimiter: str,
    skip: int,
    rate_hz: float | None,
    kind: str | None = None,
) -> Signal:
    """Read a column of a table whose layout the caller knows.

    ``header`` names all columns, among them one of ``CLOCKS`` unless ``rate_hz`` is given; ``skip``
    is the number of lines before the first row.
    """
    layout = _Layout(list(header), delimiter, skip, rate_hz)
    read = _read_by_row if rate_hz else _read_by_time
    return read(path, layout, [column], kind)


def _column(path: Path, layout: _Layout, kind: str | None, channel: str | None) -> tuple[str, str]:
    """Return the name of the column to read, and its kind."""
    if channel is not None:
        if channel not in layout.header:
            raise InputError(f"{path} has no column {channel!r}; it has: {layout.header}")
        return channel, kind or "bvp"
    kinds = list(dict.fromkeys(_COLUMNS[name] for name in layout.header if name in _COLUMNS))
    pulses = [kind for kind in kinds if kind not in SENSOR_COLUMNS] or kinds
    if kind is None and len(pulses) > 1:
        raise InputError(f"{path} has several signals ({', '.join(pulses)}): choose one")
    kind = pulses[0] if kind is None else kind
    columns = [name for name in layout.header if _COLUMNS.get(name) == kind]
    if not columns:
        raise InputError(f"{path} has no {kind}; it has: {', '.join(kinds)}")
    if len(columns) > 1:
        raise InputError(_duplicates_message(path, layout.header))
    return columns[0], kind


def _duplicates_message(path: Path, header: list[str]) -> str:
    return (
        f"{path} has the columns {', '.join(header[:8])}: want each signal once; "
        "choose one with --channel (channel=… in Python), or rename or remove the others"
    )


def _read_by_row(path: Path, layout: _Layout, names: list[str], kind: str | None) -> Signal:
    """Read a signal whose clock is the row number; empty cells are missing samples."""
    table = _read_cells(path, layout, names)
    table = table.iloc[: max(0, len(table) - blank_lines_at_end(path))]
    if not len(table):
        raise InputError(f"{path} has no rows: copy it again")
    columns = _columns(path, layout, table, names)
    samples = codes_to_nan(columns[0], path.name)
    quality = columns[1] if len(columns) > 1 else None
    rate, start = layout.rate_hz, layout.start_s
    return Signal(samples, rate or 0.0, kind=kind, start_s=start, quality=quality)


def _read_by_time(path: Path, layout: _Layout, names: list[str], kind: str | None) -> Signal:
    """Read a signal with a time in each row; skip blank rows."""
    clock = str(layout.clock)
    table = _read_cells(path, layout, [clock, *names])
    table = table[table[[clock, *names]].notna().any(axis=1)]
    lines = table.index.to_numpy() + layout.skip + 1  # lines count from 1
    stamps, values, *rest = _columns(path, layout, table, [clock, *names])
    values = codes_to_nan(values, path.name)
    order = order_late_rows(stamps * CLOCKS[clock], path.name)
    if order is not None:
        stamps, values, lines = stamps[order], values[order], lines[order]
        rest = [column[order] for column in rest]
    times, values = _even_times(path, clock, stamps * CLOCKS[clock], values, kind)
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
    with open_text(path) as file:
        first, second = file.readline(), file.readline()
    json_path = sidecar_of(path)
    facts = _facts(json_path)
    delimiter = _separator(first)
    names_in_json = "Columns" in facts
    cells = facts["Columns"] if names_in_json else _split(first.strip("\r\n"), delimiter)
    if len(cells) > _MAX_COLUMNS:
        raise NoSignal(f"{path} has {len(cells)} columns: want at most {_MAX_COLUMNS}")
    header = [_column_name(str(cell)) for cell in cells]
    if not set(CLOCKS) & set(header) and "SamplingFrequency" not in facts:
        header = _with_clock(header, _split(second.strip("\r\n"), delimiter))
    even = "SamplingFrequency" in facts and not set(CLOCKS) & set(header)
    has_clock = even or bool(set(CLOCKS) & set(header))
    has_signal = any_signal or any(name in _COLUMNS for name in header)
    if not (has_clock and has_signal):
        start = ", ".join(str(cell).strip() for cell in cells[:6]) or "nothing"
        raise NoSignal(
            f"{path} starts with {start!r}: want a header with time_s (seconds) and one of "
            f"{', '.join(SIGNAL_COLUMNS)}; for a signal with another name add --channel NAME; for "
            f"a file without times or header add a {json_path.name} with "
            '{"SamplingFrequency": HZ, "Columns": [NAMES]}'
        )
    cells = _split(second.strip(), delimiter) if '"' not in second else []
    if any(cells[len(header) :]):
        raise InputError(
            f"{path}, line 2: {len(cells)} cells for {len(header)} columns; if the comma is the "
            "decimal point, separate the cells by ;"
        )
    rate = float(facts["SamplingFrequency"]) if even else None
    return _Layout(
        header, delimiter, 0 if names_in_json else 1, rate, float(facts.get("StartTime", 0.0))
    )


def _separator(line: str) -> str:
    """Detect the delimiter of a line: comma, semicolon or tab, else white space."""
    delimiter = max(",;\t", key=line.count)
    white_space = (
        line.count(delimiter) == 0 and len(line.split()) > 1 and _column_name(line) not in CLOCKS
    )
    return r"\s+" if white_space else delimiter


def _split(line: str, delimiter: str) -> list[str]:
    return line.split() if delimiter == r"\s+" else line.split(delimiter)


def _column_name(cell: str) -> str:
    """Return a column's name; convert other tools' names for time and pulse to the usual ones."""
    name = cell.strip().strip('"').strip()
    if name.lower() in _COLUMNS or name.lower() in CLOCKS:
        return name.lower()
    return _ALIASES.get(name.lower(), name)


def _with_clock(header: list[str], first_row: list[str]) -> list[str]:
    """Rename the first time column whose unit its first cell shows."""
    for k, (name, cell) in enumerate(zip(header, first_row, strict=False)):
        clock = clock_of(name, cell)
        if clock:
            return [*header[:k], clock, *header[k + 1 :]]
    return header


def _facts(path: Path) -> dict[str, Any]:
    """Read and check the JSON file beside a table; empty if it is missing or has no rate."""
    if not path.is_file():
        return {}
    facts = load_json(path, limit_bytes=_MAX_JSON_BYTES)
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


def _read_cells(path: Path, layout: _Layout, names: list[str]) -> pd.DataFrame:
    """Read columns, one row per line, as floats if all cells are plain numbers, else as text."""
    try:
        try:
            if layout.delimiter != ",":
                raise ValueError("decimal commas are read as text")
            table = _parse_csv(path, layout, names, float)
        except InputError:  # of the file itself; it is a ValueError, too
            raise
        except ValueError:  # a cell is not a plain number: read as text, slower, to find which
            table = _parse_csv(path, layout, names, str)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a CSV: {str(error).strip()}") from error
    for row in table.index[table[_EXTRA].notna()][:1]:
        raise InputError(
            f"{path}, line {row + layout.skip + 1}: more cells than the header's "
            f"{len(layout.header)} columns"
        )
    return table


def _columns(
    path: Path, layout: _Layout, table: pd.DataFrame, names: list[str]
) -> list[np.ndarray]:
    """Convert columns to floats; empty cells and words for missing values become NaN."""
    lines = table.index.to_numpy() + layout.skip + 1
    return [_to_floats(table[name], path, layout.delimiter, lines) for name in names]


def _parse_csv(path: Path, layout: _Layout, wanted: list[str], dtype: type) -> pd.DataFrame:
    """Parse columns and any cells beyond the header, so that extra cells shift no column."""
    import pandas as pd

    n = len(layout.header)
    names = {layout.header.index(name): name for name in wanted} | {n: _EXTRA}
    with warnings.catch_warnings(), open_text(path) as file:
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # several empty extra cells
        try:
            table = pd.read_csv(
                file,
                sep=layout.delimiter,
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


def _to_floats(column: pd.Series, path: Path, delimiter: str, lines: np.ndarray) -> np.ndarray:
    """Convert cells to finite floats or NaN; accept decimal commas if the delimiter is another."""
    if column.dtype == float:
        numbers = column.to_numpy()
    elif column.name == DATE:
        numbers = dates_to_seconds(column.fillna("").tolist(), str(path), lines)
    else:
        numbers = np.full(len(column), np.nan)
        for row, cell in enumerate(column.fillna("").str.strip()):
            text = cell if delimiter == "," else cell.replace(",", ".")
            if is_missing(text):
                continue
            try:  # not pandas.to_numeric: an exponent of ten digits crashes it
                numbers[row] = float(text)
            except ValueError as error:
                raise InputError(
                    f"{path}, line {lines[row]}: {column.name} is {text!r}, want a number"
                ) from error
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _even_times(
    path: Path, clock: str, times: np.ndarray, values: np.ndarray, kind: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return times (s) and values; reconstruct the even clock where timestamps repeat.

    125 Hz written to hundredths of a second gives 0.01, 0.02, 0.02, 0.03: averaging the two samples
    at 0.02 would distort the wave. A camera's timestamps jitter and repeat occasionally, so there
    the clock is reconstructed only if most of them repeat.
    """
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        return times, values
    share = repeated_share(times)
    even = even_clock(times) if share > (_PACKET_SHARE if kind == "rppg" else 0.0) else None
    if even is not None:
        if share > _WARN_SHARE:
            _log.warning(
                "%s: on average %.0f samples share a value of %s: using an even clock of %.5g Hz",
                path.name,
                1 / (1 - share),
                clock,
                even.rate_hz,
            )
        return even.times_s, np.where(even.certain, values, np.nan)
    if share > _PACKET_SHARE and len(times) > 1:
        steps = np.diff(times)
        description = (
            f"increases by {np.median(steps[steps > 0]):g} s"
            if (steps > 0).any()
            else "is constant"
        )
        raise InputError(
            f"{path}: {clock} {description}, with {len(times) / len(np.unique(times)):.0f} samples "
            "per value, and no even clock fits them (is the time in single precision?): write it "
            "with more digits, best as seconds from the start, or remove the column and put "
            f'{{"SamplingFrequency": HZ}} in {sidecar_of(path).name}'
        )
    return times, values


def _check_clock(path: Path, clock: str, times: np.ndarray, lines: np.ndarray) -> None:
    """Refuse times that decrease, are missing or have an implausible step; warn of repeats."""
    for row in np.flatnonzero(np.isnan(times))[:1]:
        raise InputError(f"{path}: {clock} is empty on line {lines[row]}, want a time")
    steps = np.diff(times)
    for row in np.flatnonzero(steps < 0)[:1]:
        raise InputError(
            f"{path}: {clock} decreases on line {lines[row + 1]}: sort the rows, or split the "
            "file where the clock was set"
        )
    repeats = int((steps == 0).sum())
    if repeats:
        _log.warning("%s: %d repeated timestamps: their values are averaged", path.name, repeats)
    positive = steps[steps > 0]
    if not len(positive):
        return
    step_s = float(np.median(positive))
    if not SHORTEST_STEP_S <= step_s <= _MAX_STEP_S:
        speed = "slow" if step_s > _MAX_STEP_S else "fast"
        raise InputError(
            f"{path}: {clock} increases by {step_s:g} s per row, too {speed} for a pulse: are the "
            "times in milliseconds, or sample numbers? Name the column by its unit: "
            f"{', '.join(CLOCKS)}"
        )
    if times[-1] - times[0] > (_MAX_FILL * len(times) + 1e6) * step_s:
        raise InputError(
            f"{path}: {clock} jumps by {positive.max():g} s before line "
            f"{lines[int(steps.argmax()) + 1]}: want one clock; split the file there"
        )


def _check_unit(path: Path, clock: str, signal: Signal) -> None:
    """Refuse a wave with thousands of beats per minute, whose times must be in minutes."""
    if signal.rate_hz < _SUSPECT_HZ:
        return
    samples = signal.samples[np.isfinite(signal.samples)][: 1 << 17]
    if len(samples) < 64:
        return
    power = np.abs(np.fft.rfft((samples - samples.mean()) * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / signal.rate_hz)
    slow, fast = (power[(hz >= a) & (hz < b)] for a, b in ((0.5, 20.0), (40.0, 300.0)))
    if fast.size and fast.sum() > _MAX_FAST_RATIO * slow.sum():
        bpm = 60 * hz[(hz >= 40) & (hz < 300)][int(fast.argmax())]
        raise InputError(
            f"{path}: by {clock} there are {signal.rate_hz:.0f} samples per second, and the wave "
            f"has {bpm:.0f} cycles per minute: are the times in minutes? Then name the column "
            "time_min, or write seconds"
        )
