"""Taking people's own levels off: NORMALISE names what is known of a person when they are tested.

- ``none``: nothing.
- ``calibration``: the mean of the person's first minutes is taken off; those windows, and any
  that reaches into those minutes, are not scored. What a device could do after a short rest.
- ``transductive``: the person's whole recording gives mean and spread, without any label. Not
  possible while somebody is still being recorded; reported as what it is.

A function of one's own, ``(inputs, table) -> (Matrix, rows not to score)``, is given the table
without its labels: one that asks for them is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.inputs import Matrix
from emotion_rppg.emotion.levels import calibrated, levelled
from emotion_rppg.errors import InputError
from emotion_rppg.windows import LABEL, people

if TYPE_CHECKING:
    import pandas as pd

NORMALISE = ("none", "calibration", "transductive")
Normalise = str | Callable[..., Any]


def normalise_name(how: Normalise) -> str:
    return how if isinstance(how, str) else getattr(how, "__name__", "own")


def normalised(
    inputs: Matrix, table: pd.DataFrame, *, how: Normalise, calibration_s: float
) -> tuple[Matrix, np.ndarray]:
    """The matrix with each person's own level taken off, and which rows must not be scored.

    Only the person's own rows and no label enter, so that doing it before the folds leaks
    nothing from one person to another. Beat tokens are treated channel by channel.
    """
    if not isinstance(how, str):
        return _by_function(inputs, table, how)
    if how not in NORMALISE:
        raise InputError(f"unknown normalisation {how!r}; known: {', '.join(NORMALISE)}")
    if how == "calibration":
        return calibrated(inputs, table, calibration_s=calibration_s)
    nobody, everyone = np.zeros(len(table), dtype=bool), np.ones(len(table), dtype=bool)
    if how == "transductive":
        inputs = levelled(inputs, people(table).to_numpy(), everyone, spread=True)
    return inputs, nobody


def _by_function(
    inputs: Matrix, table: pd.DataFrame, how: Callable[..., Any]
) -> tuple[Matrix, np.ndarray]:
    from emotion_rppg.evaluation.folds import Leak

    blind = table[[c for c in table if not str(c).startswith(LABEL)]]
    try:
        made, unscored = how(inputs, blind)
    except KeyError as error:
        if LABEL in str(error):
            raise Leak(
                f"the normalisation {normalise_name(how)!r} reads {error}: labels of the tested "
                "would shape their own features"
            ) from error
        raise
    if made.X.shape != inputs.X.shape or len(unscored) != len(table):
        raise InputError(
            f"the normalisation {normalise_name(how)!r} gave {made.X.shape} and {len(unscored)} "
            f"rows, want {inputs.X.shape} and {len(table)}"
        )
    return made, np.asarray(unscored, dtype=bool)
