"""Heart beats in a pulse wave or an ECG, to the millisecond where the wave allows it.

The clock of a pulse wave is bent so that its heart rate becomes one beat a unit of time. There a
fixed band is one that follows the rate. In it the beats of a contact wave are its peaks; those of a
camera wave, whose noise would move its peaks, are counted by its phase (phases.py) and timed by
their whole shape (timing.py).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.artefacts import correct
from emotion_rppg.features.phases import beat_counts
from emotion_rppg.features.rates import rate_path
from emotion_rppg.features.timing import beat_times
from emotion_rppg.signals import PULSE_KINDS, Beats, Signal

FIDUCIALS = ("peak", "foot", "slope")
LEAST_RATE_HZ = 10.0
LEAST_RUN_S = 4.0  # shorter stretches hold too few beats to tell a pulse from noise
SHORT_HOLE_S = 0.25  # filled for the filters' sake only; still a gap
WORK_HZ = 64.0  # a pulse wave holds nothing above 30 Hz
PER_BEAT = 256  # points of the bent clock between beats: 4 ms at 60 bpm, before the parabola
BLOCK_S, OVERLAP_S = 600.0, 20.0
BAND = (0.5, 3.0)  # of a contact wave, in multiples of the rate
SHAPE_BAND = (0.5, 6.0)  # of the shape that confidence compares: noise does not repeat there
CAMERA_BAND = (0.5, 4.0)  # wider: the shape that is fitted weighs what it holds by itself
# Of nine beats about; less is no pulse to be told from noise. Tops of noise are alike by choice.
LEAST_CONFIDENCE = {"rppg": 0.6, "bvp": 0.7, "ecg": 0.5}
LEAST_OF_THREE = {"rppg": 0.6, "bvp": 0.0, "ecg": 0.0}  # a burst of motion moves a camera's beats
# Standard error of a beat's time, in intervals, of nine beats about. Camera waves of eleven people
# stay below it where they agree with the contact PPG; many beats that are found in noise do not.
UNSURE = 0.055
# By which the first and last interval may differ from those near them; where the beat lies less
# than half an interval from the edge of the wave, which makes peaks.
END_SHARE, EDGE_SHARE = 0.25, 0.15
OUTWEIGHS = 10.0  # spreads of what a drift lies under: a weaker one is left to the filters
REFRACTORY = 0.5  # of the local interval


def find_beats(signal: Signal, *, fiducial: str = "peak") -> Beats:
    """Heart beats of a recording, by ``signal.kind``: ``"rppg"``, ``"bvp"`` or ``"ecg"``.

    Parameters
    ----------
    signal : Signal
        15–2000 Hz, more blood up; NaN where nothing was seen, which becomes a gap.
    fiducial : str
        The point of each pulse that is its time: ``"peak"``, ``"foot"`` (the minimum before it)
        or ``"slope"`` (the steepest rise between the two). An ECG's is the R peak.

    Returns
    -------
    Beats
        ``confidence`` 0–1: how like its neighbours each beat looks; ``corrected``: moved or put
        in by artefact correction; ``gaps``: unseen, or no pulse to be told from noise;
        ``timing_sd_s``: the standard error of each time of a camera's beats, by the noise of its
        wave, NaN for corrected ones.

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
    parts = []
    for first, stop in _runs(signal):
        run = Signal(_filled(signal.samples[first:stop]), signal.rate_hz)
        times, told = _without_false_ends(*_in_run(run, signal.kind, fiducial), run.duration_s)
        parts.append((signal.start_s + first / signal.rate_hz + times, told))
    return _assembled(signal, parts)


# ---- stretches and blocks ------------------------------------------------------------------


def _runs(signal: Signal) -> list[tuple[int, int]]:
    """Stretches to look at: seen runs, those less than a quarter of a second apart as one."""
    joined: list[tuple[int, int]] = []
    for first, stop in signal.runs():
        if joined and first - joined[-1][1] <= SHORT_HOLE_S * signal.rate_hz:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((first, stop))
    least = LEAST_RUN_S * signal.rate_hz
    return [(first, stop) for first, stop in joined if stop - first >= least]


def _filled(samples: np.ndarray) -> np.ndarray:
    seen = np.isfinite(samples)
    return np.interp(np.arange(len(samples)), np.flatnonzero(seen), samples[seen])


