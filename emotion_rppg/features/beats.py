"""Detect heart beats in a pulse wave or an ECG, and tell which stretches hold none to trust.

The clock of a pulse wave is bent so that its heart rate becomes one beat a unit of time. There a
fixed band is one that follows the rate. A contact wave's beats are found by their steepest rise, a
camera wave's by its phase (phases.py); both are timed by their whole shape (timing.py). R peaks of
an ECG are those on which several detectors agree (ecg.py).

What is detected is then judged, by the same rules for every source: a beat whose shape does not
fit, a stretch without a clear rhythm, a stretch where the beats and the wave's spectrum disagree
about the rate, and silence where the rhythm says that a beat should be, all become gaps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.artefacts import ectopic, extra, odd, rhythm_of, silent
from emotion_rppg.features.ecg import LEAST_AGREEMENT, r_peaks
from emotion_rppg.features.phases import beat_counts
from emotion_rppg.features.rates import rate_path, without_harmonics
from emotion_rppg.features.timing import beat_times
from emotion_rppg.quality import rates_of_windows
from emotion_rppg.signals import LONGEST_HOLE_S, PULSE_KINDS, Beats, Signal

FIDUCIALS = ("peak", "foot", "slope")
LEAST_RATE_HZ = 10.0
FLAT_S = 2.0  # a longer stretch of one value is no signal
LEAST_RUN_S = 4.0  # shorter stretches hold too few beats to tell a pulse from noise
WORK_HZ = 64.0  # a pulse wave holds nothing above 30 Hz
SLOWEST_HZ, FASTEST_HZ = 0.4, 9.0  # and little outside of this band
HUM = 4.0  # times the power in that band: white noise at 64 Hz has 2.7
PER_BEAT = 256  # points of the bent clock between beats: 4 ms at 60 bpm, before the parabola
BLOCK_S, OVERLAP_S = 600.0, 20.0
BAND = (0.5, 3.0)  # of a contact wave, in multiples of the rate
SHAPE_BAND = (0.5, 6.0)  # of the shape that confidence compares: noise does not repeat there
# Wider: the shape that is fitted weighs what it holds by itself. A slow filter bends a rise by when
# the beat before it was, which only noise makes worth while.
FIT_BAND = {"rppg": (0.5, 4.0), "bvp": (0.3, 4.0)}
# Of nine beats about; less is no pulse to be told from noise. Tops of noise are alike by choice.
LEAST_CONFIDENCE = {"rppg": 0.6, "bvp": 0.7, "ecg": 0.5}
LEAST_OF_THREE = {"rppg": 0.6, "bvp": 0.0, "ecg": 0.0}  # a burst of motion moves a camera's beats
# Misfit of a beat's shape, in intervals, above which its time is unknown. A camera's beats are
# denoised together, so each may fit less well.
MOST_MISFIT = {"rppg": 0.1, "bvp": 0.07, "ecg": np.inf}
SIZES = 0.2, 3.0  # heights of a usual beat: nothing is smaller, movement is larger
# Standard error of a beat's time, in intervals, of nine beats about. Camera waves of eleven people
# stay below it where they agree with the contact PPG; many beats that are found in noise do not.
UNSURE = 0.055
# By which the first and last interval may differ from those near them; where the beat lies less
# than half an interval from the edge of the wave, which makes peaks.
END_SHARE, EDGE_SHARE = 0.25, 0.15
OUTWEIGHS = 10.0  # spreads of what a drift lies under: a weaker one is left to the filters
REFRACTORY = 0.5  # of the local interval
FEWEST = 3  # beats of a stretch: fewer good ones between doubtful ones are doubtful, too
# Agreement of the beats' rate with that of the wave's spectrum, in stretches of so many seconds
AGREE_S, AGREE_STEP_S = 10.0, 5.0
AGREE_BPM, AGREE_SHARE = 6.0, 0.1
CLEAR = 0.6  # quality of the spectrum's rate, above which it counts as an estimate
# Standard deviation of intervals, in their mean, from which the wave's rises are counted instead;
# by how much their number may differ from that of the beats; a rise is so steep, against the median
# of the steepest within so many seconds
IRREGULAR, MISCOUNT = 0.13, 0.15
STEEP, RISE_S = 0.5, 1.5
# Confidence of a pulse that is far from the rhythm: an unusual interval needs two usual pulses
LEAST_IF_ODD = 0.85
LEAST_QUALITY = 0.15  # of a camera wave's samples, about each beat


class _Detected(NamedTuple):
    """Beats of one stretch, (n,) each: seconds from its start, confidence 0–1, standard errors (s).

    ``difference_s``: that of the difference of the two intervals about a beat.
    ``sure``: whether the beat by itself is to be believed.
    """

    times_s: np.ndarray
    confidence: np.ndarray
    error_s: np.ndarray
    difference_s: np.ndarray
    sure: np.ndarray

    def at(self, keep: np.ndarray) -> _Detected:
        return _Detected(*(column[keep] for column in self))


def _none() -> _Detected:
    empty = np.zeros(0)
    return _Detected(empty, empty, empty, empty, np.zeros(0, dtype=bool))


def find_beats(signal: Signal, *, fiducial: str = "peak") -> Beats:
    """Detect the heart beats of a recording, in seconds, by ``signal.kind``.

    Parameters
    ----------
    signal : Signal
        Kind ``"rppg"``, ``"bvp"`` or ``"ecg"``, 15–2000 Hz, more blood up. Missing samples (NaN) of
        up to half a second are bridged; longer ones are a gap.
    fiducial : str
        The point of each pulse that is its time: ``"peak"``, ``"foot"`` (the minimum before it)
        or ``"slope"`` (the steepest rise between the two). An ECG's is the R peak.

    Returns
    -------
    Beats
        ``confidence`` 0–1: how like its neighbours each beat looks; ``timing_sd_s``: the standard
        error of each time by the noise of the wave, None for an ECG; ``ectopic``: early beats
        followed by a pause; ``rejected_s``: detections that are no beats or whose time is unknown;
        ``gaps``: everything that is missing, silent, or no pulse to be told from noise. No beat is
        moved and none is put in.

    Raises
    ------
    InputError
        Another kind, fiducial or rate.
    """
    if signal.kind not in PULSE_KINDS:
        raise InputError(
            f"beats are found in signals of kind {', '.join(PULSE_KINDS)}; this one is "
            f"{signal.kind!r}: make it Signal(…, kind='rppg'), 'bvp' or 'ecg'"
        )
    if fiducial not in FIDUCIALS:
        raise InputError(f"unknown fiducial {fiducial!r}; known: {', '.join(FIDUCIALS)}")
    if signal.rate_hz < LEAST_RATE_HZ:
        raise InputError(
            f"beats cannot be told at {signal.rate_hz:g} samples a second: want 15 or more"
        )
    signal = _without_flat(signal)
    judged = [_judged_run(signal, first, stop, fiducial) for first, stop in _runs(signal)]
    return _assembled(signal, judged)


# ---- stretches and blocks ------------------------------------------------------------------


def _runs(signal: Signal) -> list[tuple[int, int]]:
    """Index ranges to look at: stretches of samples; a short hole between two joins them."""
    hole = _longest_hole(signal)
    joined: list[tuple[int, int]] = []
    for first, stop in signal.runs():
        if joined and first - joined[-1][1] <= hole:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((first, stop))
    least = LEAST_RUN_S * signal.rate_hz
    return [(first, stop) for first, stop in joined if stop - first >= least]


def _without_flat(signal: Signal) -> Signal:
    """The signal without stretches in which no sample differs: sensor off, saturated, unplugged."""
    x = signal.samples
    same = np.r_[False, x[1:] == x[:-1], False].astype(int)
    edges = np.flatnonzero(np.diff(same)).reshape(-1, 2)
    edges = edges[np.diff(edges, axis=1)[:, 0] >= FLAT_S * signal.rate_hz]
    if not len(edges):
        return signal
    x = x.copy()
    for first, last in edges:
        x[first : last + 1] = np.nan
    return replace(signal, samples=x)


def _longest_hole(signal: Signal) -> float:
    """Missing samples in a row that are bridged: as many as `Signal.from_times` bridges."""
    return max(LONGEST_HOLE_S * signal.rate_hz, 3.0) + 1e-6


def _filled(samples: np.ndarray) -> np.ndarray:
    known = np.isfinite(samples)
    return np.interp(np.arange(len(samples)), np.flatnonzero(known), samples[known])


def _in_run(run: Signal, kind: str, fiducial: str) -> _Detected:
    """Beats of a stretch, block by block for bounded memory."""
    parts = [_none()]
    borders = np.arange(0, max(run.duration_s - OVERLAP_S, 1), BLOCK_S)
    for start, end in zip(borders, [*borders[1:], run.duration_s + 1], strict=True):
        block = run.crop(start - OVERLAP_S, end + OVERLAP_S)
        found = _of_ecg(block) if kind == "ecg" else _of_pulse(block, kind, fiducial)
        found = found._replace(times_s=found.times_s + block.start_s)
        own = (found.times_s >= start) & (found.times_s < end)
        if len(parts[-1].times_s):  # the beat on the border counts once
            own &= found.times_s > parts[-1].times_s[-1] + 0.2
        parts.append(found.at(own))
    return _Detected(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _without_false_ends(found: _Detected, end_s: float) -> _Detected:
    """Beats less those at either end whose interval fits none near it: made by the wave's edge."""
    while len(found.times_s) > 4:
        times = found.times_s
        interval = np.diff(times)
        half = float(np.median(interval)) / 2
        off_first = float(np.min(np.abs(interval[0] / interval[1:9] - 1)))
        off_last = float(np.min(np.abs(interval[-1] / interval[-9:-1] - 1)))
        if off_first > (EDGE_SHARE if times[0] < half else END_SHARE):
            found = found.at(np.arange(len(times)) > 0)
        elif off_last > (EDGE_SHARE if end_s - times[-1] < half else END_SHARE):
            found = found.at(np.arange(len(times)) < len(times) - 1)
        else:
            break
    return found


