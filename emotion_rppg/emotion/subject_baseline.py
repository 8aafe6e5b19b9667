"""People's own levels: what is usual in somebody, by their first minutes or a recording of rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.emotion.design_matrix import Matrix
from emotion_rppg.errors import InputError
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

CALIBRATION_S = 240.0


def minus_first_minutes(
    inputs: Matrix, table: pd.DataFrame, *, calibration_s: float = CALIBRATION_S
) -> tuple[Matrix, np.ndarray]:
    """The matrix less each person's mean over their first minutes, and the rows that reach into
    those minutes: what is scored or learned from must not be its own reference.
    """
    ends = ends_s(table)
    reference = ends <= calibration_s + 1e-6
    if not reference.any():
        raise InputError(
            f"no window ends within the first {calibration_s:g} s of anybody: "
            "give a larger calibration_s, or shorter windows"
        )
    # a window that begins within the reference shares heart beats with it
    sharing = ends - table["duration_s"].to_numpy() < calibration_s - 1e-6
    return minus_subject_baseline(inputs, people(table).to_numpy(), reference), sharing


def minus_subject_baseline(
    inputs: Matrix, person: np.ndarray, reference: np.ndarray, *, spread: bool = False
) -> Matrix:
    """The matrix less each person's mean over the reference rows; over their spread if wanted."""
    X = inputs.X.copy()
    for name in np.unique(person):
        own = person == name
        level, scale = level_of(inputs, own & reference)
        X[own] = (X[own] - level) / (scale if spread else 1.0)
    return replace(inputs, X=X)


def level_of(inputs: Matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column over some rows, (F + L·C,) each; NaN where nothing is known.

    A channel of beat tokens has one level over all its beats.
    """
    level, scale = np.full((2, inputs.X.shape[1]), np.nan)
    for block in _blocks(inputs):
        values = inputs.X[np.ix_(rows, block)]
        known = values[np.isfinite(values)]
        if len(known):
            level[block] = known.mean()
            scale[block] = deviation if (deviation := known.std()) > 1e-12 else 1.0
    return level, scale


def _blocks(inputs: Matrix) -> list[np.ndarray]:
    """Columns that share a level: each feature by itself, each token channel over all beats."""
    features = [np.array([k]) for k in range(inputs.n_features)]
    channels = inputs.n_token_channels
    tokens = np.arange(inputs.n_features, inputs.X.shape[1])
    return features + [tokens[k::channels] for k in range(channels)]


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
