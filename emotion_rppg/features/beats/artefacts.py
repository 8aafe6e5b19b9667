"""What a series of beats says about itself: silence, extra beats, ectopic beats.

No beat is moved and none is put in: a beat that was not detected is unknown, so the silence is a
gap. An ectopic beat is a beat; it stays, is marked, and the variability of normal-to-normal
intervals leaves its two intervals out (Task Force 1996).

Intervals are compared with the local rhythm: the median, over 15 intervals, of the mean of two
successive intervals, which a single ectopic beat, or one after each normal beat (bigeminy), leaves
as it is. What counts as usual follows the irregularity of the heart itself, the least of those
between intervals one, two and three apart: it is small where every second or third beat is ectopic
(bigeminy, trigeminy) and large in atrial fibrillation, whose beats are all irregular and none of
them ectopic.
"""

from __future__ import annotations

import numpy as np

AROUND = 15  # intervals whose rhythm is the local one
FEWEST = 5  # intervals, below which nothing is judged
LAGS = (1, 2, 3)  # between intervals whose difference is irregular: every second or third ectopic
SILENCE = 1.7  # of the local rhythm: a longer interval holds a beat that was not detected …
PER_SPREAD, LONGEST = 3.5, 2.6  # … more where the heart is irregular, but never above this
EARLY, LATE = 0.2, 0.1  # shares by which an ectopic beat's intervals are short, then long
SPREADS = 3.0  # of the heart's own irregularity, the same
ODD, ODD_SPREADS = 0.2, 4.0  # the same of an interval that needs good evidence
SHORT = 0.3  # share by which an interval that adds up with its neighbour to the rhythm may differ


def rhythm_of(intervals_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the local rhythm, s, and the heart's irregularity, a share of it, (n,) each.

    Of successive intervals; where gaps part them they are taken as they follow each other. Of fewer
    than five the rhythm is their median and the irregularity none.
    """
    if len(intervals_s) < FEWEST:
        middle = np.median(intervals_s) if len(intervals_s) else np.nan
        return np.full(len(intervals_s), middle), np.zeros(len(intervals_s))
    pair = (intervals_s[1:] + intervals_s[:-1]) / 2
    rhythm = moving_median(np.r_[pair[:1], pair])
    share = intervals_s / rhythm
    return rhythm, np.min([_spread(share, lag) for lag in LAGS if lag < len(share)], axis=0)


def _spread(share: np.ndarray, lag: int) -> np.ndarray:
    """Irregularity between intervals so many apart: robust standard deviation of one, (n,)."""
    apart = np.abs(share[lag:] - share[:-lag])
    spread = 1.4826 * moving_median(apart) / np.sqrt(2)
    return np.asarray(spread[np.clip(np.arange(len(share)) - lag // 2, 0, len(spread) - 1)])


def odd(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Tell the intervals that differ from the rhythm by more than is usual, bool (n,)."""
    off = np.abs(intervals_s / rhythm_s - 1)
    return np.asarray(off > np.maximum(ODD, ODD_SPREADS * spread))


def silent(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Tell the intervals too long for the rhythm, bool (n,): a beat in them was not detected."""
    longest = np.clip(1 + PER_SPREAD * spread, SILENCE, LONGEST)
    return np.asarray(intervals_s > longest * rhythm_s)


def moving_median(x: np.ndarray, around: int = AROUND) -> np.ndarray:
    """Median of so many values about each; near the ends, of the first or last ones, (n,)."""
    width = min(around, len(x))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(x, width), axis=1)
    return np.asarray(medians[np.clip(np.arange(len(x)) - width // 2, 0, len(medians) - 1)])


def extra(intervals_s: np.ndarray, rhythm_s: np.ndarray) -> np.ndarray:
    """Tell the beats between two intervals that add up to one of the rhythm, bool (n + 1,).

    Of two such beats in a row the first.
    """
    none = np.zeros(len(intervals_s) + 1, dtype=bool)
    if len(intervals_s) < 2:
        return none
    both = intervals_s[1:] + intervals_s[:-1]
    fits = np.abs(both / rhythm_s[1:] - 1) < SHORT
    short = np.maximum(intervals_s[1:], intervals_s[:-1]) < (1 - EARLY) * rhythm_s[1:]
    found = np.r_[False, fits & short, False]
    for k in np.flatnonzero(found):
        found[k] &= not found[k - 1]
    return found


def ectopic(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Tell the beats that come early and are followed by a pause, bool (n + 1,).

    Both beyond what is usual in this heart.
    """
    none = np.zeros(len(intervals_s) + 1, dtype=bool)
    if len(intervals_s) < 2:
        return none
    early = 1 - intervals_s[:-1] / rhythm_s[:-1]
    late = intervals_s[1:] / rhythm_s[1:] - 1
    usual = SPREADS * spread[:-1]
    found = (early > np.maximum(EARLY, usual)) & (late > np.maximum(LATE, usual / 2))
    return np.r_[False, found, False]
