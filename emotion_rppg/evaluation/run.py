"""evaluate(): fit heads on some people, score them on others, refuse what would leak."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg import metrics
from emotion_rppg.emotion import DUMMIES, DUMMIES_REGRESSION, HEADS, HEADS_REGRESSION
from emotion_rppg.emotion.inputs import Matrix, fit_on, matrix
from emotion_rppg.emotion.tasks import Task, class_names, code
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation import SPLITS
from emotion_rppg.evaluation.normalise import normalised
from emotion_rppg.evaluation.splits import Fold
from emotion_rppg.parallel import in_order
from emotion_rppg.windows import QUALITY, people

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
CLASS_SCORES = ("balanced_accuracy", "macro_f1", "auroc", "mcc", "ece")
NUMBER_SCORES = ("ccc", "pearson", "rmse")


class Leak(InputError):
    """The evaluation would have tested people that something already learned from."""


@dataclass(frozen=True, eq=False)
class _Job:
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


def evaluate(
    table: pd.DataFrame,
    *,
    target: str | Sequence[str],
    heads: Any = "all",
    split: str | Callable[..., Iterator[Fold]] = "loso",
    coding: str = "midpoint",
    normalise: str = "none",
    calibration_s: float = 240.0,
    ablate: Sequence[str] = (),
    allow_unknown_training: bool = False,
    workers: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Score heads, and the dummies beside them, on people they never saw.

    Everything that learns (imputation, scaling, the head, its inner choices) learns from the
    fold's training people alone. A window without features is not trained on; in the test it
    counts with the training people's commonest class (mean, for numbers).

    Parameters
    ----------
    table : DataFrame
        As ``extract`` makes it.
    target : str or sequence of str
    heads : "all", name, names, estimators or {name: estimator}
        Of ``HEADS`` (``HEADS_REGRESSION`` for numbers), or one's own scikit-learn estimators.
    split : str or function
        A name of ``SPLITS`` or a function ``(table, *, seed) -> (train, test)…``.
    coding : str
        How ratings become classes; see :class:`~emotion_rppg.emotion.tasks.Task`.
    normalise : {"none", "calibration", "transductive"}
        See :mod:`emotion_rppg.evaluation.normalise`.
    calibration_s : float
        Of ``"calibration"``: how much of each person's beginning is the reference, and unscored.
    ablate : sequence of str
        ``("quality",)`` repeats the evaluation without the quality columns.
    allow_unknown_training : bool
        Accept rows made by a network that does not say whom it was trained on; the column
        ``unknown_training`` of the results says so.
    workers : int
        Processes; the numbers do not depend on it.

    Returns
    -------
    DataFrame
        One row a target, head and person. ``attrs["predictions"]`` has every scored window,
        ``attrs["excluded"]`` counts the rows left out, by reason.

    Raises
    ------
    Leak
        A person on both sides; a tested person among those a network or encoder was trained on.
    InputError
        Unknown names, fewer than two people, no labels.
    """
    import pandas as pd

    table = table.reset_index(drop=True)
    plain = matrix(table, ablate=ablate)
    inputs, unscored = normalised(plain, table, how=normalise, calibration_s=calibration_s)
    jobs: list[_Job] = []
    facts: list[tuple[Task, tuple[str, ...]]] = []
    excluded: dict[str, dict[str, int]] = {}
    unknown = False
    for name in [target] if isinstance(target, str) else target:
        task = Task(name, coding)
        y = code(table, task)
        labelled = np.isfinite(y)
        if not labelled.any():
            raise InputError(f"no row of the table has a label for {name!r}")
        excluded[name] = {
            "no label": int((~labelled).sum()),
            "calibration": int((labelled & unscored).sum()),
        }
        names = class_names(table, task)
        unknown |= _refuse_trained_on(table, labelled, allow_unknown_training)
        for fold in _folds(table, split, seed, labelled, unscored):
            made = _jobs(table, inputs, y, fold, _chosen(heads, bool(names)), len(names), seed)
            jobs += made
            facts += [(task, names)] * len(made)
    runs = in_order(_run, ((job,) for job in jobs), workers=workers)
    rows, predictions = [], []
    for done, (job, (task, names), said) in enumerate(zip(jobs, facts, runs, strict=True), 1):
        part = _said(table, job, task, said)
        predictions.append(part)
        shared = {
            "task": task.target,
            "target": task.target,
            "coding": task.coding,
            "split": split if isinstance(split, str) else getattr(split, "__name__", "own"),
            "normalise": normalise,
            "head": job.name,
        }
        rows += [{**shared, **scores} for scores in _scores(part, job, bool(names))]
        if progress is not None:
            progress(done, len(jobs))
    results = pd.DataFrame(rows).assign(unknown_training=unknown)
    results.attrs["predictions"] = pd.concat(predictions, ignore_index=True)
    results.attrs["excluded"] = excluded
    return results