def _flat(samples: np.ndarray, like: np.ndarray) -> bool:
    """Whether nothing but rounding is left of samples as large as those of ``like``."""
    return bool(np.ptp(samples) <= 1e-9 * np.abs(like).max())


# ---- pulse waves -----------------------------------------------------------------------------


def _of_pulse(block: Signal, kind: str, fiducial: str) -> _Detected:
    """Beats of a pulse wave without NaN, s from its start."""
    level = replace(block, samples=_level(block.samples))
    if _flat(level.samples, block.samples):
        return _none()
    slow = level.resample(WORK_HZ) if level.rate_hz > WORK_HZ else level
    if _is_hum(slow):
        return _none()
    even, clock, wave = _bent(slow)
    if len(wave) < 3 * PER_BEAT:
        return _none()
    first = beat_counts(wave, PER_BEAT) if kind == "rppg" else _by_rise(wave) / PER_BEAT
    smooth = _banded(wave, FIT_BAND[kind])
    timing = beat_times(smooth, clock, np.interp(first, even, clock), denoise=kind == "rppg")
    times = np.maximum.accumulate(timing.times_s)
    lead_s = _lead_s(smooth, even, clock, times, fiducial)
    at = PER_BEAT * np.interp(times, clock, even)
    peaks = np.clip(np.rint(at).astype(int), 0, len(wave) - 1)
    confidence = _likeness(_banded(wave, SHAPE_BAND), peaks, int(0.45 * PER_BEAT))
    interval = np.median(np.diff(times)) if len(times) > 1 else np.inf
    sure = timing.misfit_s <= MOST_MISFIT[kind] * interval
    sure &= (timing.size >= SIZES[0]) & (timing.size <= SIZES[1])
    times = times - lead_s
    keep = np.diff(times, prepend=-np.inf) > 0.2
    # a misfit is unknown where the wave's edge cuts a beat short, or of fewer than four beats
    keep &= (times >= 0) & (times < clock[-1]) & np.isfinite(timing.misfit_s)
    errors = timing.error_s, timing.difference_error_s
    return _Detected(times, confidence, *errors, sure).at(keep)


