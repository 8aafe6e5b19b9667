"""Figures of predictions: over time, and in the plane of valence and arousal (Russell 1980)."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.errors import InputError
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
    """Draw each window by valence and arousal; None if a target is missing.

    Classes are drawn by their probability, 0–1. The two targets are predicted separately.
    """
    if not set(AXES) <= set(model.targets):
        return None
    names = dict(zip(model.targets, tracks(rows, model).items(), strict=True))
    valence, arousal = (
        Track(*names[target], probability=bool(model.classes[target])) for target in AXES
    )
    return plot_plane(valence, arousal, rows["start_s"].to_numpy())


@dataclass(frozen=True, eq=False)
class Track:
    """Predictions of one target over windows: its name on the axis and values, NaN if withheld."""

    name: str
    values: np.ndarray
    probability: bool


def track_of(rows: pd.DataFrame, target: str) -> Track:
    """Take one target from the table of `predict`: numbers, or the probability of its last class.

    Raises
    ------
    InputError
        The table has no prediction of the target.
    """
    from pandas.api.types import is_numeric_dtype

    probabilities = [str(c) for c in rows if str(c).startswith(f"{target}_p_")]
    if probabilities:
        name = probabilities[-1]
        label = f"p({target} {name.removeprefix(f'{target}_p_')})"
        return Track(label, rows[name].to_numpy(dtype=float, na_value=np.nan), probability=True)
    if target not in rows or not is_numeric_dtype(rows[target]):
        raise InputError(
            f"the table has no prediction of {target} (a column {target} of numbers, or "
            f"{target}_p_CLASS): want prediction.csv of a model of arousal and valence"
        )
    return Track(target, rows[target].to_numpy(dtype=float, na_value=np.nan), probability=False)


def plot_plane(
    valence: Track,
    arousal: Track,
    start_s: np.ndarray,
    *,
    size_in: tuple[float, float] = (4.4, 4),
) -> Figure:
    """Draw each window by valence and arousal, later ones darker, joined in the order of time.

    The start times of the first and the last predicted window are written beside them. A withheld
    window interrupts the line.
    """
    x, y = valence.values, arousal.values
    figure = Figure(figsize=size_in, layout="constrained")
    axis = figure.subplots()
    axis.plot(x, y, "-", color=GREY, lw=0.8)
    shades: dict[str, Any] = {"c": np.arange(len(x)), "cmap": "Blues", "vmin": -len(x) / 2}
    area = 1.9 * size_in[0] ** 2
    axis.scatter(x, y, s=area, ec=INK, lw=0.3, clip_on=False, zorder=3, **shades)
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
    if valence.probability and arousal.probability:
        axis.set(xlim=(0, 1), ylim=(0, 1))
        axis.axhline(0.5, color=INK, lw=0.6)
        axis.axvline(0.5, color=INK, lw=0.6)
    axis.set(xlabel=valence.name, ylabel=arousal.name)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