def _folds(
    table: pd.DataFrame,
    split: str | Callable[..., Iterator[Fold]],
    seed: int,
    labelled: np.ndarray,
    unscored: np.ndarray,
) -> list[Fold]:
    """Row numbers of each fold that has somebody to test; nobody is on both sides."""
    if isinstance(split, str) and split not in SPLITS:
        raise InputError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    make = SPLITS[split] if isinstance(split, str) else split
    kept = np.flatnonzero(labelled)
    part = table.iloc[kept].reset_index(drop=True)
    person = people(part).to_numpy()
    folds = []
    for train, test in make(part, seed=seed):
        both = sorted(set(person[train]) & set(person[test]))
        if both:
            raise Leak(
                f"{both[0]} is in the training and in the test of one fold: "
                "windows of one person know each other; split by person"
            )
        test = kept[test]
        test = test[~unscored[test]]
        if len(test):
            folds.append((kept[train], test))
    if not folds:
        raise InputError(
            "nothing is left to score: calibration took every window; give a smaller calibration_s"
        )
    return folds


def _refuse_trained_on(table: pd.DataFrame, rows: np.ndarray, allow_unknown: bool) -> bool:
    """Raise if a network or encoder behind any row learned from somebody who will be tested.

    Returns whether any does not say whom it learned from (which is allowed, then).
    """
    tested = set(people(table)[rows])
    unknown = False
    for column, what in (("trained_on", "network"), ("encoder_trained_on", "encoder")):
        for text in sorted(set(table[column].dropna().astype(str))) if column in table else []:
            if text == "unknown" and not allow_unknown:
                raise Leak(
                    f"rows were made by a {what} that does not say whom it was trained on: "
                    "allow_unknown_training=True accepts it, and the results will carry the doubt"
                )
            unknown |= text == "unknown"
            if text in ("", "unknown"):
                continue
            both = sorted(_seen(column, text) & tested)
            if both:
                raise Leak(
                    f"the {what} that made these rows was trained on {', '.join(both[:4])}: "
                    f"testing on them flatters it; train the {what} on other people"
                )
    return unknown


def _seen(column: str, text: str) -> set[str]:
    """People named in a cell of ``trained_on``."""
    try:
        subjects_of = json.loads(text)
        if all(isinstance(subjects, list) for subjects in subjects_of.values()):
            return {f"{data}/{one}" for data, subjects in subjects_of.items() for one in subjects}
    except (ValueError, AttributeError):
        pass
    raise InputError(
        f'column {column} says {text[:60]!r}; want JSON such as {{"data set": ["subject", …]}}, '
        '"unknown", or nothing where nobody was trained on'
    )


