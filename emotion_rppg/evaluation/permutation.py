"""What heads reach on labels that mean nothing: the null distribution of an evaluation.

Labels are exchanged between whole trials of one person, or between runs of equal label within a
trial, never between windows: windows of one trial resemble each other, and a null that ignores it
calls unrelated labels significant (Harris 2020, Nonsense correlations in neuroscience).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg import metrics
from emotion_rppg.evaluation.fitting import Job, run_job
from emotion_rppg.evaluation.splits import unit_names
from emotion_rppg.parallel import in_order
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd


def permuted(y: np.ndarray, table: pd.DataFrame, draw: np.random.Generator) -> np.ndarray:
    """``y`` with its values dealt anew to the blocks of each person; NaN stays where it is.

    A block is a run of equal values within one trial. Numbers that change within trials have no
    blocks: each person's series is rotated by a random offset instead, which keeps it as smooth.
    """
    out = y.copy()
    trial, person = unit_names(table, "trial"), people(table).to_numpy()
    start = table["start_s"].to_numpy(dtype=float)
    first_seen = {name: k for k, name in reversed(list(enumerate(trial)))}
    order = np.lexsort((start, [first_seen[name] for name in trial]))
    order = order[np.isfinite(y[order])]
    smooth = _changes_inside(y, trial, order)
    for name in np.unique(person[order]):
        rows = order[person[order] == name]
        if smooth:
            out[rows] = np.roll(y[rows], draw.integers(len(rows)))
            continue
        begins = np.r_[True, (trial[rows][1:] != trial[rows][:-1]) | (np.diff(y[rows]) != 0)]
        out[rows] = draw.permutation(y[rows][begins])[np.cumsum(begins) - 1]
    return out


def _changes_inside(y: np.ndarray, trial: np.ndarray, order: np.ndarray) -> bool:
    """Whether labels are a smooth course rather than blocks: most neighbours in a trial differ."""
    same_trial = trial[order][1:] == trial[order][:-1]
    differ = np.diff(y[order])[same_trial] != 0
    return bool(len(differ)) and float(differ.mean()) > 0.5


def null_scores(
    jobs: Sequence[Job],
    table: pd.DataFrame,
    *,
    permutations: int,
    seed: int,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Mean score over people of one head's folds on each permutation of the labels.

    The score is balanced accuracy, or CCC of numbers. Folds, features and seeds are those of the
    true labels; the head is fitted afresh. (permutations,)
    """
    person = people(table).to_numpy()
    labels = (
        permuted(jobs[0].y, table, np.random.default_rng([seed, k])) for k in range(permutations)
    )
    calls = ((list(jobs), y, person) for y in labels)
    out = []
    for score in in_order(_score_of, calls, workers=workers, scheduler=scheduler):
        out.append(score)
        if progress is not None:
            progress(len(out), permutations)
    return np.array(out)


def _score_of(jobs: list[Job], y: np.ndarray, person: np.ndarray) -> float:
    rows = np.concatenate([job.test for job in jobs])
    said = np.concatenate([run_job(replace(job, y=y)).predicted for job in jobs])
    return mean_over_people(y[rows], said, person[rows], classes=jobs[0].classes)


def mean_over_people(
    truth: np.ndarray, said: np.ndarray, person: np.ndarray, *, classes: int
) -> float:
    """The score of an evaluation: mean over people of balanced accuracy (CCC of numbers)."""
    score = metrics.balanced_accuracy if classes else metrics.ccc
    each = [score(truth[person == name], said[person == name]) for name in np.unique(person)]
    known = np.array(each)[np.isfinite(each)]
    return float(known.mean()) if len(known) else float("nan")


def p_value(observed: float, null: np.ndarray) -> float:
    """Share of permutations that do as well, the true labels counted among them; never zero.

    NaN where no permutation changes anything: everybody has one block.
    """
    known = null[np.isfinite(null)]
    if not len(known) or not np.isfinite(observed):
        return float("nan")
    return float((1 + np.sum(known >= observed - 1e-12)) / (1 + len(known)))