def _level(samples: np.ndarray) -> np.ndarray:
    """Samples less a cubic that outweighs them: filters make more of its ends than of a pulse."""
    at = np.linspace(-1, 1, len(samples))
    drift = np.polynomial.Chebyshev.fit(at, samples, 3)(at)
    rest = np.asarray(samples - drift)
    return rest if drift.std() > OUTWEIGHS * rest.std() else samples


def _is_hum(wave: Signal) -> bool:
    """Whether what is faster than any pulse outweighs the rest: mains hum or its alias."""
    from scipy.signal import butter, sosfiltfilt

    if wave.rate_hz <= 2.2 * FASTEST_HZ:
        return False
    slow = butter(4, (SLOWEST_HZ, FASTEST_HZ), "bandpass", fs=wave.rate_hz, output="sos")
    fast = butter(4, FASTEST_HZ, "highpass", fs=wave.rate_hz, output="sos")
    pad = min(int(2 * wave.rate_hz), len(wave) - 1)
    below, above = (sosfiltfilt(sos, wave.samples, padlen=pad).var() for sos in (slow, fast))
    return bool(above > HUM * below)


def _by_rise(wave: np.ndarray) -> np.ndarray:
    """Places of the steepest rises of a contact sensor's beats, in samples of the bent clock."""
    smooth = _banded(wave, BAND)
    return _between(*_fiducial_points(smooth, _peaks(smooth), "slope"))


