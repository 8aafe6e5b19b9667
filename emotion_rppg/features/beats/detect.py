"""Detect candidate beats in a stretch of a pulse wave or an ECG, with a confidence of each.

The time axis of a pulse wave is warped so that its heart rate is one beat per unit of time; a fixed
frequency band then follows the heart rate. Beats of a contact wave are detected by their steepest
rise, those of a camera wave by the phase of the fundamental (fundamental_phase.py). Both are timed
by their whole shape (template_timing.py). R peaks of an ECG are those on which several detectors
agree (r_peaks.py) and that repeat (repetition.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from emotion_rppg.features.beats.fundamental_phase import beat_counts
from emotion_rppg.features.beats.r_peaks import LEAST_AGREEMENT, r_peaks
from emotion_rppg.features.beats.rate_tracking import rate_path, without_harmonics
from emotion_rppg.features.beats.repetition import repeated
from emotion_rppg.features.beats.signal_kind import Detected, no_beats
from emotion_rppg.features.beats.template_timing import beat_times
from emotion_rppg.signals import Signal

WORK_HZ = 64.0  # a pulse wave has no power above 30 Hz
SLOWEST_HZ, FASTEST_HZ = 0.4, 9.0  # and little outside this band
HUM = 4.0  # ratio of power above that band to power in it; white noise at 64 Hz has 2.7
PER_BEAT = 256  # samples of the warped clock a beat: 4 ms at 60 bpm, before interpolation
BLOCK_S, OVERLAP_S = 600.0, 20.0
BAND = (0.5, 3.0)  # of a contact wave, in multiples of the rate
SHAPE_BAND = (0.5, 6.0)  # of the shapes compared for the confidence: noise does not repeat
# Bands of the fitted shapes, wider because the template weights frequencies itself. A high-pass of
# a higher corner shifts a rise by the time of the beat before it; only noise makes that worthwhile.
CAMERA_BAND, CONTACT_BAND = (0.5, 4.0), (0.3, 4.0)
# Largest misfit of a beat's shape, in intervals. Beats of a camera are denoised jointly, so each
# may fit less well.
CAMERA_MISFIT, CONTACT_MISFIT = 0.1, 0.07
SIZES = 0.2, 3.0  # relative heights of beats: a smaller one is no beat, a larger one is movement
# Share by which the first and last interval may differ from those near them; the second where the
# beat is less than half an interval from the edge of the wave, as filters make peaks there
END_SHARE, EDGE_SHARE = 0.25, 0.15
TREND_BLOCK = 100_000  # samples of a trend that are fitted together
OUTWEIGHS = 10.0  # ratio of the standard deviations of drift and rest; the filters remove less
REFRACTORY = 0.5  # of the local interval
FEWEST = 3  # successive accepted beats; fewer are rejected


def detect(run: Signal, detector: Callable[[Signal, str], Detected], fiducial: str) -> Detected:
    """Detect the beats of a stretch, s from its start, block by block for bounded memory."""
    parts = [no_beats()]
    borders = np.arange(0, max(run.duration_s - OVERLAP_S, 1), BLOCK_S)
    for start, end in zip(borders, [*borders[1:], run.duration_s + 1], strict=True):
        block = run.crop(start - OVERLAP_S, end + OVERLAP_S)
        detected = detector(block, fiducial)
        detected = detected._replace(times_s=detected.times_s + block.start_s)
        own = (detected.times_s >= start) & (detected.times_s < end)
        if len(parts[-1].times_s):  # a beat on the border belongs to one block
            own &= detected.times_s > parts[-1].times_s[-1] + 0.2
        parts.append(detected.at(own))
    return Detected(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def without_false_ends(detected: Detected, end_s: float) -> Detected:
    """Remove beats at both ends whose interval fits none near it: edge artefacts of filters."""
    while len(detected.times_s) > 4:
        times = detected.times_s
        interval = np.diff(times)
        half = float(np.median(interval)) / 2
        off_first = float(np.min(np.abs(interval[0] / interval[1:9] - 1)))
        off_last = float(np.min(np.abs(interval[-1] / interval[-9:-1] - 1)))
        if off_first > (EDGE_SHARE if times[0] < half else END_SHARE):
            detected = detected.at(np.arange(len(times)) > 0)
        elif off_last > (EDGE_SHARE if end_s - times[-1] < half else END_SHARE):
            detected = detected.at(np.arange(len(times)) < len(times) - 1)
        else:
            break
    return detected


def camera_beats(block: Signal, fiducial: str) -> Detected:
    """Detect the beats of a camera wave without NaN, s from its start."""
    return _pulse_beats(
        block, fiducial, locate=_by_phase, band=CAMERA_BAND, most_misfit=CAMERA_MISFIT, denoise=True
    )


def contact_beats(block: Signal, fiducial: str) -> Detected:
    """Detect the beats of a contact PPG without NaN, s from its start."""
    return _pulse_beats(
        block, fiducial, locate=_by_rise, band=CONTACT_BAND, most_misfit=CONTACT_MISFIT
    )


def _pulse_beats(
    block: Signal,
    fiducial: str,
    *,
    locate: Callable[[np.ndarray], np.ndarray],
    band: tuple[float, float],
    most_misfit: float,
    denoise: bool = False,
) -> Detected:
    """Beats of a pulse wave; ``locate`` gives their first positions on the warped clock."""
    level = replace(block, samples=without_drift(block.samples))
    if _flat(level.samples, block.samples):
        return no_beats()
    slow = level.resample(WORK_HZ) if level.rate_hz > WORK_HZ else level
    if _is_hum(slow):
        return no_beats()
    even, clock, wave = _warped(slow)
    if len(wave) < 3 * PER_BEAT:
        return no_beats()
    smooth = _banded(wave, band)
    timing = beat_times(smooth, clock, np.interp(locate(wave), even, clock), denoise=denoise)
    times = np.maximum.accumulate(timing.times_s)
    lead_s = _lead_s(smooth, even, clock, times, fiducial)
    at = PER_BEAT * np.interp(times, clock, even)
    peaks = np.clip(np.rint(at).astype(int), 0, len(wave) - 1)
    confidence = _similarity(_banded(wave, SHAPE_BAND), peaks, int(0.45 * PER_BEAT))
    interval = np.median(np.diff(times)) if len(times) > 1 else np.inf
    accepted = timing.misfit_s <= most_misfit * interval
    accepted &= (timing.size >= SIZES[0]) & (timing.size <= SIZES[1])
    times = times - lead_s
    valid = np.diff(times, prepend=-np.inf) > 0.2
    # the misfit is NaN where the edge of the wave cuts a beat short, or of fewer than four beats
    valid &= (times >= 0) & (times < clock[-1]) & np.isfinite(timing.misfit_s)
    errors = timing.error_s, timing.difference_error_s
    return Detected(times, confidence, *errors, accepted).at(valid)


def without_drift(samples: np.ndarray) -> np.ndarray:
    """Subtract a cubic trend that is far larger than the rest: filters would ring at its ends."""
    drift = _cubic_trend(samples)
    rest = np.asarray(samples - drift)
    return rest if drift.std() > OUTWEIGHS * rest.std() else samples


def _cubic_trend(samples: np.ndarray) -> np.ndarray:
    """Fit a cubic polynomial (least squares) to samples (n,), block by block to save memory."""
    from numpy.polynomial.chebyshev import chebvander

    at = np.linspace(-1, 1, len(samples))
    blocks = [slice(i, i + TREND_BLOCK) for i in range(0, len(samples), TREND_BLOCK)]
    normal, right = np.zeros((4, 4)), np.zeros(4)
    for block in blocks:
        basis = chebvander(at[block], 3)
        normal += basis.T @ basis
        right += basis.T @ samples[block]
    weights = np.linalg.lstsq(normal, right, rcond=None)[0]
    for block in blocks:
        at[block] = chebvander(at[block], 3) @ weights
    return at


def _is_hum(wave: Signal) -> bool:
    """Whether frequencies above those of a pulse dominate: mains hum or its alias."""
    from scipy.signal import butter, sosfiltfilt

    if wave.rate_hz <= 2.2 * FASTEST_HZ:
        return False
    slow = butter(4, (SLOWEST_HZ, FASTEST_HZ), "bandpass", fs=wave.rate_hz, output="sos")
    fast = butter(4, FASTEST_HZ, "highpass", fs=wave.rate_hz, output="sos")
    pad = min(int(2 * wave.rate_hz), len(wave) - 1)
    below, above = (sosfiltfilt(sos, wave.samples, padlen=pad).var() for sos in (slow, fast))
    return bool(above > HUM * below)


def _by_phase(wave: np.ndarray) -> np.ndarray:
    """Positions of a camera's beats by the phase, in beats of the warped clock."""
    return beat_counts(wave, PER_BEAT)


