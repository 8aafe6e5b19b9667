"""The folds of an evaluation, and the refusals: what would leak is never computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.splits import OWN, SPLITS, Fold, Split, overlapping, unit_names
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

AnySplit = str | Split | Callable[..., Iterator[Fold]]


class Leak(InputError):
    """The evaluation would have tested what something already learned from."""


@dataclass(frozen=True, eq=False)
class Folds:
    """Row numbers of each fold; ``purged`` counts training rows left out for sharing seconds."""

    pairs: list[Fold]
    purged: int


def split_name(split: AnySplit) -> str:
    """The name of a split, as results have it."""
    return split if isinstance(split, str) else _split(split).name


def is_leaky(split: AnySplit) -> bool:
    """Whether the split has windows that know each other on both sides."""
    return _split(split).leaky


def _split(split: AnySplit) -> Split:
    """What a name stands for, or a function of one's own with its unit."""
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
    """Each fold that has somebody to test; nothing that knows the test is in the training.

    A function of one's own is taken to keep people apart, and refused where it does not; one that
    has an attribute ``unit`` (``"dataset"``, ``"trial"``, ``"session"``, ``"moment"``) is held to
    that. Training windows that share seconds with tested ones are purged.
    """
    make = _split(split)
    kept = np.flatnonzero(labelled)
    part = table.iloc[kept].reset_index(drop=True)
    pairs, purged = [], 0
    for train, test in make(part, seed=seed):
        refuse_both_sides(part, train, test, make.unit)
        if make.unit not in ("dataset", "person", "window"):
            shared = overlapping(part, train, test)
            train, purged = train[~shared], purged + int(shared.sum())
        rows = kept[test]
        rows = rows[~unscored[rows]]
        if len(rows):
            pairs.append((kept[train], rows))
    if not pairs:
        raise InputError(
            "nothing is left to score: calibration took every window; give a smaller calibration_s"
        )
    return Folds(pairs, purged)


def refuse_both_sides(table: pd.DataFrame, train: np.ndarray, test: np.ndarray, unit: str) -> None:
    """Raise if a person (or session, or trial: the split's unit) is trained on and tested."""
    if unit in ("moment", "window"):
        both = sorted(set(train.tolist()) & set(test.tolist()))
        if both:
            raise Leak(f"row {both[0]} is in the training and in the test of one fold")
        return
    names = unit_names(table, unit)
    both = sorted(set(names[train]) & set(names[test]))
    if both:
        raise Leak(
            f"{both[0]} is in the training and in the test of one fold: "
            f"windows of one {unit} know each other; split by {unit}"
        )


def refuse_scored_calibration(test: np.ndarray, unscored: np.ndarray) -> None:
    """Raise if a window that set a person's own level is among the scored ones."""
    if unscored[test].any():
        raise Leak(
            f"{int(unscored[test].sum())} windows of the calibration would be scored: "
            "their own level was taken off with their help"
        )


def refuse_trained_on(
    table: pd.DataFrame, rows: np.ndarray, allow_unknown: bool, *, heads: Iterable[Any] = ()
) -> bool:
    """Raise if what made a row, or what a head begins with, learned from somebody tested.

    Returns whether any does not say whom it learned from (which is allowed, then).
    """
    tested = set(people(table)[rows])
    unknown = False
    for what, text in _learned(table, heads):
        if text == "unknown" and not allow_unknown:
            raise Leak(
                f"there is a {what} that does not say whom it was trained on: "
                "allow_unknown_training=True (--allow-unknown-training) accepts it, and the "
                "results will carry the doubt"
            )
        unknown |= text == "unknown"
        if text in ("", "unknown"):
            continue
        both = sorted(_seen(what, text) & tested)
        if both:
            raise Leak(
                f"the {what} was trained on {', '.join(both[:4])}: "
                "testing on them flatters it; train it on other people"
            )
    return unknown


def _learned(table: pd.DataFrame, heads: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Whatever learned before this evaluation, and whom from, as JSON."""
    from emotion_rppg.emotion.deep.pretrained_encoder import pretrained_encoders_of

    for column, what in (("trained_on", "network"), ("encoder_trained_on", "encoder")):
        for text in sorted(set(table[column].dropna().astype(str))) if column in table else []:
            yield f"{what} that made these rows", text
    for head in heads:
        for encoder in pretrained_encoders_of(head):
            who = encoder.trained_on
            yield (
                "encoder that a head begins with",
                who if isinstance(who, str) else json.dumps(who),
            )


def _seen(what: str, text: str) -> set[str]:
    """People named in a cell of ``trained_on``."""
    try:
        subjects_of = json.loads(text)
        if all(isinstance(subjects, list) for subjects in subjects_of.values()):
            return {f"{data}/{one}" for data, subjects in subjects_of.items() for one in subjects}
    except (ValueError, AttributeError):
        pass
    raise InputError(
        f"trained_on of the {what} says {text[:60]!r}; want JSON such as "
        '{"data set": ["subject", …]}, '
        '"unknown", or nothing where nobody was trained on'
    )
