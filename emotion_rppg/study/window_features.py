"""Compute the feature families in windows of one recording; withhold what is not supported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.extraction import Extraction
from emotion_rppg.features.beats.quality import quality_of
from emotion_rppg.features.family import PULSE
from emotion_rppg.features.sensors import Judged, SensorWindows, cut_sensor
from emotion_rppg.features.trust import untrusted_reason, withhold, withhold_sensor
from emotion_rppg.signals import Beats
from emotion_rppg.windows import Windows

if TYPE_CHECKING:
    import pandas as pd


def measure(
    windows: Windows,
    sensors: Mapping[str, Judged | str],
    options: Extraction,
    *,
    no_pulse: str | None = None,
    unusable: Sequence[str] = (),
) -> pd.DataFrame:
    """Compute the features of windows, one row each, with ``quality`` and the reasons.

    Parameters
    ----------
    windows : Windows
        The beats and the pulse wave of each window.
    sensors : mapping
        The other signals of the recording, judged, or why one is missing.
    no_pulse : str, optional
        Why the recording has no pulse.
    unusable : sequence of str
        Why nothing of a window is used, whatever the signals; empty if they decide.
    """
    import pandas as pd

    from emotion_rppg.features import FAMILIES

    unusable = list(unusable) or [""] * len(windows)
    windows, least = _without(windows, unusable), options.min_quality
    spans = list(zip(windows.table["start_s"], windows.table["duration_s"], strict=True))
    sensed = {
        kind: _excluded(cut_sensor(kind, judged, spans), unusable)
        for kind, judged in sensors.items()
    }
    pairs = list(zip(windows.beats, windows.signals, strict=True))
    families = [FAMILIES[name] for name in options.families]
    about = {
        "quality": [quality_of(b, s, min_quality=least) for b, s in pairs],
        "timing_sd_ms": [_timing_sd_ms(beats) for beats in windows.beats],
    }
    of_families = [
        family(
            windows.beats,
            windows.signals if family.kind == PULSE else sensed[family.kind].signals,
        )
        for family in families
    ]
    measured = pd.concat([pd.DataFrame(about), *of_families], axis=1)
    reasons = [
        text or (untrusted_reason(b, s, min_quality=least) if no_pulse is None else no_pulse)
        for text, (b, s) in zip(unusable, pairs, strict=True)
    ]
    features = withhold(
        measured, windows.beats, windows.signals, min_quality=least, reasons=reasons
    )
    for one in sensed.values():
        features = withhold_sensor(features, one)
    return features


def _without(windows: Windows, unusable: Sequence[str]) -> Windows:
    """Remove beats and wave of the windows of which nothing is used."""
    beats, signals = list(windows.beats), list(windows.signals)
    for k, text in enumerate(unusable):
        if text:
            start_s, duration_s = windows.table["start_s"][k], windows.table["duration_s"][k]
            span = (float(start_s), float(start_s + duration_s))
            beats[k] = Beats(np.zeros(0), gaps=[span], kind=beats[k].kind, span_s=span)
            signals[k] = None
    return replace(windows, beats=beats, signals=signals)


def _excluded(windows: SensorWindows, unusable: Sequence[str]) -> SensorWindows:
    """Remove a sensor's signal from the windows of which nothing is used."""
    return replace(
        windows,
        signals=[None if t else s for t, s in zip(unusable, windows.signals, strict=True)],
        reasons=[t or r for t, r in zip(unusable, windows.reasons, strict=True)],
    )


def _timing_sd_ms(beats: Beats) -> float:
    """Compute the root mean square of the standard errors of beat times, ms; NaN if unknown."""
    if beats.timing_sd_s is None or not np.isfinite(beats.timing_sd_s).any():
        return float("nan")
    return 1e3 * float(np.sqrt(np.nanmean(beats.timing_sd_s**2)))
