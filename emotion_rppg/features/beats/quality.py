"""Compute the quality of a pulse: the number in tables, in reasons and beside each heart rate."""

from __future__ import annotations

import numpy as np

from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.beats.signal_kind import SignalKind
from emotion_rppg.signal_quality import judge
from emotion_rppg.signals import Beats, Signal


def quality_of_beats(beats: Beats) -> float:
    """Compute the mean confidence of beats, 0–1, gaps counting as 0; NaN if unknown."""
    if beats.confidence is None:
        return float("nan")
    return float(beats.confidence.mean() * beats.coverage) if len(beats) else 0.0


def kind_of_window(beats: Beats, signal: Signal | None) -> SignalKind | None:
    """Return the record of the signal kind of a window; unknown kinds count as contact PPG.

    None if the kind is not in ``KINDS``.
    """
    return KINDS.get(beats.kind or (signal.kind if signal is not None else None) or "bvp")


def least_quality_of(kind: SignalKind | None, min_quality: float | None) -> float:
    """Return the quality below which a window is withheld; None: the default of its kind."""
    if min_quality is not None:
        return min_quality
    return 0.0 if kind is None else kind.min_quality


def quality_of(beats: Beats, signal: Signal | None, *, min_quality: float | None = None) -> float:
    """Compute the quality of a window, 0–1: the number that ``min_quality`` is compared with.

    Of a camera wave it is the quality that `judge` gives with its heart rate, of another wave with
    a quality per sample the mean over the samples. Otherwise (an ECG, beats without a wave) it is
    the mean confidence of the beats, gaps counting as 0; NaN if unknown. For the intervals of a
    device, whose confidence is 1, that is the share of time that accepted intervals cover.
    """
    kind = kind_of_window(beats, signal)
    if signal is not None and kind is not None and kind.camera:
        return judge(signal, least_quality=least_quality_of(kind, min_quality)).quality
    if signal is not None and signal.quality is not None and len(signal):
        return float(np.mean(signal.quality))
    return quality_of_beats(beats)
