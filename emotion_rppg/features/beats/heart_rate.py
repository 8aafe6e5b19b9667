"""Estimate the heart rate of a recording from its beats or, where these are few, its spectrum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.acceptance import same_rate
from emotion_rppg.features.beats.find import LEAST_RATE_HZ
from emotion_rppg.features.beats.intervals import accept_intervals
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.beats.quality import quality_of
from emotion_rppg.features.beats.signal_kind import SignalKind
from emotion_rppg.metrics import beat_measures
from emotion_rppg.signal_quality import Judgement, judge
from emotion_rppg.signals import Beats, Pulse, Signal

LEAST_COVERAGE = 0.5  # share of the recording outside gaps


def estimate_heart_rate(signal: Pulse, beats: Beats | None = None) -> Judgement:
    """Estimate the heart rate of a recording, bpm, or withhold it with the reason.

    The rate is the mean rate of the beats, because the highest peak of a spectrum is not at the
    mean where a heart changes its rate. A pulse wave first has to pass
    :func:`emotion_rppg.signal_quality.judge`. It has the rate of the spectrum instead if less than
    half of it has samples, or if it is sampled too slowly for beats (below 10 Hz). If beats cover
    less than half of its samples, or are too few for a mean rate, the rate is withheld unless all
    detections, accepted or rejected, have the rate of the spectrum, and at least one is accepted.
    The rate of an ECG, and of a device's beats without a wave, depends on the coverage of the beats
    alone.

    The quality is that of a window of a feature table
    (:func:`emotion_rppg.features.beats.quality.quality_of`). The rate of a contact sensor is
    withheld by the quality of the spectrum, as that of a camera, and ``reason`` names it so.

    Parameters
    ----------
    signal : Signal or Beats
        A wave of a kind in ``KINDS``; unknown kinds count as contact PPG. Or a device's beats.
    beats : Beats, optional
        Its beats; default: they are detected.
    """
    if isinstance(signal, Beats):
        return _judge_beats(None, accept_intervals(signal) if beats is None else beats)
    kind = KINDS.get(signal.kind or "bvp")
    if kind is not None and not kind.pulse_wave:
        return _judge_beats(signal, find_beats(signal) if beats is None else beats)
    by_spectrum = _judge_spectrum(signal, kind)
    if by_spectrum.hr_bpm is None or signal.rate_hz < LEAST_RATE_HZ:
        return by_spectrum
    beats = find_beats(signal) if beats is None else beats
    mean_rate = beat_measures(beats).hr_bpm  # NaN for a handful of beats
    if beats.coverage >= LEAST_COVERAGE and np.isfinite(mean_rate):
        return replace(by_spectrum, hr_bpm=mean_rate, by="beats")
    if LEAST_COVERAGE * signal.coverage <= beats.coverage < LEAST_COVERAGE:
        return by_spectrum
    return _confirmed(by_spectrum, beats)


def _judge_spectrum(signal: Signal, kind: SignalKind | None) -> Judgement:
    """Judge a pulse wave by its spectrum; a contact wave keeps the quality of its samples."""
    if signal.quality is None or kind is None or kind.camera or not len(signal):
        return judge(signal)
    judgement = judge(signal, quality_name="quality of the spectrum")
    return replace(judgement, quality=float(np.mean(signal.quality)))


def _confirmed(by_spectrum: Judgement, beats: Beats) -> Judgement:
    """The rate of the spectrum if all detections have it and one is accepted; else withheld."""
    assert by_spectrum.hr_bpm is not None
    rejected = beats.times_s[:0] if beats.rejected_s is None else beats.rejected_s
    intervals = np.diff(np.sort(np.r_[beats.times_s, rejected]))
    rate = 60 / float(np.median(intervals)) if len(intervals) else float("nan")
    if len(beats) and same_rate(by_spectrum.hr_bpm, rate):
        return by_spectrum
    return replace(by_spectrum, hr_bpm=None, reason=_unconfirmed(by_spectrum.hr_bpm, rate, beats))


def _unconfirmed(spectrum_bpm: float, detected_bpm: float, beats: Beats) -> str:
    """Why the rate of the spectrum, bpm, is withheld; ``detected_bpm`` is NaN without beats."""
    found = f"the spectrum has {spectrum_bpm:.0f}/min, "
    if not np.isfinite(detected_bpm):
        return f"two rates: {found}no beat is detected, and too few beats are accepted to decide"
    if same_rate(spectrum_bpm, detected_bpm):
        return f"no beat has the shape and the rhythm of a pulse, although {found[:-2]}"
    return (
        f"two rates: {found}the detected beats have {detected_bpm:.0f}/min, and too few beats are "
        "accepted to decide"
    )


def _judge_beats(signal: Signal | None, beats: Beats) -> Judgement:
    """The mean rate of beats, bpm, or the reason why it is withheld."""
    quality = quality_of(beats, signal)
    if beats.coverage < LEAST_COVERAGE or not len(beats.intervals_ms):
        reason = (
            f"beats cover {beats.coverage:.0%} of the recording: at least "
            f"{LEAST_COVERAGE:.0%} is wanted"
        )
        return Judgement(None, quality, reason, by="beats")
    return Judgement(60_000 / float(beats.intervals_ms.mean()), quality, by="beats")
