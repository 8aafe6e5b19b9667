"""Figure of an LSTM encoder's gates over a recording, below its tachogram."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.errors import InputError
from emotion_rppg.recurrent import Gates
from emotion_rppg.report.plots.signals import INK, RED
from emotion_rppg.signals import Beats

LABELS = {
    "forget": "forget gate:\nshare of the cell\nthat is retained",
    "input": "input gate:\nshare of the input\nthat is added",
    "output": "output gate:\nshare of the cell\nin the output",
}


def gate_activity(beats: Beats, gates: Gates) -> Figure:
    """Draw inter-beat intervals, ms, and below them each unit's forget, input and output gate, 0–1.

    Each line of a map is a hidden unit, in the same order in all three maps: the units that retain
    their cell longest (highest mean forget gate) are at the top. Gaps are white.

    Parameters
    ----------
    beats : Beats
        The beats whose tokens the encoder received.
    gates : Gates
        ``encoder.gates(tokens)``, one step per interval.

    Raises
    ------
    InputError
        The number of steps differs from the number of intervals.
    """
    steps, units = gates.forget.shape
    if steps != int(beats.joined.sum()):
        raise InputError(
            f"{steps} steps of gates for {int(beats.joined.sum())} intervals: give the beats whose "
            "tokens the encoder received"
        )
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    top, *maps = figure.subplots(4, 1, sharex=True, height_ratios=(1.1, 1, 1, 1))
    intervals = np.where(beats.joined, 1e3 * np.diff(beats.times_s), np.nan)
    top.plot(beats.times_s[1:], intervals, "-o", ms=2.5, lw=1, color=RED)
    top.set_ylabel("inter-beat\ninterval (ms)")
    top.spines[["top", "right"]].set_visible(False)
    order = np.argsort(np.asarray(gates.forget).mean(axis=0))
    for axis, (name, label) in zip(maps, LABELS.items(), strict=True):
        columns = np.full((units, len(beats.joined)), np.nan)
        columns[:, beats.joined] = np.asarray(getattr(gates, name)).T[order]
        shown = axis.pcolormesh(
            beats.times_s, np.arange(units + 1), columns, vmin=0, vmax=1, cmap="viridis"
        )
        axis.set_ylabel(label, rotation=0, ha="right", va="center", color=INK)
        axis.set_yticks([])
    maps[-1].set_xlabel("time (s)")
    figure.colorbar(shown, ax=maps, label="0 closed · 1 open", shrink=0.8)
    return figure
