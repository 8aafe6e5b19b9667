"""Estimate the heart rate over time, one value a second, in the context of the whole recording.

A window of ten seconds alone often has a higher peak at the rhythm of a motion than at the heart
rate. A heart rate changes slowly; therefore the smooth path of highest power through the spectra of
all windows is right more often than the peak of each (`rate_tracking.rate_path`): on minutes of
camera waves of eleven people (UBFC-rPPG) within 3 bpm in 85 % of the seconds instead of 77 %
(``python -m benchmarks.rate_over_time``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.beats.rate_tracking import (
    WINDOW_S,
    rate_path_with_margin,
    without_harmonics,
)
from emotion_rppg.signal_quality import LEAST_QUALITY, long_runs, snr_of_rates
from emotion_rppg.signals import Signal

CONTEXT_S = 8.0  # the SNR is averaged over so many seconds before and after
# Logistic regression for "the rate is right within 3 bpm", fitted by benchmarks.rate_over_time to
# 2,745 seconds of camera waves of eleven people (their contact PPG as truth; whole minutes and
# pieces of 20 s) and 3,072 seconds of noise (white, brown, band-passed and through POS)
CONSTANT, WEIGHTS = -3.49, (0.5, 2.27)  # per dB, per logarithm of the margin
LEAST_MARGIN = 0.05


@dataclass(frozen=True, eq=False)
class RateOverTime:
    """Heart rate at times, with the probability (0–1) that it is right within 3 bpm, each (n,).

    ``times_s`` are on the clock of the wave, one a second within each run without missing samples.
    """

    times_s: np.ndarray
    hr_bpm: np.ndarray
    quality: np.ndarray

    def trusted(self, least_quality: float = LEAST_QUALITY) -> np.ndarray:
        """Return the rates in bpm, NaN where the quality is below ``least_quality``."""
        return np.where(self.quality >= least_quality, self.hr_bpm, np.nan)


def heart_rate_over_time(signal: Signal) -> RateOverTime:
    """Estimate the heart rate of a pulse wave over time, bpm, one value a second.

    Runs of less than 4 s have no values. The quality is 0 where that of the wave's samples is 0
    (there the frames of the video contradict a pulse). Of the seconds of camera waves of eleven
    people 78 % have a quality of 0.6 or more, and 93 % of these are right within 3 bpm (each person
    left out of the fit in turn); of the seconds of noise 0.3 % have.

    Raises
    ------
    InputError
        An ECG or another signal that is no pulse wave.

    Examples
    --------
    >>> times_s = np.arange(1800) / 30
    >>> rate = heart_rate_over_time(Signal(np.sin(2 * np.pi * 1.2 * times_s), 30, kind="rppg"))
    >>> bool(np.all(np.abs(rate.trusted() - 72) < 0.5))
    True
    """
    kind = KINDS.get(signal.kind or "bvp")
    if kind is None or not kind.pulse_wave:
        raise InputError(
            f"a heart rate over time is estimated from a pulse wave, not from kind="
            f"{signal.kind!r}: want {', '.join(n for n, k in KINDS.items() if k.pulse_wave)}"
        )
    parts = [_of_run(run, start_s) for run, start_s in long_runs(signal)]
    if not parts:
        nothing = np.zeros(0)
        return RateOverTime(nothing, nothing, nothing)
    times, rates, quality = np.concatenate(parts, axis=1)
    if signal.quality is not None:
        at = np.clip(np.rint((times - signal.start_s) * signal.rate_hz), 0, len(signal) - 1)
        quality[np.asarray(signal.quality)[at.astype(int)] == 0] = 0.0
    return RateOverTime(times, 60 * rates, quality)


def measures_of_run(run: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure a run without missing samples: middles of windows in s, rates in Hz, and evidence.

    The evidence (n, 2) is the SNR at the rates, dB, averaged over `CONTEXT_S` before and after, and
    the logarithm of the margin of the path.
    """
    middles, path, margin = rate_path_with_margin(run.samples, run.rate_hz)
    path = without_harmonics(run.samples, run.rate_hz, middles, path)
    rates, snr = snr_of_rates(run, middles, path, WINDOW_S)
    near = [np.abs(middles - middle) <= CONTEXT_S for middle in middles]
    context = np.array([snr[own].mean() for own in near])
    return middles, rates, np.column_stack([context, np.log(np.maximum(margin, LEAST_MARGIN))])


def _of_run(run: Signal, start_s: float) -> np.ndarray:
    """Times in s, rates in Hz and quality of a run without missing samples, (3, n)."""
    middles, rates, evidence = measures_of_run(run)
    odds = CONSTANT + evidence @ np.array(WEIGHTS)
    return np.stack([start_s + middles, rates, 1 / (1 + np.exp(-odds))])
