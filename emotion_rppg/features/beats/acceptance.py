"""Judge the beats of a stretch: which are to be believed, and what between them is a gap.

The same rules hold for every source. A beat whose shape does not fit, a stretch without a clear
rhythm, a stretch where the beats and the wave's spectrum disagree about the rate, and silence where
the rhythm says that a beat should be, become gaps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emotion_rppg.features.beats.artefacts import ectopic, extra, odd, rhythm_of, silent
from emotion_rppg.features.beats.detect import FASTEST_HZ, FEWEST, SLOWEST_HZ, without_drift
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.beats.signal_kind import Detected, SignalKind, no_beats
from emotion_rppg.signal_quality import rates_of_windows
from emotion_rppg.signals import Signal

# Standard error of a beat's time, in intervals, of nine beats about. Camera waves of eleven people
# stay below it where they agree with the contact PPG; many beats that are found in noise do not.
UNSURE = 0.055
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


class Judged(NamedTuple):
    """One stretch: its good beats, what is no beat in it, and the rejected detections (s)."""

    beats: Detected
    ectopic: np.ndarray
    gaps: list[tuple[float, float]]
    rejected_s: np.ndarray


def judge_beats(found: Detected, run: Signal, signal: Signal, first: int) -> Judged:
    """Judge the detections of one stretch, s from its start.

    Parameters
    ----------
    found : Detected
        What was detected in ``run``.
    run, signal, first :
        The stretch, its holes bridged, the recording it was cut from, and where it begins there.
    """
    kind = KINDS[run.kind or ""]
    found = found._replace(sure=_trusted(found, kind))
    if kind.camera:
        found = found._replace(sure=found.sure & _well_seen(found.times_s, signal, first))
    extra_s = np.zeros(0)
    if not kind.pulse_wave:
        found, extra_s = _without_extra(found)
    elif len(found.times_s) >= FEWEST:
        found = found._replace(sure=found.sure & _agrees(found, run))
        found = found._replace(sure=found.sure & _evident(found))
    judged = _without_silence(found, run.duration_s)
    return judged._replace(rejected_s=np.sort(np.r_[judged.rejected_s, extra_s]))


def _trusted(found: Detected, kind: SignalKind) -> np.ndarray:
    """Which beats are sure by themselves, like their neighbours, and well timed among them."""
    sure = found.confidence
    good = found.sure & (_around(sure, 9) >= kind.least_confidence)
    good &= _around(sure, 3) >= kind.least_of_three
    return np.asarray(good & ~_unsure(found.times_s, found.error_s))


def _well_seen(times_s: np.ndarray, signal: Signal, first: int) -> np.ndarray:
    """Which beats lie where a camera wave's own quality says that there is a pulse."""
    if signal.quality is None:
        return np.ones(len(times_s), dtype=bool)
    at = first + np.rint(times_s * signal.rate_hz).astype(int)
    return np.asarray(signal.quality[np.clip(at, 0, len(signal) - 1)] >= LEAST_QUALITY)


def same_rate(one_bpm: float, other_bpm: float) -> bool:
    """Tell whether two estimates of a heart rate agree, beats a minute; NaN agrees with none."""
    return abs(one_bpm - other_bpm) <= max(AGREE_BPM, AGREE_SHARE * other_bpm)


def _agrees(found: Detected, run: Signal) -> np.ndarray:
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
            doubt = quality >= CLEAR and not (same_rate(spectrum, rate) or same_rate(rhythm, rate))
        if doubt:
            agrees &= np.abs(found.times_s - middle) > AGREE_STEP_S / 2
    return agrees


def _steep_rises(run: Signal) -> np.ndarray:
    """Times (s) of the rises of a pulse wave that are half as steep as those about them."""
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


def _evident(found: Detected) -> np.ndarray:
    """Which beats are where the rhythm has them, or like their neighbours where it has not."""
    sure = found.sure
    off = odd(np.diff(found.times_s), *_rhythm(found.times_s, sure)) & sure[1:] & sure[:-1]
    beside = np.r_[off, False] | np.r_[False, off]
    return np.asarray(~beside | (found.confidence >= LEAST_IF_ODD))


def _without_extra(found: Detected) -> tuple[Detected, np.ndarray]:
    """Beats without those unlike their neighbours between two of the rhythm; the times of these."""
    out = np.zeros(len(found.times_s), dtype=bool)
    rhythm, _ = _rhythm(found.times_s, found.sure)
    for first, stop, good in _stretches(found.sure):
        if good:
            intervals = np.diff(found.times_s[first:stop])
            out[first:stop] = extra(intervals, rhythm[first : stop - 1])
    out &= found.confidence < LEAST_IF_ODD
    return found.at(~out), found.times_s[out]


def _without_silence(found: Detected, end_s: float) -> Judged:
    """The sure beats; silence between them and doubtful stretches (to half-way) as gaps."""
    beats, gaps = [no_beats()], []
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
    whole = Detected(*(np.concatenate(columns) for columns in zip(*beats, strict=True)))
    gaps += _ends(whole.times_s, end_s)
    return Judged(whole, np.concatenate(early), gaps, np.concatenate(rejected))


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
