"""Signal CSVs: ``time_s`` and one or more of ``rppg``, ``bvp`` (or ``ppg``), ``ecg``."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
SIGNAL_COLUMNS = {"rppg": "rppg", "bvp": "bvp", "ppg": "bvp", "ecg": "ecg"}
_LONGEST_STEP_S = 0.5  # slower than two samples a second no pulse can be seen
_MORE = "more"
_MOST_FILLING = 100  # times as many samples as the file has: then its clock is wrong


def kinds_in(path: str | Path) -> list[str]:
    """Kinds of signal that the CSV's header promises; nothing more is read."""
    header, _ = _header(Path(path))
    return list(dict.fromkeys(SIGNAL_COLUMNS[name] for name in header if name in SIGNAL_COLUMNS))


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
    header, comma = _header(path)
    kinds = kinds_in(path)
    if kind is None and len(kinds) > 1:
        raise InputError(f"{path} has several signals ({', '.join(kinds)}): say which one")
    kind = kinds[0] if kind is None else kind
    columns = [name for name in header if SIGNAL_COLUMNS.get(name) == kind]
    if not columns:
        raise InputError(f"{path} has no {kind}; it has: {', '.join(kinds)}")
    wanted = ["time_s", columns[0], *(["quality"] if "quality" in header else [])]
    if len(columns) > 1 or any(header.count(name) > 1 for name in wanted):
        raise InputError(
            f"{path} has the columns {', '.join(header[:8])}: want each signal once; "
            "rename or drop the others"
        )
    lines, (times, values, *rest) = _columns(path, header, wanted, comma)
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


def _header(path: Path) -> tuple[list[str], str]:
    """Column names, and what separates them."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first, second = file.readline(), file.readline()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as CSV UTF-8") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    comma = max(",;\t", key=first.count)
    header = [name.strip().strip('"').strip() for name in first.strip("\r\n").split(comma)]
    if "time_s" not in header or not any(name in SIGNAL_COLUMNS for name in header):
        shown = ", ".join(header[:6]) or "nothing"
        raise InputError(
            f"{path} starts with {shown!r}: want a header with time_s (seconds) and one of "
            f"{', '.join(SIGNAL_COLUMNS)}"
        )
    cells = second.strip().split(comma) if '"' not in second else []
    if any(cells[len(header) :]):
        raise InputError(
            f"{path}, line 2: {len(cells)} cells for {len(header)} columns; where a comma is the "
            "decimal point, separate the cells by ;"
        )
    return header, comma


def _columns(
    path: Path, header: list[str], wanted: list[str], comma: str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Line numbers and those columns as floats; empty cells are NaN, blank lines left out."""
    try:
        try:
            if comma != ",":
                raise ValueError("decimal commas are read as text")
            table = _table(path, header, wanted, comma, float)
        except ValueError:  # some cell is no plain number: read as text, slower, to say which
            table = _table(path, header, wanted, comma, str)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read as a CSV: {str(error).strip()}") from error
    table = table[table.notna().any(axis=1)]
    lines = table.index.to_numpy() + 2  # one for the header, one because lines count from 1
    for line in lines[table[_MORE].notna()][:1]:
        raise InputError(f"{path}, line {line}: more cells than the header's {len(header)} columns")
    return lines, [_numbers(table[name], path, comma, lines) for name in wanted]


def _table(
    path: Path, header: list[str], wanted: list[str], comma: str, dtype: type
) -> pd.DataFrame:
    """The wanted columns, and what a row has beyond the header: it must not shift the others."""
    import pandas as pd

    n = len(header)
    names = {header.index(name): name for name in wanted} | {n: _MORE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of several empty cells beyond
        try:
            table = pd.read_csv(
                path,
                sep=comma,
                header=None,
                skiprows=1,
                names=range(n + 1),
                index_col=False,
                dtype={k: dtype if k in names else str for k in range(n + 1)},
                encoding="utf-8-sig",
                skipinitialspace=True,
                skip_blank_lines=False,
            )
        except pd.errors.EmptyDataError:
            table = pd.DataFrame(columns=range(n + 1), dtype=dtype)
    return table[list(names)].rename(columns=names)


def _numbers(column: pd.Series, path: Path, comma: str, lines: np.ndarray) -> np.ndarray:
    """Finite floats or NaN; a decimal comma is read where no comma parts the cells."""
    import pandas as pd

    if column.dtype == float:
        numbers = column.to_numpy()
    else:
        texts = column.astype("string").str.strip()
        if comma != ",":
            texts = texts.str.replace(",", ".", regex=False)
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        empty = texts.fillna("").str.lower().isin(("", "nan")).to_numpy()
        for row in np.flatnonzero(np.isnan(numbers) & ~empty)[:1]:
            raise InputError(
                f"{path}, line {lines[row]}: {column.name} is {texts.iloc[row]!r}, want a number"
            )
    return np.where(np.isfinite(numbers), numbers, np.nan)


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
    if step > _LONGEST_STEP_S:
        raise InputError(
            f"{path}: time_s goes by {step:g} from row to row, too slow to see a pulse: "
            "want seconds; were milliseconds or sample numbers given?"
        )
    if (times[-1] - times[0]) / step > _MOST_FILLING * len(times) + 1e6:
        raise InputError(
            f"{path}: time_s leaps by {forward.max():g} s before line "
            f"{lines[int(steps.argmax()) + 1]}: want one clock; split the file there"
        )
