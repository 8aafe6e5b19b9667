"""Figure of event-locked heart-rate curves: mean over people, 95 % interval, and each person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from emotion_rppg.errors import InputError
from emotion_rppg.report.plots.signals import BLUE, GREY, INK
from emotion_rppg.study.event_curves import CHANGE_COLUMN, COLUMNS, PEOPLE, PERSON_LEVEL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MOST_PANELS, _ACROSS = 12, 3
_NARROW_IN = 5.0  # narrower figures have two panels in a row
_FEW = 3  # the interval over two people is 13 times as wide as their standard error


def plot(curves: pd.DataFrame, *, size_in: tuple[float, float] | None = None) -> Figure:
    """Draw the change of the heart rate about events, 1/min over s: one panel per kind of event.

    The line is the mean over people, the band its 95 % interval, which may exceed the axis where it
    is over two people; thin lines are people. The title has the greatest number of people and
    events at one time.

    Parameters
    ----------
    curves : DataFrame
        As `emotion_rppg.study.event_curves` returns or `read_curves` reads them.
    size_in : (width, height), optional
        Size of the figure with one row of panels, inches; default: 3.2 inches for each panel.

    Raises
    ------
    InputError
        Another table.
    """
    missing = [name for name in COLUMNS if name not in curves]
    if missing or not len(curves):
        raise InputError(
            f"no curves to draw: the table has no {', '.join(missing) or 'row'}; want the file "
            "TABLE_curves.csv of `emotion-rppg features --events`"
        )
    by = next(str(name) for name in curves if name not in COLUMNS)
    groups = list(dict.fromkeys(curves[by]))[:_MOST_PANELS]
    across = min(len(groups), _ACROSS if size_in is None or size_in[0] > _NARROW_IN else 2)
    down = -(-len(groups) // across)
    if size_in is None:
        size_in = max(5.0, 3.2 * across), 0.5 + 2.7
    width, height = size_in
    figure = Figure(figsize=(width, height * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for axis, group in zip(axes.flat, groups, strict=False):
        _draw(axis, curves[curves[by] == group], str(group))
    for axis in axes.flat[len(groups) :]:
        axis.set_visible(False)
    axes[0, 0].set_ylim(*_range(curves))
    figure.supxlabel("time from the onset (s)", fontsize=rcParams["axes.labelsize"])
    figure.supylabel("heart rate minus baseline (1/min)", fontsize=rcParams["axes.labelsize"])
    return figure


def _range(curves: pd.DataFrame) -> tuple[float, float]:
    """Limits of the axis, 1/min: of all lines, and of the intervals over three people or more."""
    sure = curves[curves["n_people"] >= _FEW]
    shown = [curves[CHANGE_COLUMN], sure["ci_low_bpm"], sure["ci_high_bpm"]]
    values = np.concatenate([column.to_numpy(dtype=float) for column in shown])
    values = np.append(values[np.isfinite(values)], [-1.0, 1.0])
    margin = 0.05 * float(np.ptp(values))
    return float(values.min()) - margin, float(values.max()) + margin


def _draw(axis: Axes, curves: pd.DataFrame, name: str) -> None:
    for _, one in curves[curves["level"] == PERSON_LEVEL].groupby("person", sort=False):
        axis.plot(one["time_s"], one[CHANGE_COLUMN], color=GREY, lw=0.7, alpha=0.6)
    mean = curves[curves["level"] == PEOPLE]
    band = (mean["ci_low_bpm"].to_numpy(float), mean["ci_high_bpm"].to_numpy(float))
    axis.fill_between(mean["time_s"].to_numpy(float), *band, color=BLUE, alpha=0.25, lw=0)
    axis.plot(mean["time_s"], mean[CHANGE_COLUMN], color=BLUE, lw=1.8)
    axis.axvline(0, color=INK, lw=0.9, ls=":")
    axis.axhline(0, color=GREY, lw=0.8)
    n_people, n_events = int(mean["n_people"].max()), int(mean["n_events"].max())
    persons = "person" if n_people == 1 else "people"
    axis.set_title(f"{name}\n{n_people} {persons}, {n_events} events")
    axis.spines[["top", "right"]].set_visible(False)
