"""The heart rate of a recording: the mean of its beats, or else its spectrum's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.acceptance import same_rate
from emotion_rppg.features.beats.find import LEAST_RATE_HZ
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.metrics import beat_measures
from emotion_rppg.signal_quality import Judgement, judge
from emotion_rppg.signals import Beats, Signal

LEAST_COVERAGE = 0.5  # of the recording, outside the gaps between beats


def quality_of_beats(beats: Beats) -> float:
    """Mean confidence of beats over the whole recording, gaps counting as 0; NaN if unknown."""
    if beats.confidence is None:
        return float("nan")
    return float(beats.confidence.mean() * beats.coverage) if len(beats) else 0.0


def estimate_heart_rate(signal: Signal, beats: Beats | None = None) -> Judgement:
    """Estimate a recording's heart rate by its beats, or withhold it with the reason.

    A pulse wave is judged by :func:`emotion_rppg.signal_quality.judge`, an ECG by its beats alone:
    they are those on which several detectors agree, and its spectrum is not that of a pulse. A
    spectrum's highest peak is not at the mean where a heart changes its rate. Where less than half
    of a pulse wave was seen, or it is sampled too slowly for beats (10 Hz), the rate is the
    spectrum's. Where beats cover less than half of what was seen it is withheld unless all that was
    detected, believed or not, goes at the same rate.

    Parameters
    ----------
    signal : Signal
        Of a kind in `KINDS`.
    beats : Beats, optional
        Its beats, where they are known.
    """
    if signal.kind in KINDS and not KINDS[signal.kind].pulse_wave:
        return _of_beats(find_beats(signal) if beats is None else beats)
    said = judge(signal)
    if said.hr_bpm is None or signal.rate_hz < LEAST_RATE_HZ:
        return said
    beats = find_beats(signal) if beats is None else beats
    if beats.coverage >= LEAST_COVERAGE:
        return replace(said, hr_bpm=beat_measures(beats).hr_bpm, by="beats")
    return said if beats.coverage >= LEAST_COVERAGE * signal.coverage else _confirmed(said, beats)


def _confirmed(said: Judgement, beats: Beats) -> Judgement:
    """A spectrum's rate if all that was detected, believed or not, goes at it; else none."""
    assert said.hr_bpm is not None
    rejected = beats.times_s[:0] if beats.rejected_s is None else beats.rejected_s
    intervals = np.diff(np.sort(np.r_[beats.times_s, rejected]))
    rate = 60 / float(np.median(intervals)) if len(intervals) else float("nan")
    if same_rate(said.hr_bpm, rate):
        return said
    reason = (
        f"two rates: the spectrum says {said.hr_bpm:.0f}/min, "
        + (f"{rate:.0f}/min is detected" if len(intervals) else "no beat is detected")
        + ", and too few of these beats are sure to decide"
    )
    return replace(said, hr_bpm=None, reason=reason)


def _of_beats(beats: Beats) -> Judgement:
    quality = quality_of_beats(beats)
    if beats.coverage < LEAST_COVERAGE or not len(beats.intervals_ms):
        reason = (
            f"beats cover {beats.coverage:.0%} of the recording: at least "
            f"{LEAST_COVERAGE:.0%} is wanted"
        )
        return Judgement(None, quality, reason, by="beats")
    return Judgement(60_000 / float(beats.intervals_ms.mean()), quality, by="beats")
