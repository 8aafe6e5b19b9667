"""Write the loss curves of a training as CSV and as an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

Curve = Sequence[tuple[int, float]]
SMOOTHED = 20  # steps


def write_curves(folder: Path, training: Curve, validation: Curve) -> None:
    """Write ``curve.csv``, ``validation.csv`` (with validation) and ``curve.png`` to a folder."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axis = figure.subplots()
    steps, losses = np.array(training).T
    wide = min(SMOOTHED, len(losses))
    mean = np.convolve(losses, np.ones(wide) / wide, "valid")
    axis.plot(steps, losses, lw=0.5, color="#8a94a0", label="a step")
    axis.plot(steps[len(steps) - len(mean) :], mean, color="#1f6fb2", label=f"mean of {wide}")
    if validation:
        axis.plot(*np.array(validation).T, "o-", ms=3, color="#c8102e", label="people held out")
    axis.set(xlabel="step", ylabel="loss")
    axis.legend(frameon=False)
    figure.savefig(folder / "curve.png", dpi=110)
    for name, curve in (("curve", training), ("validation", validation)):
        if curve:
            lines = ["step,loss", *(f"{step},{loss:.6f}" for step, loss in curve)]
            (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
