"""Recognise missed, extra and ectopic beats from inter-beat intervals.

No beat is moved or inserted: the time of a missed beat is unknown, so its interval becomes a gap.
An ectopic beat is a beat; it stays and is marked, and the variability of normal-to-normal (NN)
intervals excludes its two intervals (Task Force 1996).

Intervals are compared with the local rhythm: the median over 15 values of the mean of two
successive intervals. A single ectopic beat, or one after each normal beat (bigeminy), does not
change it. The limits grow with the irregularity of the heart, which is the smallest of the
irregularities between intervals one, two and three apart. It is small where every second or third
beat is ectopic (bigeminy, trigeminy), and large in atrial fibrillation, where all beats are
irregular and none is ectopic.
"""

from __future__ import annotations

import numpy as np

AROUND = 15  # intervals of the running median
FEWEST = 5  # intervals, below which the rhythm is their median
LAGS = (1, 2, 3)  # between compared intervals: every second or third beat may be ectopic
SILENCE = 1.7  # of the local rhythm: a longer interval contains an undetected beat …
PER_SPREAD, LONGEST = 3.5, 2.6  # … more where the heart is irregular, up to this limit
EARLY, LATE = 0.2, 0.1  # shares by which the intervals of an ectopic beat are short, then long
SPREADS = 3.0  # the same as a multiple of the irregularity
UNUSUAL, UNUSUAL_SPREADS = 0.2, 4.0  # both limits of an unusual interval
SHORT = 0.3  # share by which the sum of two short intervals may differ from the rhythm


def local_rhythm(intervals_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the local rhythm, s, and the irregularity, as a share of it, (n,) each.

    Intervals on both sides of a gap are treated as successive. With fewer than five intervals, the
    rhythm is their median and the irregularity is 0.
    """
    if len(intervals_s) < FEWEST:
        middle = np.median(intervals_s) if len(intervals_s) else np.nan
        return np.full(len(intervals_s), middle), np.zeros(len(intervals_s))
    pair = (intervals_s[1:] + intervals_s[:-1]) / 2
    rhythm = moving_median(np.r_[pair[:1], pair])
    share = intervals_s / rhythm
    return rhythm, np.min([_spread(share, lag) for lag in LAGS if lag < len(share)], axis=0)


def rhythm_along(intervals_s: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate rhythm (s) and irregularity (a share of it) at each interval of a series, (n,) each.

    Only the ``usable`` intervals, bool (n,), are used; in between, both are interpolated.
    """
    at = np.flatnonzero(usable)
    if not len(at):
        return np.full(len(intervals_s), np.nan), np.zeros(len(intervals_s))
    rhythm, spread = local_rhythm(intervals_s[at])
    index = np.arange(len(intervals_s))
    return np.interp(index, at, rhythm), np.interp(index, at, spread)


def _spread(share: np.ndarray, lag: int) -> np.ndarray:
    """Robust standard deviation of one interval, from differences at a lag, (n,)."""
    difference = np.abs(share[lag:] - share[:-lag])
    spread = 1.4826 * moving_median(difference) / np.sqrt(2)
    return np.asarray(spread[np.clip(np.arange(len(share)) - lag // 2, 0, len(spread) - 1)])


def unusual(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Find the intervals that differ from the rhythm by more than usual, bool (n,)."""
    off = np.abs(intervals_s / rhythm_s - 1)
    return np.asarray(off > np.maximum(UNUSUAL, UNUSUAL_SPREADS * spread))


def too_long(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Find the intervals that contain an undetected beat, bool (n,)."""
    longest = np.clip(1 + PER_SPREAD * spread, SILENCE, LONGEST)
    return np.asarray(intervals_s > longest * rhythm_s)


def moving_median(x: np.ndarray, around: int = AROUND) -> np.ndarray:
    """Compute the running median of ``around`` values, (n,); at the ends that of the end values."""
    width = min(around, len(x))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(x, width), axis=1)
    return np.asarray(medians[np.clip(np.arange(len(x)) - width // 2, 0, len(medians) - 1)])


def extra_beats(intervals_s: np.ndarray, rhythm_s: np.ndarray) -> np.ndarray:
    """Find the beats between two intervals that add up to one of the rhythm, bool (n + 1,).

    Of two such beats in a row, only the first.
    """
    none = np.zeros(len(intervals_s) + 1, dtype=bool)
    if len(intervals_s) < 2:
        return none
    both = intervals_s[1:] + intervals_s[:-1]
    fits = np.abs(both / rhythm_s[1:] - 1) < SHORT
    short = np.maximum(intervals_s[1:], intervals_s[:-1]) < (1 - EARLY) * rhythm_s[1:]
    extra = np.r_[False, fits & short, False]
    for k in np.flatnonzero(extra):
        extra[k] &= not extra[k - 1]
    return extra


def ectopic_beats(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Find the beats that come early and are followed by a pause, bool (n + 1,).

    Both by more than the irregularity of the heart explains.
    """
    none = np.zeros(len(intervals_s) + 1, dtype=bool)
    if len(intervals_s) < 2:
        return none
    early = 1 - intervals_s[:-1] / rhythm_s[:-1]
    late = intervals_s[1:] / rhythm_s[1:] - 1
    usual = SPREADS * spread[:-1]
    ectopic = (early > np.maximum(EARLY, usual)) & (late > np.maximum(LATE, usual / 2))
    return np.r_[False, ectopic, False]
