"""When a camera took its frames, from the times at which a computer received them.

A camera takes frames evenly; the computer stamps them when it gets to it: late, unevenly, after a
busy moment several at once. An interval of beats read by such stamps is wrong by their jitter.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

AHEAD = 15  # frames: the longest delay that those after it make up for
AROUND = 45  # frames to either side whose median step is the camera's
SMOOTH = 30  # frames to either side over which steps are evened
LOST = 1.6  # steps of the camera: a longer one has lost frames, and stays
UNEVEN = 0.1, 0.02  # stamps are jittery if steps are off by this share in this share of frames


def frame_times(stamps_s: np.ndarray) -> np.ndarray:
    """Times of the frames, s, (n,), from increasing stamps; as late on the whole as they are.

    A stamp is never early, so a frame was taken no later than those after it allow (the lower
    envelope of the stamps); what is left of jitter is smoothed between lost frames. Stamps that
    are even, or fewer than ninety, are given back as they are. A camera that changes its rate
    stays followed, but for half a second about the change.
    """
    n, steps = len(stamps_s), np.diff(stamps_s)
    if n < 2 * AROUND:
        return stamps_s
    off = np.abs(steps / np.median(steps) - 1) > UNEVEN[0]
    if off.mean() < UNEVEN[1]:
        return stamps_s
    step = _camera_step(stamps_s)
    after = np.r_[stamps_s, stamps_s[-1] + step[-1] * np.arange(1, AHEAD + 1)]
    ahead = np.lib.stride_tricks.sliding_window_view(after, AHEAD + 1)
    latest = (ahead - step[:, None] * np.arange(AHEAD + 1)).min(axis=1)
    taken = _evened(latest, step)
    return np.asarray(taken + np.median(stamps_s - taken))


def _camera_step(stamps_s: np.ndarray) -> np.ndarray:
    """The camera's own step about each frame, (n,), s: lost frames make it no longer.

    Where computers stamp frames in bursts a single step tells nothing; fifteen of them do, once
    it is known how many frames they were. That comes from the shortest such spans near by, or,
    where every span has lost some, from the usual single step.
    """
    from scipy.ndimage import median_filter, percentile_filter

    span = stamps_s[AHEAD:] - stamps_s[:-AHEAD]
    near = 2 * AROUND + 1
    shortest = percentile_filter(span / AHEAD, 25, near, mode="nearest")
    single = median_filter(np.diff(stamps_s), near, mode="nearest")[: len(span)]
    step = np.where(single > 0.8 * shortest, np.minimum(single, shortest), shortest)
    frames = np.maximum(np.floor(span / step + 0.25), AHEAD)  # in doubt, none was lost
    step = median_filter(span / frames, near, mode="nearest")
    return np.r_[step, np.full(AHEAD, step[-1])]


def _evened(taken: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Smoothed over a second or so about each frame, not across lost ones; increasing."""
    out = taken.copy()
    cuts = np.r_[0, np.flatnonzero(np.diff(taken) > LOST * step[1:]) + 1, len(taken)]
    for first, stop in pairwise(cuts):
        half = min(SMOOTH, (stop - first - 1) // 2)
        if half < 2:
            continue
        line = np.linspace(taken[first], taken[stop - 1], stop - first)
        rest = np.pad(taken[first:stop] - line, half, mode="reflect", reflect_type="odd")
        near = np.hanning(2 * half + 3)[1:-1]
        out[first:stop] = line + np.convolve(rest, near / near.sum(), "valid")
    return np.asarray(np.maximum.accumulate(out + 1e-9 * np.arange(len(out))))
