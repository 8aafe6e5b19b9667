"""Accept or reject the detected beats of a stretch, and mark the gaps between accepted ones.

The same rules hold for every source. These become gaps: a beat whose shape does not fit, a stretch
without a clear rhythm, a stretch in which the beats and the spectrum of the wave disagree about the
rate, and silence where the rhythm predicts a beat. An ECG is not compared with its spectrum: its
detector rejects beats that repeat neither in shape nor in time (repetition.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emotion_rppg.features.beats.artefacts import (
    ectopic_beats,
    extra_beats,
    rhythm_along,
    too_long,
    unusual,
)
from emotion_rppg.features.beats.detect import FASTEST_HZ, FEWEST, SLOWEST_HZ, without_drift
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.beats.signal_kind import Detected, SignalKind, no_beats
from emotion_rppg.signal_quality import rates_of_windows
from emotion_rppg.signals import Signal

# Largest mean standard error of nine beat times, in intervals. Camera waves of eleven people stay
# below it where they agree with the contact PPG; many beats detected in noise do not.
MOST_ERROR = 0.055
# The rate of the beats is compared with that of the spectrum in windows of this length and step …
AGREE_S, AGREE_STEP_S = 10.0, 5.0
# … and may differ by this much, or by this share
AGREE_BPM, AGREE_SHARE = 6.0, 0.1
CLEAR = 0.6  # quality from which the rate of the spectrum counts as an estimate
# Coefficient of variation of the intervals above which steep rises are counted instead of using the
# spectrum, and the share by which their number may differ from the number of beats
IRREGULAR, MISCOUNT = 0.13, 0.15
# A rise is steep from this share of the median of the steepest slopes within so many seconds
STEEP, RISE_S = 0.5, 1.5
# Confidence that both pulses beside an unusual interval need
LEAST_IF_UNUSUAL = 0.85
LEAST_QUALITY = 0.15  # of the camera wave's sample at a beat


class Judged(NamedTuple):
    """One stretch: accepted beats, which of them are ectopic, gaps and rejected detections, s."""

    beats: Detected
    ectopic: np.ndarray
    gaps: list[tuple[float, float]]
    rejected_s: np.ndarray


def judge_beats(detected: Detected, run: Signal, signal: Signal, first: int) -> Judged:
    """Accept or reject the detections of one stretch, s from its start.

    Parameters
    ----------
    detected : Detected
        The detections in ``run``.
    run : Signal
        The stretch, short holes interpolated.
    signal : Signal
        The recording that the stretch was cut from.
    first : int
        Index of the first sample of the stretch in ``signal``.
    """
    kind = KINDS[run.kind or ""]
    detected = _also(detected, _reliable(detected, kind))
    if kind.camera:
        detected = _also(detected, _in_good_samples(detected.times_s, signal, first))
    extra_s = np.zeros(0)
    if not kind.pulse_wave:
        detected, extra_s = _without_extra_beats(detected)
    elif len(detected.times_s) >= FEWEST:
        detected = _also(detected, _rate_confirmed(detected, run))
        detected = _also(detected, _fits_rhythm(detected))
    judged = _with_gaps(detected, run.duration_s)
    return judged._replace(rejected_s=np.sort(np.r_[judged.rejected_s, extra_s]))


def _also(detected: Detected, condition: np.ndarray) -> Detected:
    """The detections, accepted only where ``condition`` (n,) holds, too."""
    return detected._replace(accepted=detected.accepted & condition)


def _reliable(detected: Detected, kind: SignalKind) -> np.ndarray:
    """Whether the beats around each have enough confidence and small timing errors, bool (n,)."""
    confidence = detected.confidence
    good = _mean_around(confidence, 9) >= kind.least_confidence
    good &= _mean_around(confidence, 3) >= kind.least_of_three
    return np.asarray(good & ~_poorly_timed(detected.times_s, detected.error_s))


def _in_good_samples(times_s: np.ndarray, signal: Signal, first: int) -> np.ndarray:
    """Whether the quality of a camera wave's sample at each beat is high enough, bool (n,)."""
    if signal.quality is None:
        return np.ones(len(times_s), dtype=bool)
    at = first + np.rint(times_s * signal.rate_hz).astype(int)
    return np.asarray(signal.quality[np.clip(at, 0, len(signal) - 1)] >= LEAST_QUALITY)


