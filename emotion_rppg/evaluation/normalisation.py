"""Normalise features within each person, without labels: NORMALISE, name -> `Normalisation`.

A user function ``(inputs, table) -> (Matrix, rows not to score)`` can be given in place of a name.
Every function receives the table without its labels; one that reads them is refused.
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
    """A normalisation of features within each person, with its description for reports.

    It is applied before the folds are made. A person's features may depend on that person's rows
    alone and on no label, so that nothing leaks from one person to another.

    Parameters
    ----------
    name : str
        As in ``--normalise`` and in the column ``normalise`` of results.
    function : function
        ``(inputs, table) -> (Matrix of the same shape, rows not to score (n,))``.
    description : str
        One sentence for reports; ``{seconds:g}`` is replaced by ``calibration_s``.
    timed : bool
        Whether the function takes ``calibration_s=…``, the length in seconds of the reference at
        the beginning of each person's recordings.
    """

    name: str
    function: Callable[..., tuple[Matrix, np.ndarray]]
    description: str
    timed: bool = False


def none(inputs: Matrix, table: pd.DataFrame) -> tuple[Matrix, np.ndarray]:
    """Return the matrix unchanged; every row is scored."""
    return inputs, np.zeros(len(table), dtype=bool)


def transductive(inputs: Matrix, table: pd.DataFrame) -> tuple[Matrix, np.ndarray]:
    """Standardise each column by the person's mean and standard deviation over all their rows."""
    everyone = np.ones(len(table), dtype=bool)
    return minus_subject_baseline(
        inputs, people(table).to_numpy(), everyone, spread=True
    ), ~everyone


NORMALISE = {
    "none": Normalisation("none", none, "features are not normalised within a person"),
    "calibration": Normalisation(
        "calibration",
        minus_first_minutes,
        "the mean over each person's first {seconds:g} s was subtracted from their features, "
        "without labels; windows that overlap that time are not scored",
        timed=True,
    ),
    "transductive": Normalisation(
        "transductive",
        transductive,
        "each person's features were standardised by the mean and standard deviation over all of "
        "their windows, without labels; this needs the complete recording, so it cannot be used "
        "while a person is being recorded",
    ),
}
Normalise = str | Normalisation | Callable[..., Any]


def normalise_name(normalise: Normalise) -> str:
    """Return the name of a normalisation, as in the column ``normalise`` of results."""
    return normalise if isinstance(normalise, str) else _normalisation(normalise).name


def normalised(
    inputs: Matrix, table: pd.DataFrame, *, normalise: Normalise, calibration_s: float
) -> tuple[Matrix, np.ndarray]:
    """Normalise the matrix within each person and mark the rows that must not be scored, (n,).

    Beat tokens are normalised channel by channel.

    Raises
    ------
    Leak
        The function reads labels.
    InputError
        An unknown name; a function that returns another shape.
    """
    from emotion_rppg.evaluation.leakage import Leak

    normalisation = _normalisation(normalise)
    options = {"calibration_s": calibration_s} if normalisation.timed else {}
    unlabelled = table[[c for c in table if not str(c).startswith(LABEL)]]
    try:
        made, unscored = normalisation.function(inputs, unlabelled, **options)
    except KeyError as error:
        if LABEL in str(error):
            raise Leak(
                f"the normalisation {normalisation.name!r} reads {error}: their own features would "
                "depend on labels of tested people"
            ) from error
        raise
    if made.X.shape != inputs.X.shape or len(unscored) != len(table):
        raise InputError(
            f"the normalisation {normalisation.name!r} gave {made.X.shape} and {len(unscored)} "
            f"rows, want {inputs.X.shape} and {len(table)}"
        )
    return made, np.asarray(unscored, dtype=bool)


def _normalisation(normalise: Normalise) -> Normalisation:
    """Resolve a name, a record or a user function to a `Normalisation` record."""
    if isinstance(normalise, Normalisation):
        return normalise
    if callable(normalise):
        return Normalisation(getattr(normalise, "__name__", "own"), normalise, OWN)
    if normalise not in NORMALISE:
        raise InputError(f"unknown normalisation {normalise!r}; known: {', '.join(NORMALISE)}")
    return NORMALISE[normalise]