def _lead_s(
    smooth: np.ndarray, even: np.ndarray, clock: np.ndarray, times: np.ndarray, fiducial: str
) -> float:
    """How long before the fitted times the fiducial point of the mean beat lies, s."""
    at = np.rint(PER_BEAT * np.interp(times, clock, even)).astype(int)
    whole = at[(at >= PER_BEAT) & (at < len(smooth) - PER_BEAT)]
    if len(whole) < 2:
        return 0.0
    shape = smooth[whole[:, None] + np.arange(-PER_BEAT, PER_BEAT + 1)].mean(axis=0)
    middle = slice(int(0.6 * PER_BEAT), int(1.4 * PER_BEAT))
    peak = middle.start + int(np.argmax(shape[middle]))
    point = _between(*_fiducial_points(shape, np.array([peak]), fiducial))[0]
    return float((1 - point / PER_BEAT) * np.median(np.diff(times)))


def _bent(slow: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of beats on an even grid, their times (s from the start), and the wave there."""
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
    """Indices of the highest maxima above zero that stand half a beat or more apart."""
    from scipy.signal import find_peaks

    return np.asarray(find_peaks(smooth, distance=int(REFRACTORY * PER_BEAT), height=0)[0])


def _between(curve: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Extrema between samples, by the parabola through three of them."""
    inner = np.clip(at, 1, len(curve) - 2)
    before, here, after = curve[inner - 1], curve[inner], curve[inner + 1]
    bend = before - 2 * here + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros(len(at)), where=bend != 0)
    return np.asarray(inner + np.clip(shift, -0.5, 0.5))


def _fiducial_points(
    smooth: np.ndarray, peaks: np.ndarray, fiducial: str
) -> tuple[np.ndarray, np.ndarray]:
    """The curve that is extreme at the fiducial points, and their indices, one a peak."""
    rise = np.gradient(smooth)
    points = []
    for k, peak in enumerate(peaks):
        first = max(peaks[k - 1] if k else 0, peak - int(0.75 * PER_BEAT))
        foot = first + int(np.argmin(smooth[first : peak + 1]))
        steep = foot + int(np.argmax(rise[foot : peak + 1]))
        points.append({"peak": peak, "foot": foot, "slope": steep}[fiducial])
    return (rise if fiducial == "slope" else smooth), np.array(points, dtype=int)


def _likeness(wave: np.ndarray, peaks: np.ndarray, reach: int) -> np.ndarray:
    """Correlation of each beat's shape with the mean of the twenty about it, 0–1."""
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


# ---- ECG ---------------------------------------------------------------------------------------