def same_rate(one_bpm: float, other_bpm: float) -> bool:
    """Return whether two estimates of a heart rate (bpm) agree; NaN agrees with none."""
    return abs(one_bpm - other_bpm) <= max(AGREE_BPM, AGREE_SHARE * other_bpm)


def _rate_confirmed(detected: Detected, run: Signal) -> np.ndarray:
    """Whether an estimate that does not use the beats confirms the rate around each, bool (n,).

    For a regular rhythm, that is the rate of the spectrum or of the autocorrelation. The spectrum
    of an irregular heart has no single peak: there the steep rises of the wave are counted.
    """
    confirmed = np.ones(len(detected.times_s), dtype=bool)
    accepted = detected.accepted[1:] & detected.accepted[:-1]
    times, intervals = detected.times_s[1:], np.diff(detected.times_s)
    rises = _steep_rises(run)
    for middle, spectrum, rhythm, quality in rates_of_windows(run, AGREE_S, AGREE_STEP_S):
        own = (np.abs(times - middle) <= AGREE_S / 2) & accepted
        if own.sum() < FEWEST:
            continue
        rate = 60 / float(np.median(intervals[own]))
        if np.std(intervals[own]) > IRREGULAR * np.mean(intervals[own]):
            counts = [
                np.sum((rises > t - i) & (rises <= t))
                for t, i in zip(times[own], intervals[own], strict=True)
            ]
            disagree = abs(sum(counts) - own.sum()) > max(1.5, MISCOUNT * own.sum())
        else:
            agree = same_rate(spectrum, rate) or same_rate(rhythm, rate)
            disagree = quality >= CLEAR and not agree
        if disagree:
            confirmed &= np.abs(detected.times_s - middle) > AGREE_STEP_S / 2
    return confirmed


def _steep_rises(run: Signal) -> np.ndarray:
    """Times (s) of the rises of a pulse wave that are at least half as steep as those around."""
    from scipy.ndimage import maximum_filter1d, median_filter
    from scipy.signal import butter, find_peaks, sosfiltfilt

    top = min(FASTEST_HZ, 0.45 * run.rate_hz)
    sos = butter(2, (SLOWEST_HZ, top), "bandpass", fs=run.rate_hz, output="sos")
    wave = sosfiltfilt(
        sos, without_drift(run.samples), padlen=min(int(2 * run.rate_hz), len(run) - 1)
    )
    slope = np.gradient(wave)
    step = max(round(run.rate_hz / 2), 1)
    usual = median_filter(maximum_filter1d(slope, round(RISE_S * run.rate_hz))[::step], 21)
    at = find_peaks(slope, distance=max(round(0.25 * run.rate_hz), 1))[0]
    around = np.interp(at, step * np.arange(len(usual)), usual)
    return np.asarray(at[slope[at] > STEEP * around] / run.rate_hz)


