"""R peaks of an ECG by the agreement of three detectors, right from 25 to 240 beats a minute.

One detector is ours (energy of the slopes in 8–30 Hz against a moving level, after Pan and Tompkins
1985); two are NeuroKit2's (``neurokit``: Makowski et al. 2021; ``engzee``: Engelse and Zeelenberg
1979 as modified by Lourenço et al. 2012). A beat is what two of the three detect. Where no two of
them agree on most of what they detect there is no ECG to be read: noise, mains hum, an electrode
that fell off.
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
ENERGY_S = 0.1  # of the moving mean of the squared slope
REFRACTORY_S = 0.2  # 300 beats a minute
SLOWEST_S = 2.6  # a beat at 25 a minute lies in every stretch of this length
LEVEL_S = 20.0  # whose median is the level that a QRS complex reaches
SHARE = 0.3  # of that level
SAME_S = 0.08  # detections this near to each other are of one beat
PLACE_S = 0.06  # the R peak is the extremum this near to where it was detected …
PLACE_HZ = (3.0, 45.0)  # … in this band
DETECTORS = ("neurokit", "engzee")
LEAST_AGREEMENT = 0.75  # of the two detectors that agree best, about each beat
AROUND_S = 4.0  # to either side


class RPeaks(NamedTuple):
    """``samples`` (n,): R peaks between samples; ``agreement`` (n,): of the detectors about each.

    ``clean`` (m,): the ECG without drift and mains hum at ``rate_hz``.
    """

    samples: np.ndarray
    agreement: np.ndarray
    clean: np.ndarray
    rate_hz: float


def r_peaks(ecg: Signal) -> RPeaks:
    """Detect the R peaks of an ECG without NaN, in samples of its cleaned copy.

    Peaks that two detectors share, placed between samples by a parabola. ``agreement`` (0–1) is
    that of the two detectors that agree best, within four seconds of each.
    """
    import neurokit2 as nk

    rate = round(ecg.rate_hz)
    if rate < LEAST_HZ or abs(rate - ecg.rate_hz) > 1e-6:  # NeuroKit2 wants whole hertz
        rate = max(rate, WORK_HZ)
    fine = ecg.samples if rate == ecg.rate_hz else ecg.resample(rate).samples
    with warnings.catch_warnings():  # of signals too short for its plots, and of empty slices
        warnings.simplefilter("ignore")
        try:
            clean = np.asarray(nk.ecg_clean(fine, sampling_rate=rate), dtype=float)
        except (ValueError, IndexError, ZeroDivisionError):  # too short for its filters
            return RPeaks(np.zeros(0), np.zeros(0), np.zeros(0), rate)
        found = [_by_energy(fine, rate)]
        found += [_by_neurokit(name, fine, clean, rate) for name in DETECTORS]
    shared = _shared(found, SAME_S * rate)
    peaks = _placed(fine, shared, rate)
    agreement = _agreement(found, shared, SAME_S * rate, AROUND_S * rate)
    keep = np.diff(peaks, prepend=-np.inf) > 0
    return RPeaks(peaks[keep], agreement[keep], clean, rate)


def _by_energy(ecg: np.ndarray, rate: int) -> np.ndarray:
    """Maxima of the slopes' energy that reach a share of what QRS complexes about them reach."""
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
    import neurokit2 as nk

    try:
        given = clean if name == "neurokit" else nk.ecg_clean(ecg, sampling_rate=rate, method=name)
        found = nk.ecg_peaks(given, sampling_rate=rate, method=name)[1]["ECG_R_Peaks"]
    except (ValueError, IndexError, ZeroDivisionError):  # nothing like a heart in it
        return np.zeros(0)
    found = np.asarray(found, dtype=float)
    return np.unique(found[np.isfinite(found)])


def _shared(found: list[np.ndarray], tolerance: float) -> np.ndarray:
    """Middles of the groups of detections that two detectors share, (n,).

    A group begins with a detection and holds what follows it within the tolerance.
    """
    at = np.concatenate(found)
    who = np.repeat(np.arange(len(found)), [len(each) for each in found])
    order = np.argsort(at, kind="stable")
    at, who = at[order], who[order]
    shared, first = [], 0
    while first < len(at):
        stop = int(np.searchsorted(at, at[first] + tolerance, side="right"))
        if len(set(who[first:stop])) >= 2:
            shared.append(float(np.mean(at[first:stop])))
        first = stop
    return np.array(shared)


def _agreement(
    found: list[np.ndarray], at: np.ndarray, tolerance: float, around: float
) -> np.ndarray:
    """How well the two detectors that agree best do so about each place, 0–1 (Dice), (n,)."""
    best = np.zeros(len(at))
    for one, other in itertools.combinations(found, 2):
        common, total = np.zeros((2, len(at)))
        for mine, theirs in ((one, other), (other, one)):
            seen = np.zeros(len(mine), dtype=bool)
            if len(theirs):
                after = np.clip(np.searchsorted(theirs, mine), 1, len(theirs) - 1)
                after = np.minimum(after, len(theirs) - 1)
                away = np.minimum(np.abs(theirs[after] - mine), np.abs(theirs[after - 1] - mine))
                seen = away <= tolerance
            first, stop = np.searchsorted(mine, at - around), np.searchsorted(mine, at + around)
            count = np.r_[0, np.cumsum(seen)]
            common += count[stop] - count[first]
            total += stop - first
        best = np.maximum(best, common / np.maximum(total, 1))
    return best


def _placed(ecg: np.ndarray, near: np.ndarray, rate: int) -> np.ndarray:
    """The extremum of the QRS complexes' own sign near each place, between samples.

    In a band that movement of the body does not reach: it would move the extremum.
    """
    from scipy.signal import butter, sosfiltfilt

    if not len(near):
        return near
    band = (PLACE_HZ[0], min(PLACE_HZ[1], 0.45 * rate))
    sos = butter(2, band, "bandpass", fs=rate, output="sos")
    narrow = sosfiltfilt(sos, ecg - np.median(ecg), padlen=min(rate, len(ecg) - 1))
    reach = max(round(PLACE_S * rate), 1)
    at = np.clip(np.rint(near).astype(int)[:, None] + np.arange(-reach, reach + 1), 1, None)
    at = np.minimum(at, len(narrow) - 2)
    seen = narrow[at]
    sign = 1.0 if np.median(seen.max(axis=1)) >= np.median(-seen.min(axis=1)) else -1.0
    peak = at[np.arange(len(at)), (sign * seen).argmax(axis=1)]
    before, here, after = narrow[peak - 1], narrow[peak], narrow[peak + 1]
    bend = before - 2 * here + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros(len(peak)), where=bend != 0)
    return np.asarray(peak + np.clip(shift, -0.5, 0.5))
