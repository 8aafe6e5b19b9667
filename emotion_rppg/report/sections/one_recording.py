"""Words and captioned figures for one recording, shared by `predict`'s report and the web page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.report.plots import signals
from emotion_rppg.report.plots.circumplex import plane, plot_over_time
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.windows import OK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from emotion_rppg.emotion.model import Model

DRAWN_S = 30.0  # of a wave, from its start

_ON_PLANE = (
    "Valence and arousal of each window; later windows are darker, and the labels are the start "
    "times of the first and the last one."
)


def length_in_words(pulse: Pulse, *, digits: int) -> str:
    """State the duration of a pulse, s, with the rate of a wave or the number of beats."""
    rate = f", {len(pulse)} beats" if isinstance(pulse, Beats) else f" at {pulse.rate_hz:g} Hz"
    return f"{pulse.duration_s:.{digits}f} s{rate}"


def pulse_in_words(hr_bpm: float | None, quality: float, reason: str | None, pulse: Pulse) -> str:
    """State heart rate, bpm, or why it is withheld, with quality, signal and length."""
    rate = f"Heart rate withheld: {reason}" if hr_bpm is None else f"Heart rate {hr_bpm:.1f} bpm"
    return (
        f"{rate}; quality {quality:.2f} (0–1). Signal: {pulse.kind or 'pulse'}, "
        f"{length_in_words(pulse, digits=0)}."
    )


def wave_figure(wave: Signal, beats: Beats) -> tuple[Figure, str]:
    """Draw the first 30 s of a wave with its beats and quality; return figure and caption."""
    name, shown_s = wave.kind or "pulse", min(wave.duration_s, DRAWN_S)
    drawn = signals.plot_waves({name: wave}, beats={name: beats}, seconds=shown_s)
    count = len(beats.crop(wave.start_s, wave.start_s + shown_s))
    which = f"detected beats (dots, {count})"
    if beats.edited is not None:
        which = f"beats ({count}), corrected by hand (squares: placed by a person)"
    caption = f"The first {shown_s:.0f} s of the pulse wave, its {which}"
    if wave.quality is not None and np.isfinite(wave.quality).any():
        caption += f" and its quality (grey, 0–1; mean {np.nanmean(wave.quality):.2f})"
    return drawn, f"{caption}."


def interval_figures(name: str, beats: Beats) -> list[tuple[Figure, str]]:
    """Draw the intervals of a wave with their caption; nothing without intervals."""
    intervals = beats.intervals_ms
    if not len(intervals):
        return []
    caption = (
        "Inter-beat intervals over the recording; the line is interrupted at gaps. "
        f"{len(intervals)} intervals, {intervals.min():.0f} to {intervals.max():.0f} ms, mean "
        f"{intervals.mean():.0f} ms."
    )
    return [(signals.plot_tachogram({name: beats}), caption)]


def prediction_figures(rows: pd.DataFrame, model: Model) -> list[tuple[Figure, str]]:
    """Draw the predictions with their captions; nothing if all are withheld."""
    if not (rows["reason"] == OK).any():
        return []
    caption = (
        "Prediction of each window, at the window's centre: a number, or the probability p of a "
        "class."
    )
    on_plane = plane(rows, model)
    figures = [(plot_over_time(rows, model), caption)]
    return [*figures, (on_plane, _ON_PLANE)] if on_plane else figures


def span_in_words(row: Mapping[str, Any]) -> str:
    """State start and end of a window: "0–60 s"."""
    return f"{row['start_s']:.0f}–{row['start_s'] + row['duration_s']:.0f} s"


def prediction_in_words(row: Mapping[str, Any], model: Model) -> str:
    """Format the prediction of each target, or the reason why it is withheld."""
    if row["reason"] != OK:
        return f"not predicted: {row['reason']}"
    return ", ".join(_target_in_words(row, target, model) for target in model.targets)


def _target_in_words(row: Mapping[str, Any], target: str, model: Model) -> str:
    value = row[target]
    if not model.classes[target]:
        return f"{target} {value:.2f}"
    probability = row[f"{target}_p_{value}"]
    return f"{target} {value}" + (f" ({probability:.0%})" if probability == probability else "")
