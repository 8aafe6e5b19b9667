"""Signal CSVs: ``time_s`` and one or more of ``rppg``, ``bvp`` (or ``ppg``), ``ecg``."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)
SIGNAL_COLUMNS = {"rppg": "rppg", "bvp": "bvp", "ppg": "bvp", "ecg": "ecg"}


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
    """
    import pandas as pd

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
    try:
        table = pd.read_csv(
            path,
            sep=comma,
            usecols=lambda name: str(name).strip() in wanted,
            dtype=str,
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read as a CSV: {error}") from error
    table.columns = [str(name).strip() for name in table.columns]
    times = _numbers(table["time_s"], path, "time_s", comma)
    values = _numbers(table[columns[0]], path, columns[0], comma)
    if not np.isfinite(times).all():
        raise InputError(f"{path}: time_s is empty on line {_line(~np.isfinite(times))}")
    repeats = int((np.diff(times) == 0).sum())
    if repeats:
        _log.warning("%s: %d repeated time stamps, their values are averaged", path.name, repeats)
    backwards = np.diff(times, prepend=times[:1]) < 0
    if backwards.any():
        raise InputError(
            f"{path}: time_s goes back on line {_line(backwards)}: sort the rows, or split the "
            "file where the clock was set"
        )
    signal = Signal.from_times(times, values, kind=kind)
    if "quality" not in table:
        return signal
    quality = np.interp(signal.times_s, times, _numbers(table["quality"], path, "quality", comma))
    return Signal(
        signal.samples, signal.rate_hz, kind=kind, start_s=signal.start_s, quality=quality
    )


def _header(path: Path) -> tuple[list[str], str]:
    """Column names, and what separates them."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from error
    comma = max(",;\t", key=first.count)
    header = [name.strip().strip('"').strip() for name in first.strip().split(comma)]
    if "time_s" not in header or not any(name in SIGNAL_COLUMNS for name in header):
        shown = ", ".join(header[:6]) or "nothing"
        raise InputError(
            f"{path} starts with {shown!r}: want a header with time_s (seconds) and one of "
            f"{', '.join(SIGNAL_COLUMNS)}"
        )
    return header, comma


def _numbers(column: object, path: Path, name: str, comma: str) -> np.ndarray:
    """Floats; empty cells are NaN; with ``;`` between cells a comma is a decimal point."""
    import pandas as pd

    texts = pd.Series(column).astype("string").str.strip()
    if comma == ";":
        texts = texts.str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = np.isnan(numbers) & texts.fillna("").str.lower().isin(("", "nan")).eq(False).to_numpy()
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(f"{path}, line {row + 2}: {name} is {texts.iloc[row]!r}, want a number")
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _line(wrong: np.ndarray) -> int:
    return int(np.flatnonzero(wrong)[0]) + 2  # one for the header, one because lines count from 1