def _chosen(heads: Any, classification: bool) -> dict[str, Any]:
    """Heads by name, the dummies first."""
    known = HEADS if classification else HEADS_REGRESSION
    dummies = DUMMIES if classification else DUMMIES_REGRESSION
    if isinstance(heads, Mapping):
        return {**dummies, **heads}
    if isinstance(heads, str):
        heads = list(known) if heads == "all" else [heads]
    elif not isinstance(heads, Sequence):
        heads = [heads]
    chosen = dict(dummies)
    for head in heads:
        if not isinstance(head, str):
            chosen[_free_name(type(head).__name__, chosen)] = head
        elif head in known:
            chosen[head] = known[head]
        elif head not in dummies:
            raise InputError(f"unknown head {head!r}; known: {', '.join([*known, *dummies])}")
    return chosen


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """The name, numbered where it is taken: two estimators of one class are two heads."""
    numbered = (f"{name}_{k}" for k in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def _jobs(
    table: pd.DataFrame,
    inputs: Matrix,
    y: np.ndarray,
    fold: Fold,
    heads: Mapping[str, Any],
    classes: int,
    seed: int,
) -> list[_Job]:
    measured = np.array([name not in QUALITY for name in inputs.names])
    usable = np.isfinite(inputs.X[:, : inputs.n_features][:, measured]).any(axis=1)
    groups = people(table).to_numpy()
    return [
        _Job(name, head, inputs, y, groups, fold[0], fold[1], usable, classes, seed)
        for name, head in heads.items()
    ]


def _run(job: _Job) -> tuple[np.ndarray, np.ndarray]:
    """Fit on the training people; predictions and class probabilities of the tested rows."""
    train = job.train[job.usable[job.train]]
    y = job.y[train].astype(int) if job.classes else job.y[train]
    whole = job.y[job.train]
    common = float(np.bincount(whole.astype(int)).argmax()) if job.classes else float(whole.mean())
    said = np.full(len(job.test), common)
    shares = np.array([(whole == k).mean() for k in range(job.classes)])
    chances = np.tile(shares, (len(job.test), 1))
    seen = job.usable[job.test]
    if len(train) and seen.any() and (not job.classes or len(np.unique(y)) > 1):
        head = fit_on(
            job.head, job.inputs, train, y, groups=job.groups[train], random_state=job.seed
        )
        rows = job.inputs.X[job.test[seen]]
        said[seen] = head.predict(rows)
        if job.classes and hasattr(head, "predict_proba"):
            chances[seen] = 0.0
            found = head.predict_proba(rows)
            chances[np.ix_(seen, head.classes_.astype(int))] = found
        elif job.classes:
            chances[seen] = np.nan
    return said, chances


def _said(
    table: pd.DataFrame, job: _Job, task: Task, said: tuple[np.ndarray, np.ndarray]
) -> pd.DataFrame:
    """One row a tested window: who, when, the truth, what the head said."""
    import pandas as pd

    predicted, chances = said
    part = table.iloc[job.test]
    out = pd.DataFrame(
        {
            "target": task.target,
            "head": job.name,
            "subject": people(part).to_numpy(),
            "row": job.test,
            "truth": job.y[job.test],
            "predicted": predicted,
            "has_features": job.usable[job.test],
        }
    )
    for k in range(job.classes):
        out[f"p_{k}"] = chances[:, k]
    return out


def _scores(part: pd.DataFrame, job: _Job, classification: bool) -> list[dict[str, Any]]:
    """The scores of each tested person."""
    rows = []
    for subject, own in part.groupby("subject", sort=True):
        truth, said = own["truth"].to_numpy(), own["predicted"].to_numpy()
        row: dict[str, Any] = {
            "subject": subject,
            "n": len(own),
            "n_train": int(job.usable[job.train].sum()),
            "coverage": float(own["has_features"].mean()),
        }
        if classification:
            row |= _class_scores(truth, said, own["p_1"].to_numpy(), job.classes)
        else:
            row |= {name: getattr(metrics, name)(truth, said) for name in NUMBER_SCORES}
        rows.append(row)
    return rows


def _class_scores(
    truth: np.ndarray, said: np.ndarray, chance: np.ndarray, classes: int
) -> dict[str, float]:
    scores = {name: getattr(metrics, name)(truth, said) for name in CLASS_SCORES[:2]}
    scores["auroc"] = metrics.auroc(truth, chance) if classes == 2 else float("nan")
    scores["mcc"] = metrics.mcc(truth, said)
    scores["ece"] = metrics.ece(truth, chance) if classes == 2 else float("nan")
    return scores
