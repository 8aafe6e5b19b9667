"""Figures of ROC and precision–recall curves, averaged over people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.evaluation.curves import GRID, Curves
from emotion_rppg.report.plots.panels import label_outside, panels
from emotion_rppg.report.plots.signals import BLUE, COLOURS, GREY

OfHeads = Mapping[str, Mapping[str, Curves]]  # head -> class -> its curves


def plot_roc(of_heads: OfHeads) -> Figure:
    """Draw the mean ROC curve of each head over people; with one class, each person's, too."""
    figure, axes = _square_panels(len(of_heads))
    for axis, (head, curves) in zip(axes, of_heads.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=GREY, lw=0.9, ls=":")
        _draw(axis, {name: c.roc for name, c in curves.items()})
        areas = [c.auroc.mean() for c in curves.values() if len(c.auroc)]
        _title(axis, head, "AUROC", areas)
    label_outside(axes, x="false positive rate", y="true positive rate")
    return figure


def plot_precision_recall(of_heads: OfHeads) -> Figure:
    """Draw the mean precision–recall curve of each head over people; dotted: random predictions."""
    figure, axes = _square_panels(len(of_heads))
    for axis, (head, curves) in zip(axes, of_heads.items(), strict=True):
        for colour, each in zip(_colours(len(curves)), curves.values(), strict=True):
            if len(each.share):
                axis.axhline(each.share.mean(), color=colour, lw=0.9, ls=":")
        _draw(axis, {name: c.precision for name, c in curves.items()})
        areas = [c.average_precision.mean() for c in curves.values() if len(c.share)]
        _title(axis, head, "AP", areas)
    label_outside(axes, x="recall", y="precision")
    return figure


def _draw(axis: Any, curves: Mapping[str, np.ndarray]) -> None:
    """Draw the mean curve of each class; of a single class, also the curve of each person."""
    for colour, (name, each) in zip(_colours(len(curves)), curves.items(), strict=True):
        if len(curves) == 1:
            axis.plot(GRID, each.T, color=BLUE, lw=0.5, alpha=0.25)
        if len(each):
            axis.plot(GRID, each.mean(axis=0), color=colour, lw=1.8, label=name)
    if len(curves) > 1:
        axis.legend(frameon=False, fontsize=7)


def _colours(n: int) -> list[str]:
    return [BLUE] if n == 1 else [COLOURS[k % len(COLOURS)] for k in range(n)]


def _title(axis: Any, head: str, name: str, areas: list[float]) -> None:
    mean = f"\n{name} {np.mean(areas):.2f}" if areas else "\nundefined"
    axis.set_title(head + mean, fontsize=9, pad=3)


def _square_panels(n: int) -> tuple[Figure, list[Any]]:
    figure, axes = panels(n, width=2.25, height=2.5, sharex=True, sharey=True)
    for axis in axes:
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=9)
        axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes
