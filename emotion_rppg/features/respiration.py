"""Respiration by a belt or another sensor: rate, depth, irregularity, and RSA with the beats.

NeuroKit2 cleans the signal and finds the end of each inspiration (a peak) and expiration (a
trough). Each stretch without unusable samples is analysed by itself. The mean rate of the breaths
is compared with the spectrum: their disagreement is part of its standard error, which withholds all
features where it is large, as of a belt that measures noise or movement.

Respiratory sinus arrhythmia (RSA) is the peak-to-trough measure: in each breath, the longest NN
interval of the expiration less the shortest of the inspiration. Inspiration must be up in the
signal.

References
----------
Grossman et al. 1990, Biol Psychol 30, 3–31 (RSA). Khodadad et al. 2018, Physiol Meas 39, 094001
(breaths). Makowski et al. 2021, Behav Res Methods 53, 1689–1696 (NeuroKit2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emotion_rppg.features.family import QUALITY_GROUP, Column, Family, StandardError
from emotion_rppg.features.sensors import measured, quality_column
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

FASTEST_HZ = 25.0  # the signal is reduced to this rate
SLOWEST_HZ = 8.0  # slower signals are interpolated to it: the filters of NeuroKit2 reach 3 Hz
LEAST_RUN_S = 10.0
BREATHS_HZ = (0.07, 0.75)  # search range of the spectrum: 4–45 breaths a minute
LEAST_BREATHS = 3
MOST_ERROR_PER_MIN = 3.0
LATE_S = 0.75  # after a phase of a breath, in which its last interval may end
POINTS = 2**14
_KH, _GR = "Khodadad et al. 2018", "Grossman et al. 1990"
_ERROR = "breath_rate_se_per_min"

COLUMNS: dict[str, Column] = {
    "breath_rate_per_min": Column(
        "1/min", "respiration rate: 60 / mean time from breath to breath", _KH, 30, _ERROR
    ),
    "breath_interval_sd_s": Column(
        "s", "irregularity: standard deviation of the times from breath to breath", _KH, 60, _ERROR
    ),
    "breath_depth_au": Column(
        "a.u.",
        "mean rise from trough to peak, in the unit of the belt: compare it only within one "
        "recording of one person",
        _KH,
        30,
        _ERROR,
    ),
    "breath_depth_cv": Column(
        "1", "standard deviation / mean of the rise from trough to peak", _KH, 60, _ERROR
    ),
    "breath_rsa_ms": Column(
        "ms",
        "respiratory sinus arrhythmia, peak-to-trough: longest NN interval of the expiration less "
        "shortest of the inspiration, mean over breaths; needs a trusted pulse, too",
        _GR,
        60,
        _ERROR,
        needs_pulse=True,
    ),
    _ERROR: Column(
        "1/min",
        "standard error of breath_rate_per_min: scatter of the breaths, and half of the difference "
        "from the rate in the spectrum",
        "",
        30,
        role="recording",
        group=QUALITY_GROUP,
        withholds=StandardError("breath_rate_per_min", "respiration", MOST_ERROR_PER_MIN),
    ),
    "n_breaths": Column(
        "1", "number of breaths detected in the window", role="recording", group=QUALITY_GROUP
    ),
    "resp_quality": quality_column("respiration"),
}


class Breaths(NamedTuple):
    """Breaths of a stretch: times of troughs, and of the peaks after each, s, and rises, (n,)."""

    troughs_s: np.ndarray
    peaks_s: np.ndarray
    rises: np.ndarray


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Compute the respiration features of each window, one row each, float64.

    Parameters
    ----------
    list_of_beats : list of Beats
        One per window; RSA needs their NN intervals, the other features only their span.
    signals : sequence of Signal or None
        Respiration of each window, inspiration up, with NaN where it cannot be used
        (`sensors.judge`).
    """
    return measured(list_of_beats, signals, COLUMNS, _of_window)


