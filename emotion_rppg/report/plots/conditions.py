"""A figure of features by condition: each person's means, and the mean over people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.evaluation.statistics import bootstrap_ci
from emotion_rppg.report.plots.signals import BLUE, GREY, INK

if TYPE_CHECKING:
    import pandas as pd


def plot_conditions(
    means: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    *,
    size_in: tuple[float, float] = (6.4, 3.0),
) -> Figure:
    """Draw one panel per feature: a line per person, and mean and 95 % interval over people.

    Below each condition is the number of people who have it.

    Parameters
    ----------
    means : mapping
        Axis label of each feature -> means, one row per person and one column per condition (NaN
        where a person has none). A person's line is interrupted at a missing condition.
    names : sequence of str
        The conditions, in order; columns of the means.
    size_in : (width, height)
        Size of the figure, inches.
    """
    figure = Figure(figsize=size_in, layout="constrained")
    axes = figure.subplots(1, len(means), squeeze=False)[0]
    x = np.arange(len(names))
    for axis, (label, table) in zip(axes, means.items(), strict=True):
        of_people = table.reindex(columns=list(names)).to_numpy(dtype=float)
        for row in of_people:
            axis.plot(x, row, "-o", color=GREY, lw=0.6, ms=2, alpha=0.6, mec="none")
        for at, column in zip(x, of_people.T, strict=True):
            known = column[np.isfinite(column)]
            if len(known):
                axis.plot([at, at], bootstrap_ci(known), color=INK, lw=1.6)
                axis.plot(at, known.mean(), "D", color=BLUE, mec=INK, ms=5, mew=0.8)
        counts = np.isfinite(of_people).sum(axis=0)
        labels = [f"{fill(name, 14)}\nn = {n}" for name, n in zip(names, counts, strict=True)]
        axis.set_xticks(x, labels)
        axis.set(ylabel=label, xlim=(-0.4, len(names) - 0.6))
        axis.spines[["top", "right"]].set_visible(False)
    return figure
