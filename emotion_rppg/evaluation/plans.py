"""What an evaluation will do: for each target its folds, its heads, and the jobs of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.ensemble import asked_for
from emotion_rppg.emotion.inputs import Matrix
from emotion_rppg.emotion.tasks import Task, class_names, code, others_than
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.fitting import Job
from emotion_rppg.evaluation.folds import (
    Folds,
    Split,
    make_folds,
    refuse_scored_calibration,
    refuse_trained_on,
)
from emotion_rppg.evaluation.heads import chosen_heads
from emotion_rppg.windows import QUALITY, people

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Plan:
    """One task: its jobs, in the order of its results."""

    task: Task
    jobs: list[Job]
    excluded: dict[str, int]
    unknown_training: bool


def make_plans(
    table: pd.DataFrame,
    inputs: Matrix,
    tasks: Sequence[Task],
    *,
    heads: Any,
    encoder: str | Path | None,
    probabilities: str,
    split: Split,
    unscored: np.ndarray,
    allow_unknown: bool,
    seed: int,
) -> list[Plan]:
    """A plan a task; what would leak is refused here."""
    usable, groups = _usable(inputs), people(table).to_numpy()
    plans = []
    for task in tasks:
        y, names = code(table, task), class_names(table, task)
        labelled = np.isfinite(y)
        if not labelled.any():
            raise InputError(f"no row of the table has a label for {task.target!r}")
        chosen = chosen_heads(
            heads,
            bool(names),
            several=len(tasks) > 1,
            encoder=encoder,
            probabilities=probabilities,
        )
        unknown = refuse_trained_on(table, labelled, allow_unknown, heads=chosen.values())
        folds = make_folds(table, split, seed=seed, labelled=labelled, unscored=unscored)
        for _, test in folds.pairs:
            refuse_scored_calibration(test, unscored)
        others = others_than(table, task, tasks)
        jobs = [
            Job(
                name=name,
                head=head,
                inputs=inputs,
                y=y,
                groups=groups,
                train=train,
                test=test,
                usable=usable,
                classes=len(names),
                seed=seed,
                others=asked_for(head, others=others).get("others"),
            )
            for name, head in chosen.items()
            for train, test in folds.pairs
        ]
        plans.append(Plan(task, jobs, _excluded(labelled, unscored, usable, folds), unknown))
    return plans


def _usable(inputs: Matrix) -> np.ndarray:
    """Rows with any measured feature; a quality alone is none."""
    measured = np.array([name not in QUALITY for name in inputs.names])
    return np.asarray(np.isfinite(inputs.X[:, : inputs.n_features][:, measured]).any(axis=1))


def _excluded(
    labelled: np.ndarray, unscored: np.ndarray, usable: np.ndarray, folds: Folds
) -> dict[str, int]:
    """Rows left out, by reason; rows without features stay in the test and are counted too."""
    tested = np.unique(np.concatenate([test for _, test in folds.pairs]))
    return {
        "no label": int((~labelled).sum()),
        "calibration": int((labelled & unscored).sum()),
        "never tested by the split": int((labelled & ~unscored).sum()) - len(tested),
        "purged from training": folds.purged,
        "tested without features": int((~usable[tested]).sum()),
    }