def _by_rise(wave: np.ndarray) -> np.ndarray:
    """Positions of a contact sensor's steepest rises, in beats of the warped clock."""
    smooth = _banded(wave, BAND)
    return _interpolated(*_fiducial_points(smooth, _peaks(smooth), "slope")) / PER_BEAT


def _lead_s(
    smooth: np.ndarray, even: np.ndarray, clock: np.ndarray, times: np.ndarray, fiducial: str
) -> float:
    """Time from the fiducial point of the mean beat to the fitted time, s."""
    at = np.rint(PER_BEAT * np.interp(times, clock, even)).astype(int)
    complete = at[(at >= PER_BEAT) & (at < len(smooth) - PER_BEAT)]
    if len(complete) < 2:
        return 0.0
    shape = smooth[complete[:, None] + np.arange(-PER_BEAT, PER_BEAT + 1)].mean(axis=0)
    middle = slice(int(0.6 * PER_BEAT), int(1.4 * PER_BEAT))
    peak = middle.start + int(np.argmax(shape[middle]))
    point = _interpolated(*_fiducial_points(shape, np.array([peak]), fiducial))[0]
    return float((1 - point / PER_BEAT) * np.median(np.diff(times)))


def _warped(slow: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The warped clock: even beat counts, their times (s from the start), and the wave at these."""
    from scipy.interpolate import CubicSpline

    samples = (slow.samples - slow.samples.mean()) / slow.samples.std()
    at, path_hz = rate_path(samples, slow.rate_hz)
    path_hz = without_harmonics(samples, slow.rate_hz, at, path_hz)
    times = np.arange(len(samples)) / slow.rate_hz
    rate = np.interp(times[:-1] + 0.5 / slow.rate_hz, at, path_hz)
    beats = np.r_[0.0, np.cumsum(rate) / slow.rate_hz]
    even = np.arange(0, beats[-1], 1 / PER_BEAT)
    clock = CubicSpline(beats, times)(even)
    return even, clock, CubicSpline(times, samples)(clock)


def _banded(wave: np.ndarray, band: tuple[float, float]) -> np.ndarray:
    from scipy.signal import butter, sosfiltfilt

    sos = butter(2, band, "bandpass", fs=PER_BEAT, output="sos")
    return np.asarray(sosfiltfilt(sos, wave, padlen=min(3 * PER_BEAT, len(wave) - 1)))


def _peaks(smooth: np.ndarray) -> np.ndarray:
    """Indices of the highest maxima above zero that are half a beat or more apart."""
    from scipy.signal import find_peaks

    return np.asarray(find_peaks(smooth, distance=int(REFRACTORY * PER_BEAT), height=0)[0])


def _interpolated(curve: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Positions of extrema between samples, by the parabola through three samples, (n,)."""
    inner = np.clip(at, 1, len(curve) - 2)
    before, middle, after = curve[inner - 1], curve[inner], curve[inner + 1]
    bend = before - 2 * middle + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros(len(at)), where=bend != 0)
    return np.asarray(inner + np.clip(shift, -0.5, 0.5))


