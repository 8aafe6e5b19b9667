"""Who is trained on and who is tested: splits of a table by person, from its identities alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

Fold = tuple[np.ndarray, np.ndarray]
FOLDS = 5


def loso(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one subject out: each person is tested once by heads that saw only the others."""
    del seed  # nothing is drawn
    yield from _by_people(table, [[person] for person in _names(table)])


def subject_folds(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """People dealt at random into five folds (or as many as there are people)."""
    names = np.random.default_rng(seed).permutation(_names(table))
    yield from _by_people(table, np.array_split(names, min(FOLDS, len(names))))


def _names(table: pd.DataFrame) -> list[str]:
    names = sorted(people(table).unique())
    if len(names) < 2:
        raise InputError(
            f"the table has {len(names)} person ({', '.join(names)}): "
            "testing on people never seen needs two or more"
        )
    return names


def _by_people(table: pd.DataFrame, groups: list) -> Iterator[Fold]:
    person = people(table).to_numpy()
    for group in groups:
        tested = np.isin(person, list(group))
        yield np.flatnonzero(~tested), np.flatnonzero(tested)