def _in_run(run: Signal, kind: str, fiducial: str) -> tuple[np.ndarray, np.ndarray]:
    """Beat times (s from the run's start), block by block for bounded memory.

    And what is told of each, (n, 2): confidence, and standard error in s or NaN.
    """
    times, told = [np.zeros(0)], [np.zeros((0, 2))]
    borders = np.arange(0, max(run.duration_s - OVERLAP_S, 1), BLOCK_S)
    for start, end in zip(borders, [*borders[1:], run.duration_s + 1], strict=True):
        block = run.crop(start - OVERLAP_S, end + OVERLAP_S)
        found, sure = _r_peaks(block) if kind == "ecg" else _pulses(block, kind, fiducial)
        found = found + block.start_s
        own = (found >= start) & (found < end)
        if len(times[-1]):  # the beat on the border counts once
            own &= found > times[-1][-1] + 0.2
        times.append(found[own])
        told.append(sure[own])
    return np.concatenate(times), np.concatenate(told)


def _without_false_ends(
    times: np.ndarray, told: np.ndarray, end_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Beats less those at either end whose interval fits none: the edge of the wave made them."""
    while len(times) > 4:
        interval = np.diff(times)
        first, last = np.median(interval[1:9]), np.median(interval[-9:-1])
        if abs(interval[0] / first - 1) > (EDGE_SHARE if times[0] < first / 2 else END_SHARE):
            times, told = times[1:], told[1:]
        elif abs(interval[-1] / last - 1) > (
            EDGE_SHARE if end_s - times[-1] < last / 2 else END_SHARE
        ):
            times, told = times[:-1], told[:-1]
        else:
            break
    return times, told


def _flat(samples: np.ndarray, like: np.ndarray) -> bool:
    """Whether nothing but rounding is left of samples as large as those of ``like``."""
    return bool(np.ptp(samples) <= 1e-9 * np.abs(like).max())


# ---- pulse waves -----------------------------------------------------------------------------


def _pulses(block: Signal, kind: str, fiducial: str) -> tuple[np.ndarray, np.ndarray]:
    """Beat times (s from the start) in a pulse wave without NaN, and what is told of each."""
    level = replace(block, samples=_level(block.samples))
    if _flat(level.samples, block.samples):
        return _no_beats()
    slow = level.resample(WORK_HZ) if level.rate_hz > WORK_HZ else level
    even, clock, wave = _bent(slow)
    if len(wave) < 3 * PER_BEAT:
        return _no_beats()
    if kind == "rppg":
        times, error, lead_s = _by_phase(wave, even, clock, fiducial)
    else:
        times, lead_s = np.interp(_by_shape(wave, fiducial) / PER_BEAT, even, clock), 0.0
        error = np.full(len(times), np.nan)
    at = PER_BEAT * np.interp(times, clock, even)
    peaks = np.clip(np.rint(at).astype(int), 0, len(wave) - 1)
    confidence = _likeness(_banded(wave, SHAPE_BAND), peaks, int(0.45 * PER_BEAT))
    times = times - lead_s
    keep = np.diff(times, prepend=-np.inf) > 0.2
    keep &= (times >= 0) & (times < clock[-1])
    return times[keep], np.column_stack([confidence, error])[keep]


def _level(samples: np.ndarray) -> np.ndarray:
    """Samples less a cubic that outweighs them: filters make more of its ends than of a pulse."""
    at = np.linspace(-1, 1, len(samples))
    drift = np.polynomial.Chebyshev.fit(at, samples, 3)(at)
    rest = np.asarray(samples - drift)
    return rest if drift.std() > OUTWEIGHS * rest.std() else samples


def _no_beats() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0), np.zeros((0, 2))


def _by_phase(
    wave: np.ndarray, even: np.ndarray, clock: np.ndarray, fiducial: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """Times and their errors of a camera's beats, s, and how far before them the fiducial is."""
    first = np.interp(beat_counts(wave, PER_BEAT), even, clock)
    smooth = _banded(wave, CAMERA_BAND)
    times, error = beat_times(smooth, clock, first)
    times = np.maximum.accumulate(times)
    at = np.rint(PER_BEAT * np.interp(times, clock, even)).astype(int)
    whole = at[(at >= PER_BEAT) & (at < len(wave) - PER_BEAT)]
    if not len(whole):
        return times, error, 0.0
    shape = smooth[whole[:, None] + np.arange(-PER_BEAT, PER_BEAT + 1)].mean(axis=0)
    middle = slice(int(0.6 * PER_BEAT), int(1.4 * PER_BEAT))
    peak = middle.start + int(np.argmax(shape[middle]))
    point = _between(*_fiducial_points(shape, np.array([peak]), fiducial))[0]
    return times, error, float((1 - point / PER_BEAT) * np.median(np.diff(times)))


def _by_shape(wave: np.ndarray, fiducial: str) -> np.ndarray:
    """Places of a contact sensor's beats: maxima, minima or steepest rises of the shape itself."""
    smooth = _banded(wave, BAND)
    peaks = _peaks(smooth)
    return _between(*_fiducial_points(smooth, peaks, fiducial))


def _bent(slow: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of beats on an even grid, their times (s from the start), and the wave there."""
    from scipy.interpolate import CubicSpline

    samples = (slow.samples - slow.samples.mean()) / slow.samples.std()
    at, path_hz = rate_path(samples, slow.rate_hz)
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


def _r_peaks(block: Signal) -> tuple[np.ndarray, np.ndarray]:
    """R peaks by NeuroKit2 (Makowski et al. 2021), placed between samples by a parabola.

    And what is told of each, as of a pulse's.
    """
    import warnings

    import neurokit2 as nk

    if _flat(block.samples, block.samples):
        return _no_beats()
    rate = round(block.rate_hz)
    if rate < 200 or abs(rate - block.rate_hz) > 1e-6:  # NeuroKit2 wants whole hertz
        rate = max(rate, 500)
    fine = block.samples if rate == block.rate_hz else block.resample(rate).samples
    with warnings.catch_warnings():  # of signals too short for its plots, and of empty slices
        warnings.simplefilter("ignore")
        try:
            clean = nk.ecg_clean(fine, sampling_rate=rate)
            found = nk.ecg_peaks(clean, sampling_rate=rate)[1]["ECG_R_Peaks"]
        except (ValueError, IndexError, ZeroDivisionError):  # nothing like a heart in it
            return _no_beats()
    found = np.asarray(found, dtype=float)
    peaks = np.unique(found[np.isfinite(found)].astype(int))
    if len(peaks) < 3:
        return _no_beats()
    sure = _likeness(clean, peaks, max(int(0.1 * rate), 2))
    return _between(clean, peaks) / rate, np.column_stack([sure, np.full(len(sure), np.nan)])


# ---- putting together --------------------------------------------------------------------------


def _assembled(signal: Signal, parts: list[tuple[np.ndarray, np.ndarray]]) -> Beats:
    """Each stretch corrected; what was not seen, or is no pulse, marked as a gap."""
    least, least_of_three = (of[signal.kind or ""] for of in (LEAST_CONFIDENCE, LEAST_OF_THREE))
    gaps = _unseen(signal)
    times, told = [np.zeros(0)], [np.zeros((0, 2))]
    corrected = [np.zeros(0, dtype=bool)]
    if not any(len(at) for at, _ in parts):
        gaps = [(signal.start_s, signal.end_s)] if len(signal) else []
    for at, known in parts:
        sure = known[:, 0]
        trusted = (_around(sure, 9) >= least) & (_around(sure, 3) >= least_of_three)
        trusted &= ~_unsure(at, known[:, 1])
        for first, stop, good in _stretches(trusted):
            if not good:
                gaps.append(_gap(at, first, stop))
                continue
            fixed, touched = correct(at[first:stop])
            times.append(fixed)
            corrected.append(touched)
            own = (np.interp(fixed, at[first:stop], column[first:stop]) for column in known.T)
            told.append(np.column_stack(list(own)))
            told[-1][touched, 1] = np.nan
    all_times = np.concatenate(times)
    keep = (all_times >= signal.start_s) & (all_times < signal.end_s)
    for start, end in _unseen(signal):
        keep &= ~((all_times > start) & (all_times < end))
    sure, error = np.concatenate(told)[keep].T
    return Beats(
        all_times[keep],
        sure,
        gaps,
        kind=signal.kind,
        span_s=(signal.start_s, signal.end_s),
        corrected=np.concatenate(corrected)[keep],
        timing_sd_s=error if signal.kind == "rppg" else None,
    )


def _unseen(signal: Signal) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.r_[0, np.isnan(signal.samples).astype(int), 0]))
    times = signal.start_s + edges.reshape(-1, 2) / signal.rate_hz
    return [(float(a), float(b)) for a, b in times]


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
    """Index ranges of good and of doubtful beats; fewer than three good ones are doubtful."""
    good = good.copy()
    for wanted in (True, False):
        edges = np.flatnonzero(np.diff(np.r_[0, (good == wanted).astype(int), 0])).reshape(-1, 2)
        if wanted:
            for a, b in edges[np.diff(edges, axis=1)[:, 0] < 3]:
                good[a:b] = False
            kept = [(int(a), int(b), True) for a, b in edges if b - a >= 3]
        else:
            doubtful = [(int(a), int(b), False) for a, b in edges]
    return sorted(kept + doubtful)


def _gap(at: np.ndarray, first: int, stop: int) -> tuple[float, float]:
    """From half an interval before the first doubtful beat to half of one after the last."""
    start = (at[first - 1] + at[first]) / 2 if first else at[first]
    end = (at[stop - 1] + at[stop]) / 2 if stop < len(at) else at[stop - 1]
    return float(start), float(end)
