"""Detect the R peaks of an ECG by the agreement of three detectors, 25 to 240 beats a minute.

One detector is implemented here (energy of the slopes in 8–30 Hz above a moving threshold, after
Pan and Tompkins 1985); two are NeuroKit2's (``neurokit``: Makowski et al. 2021; ``engzee``: Engelse
and Zeelenberg 1979 as modified by Lourenço et al. 2012). A beat is a detection that two of them
share. Where no two agree on most detections, the stretch has no usable ECG: noise, mains hum, a
detached electrode.
"""

from __future__ import annotations

import itertools
import warnings
from typing import NamedTuple

import numpy as np

from emotion_rppg.signals import Signal

LEAST_HZ = 200  # ECGs sampled slower are resampled to WORK_HZ for the detectors
WORK_HZ = 500
BAND_HZ = (8.0, 30.0)  # of a QRS complex; P and T waves are slower
ENERGY_S = 0.1  # width of the moving mean of the squared slope
REFRACTORY_S = 0.2  # 300 beats a minute
SLOWEST_S = 2.6  # any stretch of this length contains a beat at 25 a minute
LEVEL_S = 20.0  # width of the moving median of the maxima, the height of a QRS complex …
SHARE = 0.3  # … and the share of it that a beat reaches
SAME_S = 0.08  # detections this near to each other are of one beat
PLACE_S = 0.06  # the R peak is the extremum within this time of the detection …
PLACE_HZ = (3.0, 45.0)  # … in this band
DETECTORS = ("neurokit", "engzee")
LEAST_AGREEMENT = 0.75  # Dice coefficient of the two detectors that agree best, around each beat
AROUND_S = 4.0  # to either side


class RPeaks(NamedTuple):
    """R peaks, and the ECG that they were placed in.

    ``samples`` (n,): positions, with fractions of a sample; ``agreement`` (n,): of the detectors
    around each, 0–1; ``clean`` (m,): the ECG at ``rate_hz`` without drift and mains hum; ``band``
    (m,): the same in the band of QRS complexes.
    """

    samples: np.ndarray
    agreement: np.ndarray
    clean: np.ndarray
    band: np.ndarray
    rate_hz: float


def r_peaks(ecg: Signal) -> RPeaks:
    """Detect the R peaks of an ECG without NaN, in samples of its cleaned copy.

    A peak is shared by two detectors; a parabola interpolates its position. ``agreement`` (0–1) is
    the Dice coefficient of the two detectors that agree best, within four seconds of each peak.
    """
    import neurokit2 as nk

    rate = round(ecg.rate_hz)
    if rate < LEAST_HZ or abs(rate - ecg.rate_hz) > 1e-6:  # NeuroKit2 needs a whole number
        rate = max(rate, WORK_HZ)
    fine = ecg.samples if rate == ecg.rate_hz else ecg.resample(rate).samples
    with warnings.catch_warnings():  # of short signals and of empty slices
        warnings.simplefilter("ignore")
        try:
            clean = np.asarray(nk.ecg_clean(fine, sampling_rate=rate), dtype=float)
        except (ValueError, IndexError, ZeroDivisionError):  # too short for its filters
            none = np.zeros(0)
            return RPeaks(none, none, none, none, rate)
        detections = [_by_energy(fine, rate)]
        detections += [_by_neurokit(name, fine, clean, rate) for name in DETECTORS]
    shared = _shared(detections, SAME_S * rate)
    band = _qrs_band(fine, rate)
    peaks = _placed(band, shared, rate)
    agreement = _agreement(detections, shared, SAME_S * rate, AROUND_S * rate)
    distinct = np.diff(peaks, prepend=-np.inf) > 0
    return RPeaks(peaks[distinct], agreement[distinct], clean, band, rate)


def _qrs_band(ecg: np.ndarray, rate_hz: float) -> np.ndarray:
    """The ECG in the band of QRS complexes, without movement artefacts, (m,)."""
    from scipy.signal import butter, sosfiltfilt

    band = (PLACE_HZ[0], min(PLACE_HZ[1], 0.45 * rate_hz))
    sos = butter(2, band, "bandpass", fs=rate_hz, output="sos")
    pad = min(round(rate_hz), len(ecg) - 1)
    return np.asarray(sosfiltfilt(sos, ecg - np.median(ecg), padlen=pad))


