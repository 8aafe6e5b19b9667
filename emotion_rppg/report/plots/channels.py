"""A figure of the channels of a file: a few seconds of each."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from emotion_rppg.report.plots.signals import GREY, INK, RED
from emotion_rppg.signals import Signal
from emotion_rppg.study.inspection import excerpt

SECONDS = 10.0
_MOST = 40  # channels in one figure


def plot_channels(
    shown: Mapping[str, Signal], *, read: Mapping[str, str], seconds: float = SECONDS
) -> Figure:
    """Draw ten seconds of each channel from its first sample, with its own scale.

    ``read`` maps the channels that are read without an option to their kinds; they are red.
    """
    names = list(shown)[:_MOST]
    figure = Figure(figsize=(9, 0.8 + 1.1 * max(1, len(names))), layout="constrained")
    axes = figure.subplots(max(1, len(names)), 1, squeeze=False)[:, 0]
    for axis, name in zip(axes, names, strict=False):
        piece = excerpt(shown[name], seconds)
        axis.plot(piece.times_s - piece.start_s, piece.samples, lw=1, color=_colour(read, name))
        kind = f" ({read[name]})" if read.get(name) else ""
        axis.set_ylabel(f"{name[:24]}{kind}", rotation=0, ha="right", va="center", fontsize=8)
        axis.set_xlim(0, seconds)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    if not names:
        axes[0].text(0.5, 0.5, "no channel can be read", ha="center", color=GREY)
    left = len(shown) - len(names)
    axes[-1].set_xlabel("time (s)" + (f"; {left} more channels not drawn" if left else ""))
    return figure


def _colour(read: Mapping[str, str], name: str) -> str:
    return RED if read.get(name) else INK
