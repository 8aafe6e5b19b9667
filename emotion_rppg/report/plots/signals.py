"""Figures of signals: waves with beats, tachograms, features against ratings; none shows a face.

Each function takes data and returns a matplotlib Figure. Only what is visible is computed while
drawing, such as standardised heights.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

INK, RED, BLUE, GREY, GREEN = "#1f2933", "#c8102e", "#1f6fb2", "#8a94a0", "#2f855a"
ORANGE = "#d55e00"  # beside blue, told apart with every kind of colour vision
COLOURS = (RED, BLUE, GREEN, "#b7791f", "#6b46c1")


def _standard(samples: np.ndarray) -> np.ndarray:
    spread = np.nanstd(samples) if np.isfinite(samples).any() else 0.0
    centred = samples - (np.nanmean(samples) if np.isfinite(samples).any() else 0.0)
    return centred / spread if spread > 0 else centred


def plot_waves(
    shown: Mapping[str, Signal],
    *,
    beats: Mapping[str, Beats] | None = None,
    start_s: float | None = None,
    seconds: float = 12.0,
) -> Figure:
    """Draw waves of one heart below each other, each in units of its own standard deviation.

    Dots are detected beats, squares those that a person placed; the grey area below each wave is
    its quality (0–1).
    """
    figure = Figure(figsize=(9, 0.9 + 1.25 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    first = min(s.start_s for s in shown.values()) if start_s is None else start_s
    for axis, colour, (name, signal) in zip(axes, COLOURS * 3, shown.items(), strict=False):
        piece = signal.crop(first, first + seconds)
        height = _standard(piece.samples)
        axis.plot(piece.times_s, height, color=colour, lw=1.2)
        for at, placed in _inside((beats or {}).get(name), piece):
            mark = "s" if placed else "o"
            axis.plot(at, np.interp(at, piece.times_s, height), mark, color=INK, ms=3.5)
        if piece.quality is not None and len(piece):
            low = np.nanmin(height) if np.isfinite(height).any() else 0.0
            axis.fill_between(
                piece.times_s, low - 1.2, low - 1.2 + piece.quality, color=GREY, alpha=0.35, lw=0
            )
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        axis.set_yticks([])
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[-1].set_xlabel("time (s)")
    return figure


def _inside(beats: Beats | None, piece: Signal) -> list[tuple[float, bool]]:
    """List the beats in a part of a wave: time, s, and whether a person placed it."""
    if beats is None:
        return []
    own = beats.crop(piece.start_s, piece.end_s)
    placed = np.zeros(len(own), dtype=bool) if own.edited is None else own.edited
    return list(zip(own.times_s.tolist(), placed.tolist(), strict=True))


def plot_tachogram(shown: Mapping[str, Beats]) -> Figure:
    """Draw inter-beat intervals, ms, over time, s: one line per signal, interrupted at gaps.

    Several lines have a legend.
    """
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axis = figure.subplots()
    for colour, (name, beats) in zip(COLOURS * 3, shown.items(), strict=False):
        times, intervals = beats.times_s[1:], 1e3 * np.diff(beats.times_s)
        intervals = np.where(beats.joined, intervals, np.nan)
        axis.plot(times, intervals, "-o", ms=2.5, lw=1, color=colour, label=name)
    axis.set(xlabel="time (s)", ylabel="inter-beat interval (ms)")
    if len(shown) > 1:
        figure.legend(frameon=False, ncols=len(shown), fontsize=9, loc="outside upper right")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def feature_by_label(table: pd.DataFrame, target: str, names: list[str]) -> Figure:
    """Draw each feature against the rating within people: each person's mean is subtracted."""
    from emotion_rppg.windows import LABEL, people

    figure = Figure(figsize=(9, 2.6), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    label = table[LABEL + target].to_numpy(float)
    for axis, name in zip(axes, names, strict=True):
        values = table[name] - table.groupby(people(table))[name].transform("mean")
        axis.plot(label, values, "o", ms=3, color=BLUE, alpha=0.6, mec="none")
        axis.axhline(0, color=GREY, lw=0.8)
        axis.set(xlabel=target, title=name)
        axis.title.set_fontsize(10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("difference from\nthe person's mean")
    return figure


def as_data_uri(figure: Figure) -> str:
    """Encode the figure as an SVG in a data: URI, for a page that loads nothing.

    It is sharp at every size and in print. Text is stored as outlines, since the reader may lack
    the font.
    """
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "emotion_rppg"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
