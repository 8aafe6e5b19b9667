"""Split a table into training and test rows, from its identities alone: SPLITS, name -> `Split`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.subject_baseline import ends_s
from emotion_rppg.errors import InputError
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

Fold = tuple[np.ndarray, np.ndarray]
FOLDS = 5
FIRST_S = 240.0  # beginning of a tested person that ``first_minutes`` trains on

OWN = "a function given by the user"  # description of a function that is in no table
UNITS = ("dataset", "person", "session", "trial", "moment", "window")


@dataclass(frozen=True)
class Split:
    """A function that splits a table into folds, with its unit and its description for reports.

    Calling the record calls its function: ``SPLITS["loso"](table, seed=0)``.

    Parameters
    ----------
    name : str
        As in ``--split`` and in the column ``split`` of results.
    function : function
        ``(table, *, seed) -> (train rows, test rows)…``, from the table's identities alone.
    unit : str
        What is never in training and test of one fold: one of ``UNITS``. Where it is a session,
        trial or moment, training windows that share seconds with a tested window are removed.
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
        """Yield the row numbers of each fold's training and test."""
        return self.function(table, seed=seed)

    @property
    def leaky(self) -> bool:
        """Whether dependent windows are in training and test, so that scores are no evidence."""
        return self.unit == "window"


def loso(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one subject out: each person is tested once, by heads fitted on the others."""
    del seed  # nothing is drawn
    yield from _by_people(table, [[person] for person in _names(table)])


def subject_folds(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Assign people at random to five folds, or to as many as there are people."""
    names = np.random.default_rng(seed).permutation(_names(table))
    yield from _by_people(table, np.array_split(names, min(FOLDS, len(names))))


def datasets(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one data set out: each is tested once, by heads fitted on the others.

    A person who took part in two data sets counts as two people.
    """
    del seed
    dataset = unit_names(table, "dataset")
    for name in _two_or_more(dataset, "data set", "data sets"):
        yield np.flatnonzero(dataset != name), np.flatnonzero(dataset == name)


def trials_within(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one trial out within a person: heads are fitted on that person's other trials."""
    del seed
    yield from _within_people(table, unit_names(table, "trial"), "trials")


def sessions_within(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Leave one session out within a person: heads are fitted on that person's other sessions."""
    del seed
    yield from _within_people(table, unit_names(table, "session"), "sessions")


def first_minutes(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Train on the other people and the first minutes of the tested person; test on the rest.

    The labels of the first minutes are used. A window across the border is on neither side.
    """
    del seed
    ends, person = ends_s(table), people(table).to_numpy()
    early = ends <= FIRST_S + 1e-6
    late = ends - table["duration_s"].to_numpy(dtype=float) >= FIRST_S - 1e-6
    for name in _names(table):
        own = person == name
        yield np.flatnonzero(~own | early), np.flatnonzero(own & late)


def leaky_windows(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
    """Assign windows at random to five folds: a common leak, to measure how much it inflates."""
    order = np.random.default_rng(seed).permutation(len(table))
    for tested in np.array_split(order, min(FOLDS, len(order))):
        yield np.setdiff1d(order, tested), np.sort(tested)


SPLITS = {
    "loso": Split(
        "loso",
        loso,
        "person",
        "leave-one-subject-out: each person is tested by heads fitted on other people only",
    ),
    "subject_folds": Split(
        "subject_folds",
        subject_folds,
        "person",
        "people are assigned at random to five folds: nobody is in training and test of one fold",
    ),
    "datasets": Split(
        "datasets",
        datasets,
        "dataset",
        "leave-one-data-set-out: each data set is tested by heads fitted on the others only",
    ),
    "trials_within": Split(
        "trials_within",
        trials_within,
        "trial",
        "leave-one-trial-out within a person: heads are fitted on that person's other trials and "
        "on nobody else; the scores do not apply to new people",
    ),
    "sessions_within": Split(
        "sessions_within",
        sessions_within,
        "session",
        "leave-one-session-out within a person: heads are fitted on that person's other sessions "
        "and on nobody else; the scores do not apply to new people",
    ),
    "first_minutes": Split(
        "first_minutes",
        first_minutes,
        "moment",
        f"heads are fitted on the other people and, with labels, on the first {FIRST_S:g} s of the "
        "tested person, which are not scored",
    ),
    "leaky_windows": Split(
        "leaky_windows",
        leaky_windows,
        "window",
        "LEAKY: windows are assigned at random, so that neighbouring and overlapping windows of "
        "one trial are in training and test; it shows how much leakage inflates a score, and its "
        "scores are no evidence",
    ),
}


def unit_names(table: pd.DataFrame, unit: str) -> np.ndarray:
    """Name the data set, person, session of a person, or trial of a session of each row, (n,)."""
    if unit == "dataset":
        return np.asarray(table["dataset"].astype(str))
    names = people(table)
    for column in ("session", "trial")[: ("person", "session", "trial").index(unit)]:
        names = names + "/" + table[column].astype(str)
    return np.asarray(names)


def overlapping(table: pd.DataFrame, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Mark training rows that share seconds of one trial with a tested row, (len(train),)."""
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
    """Return the different names in order; raise `InputError` if there are fewer than two."""
    unique = sorted(set(names))
    if len(unique) < 2:
        raise InputError(
            f"there is {len(unique)} {one} with labels ({', '.join(unique)}): "
            f"testing on held-out {several} needs two or more"
        )
    return unique


def _by_people(table: pd.DataFrame, groups: list[Any]) -> Iterator[Fold]:
    person = people(table).to_numpy()
    for group in groups:
        tested = np.isin(person, list(group))
        yield np.flatnonzero(~tested), np.flatnonzero(tested)


def _within_people(table: pd.DataFrame, unit: np.ndarray, units: str) -> Iterator[Fold]:
    person = people(table).to_numpy()
    any_fold = False
    for name in np.unique(unit):
        tested = unit == name
        rest = (person == person[tested][0]) & ~tested
        if rest.any():
            any_fold = True
            yield np.flatnonzero(rest), np.flatnonzero(tested)
    if not any_fold:
        raise InputError(
            f"nobody has two or more {units}: leaving one out leaves nothing to train on; use a "
            "split over people (loso)"
        )