def _by_energy(ecg: np.ndarray, rate: int) -> np.ndarray:
    """Maxima of the slope energy that exceed a share of the QRS complexes around, in samples."""
    from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d
    from scipy.signal import butter, find_peaks, sosfiltfilt

    sos = butter(2, (BAND_HZ[0], min(BAND_HZ[1], 0.45 * rate)), "bandpass", fs=rate, output="sos")
    pad = min(rate, len(ecg) - 1)
    slope = np.gradient(sosfiltfilt(sos, ecg - np.median(ecg), padlen=pad))
    energy = np.sqrt(uniform_filter1d(slope**2, max(round(ENERGY_S * rate), 1)))
    step = max(rate // 2, 1)
    tops = maximum_filter1d(energy, round(SLOWEST_S * rate))[::step]
    level = median_filter(tops, round(LEVEL_S * rate / step) | 1, mode="nearest")
    level = np.interp(np.arange(len(energy)), step * np.arange(len(level)), level)
    peaks = find_peaks(energy, distance=max(round(REFRACTORY_S * rate), 1))[0]
    return np.asarray(peaks[energy[peaks] > SHARE * level[peaks]], dtype=float)


def _by_neurokit(name: str, ecg: np.ndarray, clean: np.ndarray, rate: int) -> np.ndarray:
    """R peaks of a detector of NeuroKit2, in samples."""
    import neurokit2 as nk

    try:
        own = clean if name == "neurokit" else nk.ecg_clean(ecg, sampling_rate=rate, method=name)
        peaks = nk.ecg_peaks(own, sampling_rate=rate, method=name)[1]["ECG_R_Peaks"]
    except (ValueError, IndexError, ZeroDivisionError):  # a signal without QRS complexes
        return np.zeros(0)
    peaks = np.asarray(peaks, dtype=float)
    return np.unique(peaks[np.isfinite(peaks)])


def _shared(detections: list[np.ndarray], tolerance: float) -> np.ndarray:
    """Means of the groups of detections that two detectors share, (n,).

    A group is a detection and those that follow within the tolerance.
    """
    at = np.concatenate(detections)
    detector = np.repeat(np.arange(len(detections)), [len(peaks) for peaks in detections])
    order = np.argsort(at, kind="stable")
    at, detector = at[order], detector[order]
    shared, first = [], 0
    while first < len(at):
        stop = int(np.searchsorted(at, at[first] + tolerance, side="right"))
        if len(set(detector[first:stop])) >= 2:
            shared.append(float(np.mean(at[first:stop])))
        first = stop
    return np.array(shared)


def _agreement(
    detections: list[np.ndarray], at: np.ndarray, tolerance: float, around: float
) -> np.ndarray:
    """Highest Dice coefficient of two detectors around each position, 0–1, (n,)."""
    best = np.zeros(len(at))
    for one, other in itertools.combinations(detections, 2):
        common, total = np.zeros((2, len(at)))
        for mine, theirs in ((one, other), (other, one)):
            matched = np.zeros(len(mine), dtype=bool)
            if len(theirs):
                after = np.clip(np.searchsorted(theirs, mine), 1, len(theirs) - 1)
                after = np.minimum(after, len(theirs) - 1)
                away = np.minimum(np.abs(theirs[after] - mine), np.abs(theirs[after - 1] - mine))
                matched = away <= tolerance
            first, stop = np.searchsorted(mine, at - around), np.searchsorted(mine, at + around)
            count = np.r_[0, np.cumsum(matched)]
            common += count[stop] - count[first]
            total += stop - first
        best = np.maximum(best, common / np.maximum(total, 1))
    return best


def _placed(band: np.ndarray, near: np.ndarray, rate: int) -> np.ndarray:
    """Position of the extremum near each detection, of the sign of the QRS complexes, (n,).

    Between samples; ``band`` is without movement artefacts, which would shift the extremum.
    """
    if not len(near):
        return near
    reach = max(round(PLACE_S * rate), 1)
    at = np.clip(np.rint(near).astype(int)[:, None] + np.arange(-reach, reach + 1), 1, None)
    at = np.minimum(at, len(band) - 2)
    cut = band[at]
    sign = 1.0 if np.median(cut.max(axis=1)) >= np.median(-cut.min(axis=1)) else -1.0
    peak = at[np.arange(len(at)), (sign * cut).argmax(axis=1)]
    before, middle, after = band[peak - 1], band[peak], band[peak + 1]
    bend = before - 2 * middle + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros(len(peak)), where=bend != 0)
    return np.asarray(peak + np.clip(shift, -0.5, 0.5))