def _rhythm(times_s: np.ndarray, accepted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local rhythm (s) and irregularity (a share of it) at each interval of beats, (n - 1,) each.

    Estimated from the intervals between two accepted beats; interpolated elsewhere.
    """
    return rhythm_along(np.diff(times_s), accepted[1:] & accepted[:-1])


def _fits_rhythm(detected: Detected) -> np.ndarray:
    """Whether each beat has usual intervals, or enough confidence for an unusual one, bool (n,)."""
    accepted = detected.accepted
    off = unusual(np.diff(detected.times_s), *_rhythm(detected.times_s, accepted))
    off &= accepted[1:] & accepted[:-1]
    beside = np.r_[off, False] | np.r_[False, off]
    return np.asarray(~beside | (detected.confidence >= LEAST_IF_UNUSUAL))


def _without_extra_beats(detected: Detected) -> tuple[Detected, np.ndarray]:
    """Detections without extra beats of low confidence, and the times of the removed ones, s."""
    removed = np.zeros(len(detected.times_s), dtype=bool)
    rhythm, _ = _rhythm(detected.times_s, detected.accepted)
    for first, stop, good in _stretches(detected.accepted):
        if good:
            intervals = np.diff(detected.times_s[first:stop])
            removed[first:stop] = extra_beats(intervals, rhythm[first : stop - 1])
    removed &= detected.confidence < LEAST_IF_UNUSUAL
    return detected.at(~removed), detected.times_s[removed]


def _with_gaps(detected: Detected, end_s: float) -> Judged:
    """Accepted beats; rejected stretches and intervals that miss a beat become gaps.

    The gap of a rejected stretch reaches half-way to the accepted beats beside it.
    """
    beats, gaps = [no_beats()], []
    early, rejected = [np.zeros(0, dtype=bool)], [np.zeros(0)]
    at = detected.times_s
    rhythm, spread = _rhythm(at, detected.accepted)
    for first, stop, good in _stretches(detected.accepted):
        own = detected.at(np.arange(first, stop))
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
        early.append(ectopic_beats(intervals, rhythm[part], spread[part]))
        gaps += [
            (float(at[k] + rhythm[k] / 2), float(at[k + 1] - rhythm[k] / 2))
            for k in first + np.flatnonzero(too_long(intervals, rhythm[part], spread[part]))
        ]
    joined = Detected(*(np.concatenate(columns) for columns in zip(*beats, strict=True)))
    gaps += _gaps_at_ends(joined.times_s, end_s)
    return Judged(joined, np.concatenate(early), gaps, np.concatenate(rejected))


def _gaps_at_ends(times_s: np.ndarray, end_s: float) -> list[tuple[float, float]]:
    """Gaps (s) before the first and after the last accepted beat, where a beat is missing."""
    if not len(times_s):
        return [(0.0, end_s)]
    half = float(np.median(np.diff(times_s))) / 2 if len(times_s) > 1 else 0.5
    gaps = []
    if times_s[0] > 3 * half:
        gaps.append((0.0, float(times_s[0] - half)))
    if end_s - times_s[-1] > 3 * half:
        gaps.append((float(times_s[-1] + half), end_s))
    return gaps


def _mean_around(values: np.ndarray, beats: int) -> np.ndarray:
    """Mean over ``beats`` beats around each, fewer at the ends, (n,)."""
    if not len(values):
        return values
    width = np.ones(min(beats, len(values)))
    count = np.convolve(np.ones(len(values)), width, "same")
    return np.asarray(np.convolve(values, width, "same") / count)


def _poorly_timed(times: np.ndarray, error_s: np.ndarray) -> np.ndarray:
    """Whether the nine beats around each have large standard errors, bool (n,); False for NaN."""
    if len(times) < 2:
        return np.zeros(len(times), dtype=bool)
    interval = _mean_around(np.diff(times, append=2 * times[-1] - times[-2]), 9)
    return np.asarray(_mean_around(error_s, 9) > MOST_ERROR * interval)


def _stretches(accepted: np.ndarray) -> list[tuple[int, int, bool]]:
    """Ranges ``(first, stop, accepted)`` of beats; fewer than ``FEWEST`` accepted are rejected."""
    good = accepted.copy()
    ranges: list[tuple[int, int, bool]] = []
    edges = np.flatnonzero(np.diff(np.r_[0, good.astype(int), 0])).reshape(-1, 2)
    for a, b in edges:
        if b - a < FEWEST:
            good[a:b] = False
        else:
            ranges.append((int(a), int(b), True))
    edges = np.flatnonzero(np.diff(np.r_[0, (~good).astype(int), 0])).reshape(-1, 2)
    return sorted(ranges + [(int(a), int(b), False) for a, b in edges])
