"""Recognise time columns whose unit is not in their name: Unix times and dates with times of day.

A Unix time shows its unit by its size: today is about 1.8e9 seconds, 1.8e12 milliseconds, and no
other unit gives such a number a date between 1980 and 2100. Rows that arrive late from a radio link
are put in the order of their times.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from emotion_rppg.errors import InputError

_log = logging.getLogger(__name__)
DATE = "date_time"  # name of the clock column whose cells are dates with times of day
NAMES = frozenset(
    ("time", "timestamp", "datetime", "date_time", "unix", "unix_time", "unixtime", "utc", "date")
)
_FIRST_S, _LAST_S = 3.2e8, 4.1e9  # 1980 and 2100
_UNITS = {"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "time_ns": 1e-9}
_MAX_LATE_SHARE, _MAX_DELAY_S = 0.3, 10.0
_MAX_CLOSE = 0.1  # share of late rows that may end next to another row


def clock_of(name: str, cell: str) -> str | None:
    """Return the usual name of a time column by its name and first cell, None for another column.

    >>> clock_of("timestamp", "1590567062.091"), clock_of("time", "12.5")
    ('time_s', None)
    >>> clock_of("datetime", "2016-11-24 13:58:58.081")
    'date_time'
    """
    if name.strip().strip('"').lower() not in NAMES:
        return None
    text = cell.strip().strip('"')
    try:
        value = float(text)
    except ValueError:
        return DATE if re.search(r"\d:\d", text) and _date_s(text) is not None else None
    fitting = [unit for unit, scale in _UNITS.items() if _FIRST_S < value * scale < _LAST_S]
    return fitting[0] if len(fitting) == 1 else None


def _date_s(text: str) -> float | None:
    """Convert a date with a time of day to Unix seconds; without a zone it counts as UTC."""
    try:
        value = datetime.fromisoformat(text.strip().strip('"'))
    except ValueError:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def dates_to_seconds(cells: Sequence[str], where: str, lines: np.ndarray) -> np.ndarray:
    """Convert dates with times of day to Unix seconds, (n,); an empty cell is NaN.

    Raises
    ------
    InputError
        A cell that is no date; the message names its line.
    """
    out = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if not cell.strip():
            continue
        seconds = _date_s(cell)
        if seconds is None:
            raise InputError(
                f"{where}, line {lines[row]}: {cell[:40]!r}, want a date and time such as "
                "2022-04-25 11:39:36.029"
            )
        out[row] = seconds
    return out


def order_late_rows(times: np.ndarray, where: str) -> np.ndarray | None:
    """Return the order (n,) that puts late rows in their places; None if they are not just late.

    After a clock was set back, times occur twice: rows would lie close together, and the order is
    not one of time. Then None is returned.
    """
    if not np.isfinite(times).all():
        return None
    latest = np.maximum.accumulate(times)
    late = times < latest
    if not late.any() or late.mean() > _MAX_LATE_SHARE:
        return None
    order = np.argsort(times, kind="stable")
    steps = np.diff(times[order])
    close = (steps < 0.5 * np.median(steps)).sum()
    if (latest - times).max() > _MAX_DELAY_S or close > _MAX_CLOSE * late.sum():
        return None
    _log.warning("%s: %d late rows are read in the order of their times", where, late.sum())
    return order


def insert_lost_rows(
    samples: np.ndarray, counter: np.ndarray, modulus: int, where: str
) -> np.ndarray:
    """Insert NaN where a counter of the rows, which starts again at ``modulus``, shows lost rows.

    Of more than ``modulus`` successive lost rows a multiple of it remains unseen.
    """
    steps = np.diff(np.nan_to_num(counter)) % modulus
    lost = np.where(steps == 0, 0, steps - 1).astype(np.int64)
    if not lost.any():
        return samples
    _log.warning("%s: %d rows were lost, in %d places", where, lost.sum(), (lost > 0).sum())
    position = np.r_[0, np.cumsum(lost + 1)]
    out = np.full(position[-1] + 1, np.nan)
    out[position] = samples
    return out
