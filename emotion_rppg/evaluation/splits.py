"""Who is trained on and who is tested: splits of a table, from its identities alone.

SPLITS: name -> `Split`, a function with what a report says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

Fold = tuple[np.ndarray, np.ndarray]
FOLDS = 5
FIRST_S = 240.0  # of a new person that ``first_minutes`` may learn from

OWN = "one of one’s own"  # description of a function that is in no table
UNITS = ("dataset", "person", "session", "trial", "moment", "window")


@dataclass(frozen=True)
class Split:
    """A way to split a table, and what a report says of it.

    Calling it is calling its function: ``SPLITS["loso"](table, seed=0)``.

    Parameters
    ----------
    name : str
        Its name, as ``--split`` and the column ``split`` of results have it.
    function : function
        ``(table, *, seed) -> (train rows, test rows)…``, from the table's identities alone.
    unit : str
        What is never on both sides, one of ``UNITS``. Of all but data sets, people and windows,
        training windows that share seconds with a tested one are purged.
    description : str
        One sentence for reports: who is trained on and who is tested.
    """

    name: str
    function: Callable[..., Iterator[Fold]]
    unit: str
    description: str

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(
                f"the split {self.name!r} has the unit {self.unit!r}; known: {', '.join(UNITS)}"
            )

    def __call__(self, table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
        """Row numbers of each fold's training and test."""
        return self.function(table, seed=seed)

    @property
    def leaky(self) -> bool:
        """Whether windows that know each other are on both sides: evidence of nothing."""
        return self.unit == "window"


def loso(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one subject out: each person is tested once by heads that saw only the others."""
    del seed  # nothing is drawn
    yield from _by_people(table, [[person] for person in _names(table)])


def subject_folds(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """People dealt at random into five folds (or as many as there are people)."""
    names = np.random.default_rng(seed).permutation(_names(table))
    yield from _by_people(table, np.array_split(names, min(FOLDS, len(names))))


def datasets(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one data set out: each is tested once by heads that saw only the others.

    Somebody who took part in two data sets is two people here.
    """
    del seed
    dataset = unit_names(table, "dataset")
    for name in _two_or_more(dataset, "data set", "data sets"):
        yield np.flatnonzero(dataset != name), np.flatnonzero(dataset == name)


def trials_within(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one trial out within a person: learned from the person's other trials alone."""
    del seed
    yield from _within_people(table, unit_names(table, "trial"), "trials")


def sessions_within(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one session out within a person: learned from the person's other sessions alone."""
    del seed
    yield from _within_people(table, unit_names(table, "session"), "sessions")


def first_minutes(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """The other people and the tested person's first minutes, labels included; then the rest.

    A window that reaches over the border is on neither side.
    """
    from emotion_rppg.emotion.subject_baseline import ends_s  # its package loads scikit-learn

    del seed
    ends, person = ends_s(table), people(table).to_numpy()
    early = ends <= FIRST_S + 1e-6
    late = ends - table["duration_s"].to_numpy(dtype=float) >= FIRST_S - 1e-6
    for name in _names(table):
        own = person == name
        yield np.flatnonzero(~own | early), np.flatnonzero(own & late)


def leaky_windows(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Windows dealt at random into five folds: the field's commonest leak, to show its worth."""
    order = np.random.default_rng(seed).permutation(len(table))
    for tested in np.array_split(order, min(FOLDS, len(order))):
        yield np.setdiff1d(order, tested), np.sort(tested)


SPLITS = {
    "loso": Split(
        "loso",
        loso,
        "person",
        "leave one subject out: each person is tested by heads that saw only other people",
    ),
    "subject_folds": Split(
        "subject_folds",
        subject_folds,
        "person",
        "people dealt at random into five folds: nobody is on both sides",
    ),
    "datasets": Split(
        "datasets",
        datasets,
        "dataset",
        "leave one data set out: each data set is tested by heads that saw only the others",
    ),
    "trials_within": Split(
        "trials_within",
        trials_within,
        "trial",
        "leave one trial out within a person: heads saw that person's other trials "
        "and nobody else; says nothing about new people",
    ),
    "sessions_within": Split(
        "sessions_within",
        sessions_within,
        "session",
        "leave one session out within a person: heads saw that person's other "
        "sessions and nobody else; says nothing about new people",
    ),
    "first_minutes": Split(
        "first_minutes",
        first_minutes,
        "moment",
        f"heads saw the other people and, with labels, the first {FIRST_S:g} s of the "
        "tested person, which are not scored",
    ),
    "leaky_windows": Split(
        "leaky_windows",
        leaky_windows,
        "window",
        "LEAKY: windows dealt at random, so that neighbouring and overlapping windows "
        "of one trial are on both sides; shows what leakage is worth, is evidence of nothing",
    ),
}


def unit_names(table: pd.DataFrame, unit: str) -> np.ndarray:
    """Name of each row's data set, person, session of a person, or trial of a session."""
    if unit == "dataset":
        return np.asarray(table["dataset"].astype(str))
    names = people(table)
    for column in ("session", "trial")[: ("person", "session", "trial").index(unit)]:
        names = names + "/" + table[column].astype(str)
    return np.asarray(names)


def overlapping(table: pd.DataFrame, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Which training rows share seconds of one trial with a tested row, (len(train),)."""
    trial = unit_names(table, "trial")
    start = table["start_s"].to_numpy(dtype=float)
    end = start + table["duration_s"].to_numpy(dtype=float)
    tested: dict[str, list[int]] = {}
    for row in test:
        tested.setdefault(trial[row], []).append(row)
    out = np.zeros(len(train), dtype=bool)
    for k, row in enumerate(train):
        rows = tested.get(trial[row])
        out[k] = rows is not None and bool(
            np.any((start[rows] < end[row] - 1e-6) & (end[rows] > start[row] + 1e-6))
        )
    return out


def _names(table: pd.DataFrame) -> list[str]:
    return _two_or_more(people(table), "person", "people")


def _two_or_more(names: Iterable[str], one: str, several: str) -> list[str]:
    """The different names, in order."""
    found = sorted(set(names))
    if len(found) < 2:
        raise InputError(
            f"there is {len(found)} {one} with labels ({', '.join(found)}): "
            f"testing on {several} never seen needs two or more"
        )
    return found


def _by_people(table: pd.DataFrame, groups: list[Any]) -> Iterator[Fold]:
    person = people(table).to_numpy()
    for group in groups:
        tested = np.isin(person, list(group))
        yield np.flatnonzero(~tested), np.flatnonzero(tested)


def _within_people(table: pd.DataFrame, unit: np.ndarray, what: str) -> Iterator[Fold]:
    person = people(table).to_numpy()
    some = False
    for name in np.unique(unit):
        tested = unit == name
        rest = (person == person[tested][0]) & ~tested
        if rest.any():
            some = True
            yield np.flatnonzero(rest), np.flatnonzero(tested)
    if not some:
        raise InputError(f"nobody has two or more {what}: leaving one out leaves nothing")
