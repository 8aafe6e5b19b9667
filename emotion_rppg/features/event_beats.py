"""Beat times about an event as text in a table, and the instantaneous heart rate on a grid."""

from __future__ import annotations

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Beats


def beats_as_text(beats: Beats, onset_s: float, begin_s: float, end_s: float) -> str:
    """Write the beat times about an onset, s after it: ``"-9.8120 -9.0310 nan 0.4100"``.

    ``nan`` stands between two beats without a normal-to-normal interval (a gap, an ectopic beat).
    The beats that begin and end the intervals across ``begin_s`` and ``end_s`` are included.
    """
    times = beats.times_s - onset_s
    first = max(int(np.searchsorted(times, begin_s, "right")) - 1, 0)
    last = int(np.searchsorted(times, end_s, "left")) + 1
    parts = []
    for k in range(first, min(last, len(times))):
        if k > first and not beats.normal[k - 1]:
            parts.append("nan")
        parts.append(f"{times[k]:.4f}")
    return " ".join(parts)


def rate_on_grid(text: str, times_s: np.ndarray) -> np.ndarray:
    """Compute the instantaneous heart rate, 1/min, at times about an onset, (n,).

    At each time it is 60 s over the normal-to-normal interval that contains the time; NaN where
    there is none, so that gaps are not bridged.

    Raises
    ------
    InputError
        The text is no list of increasing times.

    Examples
    --------
    >>> rate_on_grid("-1.0 0.0 0.5 nan 2.0 3.0", np.array([-0.5, 0.0, 1.0, 2.5]))
    array([ 60., 120.,  nan,  60.])
    """
    try:
        marks = np.array(text.split(), dtype=float)
    except ValueError:
        raise InputError(f"beat times are numbers and nan, got {text[:40]!r}") from None
    beats = marks[np.isfinite(marks)]
    if np.any(np.diff(beats) <= 0):
        raise InputError(f"beat times must increase, got {text[:60]!r}")
    out = np.full(len(times_s), np.nan)
    if len(beats) < 2:
        return out
    joined = np.diff(np.flatnonzero(np.isfinite(marks))) == 1
    rates = np.where(joined, 60.0 / np.diff(beats), np.nan)
    inside = (times_s >= beats[0]) & (times_s < beats[-1])
    out[inside] = rates[np.searchsorted(beats, times_s[inside], "right") - 1]
    return out
