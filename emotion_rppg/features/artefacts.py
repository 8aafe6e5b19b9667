"""What a series of beats says about itself: silence, extra beats, ectopic beats.

No beat is moved and none is put in: a beat that was not detected is unknown, so the silence is a
gap. An ectopic beat is a beat; it stays, is marked, and the variability of normal-to-normal
intervals leaves its two intervals out (Task Force 1996).

Intervals are compared with the local rhythm: the median, over 15 intervals, of the mean of two
successive intervals, which a single ectopic beat, or one after each normal beat (bigeminy), leaves
as it is. What counts as usual follows the irregularity of the heart itself, measured between
intervals two apart: it is small in bigeminy and large in atrial fibrillation, whose beats are all
irregular and none of them ectopic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

AROUND = 15  # intervals whose rhythm is the local one
FEWEST = 5  # intervals, below which nothing is judged
SILENCE = 1.7  # of the local rhythm: a longer interval holds a beat that was not detected …
PER_SPREAD, LONGEST = 3.5, 2.6  # … more where the heart is irregular, but never above this
EARLY, LATE = 0.15, 0.08  # shares by which an ectopic beat's intervals are short, then long
SPREADS = 3.0  # of the heart's own irregularity, the same
SHORT = 0.3  # share by which an interval that adds up with its neighbour to the rhythm may differ


class Audit(NamedTuple):
    """Of n beats: ``extra`` and ``ectopic`` bool (n,); ``silent`` bool (n - 1,) of intervals."""

    extra: np.ndarray
    ectopic: np.ndarray
    silent: np.ndarray


def rhythm_of(intervals_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the local rhythm, s, and the heart's irregularity, a share of it, (n,) each.

    Of successive intervals; where gaps part them they are taken as they follow each other. Of fewer
    than five the rhythm is their median and the irregularity none.
    """
    if len(intervals_s) < FEWEST:
        middle = np.median(intervals_s) if len(intervals_s) else np.nan
        return np.full(len(intervals_s), middle), np.zeros(len(intervals_s))
    pair = (intervals_s[1:] + intervals_s[:-1]) / 2
    rhythm = _moving_median(np.r_[pair[:1], pair])
    share = intervals_s / rhythm
    apart = np.abs(share[2:] - share[:-2])
    spread = 1.4826 * _moving_median(np.r_[apart[:1], apart, apart[-1:]]) / np.sqrt(2)
    return rhythm, spread


def audit(
    intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray, *, extras: bool = True
) -> Audit:
    """Tell extra beats, ectopic beats and silent intervals of one stretch of beats without gaps.

    Parameters
    ----------
    intervals_s, rhythm_s, spread : arrays (n - 1,)
        Successive intervals of n beats, and what `rhythm_of` says of them.
    extras : bool
        Whether a beat may be an extra one (a detection between two beats of the rhythm). False for
        an ECG, where a beat in between that several detectors share is an interpolated one.
    """
    none = np.zeros(len(intervals_s) + 1, dtype=bool)
    if len(intervals_s) < 2:
        return Audit(none, none, _silent(intervals_s, rhythm_s, spread))
    extra = _extra(intervals_s, rhythm_s) if extras else none
    ectopic = _ectopic(intervals_s, rhythm_s, spread) & ~extra
    return Audit(extra, ectopic, _silent(intervals_s, rhythm_s, spread))


def odd(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Tell the intervals that differ from the rhythm by more than is usual, bool (n,)."""
    off = np.abs(intervals_s / rhythm_s - 1)
    return np.asarray(off > np.maximum(EARLY, SPREADS * spread))


def _silent(intervals_s: np.ndarray, rhythm_s: np.ndarray, spread: np.ndarray) -> np.ndarray:
    longest = np.clip(1 + PER_SPREAD * spread, SILENCE, LONGEST)
    return np.asarray(intervals_s > longest * rhythm_s)


def _moving_median(x: np.ndarray) -> np.ndarray:
    """Median of the ``AROUND`` values about each, fewer at the ends, (n,)."""
    half = min(AROUND // 2, len(x) - 1)
    padded = np.pad(x, half, mode="reflect") if half else x
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.median(windows, axis=1))


def _extra(intervals: np.ndarray, rhythm: np.ndarray) -> np.ndarray:
    """Beats between two intervals that add up to one of the rhythm; the later of two in a row."""
    both = intervals[1:] + intervals[:-1]
    fits = np.abs(both / rhythm[1:] - 1) < SHORT
    short = np.maximum(intervals[1:], intervals[:-1]) < (1 - EARLY) * rhythm[1:]
    extra = np.r_[False, fits & short, False]
    for k in np.flatnonzero(extra):
        extra[k] &= not extra[k - 1]
    return extra


def _ectopic(intervals: np.ndarray, rhythm: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Beats that come early and are followed by a pause, both beyond what is usual."""
    early = 1 - intervals[:-1] / rhythm[:-1]
    late = intervals[1:] / rhythm[1:] - 1
    usual = SPREADS * spread[:-1]
    found = (early > np.maximum(EARLY, usual)) & (late > np.maximum(LATE, usual / 2))
    return np.r_[False, found, False]
