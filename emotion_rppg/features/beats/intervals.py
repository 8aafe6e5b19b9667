"""Accept the intervals of a device, without a wave: mark ectopic beats, exclude artefacts.

The rules of `artefacts` are those of beats that are detected in a wave. Without a wave, nothing
but the rhythm can show that an interval is wrong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emotion_rppg.features.beats.artefacts import (
    EARLY,
    SPREADS,
    ectopic_beats,
    extra_beats,
    rhythm_along,
    too_long,
)
from emotion_rppg.interval_timeline import beside_interval, stretches
from emotion_rppg.signals import Beats

# Difference from both intervals beside it, as a share of the rhythm and as a multiple of the
# irregularity, above which a single interval is an artefact
SPIKE, SPIKE_SPREADS = 0.3, 5.0


def accept_intervals(beats: Beats) -> Beats:
    """Mark ectopic beats, and make gaps, s, of intervals that are artefacts.

    An interval that contains a missed beat, and one that is much longer or shorter than both
    intervals beside it and is not beside an ectopic beat, become gaps. A heart that slows down
    within a breath changes over several beats, so it is not affected. A beat between two short
    intervals that add up to one is removed, as are beats without an accepted interval: they are in
    ``rejected_s``. Where the file labels ectopic beats (``beats.ectopic``), its labels count and
    only missed beats are searched for. The confidence is 1 unless the beats have one: the quality
    of a window is then the share of its time that accepted intervals cover.
    """
    if len(beats) < 2:
        return replace(beats, kind=beats.kind or "rr")
    labelled = beats.ectopic is not None
    removed = np.zeros(0)
    if not labelled:
        extra = _extra(beats)
        removed = beats.times_s[extra]
        beats = beats.select(~extra)
    intervals, joined = np.diff(beats.times_s), beats.joined
    rhythm, spread = rhythm_along(intervals, joined)
    ectopic = beats.ectopic if labelled else ectopic_in_series(intervals, joined, rhythm, spread)
    assert ectopic is not None
    wrong = too_long(intervals, rhythm, spread)
    if not labelled:
        wrong |= _spikes(intervals, joined, rhythm, spread) & ~(ectopic[1:] | ectopic[:-1])
    wrong &= joined
    sound = beside_interval(joined & ~wrong)
    known = np.zeros(0) if beats.rejected_s is None else beats.rejected_s
    confidence = np.ones(len(beats)) if beats.confidence is None else beats.confidence
    accepted = replace(
        beats,
        confidence=confidence,
        ectopic=ectopic,
        kind=beats.kind or "rr",
        gaps=[*beats.gaps, *stretches(beats.times_s, wrong)],
    )
    rejected = np.sort(np.r_[known, removed, beats.times_s[~sound]])
    return replace(accepted.select(sound), rejected_s=rejected)


def _extra(beats: Beats) -> np.ndarray:
    """Find beats between two intervals too short for this heart that add up to one, bool (n,)."""
    intervals, joined = np.diff(beats.times_s), beats.joined
    if len(intervals) < 2:
        return np.zeros(len(beats), dtype=bool)
    rhythm, spread = rhythm_along(intervals, joined)
    short = joined & (1 - intervals / rhythm > np.maximum(EARLY, SPREADS * spread))
    between = np.r_[False, short[:-1] & short[1:], False]
    return np.asarray(extra_beats(intervals, rhythm) & between)


def ectopic_in_series(
    intervals: np.ndarray, joined: np.ndarray, rhythm: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Find beats that come early and are followed by a pause, no gap beside, bool (n,)."""
    if len(intervals) < 2:
        return np.zeros(len(intervals) + 1, dtype=bool)
    between = np.r_[False, joined[:-1] & joined[1:], False]
    return ectopic_beats(intervals, rhythm, spread) & between


def _spikes(
    intervals: np.ndarray, joined: np.ndarray, rhythm: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Find single intervals that differ from both beside them in one direction, bool (n,)."""
    if len(intervals) < 3:
        return np.zeros(len(intervals), dtype=bool)
    step = np.diff(intervals) / rhythm[1:]
    limit = np.maximum(SPIKE, SPIKE_SPREADS * spread)[1:-1]
    large = np.minimum(np.abs(step[:-1]), np.abs(step[1:])) > limit
    alone = large & (np.sign(step[:-1]) != np.sign(step[1:])) & joined[:-2] & joined[2:]
    return np.r_[False, alone, False]
