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
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.inputs import Matrix
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
    unscored = np.zeros(len(table), dtype=bool)
    if how == "none":
        return inputs, unscored
    reference = np.ones(len(table), dtype=bool)
    if how == "calibration":
        ends = ends_s(table)
        reference = ends <= calibration_s + 1e-6
        # a window that begins within the reference shares heart beats with it
        unscored = ends - table["duration_s"].to_numpy() < calibration_s - 1e-6
        if not reference.any():
            raise InputError(
                f"no window ends within the first {calibration_s:g} s of anybody: "
                "give a larger calibration_s, or shorter windows"
            )
    X = inputs.X.copy()
    person = people(table).to_numpy()
    for name in np.unique(person):
        own = person == name
        for block in _blocks(inputs):
            level, spread = _level(X[np.ix_(own & reference, block)])
            X[np.ix_(own, block)] -= level
            if how == "transductive":
                X[np.ix_(own, block)] /= spread
    return replace(inputs, X=X), unscored


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


def ends_s(table: pd.DataFrame) -> np.ndarray:
    """Seconds of a person's recordings, in the table's order, until each window has ended."""
    keys = people(table) + "/" + table["session"].astype(str) + "/" + table["trial"].astype(str)
    window_ends = table["start_s"] + table["duration_s"]
    begins = table["start_s"].groupby(keys).transform("min")
    first = ~keys.duplicated().to_numpy()
    length = (window_ends.groupby(keys).transform("max") - begins)[first]
    before = length.groupby(people(table)[first]).cumsum() - length
    # by recording, not by row: the rows of two recordings may lie between each other
    before_each = keys.map(dict(zip(keys[first], before, strict=True)))
    return (before_each + window_ends - begins).to_numpy(dtype=float)


def _blocks(inputs: Matrix) -> list[np.ndarray]:
    """Columns that share a level: each feature by itself, each token channel over all beats."""
    features = [np.array([k]) for k in range(inputs.n_features)]
    channels = inputs.n_token_channels
    tokens = np.arange(inputs.n_features, inputs.X.shape[1])
    return features + [tokens[k::channels] for k in range(channels)]


def _level(values: np.ndarray) -> tuple[float, float]:
    """Mean and spread of what is there; nothing there: NaN, so that nothing is claimed."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    spread = float(known.std())
    return float(known.mean()), spread if spread > 1e-12 else 1.0