def _of_ecg(block: Signal) -> _Detected:
    """Beats of an ECG without NaN, s from its start."""
    if _flat(block.samples, block.samples):
        return _none()
    found = r_peaks(block)
    if len(found.samples) < FEWEST:
        return _none()
    at = np.rint(found.samples).astype(int)
    likeness = _likeness(found.clean, at, max(int(0.1 * found.rate_hz), 2))
    unknown = np.full(len(at), np.nan)
    sure = found.agreement >= LEAST_AGREEMENT
    return _Detected(found.samples / found.rate_hz, likeness, unknown, unknown, sure)


# ---- judging -----------------------------------------------------------------------------------


class _Judged(NamedTuple):
    """One stretch: its good beats, what is no beat in it, and the rejected detections (s)."""

    beats: _Detected
    ectopic: np.ndarray
    gaps: list[tuple[float, float]]
    rejected_s: np.ndarray


def _judged_run(signal: Signal, first: int, stop: int, fiducial: str) -> _Judged:
    """Beats of one stretch of samples on the recording's clock, judged."""
    kind = signal.kind or ""
    run = Signal(_filled(signal.samples[first:stop]), signal.rate_hz, kind=kind)
    found = _without_false_ends(_in_run(run, kind, fiducial), run.duration_s)
    found = found._replace(sure=_trusted(found, kind) & _well_seen(found.times_s, signal, first))
    extra_s = np.zeros(0)
    if kind == "ecg":
        found, extra_s = _without_extra(found)
    elif len(found.times_s) >= FEWEST:
        found = found._replace(sure=found.sure & _agrees(found, run))
        found = found._replace(sure=found.sure & _evident(found))
    judged = _without_silence(found, run.duration_s)
    start_s = signal.start_s + first / signal.rate_hz
    return _Judged(
        judged.beats._replace(times_s=judged.beats.times_s + start_s),
        judged.ectopic,
        [(a + start_s, b + start_s) for a, b in judged.gaps],
        np.sort(np.r_[judged.rejected_s, extra_s]) + start_s,
    )


def _trusted(found: _Detected, kind: str) -> np.ndarray:
    """Which beats are sure by themselves, like their neighbours, and well timed among them."""
    sure = found.confidence
    good = found.sure & (_around(sure, 9) >= LEAST_CONFIDENCE[kind])
    good &= _around(sure, 3) >= LEAST_OF_THREE[kind]
    return np.asarray(good & ~_unsure(found.times_s, found.error_s))


def _well_seen(times_s: np.ndarray, signal: Signal, first: int) -> np.ndarray:
    """Which beats lie where a camera wave's own quality says that there is a pulse."""
    if signal.kind != "rppg" or signal.quality is None:
        return np.ones(len(times_s), dtype=bool)
    at = first + np.rint(times_s * signal.rate_hz).astype(int)
    return np.asarray(signal.quality[np.clip(at, 0, len(signal) - 1)] >= LEAST_QUALITY)


def _agrees(found: _Detected, run: Signal) -> np.ndarray:
    """Which beats lie where an estimate that does not know them confirms their rate.

    Of a clear rhythm that is the wave's spectrum or autocorrelation; of an irregular heart, whose
    spectrum has no one peak, the number of steep rises in the wave.
    """
    agrees = np.ones(len(found.times_s), dtype=bool)
    times, sure = found.times_s[1:], found.sure[1:] & found.sure[:-1]
    intervals, rises = np.diff(found.times_s), _steep_rises(run)
    for middle, spectrum, rhythm, quality in rates_of_windows(run, AGREE_S, AGREE_STEP_S):
        own = (np.abs(times - middle) <= AGREE_S / 2) & sure
        if own.sum() < FEWEST:
            continue
        rate = 60 / float(np.median(intervals[own]))
        if np.std(intervals[own]) > IRREGULAR * np.mean(intervals[own]):
            between = [
                np.sum((rises > t - i) & (rises <= t))
                for t, i in zip(times[own], intervals[own], strict=True)
            ]
            doubt = abs(sum(between) - own.sum()) > max(1.5, MISCOUNT * own.sum())
        else:
            apart = np.nanmin(np.abs(np.array([spectrum, rhythm]) - rate))
            doubt = quality >= CLEAR and apart > max(AGREE_BPM, AGREE_SHARE * rate)
        if doubt:
            agrees &= np.abs(found.times_s - middle) > AGREE_STEP_S / 2
    return agrees


