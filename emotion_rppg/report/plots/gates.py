"""What an encoder's gates did over a recording, drawn under its tachogram."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.errors import InputError
from emotion_rppg.recurrent import Gates
from emotion_rppg.report.plots.signals import INK, RED
from emotion_rppg.signals import Beats

SHOWN = {
    "forget": "forget gate\nhow much\nof the cell stays",
    "input": "input gate\nhow much\nis let in",
    "output": "output gate\nhow much\nis shown",
}


def gate_activity(beats: Beats, gates: Gates) -> Figure:
    """Inter-beat intervals, and below them every unit's forget, input and output gate, 0–1.

    A line of a map is a hidden unit, the same in all three; those that keep their cell longest
    (mean forget gate) are at the top. Gaps stay white.

    Parameters
    ----------
    beats : Beats
        Whose tokens the encoder read.
    gates : Gates
        ``encoder.gates(tokens)``, a step an interval.

    Raises
    ------
    InputError
        As many steps as the beats have intervals are wanted.
    """
    steps, units = gates.forget.shape
    if steps != int(beats.joined.sum()):
        raise InputError(
            f"{steps} steps of gates for {int(beats.joined.sum())} intervals: give the beats whose "
            "tokens the encoder read"
        )
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    top, *maps = figure.subplots(4, 1, sharex=True, height_ratios=(1.1, 1, 1, 1))
    intervals = np.where(beats.joined, 1e3 * np.diff(beats.times_s), np.nan)
    top.plot(beats.times_s[1:], intervals, "-o", ms=2.5, lw=1, color=RED)
    top.set_ylabel("inter-beat\ninterval (ms)")
    top.spines[["top", "right"]].set_visible(False)
    order = np.argsort(np.asarray(gates.forget).mean(axis=0))
    for axis, (name, says) in zip(maps, SHOWN.items(), strict=True):
        columns = np.full((units, len(beats.joined)), np.nan)
        columns[:, beats.joined] = np.asarray(getattr(gates, name)).T[order]
        shown = axis.pcolormesh(
            beats.times_s, np.arange(units + 1), columns, vmin=0, vmax=1, cmap="viridis"
        )
        axis.set_ylabel(says, rotation=0, ha="right", va="center", color=INK)
        axis.set_yticks([])
    maps[-1].set_xlabel("time (s)")
    figure.colorbar(shown, ax=maps, label="0 closed · 1 open", shrink=0.8)
    return figure
