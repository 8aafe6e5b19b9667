"""Place inter-beat intervals one after another on a clock; unusable ones become gaps.

`Beats.from_intervals` and the readers of interval files use it: a file of a chest belt or a wrist
device has the intervals between beats, not the times of the beats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# A heart has intervals between these limits, ms (24 to 240 beats per minute)
SHORTEST_MS, LONGEST_MS = 250.0, 2500.0
_LONGEST_PAUSE_MS = 86.4e6  # a day; a longer "interval" is no time but a code or a damaged number


class Timeline(NamedTuple):
    """Beats (n,) at both ends of m intervals, s; the gaps; and the beat that ends each interval."""

    times_s: np.ndarray
    gaps: list[tuple[float, float]]
    ends: np.ndarray


def possible(intervals_ms: np.ndarray) -> np.ndarray:
    """Return which values are intervals of a heart, bool (n,): 250–2500 ms."""
    with np.errstate(invalid="ignore"):
        return np.asarray((intervals_ms >= SHORTEST_MS) & (intervals_ms <= LONGEST_MS))


def durations(intervals_ms: np.ndarray) -> np.ndarray:
    """Return the time that each interval takes, s, (n,).

    A value that cannot be a time (missing, negative, more than a day) takes the median interval. At
    least one value must be possible.
    """
    usual = float(np.median(intervals_ms[possible(intervals_ms)]))
    with np.errstate(invalid="ignore"):
        takes_time = (intervals_ms > 0) & (intervals_ms <= _LONGEST_PAUSE_MS)
    return np.where(takes_time, intervals_ms, usual) / 1e3


def lay_out(
    durations_s: np.ndarray,
    usable: np.ndarray,
    *,
    lost_s: np.ndarray | None = None,
    start_s: float = 0.0,
) -> Timeline:
    """Place intervals one after another.

    Parameters
    ----------
    durations_s : array (m,)
        Duration of each interval, s, > 0.
    usable : bool array (m,)
        An interval that is not usable becomes a gap.
    lost_s : array (m,), optional
        Time before each interval that no interval covers, s: it becomes a gap. Default: none.
    start_s : float
        Time at which the first interval begins.
    """
    lost = np.zeros(len(durations_s)) if lost_s is None else lost_s
    apart = lost > 0
    apart[:1] = True  # its first beat ends no interval
    finish = start_s + np.cumsum(durations_s + lost)
    ends = np.arange(len(durations_s)) + np.cumsum(apart)
    times = np.empty(len(durations_s) + int(apart.sum()))
    times[ends] = finish
    times[ends[apart] - 1] = (finish - durations_s)[apart]
    joined = np.zeros(len(times) - 1, dtype=bool)
    joined[ends[usable] - 1] = True
    return Timeline(times, stretches(times, ~joined), ends)


def stretches(times_s: np.ndarray, unusable: np.ndarray) -> list[tuple[float, float]]:
    """List the stretches of successive unusable intervals between beats, s.

    ``unusable`` is bool (n - 1,) for n beats.
    """
    edges = np.flatnonzero(np.diff(np.r_[0, unusable.astype(int), 0])).reshape(-1, 2)
    return [(float(times_s[a]), float(times_s[b])) for a, b in edges]


def beside_interval(joined: np.ndarray) -> np.ndarray:
    """Return which beats begin or end a usable interval, bool (n,), for ``joined`` (n - 1,)."""
    return np.asarray(np.r_[joined, False] | np.r_[False, joined])
