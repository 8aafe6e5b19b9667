"""What is known of a person when they are tested: NORMALISE, name -> `Normalisation`.

A function of one's own, ``(inputs, table) -> (Matrix, rows not to score)``, may take the place of
a name. Every function, those of the table too, is given the rows without their labels: one that
asks for them is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.design_matrix import Matrix
from emotion_rppg.emotion.subject_baseline import minus_first_minutes, minus_subject_baseline
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.splits import OWN
from emotion_rppg.windows import LABEL, people

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Normalisation:
    """A way to take people's own levels off their features, and what a report says of it.

    Only a person's own rows may shape their features, and no label: normalisation happens before
    the folds and then leaks nothing from one person to another.

    Parameters
    ----------
    name : str
        Its name, as ``--normalise`` and the column ``normalise`` of results have it.
    function : function
        ``(inputs, table) -> (Matrix of the same shape, rows not to score (n,))``.
    description : str
        One sentence for reports; ``{seconds:g}`` stands for ``calibration_s``.
    timed : bool
        Whether the function takes ``calibration_s=…``, the seconds of each person's beginning that
        are the reference.
    """

    name: str
    function: Callable[..., tuple[Matrix, np.ndarray]]
    description: str
    timed: bool = False


def none(inputs: Matrix, table: pd.DataFrame) -> tuple[Matrix, np.ndarray]:
    """The matrix as it is; every row is scored."""
    return inputs, np.zeros(len(table), dtype=bool)


def transductive(inputs: Matrix, table: pd.DataFrame) -> tuple[Matrix, np.ndarray]:
    """Each column less the person's mean over the whole recording, over their spread."""
    everyone = np.ones(len(table), dtype=bool)
    return minus_subject_baseline(
        inputs, people(table).to_numpy(), everyone, spread=True
    ), ~everyone


NORMALISE = {
    "none": Normalisation("none", none, "nothing is known of a person when they are tested"),
    "calibration": Normalisation(
        "calibration",
        minus_first_minutes,
        "the mean of each person's first {seconds:g} s was taken off their features, "
        "without labels; windows that reach into that time are not scored",
        timed=True,
    ),
    "transductive": Normalisation(
        "transductive",
        transductive,
        "each person's features were standardised by the mean and spread of their "
        "whole recording, without labels; not possible while somebody is still being recorded",
    ),
}
Normalise = str | Normalisation | Callable[..., Any]


def normalise_name(how: Normalise) -> str:
    """The name of a normalisation, as results have it."""
    return how if isinstance(how, str) else _normalisation(how).name


def normalised(
    inputs: Matrix, table: pd.DataFrame, *, how: Normalise, calibration_s: float
) -> tuple[Matrix, np.ndarray]:
    """The matrix with each person's own level taken off, and which rows must not be scored.

    Beat tokens are treated channel by channel.

    Raises
    ------
    Leak
        A function that asks for labels.
    InputError
        An unknown name; a function that gives another shape.
    """
    from emotion_rppg.evaluation.leakage import Leak

    way = _normalisation(how)
    options = {"calibration_s": calibration_s} if way.timed else {}
    blind = table[[c for c in table if not str(c).startswith(LABEL)]]
    try:
        made, unscored = way.function(inputs, blind, **options)
    except KeyError as error:
        if LABEL in str(error):
            raise Leak(
                f"the normalisation {way.name!r} reads {error}: labels of the tested "
                "would shape their own features"
            ) from error
        raise
    if made.X.shape != inputs.X.shape or len(unscored) != len(table):
        raise InputError(
            f"the normalisation {way.name!r} gave {made.X.shape} and {len(unscored)} "
            f"rows, want {inputs.X.shape} and {len(table)}"
        )
    return made, np.asarray(unscored, dtype=bool)


def _normalisation(how: Normalise) -> Normalisation:
    """What a name stands for, or a function of one's own."""
    if isinstance(how, Normalisation):
        return how
    if callable(how):
        return Normalisation(getattr(how, "__name__", "own"), how, OWN)
    if how not in NORMALISE:
        raise InputError(f"unknown normalisation {how!r}; known: {', '.join(NORMALISE)}")
    return NORMALISE[how]