def _of_window(signal: Signal, beats: Beats) -> dict[str, float]:
    """The features of a window, as far as it has breaths."""
    rate_hz = min(max(signal.rate_hz, SLOWEST_HZ), FASTEST_HZ)
    reduced = signal if rate_hz == signal.rate_hz else signal.resample(rate_hz)
    least = LEAST_RUN_S * reduced.rate_hz
    runs = [_part(reduced, a, b) for a, b in reduced.runs() if b - a >= least]
    stretches = [find_breaths(run) for run in runs]
    intervals = np.concatenate([np.zeros(0), *(np.diff(one.peaks_s) for one in stretches)])
    rises = np.concatenate([np.zeros(0), *(one.rises for one in stretches)])
    if len(intervals) < LEAST_BREATHS - 1:
        return {"n_breaths": float(len(rises))}
    rate = 60 / float(intervals.mean())
    scatter = rate * float(intervals.std(ddof=1) / intervals.mean()) / np.sqrt(len(intervals))
    by_spectrum = spectral_rate(max(runs, key=len))
    return {
        "breath_rate_per_min": rate,
        "breath_interval_sd_s": float(intervals.std(ddof=1)),
        "breath_depth_au": float(rises.mean()),
        "breath_depth_cv": float(rises.std(ddof=1) / rises.mean()),
        "breath_rsa_ms": _sinus_arrhythmia(stretches, beats),
        _ERROR: float(np.hypot(scatter, (rate - by_spectrum) / 2)),
        "n_breaths": float(len(rises)),
    }


def _part(signal: Signal, first: int, stop: int) -> Signal:
    start_s = signal.start_s + first / signal.rate_hz
    return Signal(signal.samples[first:stop], signal.rate_hz, kind=signal.kind, start_s=start_s)


def find_breaths(signal: Signal) -> Breaths:
    """Find the breaths of a stretch without missing samples: troughs, and the peaks after them."""
    import neurokit2

    rate_hz, start_s = signal.rate_hz, signal.start_s
    none = Breaths(np.zeros(0), np.zeros(0), np.zeros(0))
    if np.ptp(signal.samples) == 0:
        return none
    clean = neurokit2.rsp_clean(signal.samples, sampling_rate=rate_hz, method="khodadad2018")
    extrema = neurokit2.rsp_findpeaks(clean, sampling_rate=rate_hz, method="khodadad2018")
    peaks, troughs = (np.asarray(extrema[name], int) for name in ("RSP_Peaks", "RSP_Troughs"))
    after = np.searchsorted(peaks, troughs)
    complete = after < len(peaks)
    if not complete.any():
        return none
    troughs, peaks = troughs[complete], peaks[after[complete]]
    return Breaths(
        start_s + troughs / rate_hz, start_s + peaks / rate_hz, clean[peaks] - clean[troughs]
    )


def spectral_rate(signal: Signal) -> float:
    """Estimate the respiration rate of a stretch by the highest peak of its spectrum, 1/min."""
    samples = signal.samples - signal.samples.mean()
    points = max(POINTS, 2 * len(samples))
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), points)) ** 2
    hz = np.fft.rfftfreq(points, 1 / signal.rate_hz)
    inside = (hz >= BREATHS_HZ[0]) & (hz <= BREATHS_HZ[1])
    return 60 * float(hz[inside][power[inside].argmax()])


def _sinus_arrhythmia(stretches: Sequence[Breaths], beats: Beats) -> float:
    """Compute the peak-to-trough RSA, ms; NaN where half of the breaths or more have no interval.

    A phase of a breath has the intervals that lie within it, or end up to 0.75 s later. A breath in
    which the shortest is in the expiration counts as 0 (Grossman et al. 1990).
    """
    if len(beats) < 2:
        return float("nan")
    begins, ends = (edge[beats.normal] for edge in (beats.times_s[:-1], beats.times_s[1:]))

    def within(start_s: float, stop_s: float) -> np.ndarray:
        return beats.nn_ms[(begins >= start_s) & (ends < stop_s + LATE_S)]

    values, breaths = [], 0
    for one in stretches:
        for k in range(len(one.troughs_s) - 1):
            breaths += 1
            inspiration = within(one.troughs_s[k], one.peaks_s[k])
            expiration = within(one.peaks_s[k], one.troughs_s[k + 1])
            if len(inspiration) and len(expiration):
                values.append(max(0.0, float(expiration.max() - inspiration.min())))
    if len(values) < LEAST_BREATHS or 2 * len(values) < breaths:
        return float("nan")
    return float(np.mean(values))


FAMILY = Family("resp", table, COLUMNS, kind="resp")
