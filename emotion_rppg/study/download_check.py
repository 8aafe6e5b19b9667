"""Check a download of a data set, with the heart rates of its signals.

The rates of two signals of one recording, such as a wristband's pulse and the intervals that it
measured, show whether a reader has found the right column, unit and clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.datasets.cards import describe
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.signals import Beats, Pulse, Signal

SPAN_S = 120.0  # from the first moment that all signals of the recording have
DEVICE_RATE = "hr"  # kind of a heart rate in 1/min, as a device measured it


def check_download(
    name: str, root: Path, others: Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """Return the facts of a card and of the recordings found, with heart rates (bpm).

    Parameters
    ----------
    others : mapping, optional
        Name of another data set -> its folder, searched for people with the same pulse.
    """
    return describe(name, root, others, rates_of=heart_rates)


def heart_rates(pulses: Mapping[str, Pulse]) -> dict[str, float]:
    """Estimate the heart rate (bpm) of each signal with beats, over the same two minutes.

    A rate that is withheld is NaN.
    """
    with_beats = {
        kind: pulse
        for kind, pulse in pulses.items()
        if isinstance(pulse, Beats) or kind in KINDS or kind == DEVICE_RATE
    }
    spans = [_span_s(pulse) for pulse in with_beats.values()]
    start_s = max((start for start, _ in spans), default=0.0)
    end_s = min([start_s + SPAN_S, *(end for _, end in spans)])
    if end_s <= start_s:
        return dict.fromkeys(with_beats, float("nan"))
    return {kind: _rate_bpm(kind, pulse.crop(start_s, end_s)) for kind, pulse in with_beats.items()}


def _span_s(pulse: Pulse) -> tuple[float, float]:
    if isinstance(pulse, Signal):
        return pulse.start_s, pulse.end_s
    return pulse.span_s or (0.0, 0.0)


def _rate_bpm(kind: str, pulse: Pulse) -> float:
    if kind == DEVICE_RATE and isinstance(pulse, Signal):
        valid = pulse.samples[np.isfinite(pulse.samples)]
        return float(valid.mean()) if valid.size else float("nan")
    rate_bpm = estimate_heart_rate(pulse).hr_bpm
    return float("nan") if rate_bpm is None else rate_bpm
