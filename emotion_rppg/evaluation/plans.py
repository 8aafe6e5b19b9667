"""Plan an evaluation: the folds and heads of each target, and one job for each pair of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion import DUMMIES, DUMMIES_REGRESSION, HEADS, HEADS_REGRESSION
from emotion_rppg.emotion.design_matrix import Matrix, trusted_rows
from emotion_rppg.emotion.ensemble import fit_arguments
from emotion_rppg.emotion.table_checks import one_label_per_person
from emotion_rppg.emotion.tasks import Task, class_names, code, other_targets
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.heads import chosen_heads
from emotion_rppg.evaluation.jobs import Job
from emotion_rppg.evaluation.leakage import (
    AnySplit,
    Folds,
    make_folds,
    refuse_scored_calibration,
    refuse_trained_on,
    split_name,
)
from emotion_rppg.features.sensors import QUALITY, SENSORS
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd


QUALITY_ALONE, MOVEMENT_ALONE = "quality_alone", "movement_alone"
# Columns on the recording's quality that do not depend on the heart. Others do: standard errors
# grow with their features, the number of beats grows with the heart rate.
_QUALITY_COLUMNS = (
    *("quality", "timing_sd_ms", "coverage", "corrected_share"),
    *(kind + QUALITY for kind in SENSORS),
)
_MOVEMENT_PREFIXES = ("acc_", "motion_")  # prefixes of accelerometer features


@dataclass(frozen=True, eq=False)
class Plan:
    """The jobs of one target, in the order of its results.

    ``excluded`` counts rows by reason. ``over_people``: no person has two different labels, so
    that scores are pooled over people.
    """

    task: Task
    jobs: list[Job]
    excluded: dict[str, int]
    unknown_training: bool
    over_people: bool = False


def make_plans(
    table: pd.DataFrame,
    inputs: Mapping[str, Matrix],
    tasks: Sequence[Task],
    *,
    heads: Any,
    encoder: str | Path | None,
    probabilities: str,
    split: AnySplit,
    unscored: np.ndarray,
    allow_unknown: bool,
    seed: int,
) -> list[Plan]:
    """Make one plan for each task; refuse what would leak.

    ``inputs`` maps ``""`` to the features of the heads, and a baseline's name to its own features.

    Raises
    ------
    Leak
        As `make_folds` and `refuse_trained_on`.
    InputError
        As `make_folds` and `chosen_heads`; no fold has two classes in its training.
    """
    groups = people(table).to_numpy()
    usable = {name: usable_rows(matrix, table) for name, matrix in inputs.items()}
    plans = []
    for task in tasks:
        labelled = np.isfinite(y := code(table, task))
        classes = len(class_names(table, task))
        chosen = chosen_heads(
            heads,
            bool(classes),
            several=len(tasks) > 1,
            encoder=encoder,
            probabilities=probabilities,
        )
        unknown = refuse_trained_on(table, labelled, allow_unknown, heads=chosen.values())
        folds = make_folds(table, split, seed=seed, labelled=labelled, unscored=unscored)
        for _, test in folds.pairs:
            refuse_scored_calibration(test, unscored)
        if classes:
            _refuse_folds_of_one_class(folds, y, usable[""], split, task.target)
        over_people = one_label_per_person(table, y)
        others = other_targets(table, task, tasks)
        jobs = [
            Job(
                name=name,
                head=head,
                inputs=inputs[own],
                y=y,
                groups=groups,
                train=train,
                test=test,
                usable=usable[own],
                classes=classes,
                seed=seed,
                others=fit_arguments(head, others=others).get("others"),
                blind=_is_blind(name, head, classes),
                reference=np.flatnonzero(labelled) if over_people else None,
            )
            for name, head, own in _with_baselines(chosen, inputs, classes)
            for train, test in folds.pairs
        ]
        excluded = _excluded(labelled, unscored, usable[""], folds)
        plans.append(Plan(task, jobs, excluded, unknown, over_people))
    return plans


def _with_baselines(
    chosen: Mapping[str, Any], inputs: Mapping[str, Matrix], classes: int
) -> list[tuple[str, Any, str]]:
    """List name, head and name of the inputs: dummies, baselines, then the other heads."""
    plain = HEADS["logistic"] if classes else HEADS_REGRESSION["ridge"]
    heads = [(name, head, "") for name, head in chosen.items()]
    baselines = [(name, plain, name) for name in inputs if name and name not in chosen]
    dummies = DUMMIES if classes else DUMMIES_REGRESSION
    return [
        *(head for head in heads if head[0] in dummies),
        *baselines,
        *(head for head in heads if head[0] not in dummies),
    ]


def _is_blind(name: str, head: Any, classes: int) -> bool:
    """Whether a head is a dummy that ignores the inputs and does not know the people either."""
    dummies = DUMMIES if classes else DUMMIES_REGRESSION
    return head is dummies.get(name) and not hasattr(head, "knows_people")


def baseline_inputs(table: pd.DataFrame) -> dict[str, Matrix]:
    """Build the features of the baselines: recording quality alone, movement alone.

    They contain no information on the heart. A head that scores no better than them may use
    movement or sensor contact instead of the heart.
    """
    from pandas.api.types import is_numeric_dtype

    columns = {
        QUALITY_ALONE: [name for name in _QUALITY_COLUMNS if name in table],
        MOVEMENT_ALONE: [str(name) for name in table if str(name).startswith(_MOVEMENT_PREFIXES)],
    }
    numeric = {
        baseline: tuple(
            c for c in names if is_numeric_dtype(table[c].dtype) and table[c].notna().any()
        )
        for baseline, names in columns.items()
    }
    return {
        baseline: Matrix(_finite(table[list(names)]), len(names), 0, names)
        for baseline, names in numeric.items()
        if names
    }


def _finite(table: pd.DataFrame) -> np.ndarray:
    values = table.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def usable_rows(inputs: Matrix, table: pd.DataFrame) -> np.ndarray:
    """Mark the rows with trusted signals and at least one measured feature, bool (n,).

    The signals are those that the features need and that at least one window has.

    Columns on the recording (missing values, quality) do not count as measured features.
    """
    from emotion_rppg.features import column

    records = [column(name) for name in inputs.names]
    of_heart = np.array([record is None or record.role != "recording" for record in records])
    of_heart |= not of_heart.any()  # a baseline that has no other columns
    measured = np.isfinite(inputs.X[:, : inputs.n_features][:, of_heart]).any(axis=1)
    return np.asarray(measured & trusted_rows(table, inputs))


def _refuse_folds_of_one_class(
    folds: Folds, y: np.ndarray, usable: np.ndarray, split: AnySplit, target: str
) -> None:
    """Raise `InputError` if no fold has two classes in its training, as heads need them."""
    if all(len(np.unique(y[train[usable[train]]])) < 2 for train, _ in folds.pairs):
        raise InputError(
            f"no fold of the split {split_name(split)!r} has two classes of {target!r} among the "
            "training windows with trusted signals, so no head can be fitted: use a split over "
            "people (loso), or add rows of another class"
        )


def _excluded(
    labelled: np.ndarray, unscored: np.ndarray, usable: np.ndarray, folds: Folds
) -> dict[str, int]:
    """Count excluded rows by reason, and the tested rows without features, which stay in."""
    tested = np.unique(np.concatenate([test for _, test in folds.pairs]))
    return {
        "no label": int((~labelled).sum()),
        "calibration": int((labelled & unscored).sum()),
        "never tested by the split": int((labelled & ~unscored).sum()) - len(tested),
        "purged from training": folds.purged,
        "tested without features": int((~usable[tested]).sum()),
    }
