"""Figures of predictions: over time, and in the plane of valence and arousal (Russell 1980)."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.features.trust import kind_of
from emotion_rppg.report.plots.signals import GREY, INK
from emotion_rppg.windows import OK

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.model import Model

AXES = ("valence", "arousal")
_OFFSETS, _ALIGN = ((-5, -11), (5, 5)), ("right", "left")  # of two labels, clear of each other


def tracks(rows: pd.DataFrame, model: Model) -> dict[str, np.ndarray]:
    """Return each target's prediction for each window, (n,): a number, or the probability of the
    last class; NaN where the prediction is withheld."""
    out = {}
    for target in model.targets:
        classes = model.classes[target]
        name = f"p({target} {classes[-1]})" if classes else target
        column = f"{target}_p_{classes[-1]}" if classes else target
        out[name] = rows[column].to_numpy(dtype=float, na_value=np.nan)
    return out


def abstained(rows: pd.DataFrame) -> str:
    """Count the windows without a prediction and name the most frequent reason; empty if none."""
    reasons = rows.loc[rows["reason"] != OK, "reason"].astype(str)
    if reasons.empty:
        return ""
    alike = reasons if reasons.nunique() == 1 else reasons.map(kind_of)
    return f"{len(reasons)} of {len(rows)} windows not predicted: {alike.value_counts().index[0]}"


def plot_over_time(rows: pd.DataFrame, model: Model) -> Figure:
    """Draw one line per target over time; the title counts the windows without a prediction.

    Of classes the axis shows probabilities from 0 to 1.
    """
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axis = figure.subplots()
    middle = rows["start_s"] + rows["duration_s"] / 2
    for name, values in tracks(rows, model).items():
        axis.plot(middle, values, "-o", ms=4, label=name)
    axis.legend(frameon=False)
    axis.set_title(fill(abstained(rows), 110), fontsize=8)
    axis.set(xlabel="time (s)", ylabel="prediction")
    if all(model.classes[target] for target in model.targets):
        axis.set_ylim(-0.03, 1.03)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def plane(rows: pd.DataFrame, model: Model) -> Figure | None:
    """Draw each window by valence and arousal, later ones darker; None if a target is missing.

    The start times of the first and the last predicted window are written beside them. Classes are
    drawn by their probability, 0–1. The two targets are predicted separately.
    """
    if not set(AXES) <= set(model.targets):
        return None
    names = dict(zip(model.targets, tracks(rows, model).items(), strict=True))
    (x_name, x), (y_name, y) = (names[target] for target in AXES)
    figure = Figure(figsize=(4.4, 4), layout="constrained")
    axis = figure.subplots()
    axis.plot(x, y, "-", color=GREY, lw=0.8)
    axis.scatter(x, y, c=np.arange(len(x)), cmap="Blues", vmin=-len(x) / 2, s=36)
    start_s = rows["start_s"].to_numpy()
    predicted = np.flatnonzero(np.isfinite(x + y))
    ends = [*predicted[:1], *predicted[1:][-1:]]  # the first and the last
    for k, offset, align in zip(ends, _OFFSETS, _ALIGN, strict=False):
        axis.annotate(
            f"{start_s[k]:.0f} s",
            (x[k], y[k]),
            offset,
            textcoords="offset points",
            ha=align,
            fontsize=8,
        )
    if all(model.classes[target] for target in AXES):
        axis.set(xlim=(0, 1), ylim=(0, 1))
        axis.axhline(0.5, color=INK, lw=0.6)
        axis.axvline(0.5, color=INK, lw=0.6)
    axis.set(xlabel=x_name, ylabel=y_name)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
