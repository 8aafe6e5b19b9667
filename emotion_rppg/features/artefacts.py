"""Beats that cannot be right are put right: after Lipponen and Tarvainen 2019 (as in Kubios)."""

from __future__ import annotations

import numpy as np

SCALE = 5.2  # times the quartile deviation: where differences stop being usual
AROUND = 91  # beats whose spread that is
MEDIAN = 11  # beats whose median an interval is compared with
SLOPE, OFFSET = 0.13, 0.17  # of the border of single ectopic beats
LEAST_MS = 20.0  # of "unusual": a steady heart is not corrected for its steadiness
FEWEST, ROUNDS = 8, 5


def correct(times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take out extra beats, put in missed ones, move ectopic and misplaced ones.

    Differences of successive intervals, and intervals less their running median, are measured in
    what is usual among the 91 around them; single spikes are ectopic, an interval that is halved
    or joined to its neighbour to fit the median is a missed or an extra beat, and what else is too
    long or short is misplaced (Lipponen and Tarvainen 2019). Rounds go on while they find fewer.

    Parameters
    ----------
    times_s : array (n,)
        Increasing seconds of one stretch without gaps; fewer than eight beats are left alone.

    Returns
    -------
    times_s : array (m,)
    corrected : bool array (m,)
        Moved or put in.
    """
    times, marks = np.asarray(times_s, dtype=float), np.zeros(len(times_s), dtype=bool)
    before = len(times) + 1
    for _ in range(ROUNDS):
        if len(times) < FEWEST:
            break
        missed, extra, moved = _classify(1e3 * np.diff(times))
        count = len(missed) + len(extra) + len(moved)
        if not 0 < count < before:
            break
        before = count
        times, marks = _mend(times, marks, missed, extra, moved)
    return times, marks


def _usual(x: np.ndarray) -> np.ndarray:
    """What |x| usually stays below, (n,): 5.2 × its quartile deviation over 91 neighbours."""
    size = np.abs(x)
    if len(size) > AROUND:
        size = np.lib.stride_tricks.sliding_window_view(
            np.pad(size, AROUND // 2, mode="reflect"), AROUND
        )
    low, high = np.percentile(size, [25, 75], axis=-1)
    return np.maximum(np.broadcast_to(SCALE * (high - low) / 2, len(x)), LEAST_MS)


def _neighbours(x: np.ndarray, *shifts: int) -> np.ndarray:
    """x at the places ``shifts`` away, (len(shifts), n), 0 beyond the ends."""
    padded = np.pad(x, 2)
    return np.stack([padded[2 + s : 2 + s + len(x)] for s in shifts])


def _classify(nn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of intervals (ms): those with a beat missed in them, beats to remove, beats to move.

    Interval i lies between beats i and i + 1.
    """
    step = np.diff(nn, prepend=nn[0])
    step[0] = step[1:].mean()
    d = step / _usual(step)
    window = np.pad(nn, MEDIAN // 2, mode="reflect")
    median = np.median(np.lib.stride_tricks.sliding_window_view(window, MEDIAN), axis=1)
    off = np.where(nn < median, 2 * (nn - median), nn - median)
    usual_off = _usual(off)
    m = off / usual_off
    beside, later = _neighbours(d, -1, 1), _neighbours(d, 1, 2)
    up = (d > 1) & (beside.max(axis=0) < -SLOPE * d - OFFSET)
    down = (d < -1) & (beside.min(axis=0) > -SLOPE * d + OFFSET)
    ectopic = up | down
    long, short = (d > 1) & (later.min(axis=0) < -1), (d < -1) & (later.max(axis=0) > 1)
    odd = (np.abs(d) > 1) & (long | short | (np.abs(m) > 3)) & ~ectopic
    pair = np.append(nn[:-1] + nn[1:], np.inf)
    is_extra = odd & (d < -1) & (np.abs(pair - median) < usual_off)
    is_missed = odd & (d > 1) & (np.abs(nn / 2 - median) < usual_off)
    is_missed[1:] &= ~is_extra[:-1]
    other = odd & ~is_extra & ~is_missed
    other[1:] &= ~(is_extra | is_missed)[:-1]  # the return from an error is not another
    ectopic[1:] &= ~(is_extra | is_missed)[:-1]
    moved = np.union1d(np.flatnonzero(ectopic), np.flatnonzero(other) + 1)
    return np.flatnonzero(is_missed), np.flatnonzero(is_extra) + 1, moved


def _mend(
    times: np.ndarray, marks: np.ndarray, missed: np.ndarray, extra: np.ndarray, moved: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    times, marks = times.copy(), marks.copy()
    moved = moved[(moved > 0) & (moved < len(times) - 1)]
    moved = np.setdiff1d(moved, np.r_[extra, missed, missed + 1])
    still = np.setdiff1d(np.arange(len(times)), np.union1d(moved, extra))
    if len(moved) and len(still) > 1:
        times[moved] = np.interp(moved, still, times[still])
        marks[moved] = True
    fresh = (times[missed] + times[missed + 1]) / 2
    kept = np.setdiff1d(np.arange(len(times)), extra)
    all_times = np.r_[times[kept], fresh]
    order = np.argsort(all_times, kind="stable")
    return all_times[order], np.r_[marks[kept], np.ones(len(fresh), dtype=bool)][order]
