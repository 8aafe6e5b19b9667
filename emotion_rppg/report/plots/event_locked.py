"""A figure of event-locked curves: the change of the heart rate after events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.report.plots.signals import BLUE, GREY, INK

if TYPE_CHECKING:
    import pandas as pd

CHANGE, LOW, HIGH = "hr_change_bpm", "ci_low_bpm", "ci_high_bpm"
_ACROSS = 3  # panels in a row of a wide figure


def plot_event_locked(
    curves: pd.DataFrame, *, by: str, size_in: tuple[float, float] = (6.4, 3.0)
) -> Figure:
    """Draw one panel per kind of event: mean over people, its 95 % interval, and each person.

    Parameters
    ----------
    curves : DataFrame
        One row per curve and time: ``level`` (``people`` or ``person``), ``person``, ``time_s``,
        ``hr_change_bpm``, and of the people's mean ``ci_low_bpm, ci_high_bpm, n_people, n_events``.
    by : str
        Column of the kinds of events.
    size_in : (width, height)
        Size of the figure with one row of panels, inches.
    """
    kinds = list(dict.fromkeys(curves[by].astype(str)))
    across = min(len(kinds), _ACROSS if size_in[0] > 5 else 2)
    down = -(-len(kinds) // across)
    figure = Figure(figsize=(size_in[0], size_in[1] * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    for axis in axes[len(kinds) :]:
        axis.remove()
    for k, (axis, kind) in enumerate(zip(axes, kinds, strict=False)):
        _draw(axis, curves[curves[by].astype(str) == kind], kind)
        if k + across >= len(kinds):
            axis.set_xlabel("time from the onset (s)")
            axis.tick_params(labelbottom=True)
        if k % across == 0:
            axis.set_ylabel("change of heart rate\n(bpm)")
    return figure


def _draw(axis: Any, curves: pd.DataFrame, kind: str) -> None:
    for _, one in curves[curves["level"] == "person"].groupby("person", sort=False):
        axis.plot(one["time_s"], one[CHANGE], color=GREY, lw=0.5, alpha=0.6)
    mean = curves[curves["level"] == "people"].sort_values("time_s")
    band = (mean[name].to_numpy(float) for name in (LOW, HIGH))
    axis.fill_between(mean["time_s"].to_numpy(float), *band, color=BLUE, alpha=0.25, lw=0)
    axis.plot(mean["time_s"], mean[CHANGE], color=BLUE, lw=1.4)
    axis.axvline(0, color=INK, lw=0.6, ls=":")
    axis.axhline(0, color=GREY, lw=0.5)
    counts = ", ".join(
        f"{int(np.nanmax(mean[column]))} {noun}"
        for column, noun in (("n_people", "people"), ("n_events", "events"))
        if len(mean)
    )
    axis.set_title(f"{kind}\n{counts}", pad=3)
    axis.spines[["top", "right"]].set_visible(False)
