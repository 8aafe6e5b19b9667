"""Signal CSVs: ``time_s`` and one or more of ``rppg``, ``bvp`` (or ``ppg``), ``ecg``.

A CSV without times, or without a header, is read if a JSON of the same name lies beside it that
says so in BIDS's words: ``{"SamplingFrequency": 100, "Columns": ["ppg", "ecg"]}``; ``Columns`` are
for a file without a header, ``StartTime`` (seconds) is 0 unless given.
"""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.datasets.safely import load_json
from emotion_rppg.errors import InputError
from emotion_rppg.signals import SHORTEST_STEP_S, Signal
from emotion_rppg.tables import AS_WRITTEN

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
SIGNAL_COLUMNS = {"rppg": "rppg", "bvp": "bvp", "ppg": "bvp", "ecg": "ecg"}
_ALIASES = {  # as PhysioNet's exports and others name them; compared in lower case
    "time [s]": "time_s",
    "time (s)": "time_s",
    "seconds": "time_s",
    "pleth": "ppg",
    "ii": "ecg",
}
_LONGEST_STEP_S = 0.5  # slower than two samples a second no pulse can be seen
_ENOUGH = 50  # samples, to tell rounded stamps from late ones
_MORE = "more"
_LARGEST_JSON = 10 << 20
_MOST_FILLING = 100  # times as many samples as the file has: then its clock is wrong


def kinds_in(path: str | Path) -> list[str]:
    """Kinds of signal that the CSV's header promises; nothing more is read."""
    header = _layout(Path(path)).header
    return list(dict.fromkeys(SIGNAL_COLUMNS[name] for name in header if name in SIGNAL_COLUMNS))


@dataclass(frozen=True)
class _Layout:
    """Column names, what parts cells, lines before the first row, the clock where it is even."""

    header: list[str]
    comma: str
    skip: int = 1
    rate_hz: float | None = None
    start_s: float = 0.0


def read_signal(path: str | Path, kind: str | None = None) -> Signal:
    """Read one signal of a CSV onto an even grid; a ``quality`` column comes along.

    Times need not be regular; repeated ones are averaged with a warning in the log.

    Parameters
    ----------
    kind : {"rppg", "bvp", "ecg"}, optional
        Which; needed only where the file has several.

    Raises
    ------
    InputError
        Not such a CSV, a cell that is no number (the message names its line), or a clock that
        goes back or is not in seconds.
    """
    path = Path(path)
    layout = _layout(path)
    header = layout.header
    kinds = kinds_in(path)
    if kind is None and len(kinds) > 1:
        raise InputError(f"{path} has several signals ({', '.join(kinds)}): say which one")
    kind = kinds[0] if kind is None else kind
    columns = [name for name in header if SIGNAL_COLUMNS.get(name) == kind]
    if not columns:
        raise InputError(f"{path} has no {kind}; it has: {', '.join(kinds)}")
    clock = [] if layout.rate_hz else ["time_s"]
    wanted = [*clock, columns[0], *(["quality"] if "quality" in header else [])]
    if len(columns) > 1 or any(header.count(name) > 1 for name in wanted):
        raise InputError(
            f"{path} has the columns {', '.join(header[:8])}: want each signal once; "
            "rename or drop the others"
        )
    lines, found = _columns(path, layout, wanted)
    if layout.rate_hz:
        if not len(lines):
            raise InputError(f"{path} has no rows: copy it again")
        quality = found[1] if len(found) > 1 else None
        return Signal(found[0], layout.rate_hz, kind=kind, start_s=layout.start_s, quality=quality)
    times, values, *rest = found
    if kind != "rppg":  # a camera's stamps jitter by themselves
        times = _unrounded(times)
    _check_clock(path, times, lines)
    try:
        signal = Signal.from_times(times, values, kind=kind)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not rest:
        return signal
    quality = np.interp(signal.times_s, times, rest[0])
    return Signal(
        signal.samples, signal.rate_hz, kind=kind, start_s=signal.start_s, quality=quality
    )


