"""Fit one head on the training rows of one fold and predict the tested rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emotion_rppg.emotion.complete_cases import fit_complete_cases
from emotion_rppg.emotion.design_matrix import Matrix


@dataclass(frozen=True, eq=False)
class Job:
    """One head on one fold of one target: plain data that another process can receive.

    Parameters
    ----------
    name, head
        Name and unfitted estimator.
    inputs, y, groups : Matrix, array (n,), array (n,)
        Features, class codes or numbers, and the person of every row of the table.
    train, test : array of int
        Row numbers.
    usable : bool array (n,)
        Rows with features. Others are not trained on, and are predicted by a constant.
    classes : int
        Number of classes; 0 where the target is a number.
    seed : int
    others : array (n, targets), optional
        The further targets of a head that learns several at once.
    blind : bool
        Whether the head is a dummy that ignores the inputs: the majority class and class shares.
    reference : array of int, optional
        Rows whose majority class (or mean) is the constant; default: the training rows. Where
        labels never vary inside a person these are all labelled rows: leaving out one person of
        two equally frequent classes makes the other class the majority, so that a constant
        prediction would score 0 instead of chance.
    """

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
    others: np.ndarray | None = None
    blind: bool = False
    reference: np.ndarray | None = None


class FoldPrediction(NamedTuple):
    """Predictions (n,) and class probabilities (n, classes) of a job's tested rows.

    ``chosen`` is the head that an inner selection chose, else empty.
    """

    predicted: np.ndarray
    probabilities: np.ndarray
    chosen: str = ""


def run_job(job: Job) -> FoldPrediction:
    """Fit the head on the training rows and predict the tested rows."""
    return predict_fold(fit_job(job), job)


def fit_job(job: Job) -> Any | None:
    """Fit the head on the training rows with features.

    None where it could not predict: no training row with features or one class only, no tested row
    with features, a dummy that ignores the inputs, or one that needs people whom it knows.
    """
    train = job.train[job.usable[job.train]]
    y = job.y[train].astype(int) if job.classes else job.y[train]
    several_classes = not job.classes or len(np.unique(y)) > 1
    possible = len(train) and job.usable[job.test].any() and several_classes
    if not possible or job.blind or _tests_unknown_people(job, train):
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


def _tests_unknown_people(job: Job, train: np.ndarray) -> bool:
    """Whether a head that predicts from the person alone would be tested on new people only."""
    needs_known_people = bool(getattr(job.head, "knows_people", False))
    return needs_known_people and not set(job.groups[train]) & set(job.groups[job.test])


def predict_fold(head: Any | None, job: Job) -> FoldPrediction:
    """Predict the tested rows by a fitted head; rows without features get the majority class."""
    predicted, probabilities = _majority(job)
    if head is None:
        return FoldPrediction(predicted, probabilities)
    has_features = job.usable[job.test]
    tested = job.test[has_features]
    # only the dummy that predicts from the person alone takes the people
    knows_people = getattr(head, "knows_people", False)
    people_of_rows = {"groups": job.groups[tested]} if knows_people else {}
    predicted[has_features] = head.predict(job.inputs.X[tested], **people_of_rows)
    if job.classes and hasattr(head, "predict_proba"):
        probabilities[has_features] = 0.0
        estimated = head.predict_proba(job.inputs.X[tested], **people_of_rows)
        probabilities[np.ix_(has_features, head.classes_.astype(int))] = estimated
    elif job.classes:
        probabilities[has_features] = np.nan
    return FoldPrediction(predicted, probabilities, getattr(head, "chosen_", ""))


def _majority(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Majority class and class shares of the training rows (mean of numbers) for each tested row.

    (n,) and (n, classes).
    """
    labels = job.y[job.train if job.reference is None else job.reference]
    if job.classes:
        constant = float(np.bincount(labels.astype(int)).argmax())
    else:
        constant = float(labels.mean())
    shares = np.array([(labels == k).mean() for k in range(job.classes)])
    return np.full(len(job.test), constant), np.tile(shares, (len(job.test), 1))
