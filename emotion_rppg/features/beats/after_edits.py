"""Recompute confidence, standard errors, ectopic marks and gaps of beats after edits.

`emotion_rppg.features.beats.correction` states the rules.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from emotion_rppg.features.beats.artefacts import rhythm_along, too_long
from emotion_rppg.features.beats.intervals import ectopic_in_series
from emotion_rppg.interval_timeline import LONGEST_MS
from emotion_rppg.signals import Beats

_LONGEST_S = LONGEST_MS / 1e3


def columns_after(detected: Beats, source: np.ndarray, placed: np.ndarray) -> dict[str, Any]:
    """Compute confidence and errors of each corrected beat from those of the detection."""
    columns: dict[str, Any] = {}
    sd = detected.timing_sd_s
    typical = float(np.nanmedian(sd)) if sd is not None and np.isfinite(sd).any() else np.nan
    # the errors of a placed beat and of its neighbours are independent: 1 + 4 + 1 variances
    beside = placed | np.r_[placed[1:], False] | np.r_[False, placed[:-1]]
    replaced = {
        "confidence": (placed, 1.0),
        "timing_sd_s": (placed, typical),
        "difference_sd_s": (beside[: len(placed)], np.sqrt(6.0) * typical),
        "corrected": (placed, 0.0),
        "ectopic": (placed, 0.0),
    }
    for name, (where, value) in replaced.items():
        own = getattr(detected, name)
        if own is None:
            columns[name] = None
            continue
        old = own[np.maximum(source, 0)] if len(own) else np.zeros(len(source))
        columns[name] = np.where(where, value, old).astype(own.dtype)
    return columns


def judge_after(beats: Beats, removed_s: np.ndarray) -> Beats:
    """Mark ectopic beats and add gaps of missing beats, around edits alone."""
    gaps = [*beats.gaps, *_ends(beats, removed_s)]
    if len(beats) < 2:
        return replace(beats, gaps=gaps)
    times, placed = beats.times_s, placed_by_hand(beats)
    between = np.searchsorted(times, removed_s) - 1  # the interval that contains each deleted beat
    touched = placed[1:] | placed[:-1]
    touched[between[(between >= 0) & (between < len(touched))]] = True
    intervals, joined = np.diff(times), beats.joined
    rhythm, spread = rhythm_along(intervals, joined & ~(touched & (intervals > _LONGEST_S)))
    both = placed[1:] & placed[:-1]
    wrong = too_long(intervals, rhythm, spread) | (intervals > _LONGEST_S)
    wrong &= touched & joined & ~(both & (intervals <= _LONGEST_S))
    half = np.minimum(np.nan_to_num(rhythm, nan=0.0) / 2, intervals / 3)
    gaps += [
        (float(times[k] + half[k]), float(times[k + 1] - half[k])) for k in np.flatnonzero(wrong)
    ]
    beats = replace(beats, gaps=gaps)
    if beats.ectopic is None:
        return beats
    near = np.r_[touched, False] | np.r_[False, touched]
    near = near | np.r_[near[1:], False] | np.r_[False, near[:-1]]
    marks = ectopic_in_series(intervals, beats.joined, rhythm, spread)
    return replace(beats, ectopic=np.where(near, marks, beats.ectopic))


def _ends(beats: Beats, removed_s: np.ndarray) -> list[tuple[float, float]]:
    """Gaps before the first and after the last beat where beats were deleted, s."""
    if beats.span_s is None or not len(removed_s):
        return []
    a, b = beats.span_s
    if not len(beats):
        return [(a, b)]
    first, last = float(beats.times_s[0]), float(beats.times_s[-1])
    half = float(np.median(np.diff(beats.times_s))) / 2 if len(beats) > 1 else 0.0
    gaps = []
    if removed_s.min() < first and first - half > a:
        gaps.append((a, first - half))
    if removed_s.max() > last and last + half < b:
        gaps.append((last + half, b))
    return gaps


def placed_by_hand(beats: Beats) -> np.ndarray:
    """Mark the beats that a person added or moved, bool (n,)."""
    return np.zeros(len(beats), dtype=bool) if beats.edited is None else beats.edited