def _layout(path: Path) -> _Layout:
    """How the file is laid out, from its first two lines and a JSON beside it."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first, second = file.readline(), file.readline()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as CSV UTF-8") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    facts = _facts(path.with_suffix(".json"))
    comma = max(",;\t", key=first.count)
    named = "Columns" in facts
    cells = facts["Columns"] if named else first.strip("\r\n").split(comma)
    header = [_named(str(cell)) for cell in cells]
    even = "SamplingFrequency" in facts and "time_s" not in header
    if not (even or "time_s" in header) or not any(name in SIGNAL_COLUMNS for name in header):
        shown = ", ".join(str(cell).strip() for cell in cells[:6]) or "nothing"
        raise InputError(
            f"{path} starts with {shown!r}: want a header with time_s (seconds) and one of "
            f"{', '.join(SIGNAL_COLUMNS)}; for a file without times or header, a "
            f'{path.with_suffix(".json").name} with {{"SamplingFrequency": HZ, "Columns": [NAMES]}}'
        )
    cells = second.strip().split(comma) if '"' not in second else []
    if any(cells[len(header) :]):
        raise InputError(
            f"{path}, line 2: {len(cells)} cells for {len(header)} columns; where a comma is the "
            "decimal point, separate the cells by ;"
        )
    rate = float(facts["SamplingFrequency"]) if even else None
    return _Layout(header, comma, 0 if named else 1, rate, float(facts.get("StartTime", 0.0)))


def _named(cell: str) -> str:
    """A column's name; other tools' names for time and pulse become ours."""
    name = cell.strip().strip('"').strip()
    if name.lower() in SIGNAL_COLUMNS:
        return name.lower()
    return _ALIASES.get(name.lower(), name)


def _facts(path: Path) -> dict[str, Any]:
    """The JSON beside a CSV, if it is there and speaks of a clock; checked."""
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


def _columns(path: Path, layout: _Layout, wanted: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Line numbers and those columns as floats; empty cells are NaN, blank lines left out."""
    try:
        try:
            if layout.comma != ",":
                raise ValueError("decimal commas are read as text")
            table = _table(path, layout, wanted, float)
        except ValueError:  # some cell is no plain number: read as text, slower, to say which
            table = _table(path, layout, wanted, str)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read as a CSV: {str(error).strip()}") from error
    table = table[table.notna().any(axis=1)]
    lines = table.index.to_numpy() + layout.skip + 1  # lines count from 1
    for line in lines[table[_MORE].notna()][:1]:
        raise InputError(
            f"{path}, line {line}: more cells than the header's {len(layout.header)} columns"
        )
    return lines, [_numbers(table[name], path, layout.comma, lines) for name in wanted]


def _table(path: Path, layout: _Layout, wanted: list[str], dtype: type) -> pd.DataFrame:
    """The wanted columns, and what a row has beyond the header: it must not shift the others."""
    import pandas as pd

    n = len(layout.header)
    names = {layout.header.index(name): name for name in wanted} | {n: _MORE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of several empty cells beyond
        try:
            table = pd.read_csv(
                path,
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
    """Finite floats or NaN; a decimal comma is read where no comma parts the cells."""
    if column.dtype == float:
        numbers = column.to_numpy()
    else:
        numbers = np.full(len(column), np.nan)
        for row, cell in enumerate(column.fillna("").str.strip()):
            text = cell if comma == "," else cell.replace(",", ".")
            if text.lower() in ("", "nan"):
                continue
            try:  # not pandas.to_numeric, which an exponent of ten digits crashes
                numbers[row] = float(text)
            except ValueError as error:
                raise InputError(
                    f"{path}, line {lines[row]}: {column.name} is {text!r}, want a number"
                ) from error
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _unrounded(times: np.ndarray) -> np.ndarray:
    """The even clock behind stamps that only rounding makes repeat; else the stamps as they are.

    125 Hz written to hundredths of a second says 0.01, 0.02, 0.02, 0.03: averaging the two at
    0.02 would bend the wave.
    """
    steps = np.diff(times)
    if len(times) < _ENOUGH or not np.isfinite(times).all() or not (steps == 0).any():
        return times
    even = np.linspace(times[0], times[-1], len(times))
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    rounded = (steps >= 0).all() and np.abs(times - even).max() < usual
    return even if rounded else times


def _check_clock(path: Path, times: np.ndarray, lines: np.ndarray) -> None:
    """Refuse times that are no clock in seconds; count those that are repeated."""
    for row in np.flatnonzero(np.isnan(times))[:1]:
        raise InputError(f"{path}: time_s is empty on line {lines[row]}, want seconds")
    steps = np.diff(times)
    for row in np.flatnonzero(steps < 0)[:1]:
        raise InputError(
            f"{path}: time_s goes back on line {lines[row + 1]}: sort the rows, or split the "
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
            f"{path}: time_s goes by {step:g} from row to row, too {speed} to be seconds of a "
            "pulse: were milliseconds or sample numbers given?"
        )
    if times[-1] - times[0] > (_MOST_FILLING * len(times) + 1e6) * step:
        raise InputError(
            f"{path}: time_s leaps by {forward.max():g} s before line "
            f"{lines[int(steps.argmax()) + 1]}: want one clock; split the file there"
        )
