"""Make the folds of an evaluation and refuse what would leak from training to test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.splits import OWN, SPLITS, Fold, Split, overlapping, unit_names
from emotion_rppg.pulse import DONORS
from emotion_rppg.runtime.config_checks import people_in
from emotion_rppg.runtime.json_text import parse_json
from emotion_rppg.windows import people

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

AnySplit = str | Split | Callable[..., Iterator[Fold]]


class Leak(InputError):
    """Error: the evaluation would test on data that something was trained on."""


@dataclass(frozen=True, eq=False)
class Folds:
    """Row numbers of each fold's training and test.

    ``purged`` counts training rows that were removed because they share seconds with a tested row.
    """

    pairs: list[Fold]
    purged: int


def split_name(split: AnySplit) -> str:
    """Return the name of a split, as in the column ``split`` of results."""
    return split if isinstance(split, str) else _split(split).name


def is_leaky(split: AnySplit) -> bool:
    """Tell whether a split has dependent windows of one trial in training and test."""
    return _split(split).leaky


def _split(split: AnySplit) -> Split:
    """Resolve a name, a record or a user function to a `Split` record."""
    if isinstance(split, Split):
        return split
    if callable(split):
        name = getattr(split, "__name__", "own")
        return Split(name, split, getattr(split, "unit", "person"), OWN)
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    return SPLITS[split]


def make_folds(
    table: pd.DataFrame,
    split: AnySplit,
    *,
    seed: int,
    labelled: np.ndarray,
    unscored: np.ndarray,
) -> Folds:
    """Make the folds that have rows to score, and refuse those that leak.

    Training windows that share seconds with a tested window are removed. A user function must keep
    people apart, or the unit that its attribute ``unit`` names: ``"dataset"``, ``"trial"``,
    ``"session"`` or ``"moment"``.

    Parameters
    ----------
    split : str, Split or function
    labelled : bool array (n,)
        Rows with a label; the others are in no fold.
    unscored : bool array (n,)
        Rows that are never tested, such as those of a calibration.

    Raises
    ------
    Leak
        The split's unit is on both sides of a fold.
    InputError
        An unknown name, or no row is left to score.
    """
    make = _split(split)
    labelled_rows = np.flatnonzero(labelled)
    part = table.iloc[labelled_rows].reset_index(drop=True)
    pairs, purged = [], 0
    for train, test in make(part, seed=seed):
        refuse_both_sides(part, train, test, make.unit)
        if make.unit not in ("dataset", "person", "window"):
            shared = overlapping(part, train, test)
            train, purged = train[~shared], purged + int(shared.sum())
        rows = labelled_rows[test]
        rows = rows[~unscored[rows]]
        if len(rows):
            pairs.append((labelled_rows[train], rows))
    if not pairs:
        raise InputError(
            "no window is left to score: every window overlaps the calibration; give a smaller "
            "calibration_s"
        )
    return Folds(pairs, purged)


def refuse_both_sides(table: pd.DataFrame, train: np.ndarray, test: np.ndarray, unit: str) -> None:
    """Raise `Leak` if a unit of the split (person, session, trial …) is in training and test."""
    if unit in ("moment", "window"):
        shared = sorted(set(train.tolist()) & set(test.tolist()))
        if shared:
            raise Leak(f"row {shared[0]} is in the training and in the test of one fold")
        return
    names = unit_names(table, unit)
    shared = sorted(set(names[train]) & set(names[test]))
    if shared:
        raise Leak(
            f"{shared[0]} is in the training and in the test of one fold: "
            f"windows of one {unit} are not independent; split by {unit}"
        )


def refuse_scored_calibration(test: np.ndarray, unscored: np.ndarray) -> None:
    """Raise `Leak` if a window that the calibration averaged over is among the tested rows."""
    if unscored[test].any():
        raise Leak(
            f"{int(unscored[test].sum())} windows of the calibration would be scored: the subject "
            "baseline was computed from them"
        )


def refuse_trained_on(
    table: pd.DataFrame, rows: np.ndarray, allow_unknown: bool, *, heads: Iterable[Any] = ()
) -> bool:
    """Raise `Leak` if a network behind the rows, or a head's encoder, was trained on tested people.

    Returns
    -------
    bool
        Whether the training people of any of them are unknown, which ``allow_unknown`` accepts.
    """
    tested = set(people(table)[rows])
    unknown = False
    for source, text in _training_records(table, heads):
        if text == "unknown" and not allow_unknown:
            raise Leak(
                f"there is a {source} that does not say whom it was trained on: "
                "allow_unknown_training=True (--allow-unknown-training) accepts it and marks the "
                "results (column unknown_training)"
            )
        unknown |= text == "unknown"
        if text in ("", "unknown"):
            continue
        shared = sorted(_training_people(source, text) & tested)
        if shared:
            raise Leak(
                f"the {source} was trained on {', '.join(shared[:4])}: "
                "scores on them would be too high; train it on other people"
            )
    return unknown


def refuse_donors(videos: Iterable[Path], trained_on: str) -> None:
    """Raise `Leak` if a network was trained on one of these videos as a donor, by its file name.

    ``trained_on`` is JSON as in feature tables; "unknown" and "" name no donors.
    """
    if trained_on in ("", "unknown"):
        return
    donors = set(parse_json(trained_on).get(DONORS, ()))
    shared = sorted(donors & {video.name for video in videos})
    if shared:
        raise Leak(
            f"the network was trained on {', '.join(shared[:4])} as donor: it learned to ignore "
            "the pulse of these videos; test it on others"
        )


def _training_records(table: pd.DataFrame, heads: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield each network or encoder that was trained before, and its training people as JSON."""
    from emotion_rppg.emotion.deep.pretrained_encoder import pretrained_encoders_of

    for column, source in (("trained_on", "network"), ("encoder_trained_on", "encoder")):
        for text in sorted(set(table[column].dropna().astype(str))) if column in table else []:
            yield f"{source} that made these rows", text
    for head in heads:
        for encoder in pretrained_encoders_of(head):
            who = encoder.trained_on
            yield (
                "encoder that a head begins with",
                who if isinstance(who, str) else json.dumps(who),
            )


def _training_people(source: str, text: str) -> set[str]:
    """Read the people, ``dataset/subject``, from a cell of ``trained_on``."""
    subjects_of = people_in(text, f"trained_on of the {source}")
    return {f"{data}/{one}" for data, subjects in subjects_of.items() for one in subjects}
