"""Figures of many small panels, in rows as wide as a page: one panel per head or method."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

_PAGE_IN = 9.2


def panels(n: int, *, width: float, height: float, **shared: Any) -> tuple[Figure, list[Any]]:
    """Make a figure of ``n`` panels in rows as wide as the page; sizes in inches."""
    across = max(1, min(n, int(_PAGE_IN // width)))
    down = -(-n // across)
    layout = ConstrainedLayoutEngine(h_pad=0.09)  # titles clear of the tick labels above them
    figure = Figure(figsize=(width * across, height * down), layout=layout)
    axes = figure.subplots(down, across, squeeze=False, **shared).ravel()
    for empty in axes[n:]:
        empty.remove()
    return figure, list(axes[:n])


def label_outside(axes: list[Any], *, x: str, y: str) -> None:
    """Label the lowest panel of each column and the first panel of each row, beside the panel."""
    across = axes[0].get_gridspec().ncols
    for k, axis in enumerate(axes):
        if k + across >= len(axes):
            axis.set_xlabel(x, fontsize=9)
            axis.tick_params(labelbottom=True)  # also where panels share an axis
        if k % across == 0:
            axis.set_ylabel(y, fontsize=9)