def _steep_rises(run: Signal) -> np.ndarray:
    """Times (s) of the rises of a pulse wave that are half as steep as those about them."""
    from scipy.ndimage import maximum_filter1d, median_filter
    from scipy.signal import butter, find_peaks, sosfiltfilt

    top = min(FASTEST_HZ, 0.45 * run.rate_hz)
    sos = butter(2, (SLOWEST_HZ, top), "bandpass", fs=run.rate_hz, output="sos")
    wave = sosfiltfilt(sos, _level(run.samples), padlen=min(int(2 * run.rate_hz), len(run) - 1))
    slope = np.gradient(wave)
    step = max(round(run.rate_hz / 2), 1)
    usual = median_filter(maximum_filter1d(slope, round(RISE_S * run.rate_hz))[::step], 21)
    usual = np.interp(np.arange(len(slope)), step * np.arange(len(usual)), usual)
    at = find_peaks(slope, distance=max(round(0.25 * run.rate_hz), 1))[0]
    return np.asarray(at[slope[at] > STEEP * usual[at]] / run.rate_hz)


def _rhythm(times_s: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local rhythm (s) and irregularity (a share) at each interval of beats, (n - 1,) each.

    From the intervals between two sure beats alone; elsewhere that of the nearest of them.
    """
    intervals = np.diff(times_s)
    known = np.flatnonzero(sure[1:] & sure[:-1])
    if not len(known):
        return np.full(len(intervals), np.nan), np.zeros(len(intervals))
    rhythm, spread = rhythm_of(intervals[known])
    place = np.arange(len(intervals))
    return np.interp(place, known, rhythm), np.interp(place, known, spread)


def _evident(found: _Detected) -> np.ndarray:
    """Which beats are where the rhythm has them, or like their neighbours where it has not."""
    sure = found.sure
    off = odd(np.diff(found.times_s), *_rhythm(found.times_s, sure)) & sure[1:] & sure[:-1]
    beside = np.r_[off, False] | np.r_[False, off]
    return np.asarray(~beside | (found.confidence >= LEAST_IF_ODD))


def _without_extra(found: _Detected) -> tuple[_Detected, np.ndarray]:
    """Beats without those unlike their neighbours between two of the rhythm; the times of these."""
    out = np.zeros(len(found.times_s), dtype=bool)
    rhythm, _ = _rhythm(found.times_s, found.sure)
    for first, stop, good in _stretches(found.sure):
        if good:
            intervals = np.diff(found.times_s[first:stop])
            out[first:stop] = extra(intervals, rhythm[first : stop - 1])
    out &= found.confidence < LEAST_IF_ODD
    return found.at(~out), found.times_s[out]


def _without_silence(found: _Detected, end_s: float) -> _Judged:
    """The sure beats; silence between them and doubtful stretches (to half-way) as gaps."""
    beats, gaps = [_none()], []
    early, rejected = [np.zeros(0, dtype=bool)], [np.zeros(0)]
    at = found.times_s
    rhythm, spread = _rhythm(at, found.sure)
    for first, stop, good in _stretches(found.sure):
        own = found.at(np.arange(first, stop))
        if not good:
            rejected.append(own.times_s)
            if first and stop < len(at):
                gaps.append(
                    (float(at[first - 1 : first + 1].mean()), float(at[stop - 1 : stop + 1].mean()))
                )
            continue
        part = slice(first, stop - 1)
        intervals = np.diff(own.times_s)
        beats.append(own)
        early.append(ectopic(intervals, rhythm[part], spread[part]))
        gaps += [
            (float(at[k] + rhythm[k] / 2), float(at[k + 1] - rhythm[k] / 2))
            for k in first + np.flatnonzero(silent(intervals, rhythm[part], spread[part]))
        ]
    whole = _Detected(*(np.concatenate(columns) for columns in zip(*beats, strict=True)))
    gaps += _ends(whole.times_s, end_s)
    return _Judged(whole, np.concatenate(early), gaps, np.concatenate(rejected))


def _ends(times_s: np.ndarray, end_s: float) -> list[tuple[float, float]]:
    """What lies before the first and after the last sure beat, where another should be there."""
    if not len(times_s):
        return [(0.0, end_s)]
    half = float(np.median(np.diff(times_s))) / 2 if len(times_s) > 1 else 0.5
    gaps = []
    if times_s[0] > 3 * half:
        gaps.append((0.0, float(times_s[0] - half)))
    if end_s - times_s[-1] > 3 * half:
        gaps.append((float(times_s[-1] + half), end_s))
    return gaps


# ---- putting together --------------------------------------------------------------------------


def _assembled(signal: Signal, parts: list[_Judged]) -> Beats:
    """The beats of all stretches, what is missing between them marked as gaps."""
    missing = _missing(signal)
    gaps = [*missing, *(gap for part in parts for gap in part.gaps)]
    if not any(len(part.beats.times_s) for part in parts):
        gaps = [(signal.start_s, signal.end_s)] if len(signal) else []
    columns = [_none(), *(part.beats for part in parts)]
    beats = _Detected(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    ectopic = np.concatenate([np.zeros(0, dtype=bool), *(part.ectopic for part in parts)])
    keep = (beats.times_s >= signal.start_s) & (beats.times_s < signal.end_s)
    for start, end in missing:
        keep &= ~((beats.times_s > start) & (beats.times_s < end))
    return Beats(
        beats.times_s[keep],
        beats.confidence[keep],
        _merged(gaps),
        kind=signal.kind,
        span_s=(signal.start_s, signal.end_s),
        timing_sd_s=None if signal.kind == "ecg" else beats.error_s[keep],
        difference_sd_s=None if signal.kind == "ecg" else beats.difference_s[keep],
        ectopic=ectopic[keep],
        rejected_s=np.concatenate([np.zeros(0), *(part.rejected_s for part in parts)]),
    )


def _merged(gaps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Gaps in order, those that overlap or touch as one."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(gaps):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _missing(signal: Signal) -> list[tuple[float, float]]:
    """Missing samples, less the short holes that are bridged, s."""
    edges = np.flatnonzero(np.diff(np.r_[0, (~np.isfinite(signal.samples)).astype(int), 0]))
    holes = edges.reshape(-1, 2)
    inner = (holes[:, 0] > 0) & (holes[:, 1] < len(signal))
    holes = holes[~inner | (np.diff(holes, axis=1)[:, 0] > _longest_hole(signal))]
    return [(float(a), float(b)) for a, b in signal.start_s + holes / signal.rate_hz]


def _around(confidence: np.ndarray, beats: int) -> np.ndarray:
    """Mean over so many beats about each."""
    if not len(confidence):
        return confidence
    width = np.ones(min(beats, len(confidence)))
    count = np.convolve(np.ones(len(confidence)), width, "same")
    return np.asarray(np.convolve(confidence, width, "same") / count)


def _unsure(times: np.ndarray, error_s: np.ndarray) -> np.ndarray:
    """Beats (n,) of whose times nothing is known, by the nine about them; none where it is NaN."""
    if len(times) < 2:
        return np.zeros(len(times), dtype=bool)
    interval = _around(np.diff(times, append=2 * times[-1] - times[-2]), 9)
    return np.asarray(_around(error_s, 9) > UNSURE * interval)


def _stretches(good: np.ndarray) -> list[tuple[int, int, bool]]:
    """Index ranges of good and of doubtful beats; too few good ones are doubtful."""
    good = good.copy()
    kept: list[tuple[int, int, bool]] = []
    edges = np.flatnonzero(np.diff(np.r_[0, good.astype(int), 0])).reshape(-1, 2)
    for a, b in edges:
        if b - a < FEWEST:
            good[a:b] = False
        else:
            kept.append((int(a), int(b), True))
    edges = np.flatnonzero(np.diff(np.r_[0, (~good).astype(int), 0])).reshape(-1, 2)
    return sorted(kept + [(int(a), int(b), False) for a, b in edges])
