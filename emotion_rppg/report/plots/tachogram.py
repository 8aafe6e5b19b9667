"""A figure of inter-beat intervals: beats, gaps, ectopic and corrected beats."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.report.plots.signals import BLUE, GREY, INK, ORANGE
from emotion_rppg.signals import Beats


def plot_beats_and_gaps(beats: Beats, *, size_in: tuple[float, float] = (6.4, 2.4)) -> Figure:
    """Draw intervals, ms, over time, s; gaps are shaded and interrupt the line.

    Diamonds: intervals beside an ectopic beat. Crosses: intervals beside a corrected beat. Ticks
    at the bottom: rejected detections.
    """
    figure = Figure(figsize=size_in, layout="constrained")
    axis = figure.subplots()
    times, intervals = beats.times_s[1:], 1e3 * np.diff(beats.times_s)
    intervals = np.where(beats.joined, intervals, np.nan)
    for start, end in beats.gaps:
        axis.axvspan(start, end, color=GREY, alpha=0.25, lw=0)
    axis.plot(times, intervals, "-o", color=BLUE, lw=0.7, ms=1.6, mec="none")
    for marked, marker, name in (
        (beats.ectopic, "D", "beside an ectopic beat"),
        (beats.corrected, "x", "beside a corrected beat"),
    ):
        beside = _beside(marked, len(times)) & np.isfinite(intervals)
        if beside.any():
            style: dict[str, Any] = {"ls": "none", "marker": marker, "color": ORANGE, "mfc": "none"}
            axis.plot(times[beside], intervals[beside], ms=3.5, label=name, **style)
    if beats.rejected_s is not None and len(beats.rejected_s):
        low = np.full(len(beats.rejected_s), 0.03)
        where = axis.get_xaxis_transform()
        axis.plot(
            beats.rejected_s, low, "|", color=INK, ms=4, transform=where, label="rejected detection"
        )
    if axis.get_legend_handles_labels()[1]:
        figure.legend(frameon=False, ncols=3, loc="outside upper right")
    if beats.span_s is not None:
        axis.set_xlim(*beats.span_s)
    axis.set(xlabel="time (s)", ylabel="inter-beat interval (ms)")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def caption_of(beats: Beats) -> str:
    """Count beats, gaps, ectopic and corrected beats, and rejected detections, in a sentence."""
    share, seconds = 1 - beats.coverage, beats.duration_s
    parts = [f"{len(beats)} beats in {seconds:.0f} s"]
    parts.append(f"withheld: {share * seconds:.0f} s ({share:.0%}) in gaps" if share else "no gap")
    for marked, name in ((beats.ectopic, "ectopic"), (beats.corrected, "corrected")):
        if marked is not None and marked.any():
            parts.append(f"{int(marked.sum())} {name} beats")
    if beats.rejected_s is not None and len(beats.rejected_s):
        parts.append(f"{len(beats.rejected_s)} rejected detections")
    return "; ".join(parts) + "."


def _beside(marked: np.ndarray | None, intervals: int) -> np.ndarray:
    """Find the intervals that begin or end with a marked beat, bool (intervals,)."""
    if marked is None:
        return np.zeros(intervals, dtype=bool)
    return np.asarray(marked[1:] | marked[:-1])
