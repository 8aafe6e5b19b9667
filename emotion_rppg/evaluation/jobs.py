"""One head on one fold: fitted on the training rows, asked about the tested ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emotion_rppg.emotion.complete_cases import fit_complete_cases
from emotion_rppg.emotion.design_matrix import Matrix


@dataclass(frozen=True, eq=False)
class Job:
    """One head on one fold of one task; plain data, so that it can go to another process."""

    name: str
    head: Any
    inputs: Matrix
    y: np.ndarray
    groups: np.ndarray
    train: np.ndarray
    test: np.ndarray
    usable: np.ndarray
    classes: int
    seed: int
    others: np.ndarray | None = None  # (n, targets) of a head that learns several at once
    blind: bool = False  # a dummy that never looks at the inputs: the commonest class, its shares
    # rows whose commonest class (or mean) stands for what is not predicted; None: the training.
    # Of labels that never vary inside a person they are all rows: leaving one person out of two
    # equal classes makes the other class the commonest, and a constant would score 0, not chance.
    reference: np.ndarray | None = None


class FoldPrediction(NamedTuple):
    """Predictions (n,) and class probabilities (n, classes) of a job's tested rows.

    ``chosen`` is what an inner selection took, else empty.
    """

    predicted: np.ndarray
    chances: np.ndarray
    chosen: str = ""


def run_job(job: Job) -> FoldPrediction:
    """Fit on the training people and ask about the tested windows."""
    return predict_fold(fitted(job), job)


def fitted(job: Job) -> Any | None:
    """The head, fitted on the training's windows with features; None where nothing can be told."""
    train = job.train[job.usable[job.train]]
    y = job.y[train].astype(int) if job.classes else job.y[train]
    able = len(train) and job.usable[job.test].any() and (not job.classes or len(np.unique(y)) > 1)
    if not able or job.blind or _asks_strangers(job, train):
        return None
    return fit_complete_cases(
        job.head,
        job.inputs,
        train,
        y,
        groups=job.groups[train],
        others=None if job.others is None else job.others[train],
        seed=job.seed,
        name=job.name,
    )


def _asks_strangers(job: Job, train: np.ndarray) -> bool:
    """Whether a head that knows only people is asked about none that it knows."""
    knows = bool(getattr(job.head, "knows_people", False))
    return knows and not set(job.groups[train]) & set(job.groups[job.test])


def predict_fold(head: Any | None, job: Job) -> FoldPrediction:
    """What a fitted head says of the tested windows; without features, what is commonest."""
    said, chances = _commonest(job)
    if head is None:
        return FoldPrediction(said, chances)
    seen = job.usable[job.test]
    tested = job.test[seen]
    # who is asked about: only the dummy that knows nothing else has use for it
    who = {"groups": job.groups[tested]} if getattr(head, "knows_people", False) else {}
    said[seen] = head.predict(job.inputs.X[tested], **who)
    if job.classes and hasattr(head, "predict_proba"):
        chances[seen] = 0.0
        found = head.predict_proba(job.inputs.X[tested], **who)
        chances[np.ix_(seen, head.classes_.astype(int))] = found
    elif job.classes:
        chances[seen] = np.nan
    return FoldPrediction(said, chances, getattr(head, "chosen_", ""))


def _commonest(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """The training's commonest class and its shares (its mean, of numbers) for every tested row."""
    whole = job.y[job.train if job.reference is None else job.reference]
    common = float(np.bincount(whole.astype(int)).argmax()) if job.classes else float(whole.mean())
    shares = np.array([(whole == k).mean() for k in range(job.classes)])
    return np.full(len(job.test), common), np.tile(shares, (len(job.test), 1))