def _fiducial_points(
    smooth: np.ndarray, peaks: np.ndarray, fiducial: str
) -> tuple[np.ndarray, np.ndarray]:
    """The curve that has its extrema at the fiducial points, and their indices, one per peak."""
    rise = np.gradient(smooth)
    points = []
    for k, peak in enumerate(peaks):
        first = max(peaks[k - 1] if k else 0, peak - int(0.75 * PER_BEAT))
        foot = first + int(np.argmin(smooth[first : peak + 1]))
        steep = foot + int(np.argmax(rise[foot : peak + 1]))
        points.append({"peak": peak, "foot": foot, "slope": steep}[fiducial])
    return (rise if fiducial == "slope" else smooth), np.array(points, dtype=int)


def _similarity(wave: np.ndarray, peaks: np.ndarray, reach: int) -> np.ndarray:
    """Correlation of each beat's shape with the mean of the twenty around it, clipped to 0–1."""
    padded = np.pad(wave, reach, mode="reflect" if len(wave) > reach else "edge")
    step = max(1, reach // 40)
    shapes = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)[peaks, ::step]
    shapes = _unit(shapes - shapes.mean(axis=1, keepdims=True))
    total = np.cumsum(np.r_[np.zeros((1, shapes.shape[1])), shapes], axis=0)
    k = np.arange(len(shapes))
    others = total[np.minimum(k + 11, len(k))] - total[np.maximum(k - 10, 0)] - shapes
    return np.asarray(np.clip((shapes * _unit(others)).sum(axis=1), 0.0, 1.0))


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def ecg_beats(block: Signal, fiducial: str) -> Detected:
    """Detect the R peaks of an ECG without NaN, s from its start; ``fiducial`` is ignored."""
    if _flat(block.samples, block.samples):
        return no_beats()
    peaks = r_peaks(block)
    if len(peaks.samples) < FEWEST:
        return no_beats()
    at = np.rint(peaks.samples).astype(int)
    confidence = _similarity(peaks.clean, at, max(int(0.1 * peaks.rate_hz), 2))
    unknown = np.full(len(at), np.nan)
    accepted = peaks.agreement >= LEAST_AGREEMENT
    accepted[accepted] = repeated(peaks.band, peaks.samples[accepted], peaks.rate_hz)
    return Detected(peaks.samples / peaks.rate_hz, confidence, unknown, unknown, accepted)


def _flat(samples: np.ndarray, reference: np.ndarray) -> bool:
    """Whether the range of samples is a rounding error of the size of ``reference``."""
    return bool(np.ptp(samples) <= 1e-9 * np.abs(reference).max())
