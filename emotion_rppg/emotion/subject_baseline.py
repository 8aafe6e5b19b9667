"""Subject baseline: each person's mean over the first minutes or over a recording of rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.emotion.design_matrix import Matrix
from emotion_rppg.errors import InputError
from emotion_rppg.windows import PERSON, people

if TYPE_CHECKING:
    import pandas as pd

CALIBRATION_S = 240.0  # default length of the first minutes


def minus_first_minutes(
    inputs: Matrix, table: pd.DataFrame, *, calibration_s: float = CALIBRATION_S
) -> tuple[Matrix, np.ndarray]:
    """Subtract each person's mean over the first ``calibration_s`` seconds.

    Returns
    -------
    Matrix, and (n,) bool: the rows that overlap these seconds. They are the reference and must
    neither be learned from nor scored.

    Raises
    ------
    InputError
        No window ends within the first ``calibration_s``, or a video has rows of several people.
    """
    _require_one_person(table)
    ends = ends_s(table)
    reference = ends <= calibration_s + 1e-6
    if not reference.any():
        raise InputError(
            f"no window of any person ends within the first {calibration_s:g} s: give a larger "
            "calibration_s (--calibration-s), or shorter windows"
        )
    # a window that begins within the reference shares heart beats with it
    overlapping = ends - table["duration_s"].to_numpy() < calibration_s - 1e-6
    return minus_subject_baseline(inputs, people(table).to_numpy(), reference), overlapping


def _require_one_person(table: pd.DataFrame) -> None:
    """Refuse rows of several people of one video, who are not matched with those of another."""
    if PERSON in table and table[PERSON].nunique() > 1:
        raise InputError(
            "the table has several people in one video (column person), who are not matched with "
            "the people of other videos: a calibration with each subject's first minutes needs "
            "the rows of one person, e.g. table[table.person == 1]"
        )


def minus_subject_baseline(
    inputs: Matrix, person: np.ndarray, reference: np.ndarray, *, spread: bool = False
) -> Matrix:
    """Subtract each person's mean over the reference rows; with ``spread``, divide by their SD."""
    X = inputs.X.copy()
    for name in np.unique(person):
        own = person == name
        mean, scale = baseline_of(inputs, own & reference)
        X[own] = (X[own] - mean) / (scale if spread else 1.0)
    return replace(inputs, X=X)


def baseline_of(inputs: Matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and SD of each column over some rows, (F + L·C,) each; NaN without a value.

    A channel of beat tokens has one mean and one SD over all its beats.
    """
    mean, scale = np.full((2, inputs.X.shape[1]), np.nan)
    for block in _blocks(inputs):
        values = inputs.X[np.ix_(rows, block)]
        finite = values[np.isfinite(values)]
        if len(finite):
            mean[block] = finite.mean()
            scale[block] = deviation if (deviation := finite.std()) > 1e-12 else 1.0
    return mean, scale


def _blocks(inputs: Matrix) -> list[np.ndarray]:
    """List the columns that share a mean: each feature alone, each token channel over all beats."""
    features = [np.array([k]) for k in range(inputs.n_features)]
    channels = inputs.n_token_channels
    tokens = np.arange(inputs.n_features, inputs.X.shape[1])
    return features + [tokens[k::channels] for k in range(channels)]


def ends_s(table: pd.DataFrame) -> np.ndarray:
    """Compute when each window ends, in seconds of the person's recordings in the table's order."""
    keys = people(table) + "/" + table["session"].astype(str) + "/" + table["trial"].astype(str)
    window_ends = table["start_s"] + table["duration_s"]
    begins = table["start_s"].groupby(keys).transform("min")
    first = ~keys.duplicated().to_numpy()
    length = (window_ends.groupby(keys).transform("max") - begins)[first]
    before = length.groupby(people(table)[first]).cumsum() - length
    # by recording, not by row: the rows of two recordings may be interleaved
    before_each = keys.map(dict(zip(keys[first], before, strict=True)))
    return (before_each + window_ends - begins).to_numpy(dtype=float)
