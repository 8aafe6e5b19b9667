"""Estimate when a camera took its frames from the times at which a computer received them.

A camera takes frames at a steady rate. The computer stamps them on arrival: late, unevenly, and
several at once after a busy moment. The jitter of the stamps would become an error of the beat
intervals.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

AHEAD = 15  # later frames that bound the time of a frame
AROUND = 45  # frames on either side whose median step is the camera's step
SMOOTH = 30  # frames on either side over which times are smoothed
LOST = 1.6  # a step longer than this many camera steps means lost frames
UNEVEN = 0.1, 0.02  # stamps are jittery if this share of steps deviates by more than that share


def frame_times(stamps_s: np.ndarray) -> np.ndarray:
    """Estimate the frame times, s, (n,), from increasing arrival stamps.

    A stamp is never early, so each later stamp bounds the time of a frame from above; the lowest of
    these bounds is the estimate. The remaining jitter is smoothed, but not across lost frames. The
    median delay of the stamps is retained. Even stamps, and fewer than ninety, are returned
    unchanged. A change of the camera's rate is followed, except in half a second around the change.
    """
    n, steps = len(stamps_s), np.diff(stamps_s)
    if n < 2 * AROUND:
        return stamps_s
    uneven = np.abs(steps / np.median(steps) - 1) > UNEVEN[0]
    if uneven.mean() < UNEVEN[1]:
        return stamps_s
    step = _camera_step(stamps_s)
    after = np.r_[stamps_s, stamps_s[-1] + step[-1] * np.arange(1, AHEAD + 1)]
    ahead = np.lib.stride_tricks.sliding_window_view(after, AHEAD + 1)
    latest = (ahead - step[:, None] * np.arange(AHEAD + 1)).min(axis=1)
    times = _smoothed(latest, step)
    return np.asarray(times + np.median(stamps_s - times))


def _camera_step(stamps_s: np.ndarray) -> np.ndarray:
    """Estimate the camera's frame interval around each frame, (n,), s, unaffected by lost frames.

    Single steps are meaningless where a computer stamps frames in bursts; spans of fifteen steps
    are not, if the number of frames in each is known. It is estimated from the shortest spans
    nearby, or, where frames are missing in every span, from the median single step.
    """
    from scipy.ndimage import median_filter, percentile_filter

    span = stamps_s[AHEAD:] - stamps_s[:-AHEAD]
    near = 2 * AROUND + 1
    shortest = percentile_filter(span / AHEAD, 25, near, mode="nearest")
    single = median_filter(np.diff(stamps_s), near, mode="nearest")[: len(span)]
    step = np.where(single > 0.8 * shortest, np.minimum(single, shortest), shortest)
    frames = np.maximum(np.floor(span / step + 0.25), AHEAD)  # if unclear, none was lost
    step = median_filter(span / frames, near, mode="nearest")
    return np.r_[step, np.full(AHEAD, step[-1])]


def _smoothed(times: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Smooth frame times, s, over about two seconds, but not across lost frames."""
    out = times.copy()
    cuts = np.r_[0, np.flatnonzero(np.diff(times) > LOST * step[1:]) + 1, len(times)]
    for first, stop in pairwise(cuts):
        half = min(SMOOTH, (stop - first - 1) // 2)
        if half < 2:
            continue
        line = np.linspace(times[first], times[stop - 1], stop - first)
        residual = np.pad(times[first:stop] - line, half, mode="reflect", reflect_type="odd")
        kernel = np.hanning(2 * half + 3)[1:-1]
        out[first:stop] = line + np.convolve(residual, kernel / kernel.sum(), "valid")
    return np.asarray(np.maximum.accumulate(out + 1e-9 * np.arange(len(out))))
