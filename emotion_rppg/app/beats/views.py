"""Compute what the page plots: extremes of the wave in bins, and how doubtful each beat is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emotion_rppg.features.beats.artefacts import rhythm_along
from emotion_rppg.signals import Beats, Signal

MOST_BINS = 8000
BLOCK = 64  # samples of one block of a coarser level
JUMP, JUMP_SPREADS = 0.5, 8.0  # difference of two successive intervals that is fully doubtful
BESIDE_GAP = 0.4  # doubt of a beat beside a gap
DOUBTFUL = 0.4  # doubt from which the page stops at a beat
_PEAK_S, _AROUND_S = 0.15, 1.0


class Envelope:
    """Smallest and largest value of a wave in each bin of a segment, fast for hours.

    Coarser levels are computed once: the extremes of blocks of 64 samples, of 64 such blocks …
    A bin without samples is NaN.
    """

    def __init__(self, wave: Signal) -> None:
        self.wave = wave
        samples = wave.samples.astype(np.float32)
        self.levels = [(samples, samples)]
        while len(self.levels[-1][0]) > 4 * BLOCK:
            low, high = self.levels[-1]
            starts = np.arange(0, len(low), BLOCK)
            self.levels.append((np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)))

    def between(self, start_s: float, end_s: float, bins: int) -> dict[str, Any]:
        """Compute the extremes and the quality of ``bins`` bins, at most, as plain JSON.

        ``start_s`` and ``step_s`` give the bins' times; samples themselves are returned where there
        are fewer than bins. ``quality`` is empty if the wave has none.
        """
        wave = self.wave
        first = int(np.clip(np.floor((start_s - wave.start_s) * wave.rate_hz), 0, len(wave)))
        stop = int(np.clip(np.ceil((end_s - wave.start_s) * wave.rate_hz) + 1, first, len(wave)))
        per_bin = max((stop - first) / min(max(bins, 1), MOST_BINS), 1.0)
        level = int(np.log(per_bin) / np.log(BLOCK)) if per_bin >= BLOCK else 0
        block = BLOCK ** min(level, len(self.levels) - 1)
        width = max(int(np.ceil(per_bin / block)), 1)  # blocks of a bin
        a, b = first // block, -(-stop // block)
        step = width * block
        low, high = self.levels[min(level, len(self.levels) - 1)]
        a -= a % width  # the same bins wherever the view begins: nothing flickers while scrolling
        starts = np.arange(a, b, width)
        if not len(starts):
            return {"start_s": start_s, "step_s": 1.0, "low": [], "high": [], "quality": []}
        b = min(b, len(low))
        lows = np.fmin.reduceat(low[a:b], starts[starts < b] - a)
        highs = np.fmax.reduceat(high[a:b], starts[starts < b] - a)
        quality = []
        if wave.quality is not None:
            own = wave.quality[a * block : b * block]
            at = np.arange(0, len(own), step)
            count = np.diff(np.r_[at, len(own)])
            quality = np.round(np.add.reduceat(own, at) / count, 2).tolist()
        return {
            "start_s": wave.start_s + a * block / wave.rate_hz,
            "step_s": step / wave.rate_hz,
            "low": numbers(lows),
            "high": numbers(highs),
            "quality": quality,
        }


def numbers(values: np.ndarray) -> list[float | None]:
    """Convert to JSON numbers of six digits; NaN becomes None."""
    return [None if value != value else float(f"{value:.6g}") for value in values.tolist()]


def peak_near(wave: Signal, time_s: float) -> float:
    """Find the time of the peak within 0.15 s, s: of an ECG the largest deflection either way."""
    part = wave.crop(time_s - _PEAK_S, time_s + _PEAK_S)
    values = part.samples
    if wave.kind == "ecg":
        around = wave.crop(time_s - _AROUND_S, time_s + _AROUND_S).samples
        middle = np.nanmedian(around) if np.isfinite(around).any() else 0.0
        values = np.abs(values - middle)
    if not np.isfinite(values).any():
        return time_s
    return part.start_s + int(np.nanargmax(values)) / part.rate_hz


def doubts(beats: Beats, noise: Sequence[tuple[float, float]] = ()) -> np.ndarray:
    """Compute how doubtful each beat is, 0–1, (n,).

    The largest of: 1 - confidence; the difference of the intervals before and after it, as a share
    of the rhythm, or in an irregular heart of its usual irregularity; 0.4 beside a gap, unless a
    person marked it as ``noise``. A beat that a person placed is not doubtful.
    """
    if not len(beats):
        return np.zeros(0)
    doubt = np.zeros(len(beats))
    if beats.confidence is not None:
        doubt = 1 - np.clip(np.nan_to_num(beats.confidence), 0, 1)
    joined, intervals = beats.joined, np.diff(beats.times_s)
    if len(intervals) > 1:
        rhythm, spread = rhythm_along(intervals, joined)
        usual = np.maximum(JUMP, JUMP_SPREADS * spread[1:]) * rhythm[1:]
        jump = np.abs(np.diff(intervals)) / usual
        jump = np.where(joined[1:] & joined[:-1], np.nan_to_num(jump), 0.0)
        doubt[1:-1] = np.maximum(doubt[1:-1], np.minimum(jump, 1))
    open_ends = ~joined
    for a, b in noise:
        open_ends &= ~((beats.times_s[:-1] < b) & (beats.times_s[1:] > a))
    beside = np.r_[open_ends, False] | np.r_[False, open_ends]
    doubt = np.where(beside, np.maximum(doubt, BESIDE_GAP), doubt)
    return doubt if beats.edited is None else np.where(beats.edited, 0.0, doubt)
