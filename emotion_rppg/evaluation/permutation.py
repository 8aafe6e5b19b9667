"""p values by label permutation: the null distribution of an evaluation's score.

**What is permuted.** Labels are exchanged between the trials of one person, or between runs of
equal label within a trial, never between windows. Windows of one trial resemble each other, and a
null distribution that ignores this calls unrelated labels significant (Harris 2020, Nonsense
correlations in neuroscience). Labels that never vary inside a person are exchanged between people.

**How the score under the null is computed.** There are two tests, both exact under the null:

- **refit**, for heads that are fitted in milliseconds: every fold is fitted afresh on permuted
  labels. It would not be enough to permute labels against the existing predictions: in
  cross-validation each person's predictions depend on the labels of the others, so the scores of
  people are correlated, and their mean varies more than such a null distribution (on 123 tables of
  noise `benchmarks.noise` found 7.0 % of its p values at or below .05, and 2.2 % with refits).
  Three defaults limit the cost. Permutations end as soon as ``ENOUGH`` of them score as high as
  the true labels (Besag and Clifford 1991): a head at chance needs some 20–40, a head far above
  chance ``PERMUTATIONS``. Folds that leave one person out are joined into at most ``FOLDS``, for
  the true and the permuted labels alike: one permutation of 40 people costs 5 fits instead of 40.
  Calibration of probabilities is omitted, since the score does not depend on it.
- **forward**, for networks, ensembles of trees and inner selection, whose refits would take
  hours: people are assigned at random to ``BLOCKS`` blocks. Each block but the first is predicted
  by a head fitted on the blocks before it, which costs four more fits in all. Within a block, the
  permutation of labels against predictions is exact, since the head was fitted without these
  labels. The p values of the blocks are independent, and Fisher's method combines them. Labels
  that never vary inside a person are tested with two blocks. The heads are fitted on fewer people
  than in the evaluation, so this test has less power.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV

from emotion_rppg.emotion.calibration import Platt
from emotion_rppg.emotion.design_matrix import Matrix
from emotion_rppg.emotion.ensemble import CompositeHead
from emotion_rppg.emotion.wrappers import Calibrated, EqualPriors, OnFeatures
from emotion_rppg.evaluation.jobs import Job, fit_job, run_job
from emotion_rppg.evaluation.scoring import group_score
from emotion_rppg.evaluation.splits import unit_names
from emotion_rppg.runtime.parallel import map_in_order
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

PERMUTATIONS = 249  # most refits of a head: 12 heads with Holm's correction can still reach .05
ENOUGH = 10  # permutations that score as high as the true labels, after which a default run stops
FOLDS = 5  # most folds of people in a default run
BLOCKS = 5
FORWARD_PERMUTATIONS = 999  # of labels against predictions, without a fit
_SLOW_MODULES = ("sklearn.ensemble", "sklearn.model_selection")  # hundreds of trees, searches
_OF_PROBABILITIES = (Platt, Calibrated, CalibratedClassifierCV)  # wrappers that only calibrate

Permute = Callable[[np.random.Generator], np.ndarray]


def permuter(y: np.ndarray, table: pd.DataFrame, *, over_people: bool = False) -> Permute:
    """Make a function that permutes labels ``y`` between blocks of each person, or between people.

    A block is a run of equal values within one trial. Numbers that change within trials have no
    blocks: each person's series is rotated by a random offset, so that it stays equally smooth.
    With ``over_people`` the single label of each person is assigned to another person.
    """
    person = people(table).to_numpy()
    if over_people:
        return _between_people(y, person)
    trial = unit_names(table, "trial")
    start = table["start_s"].to_numpy(dtype=float)
    first_seen = {name: k for k, name in reversed(list(enumerate(trial)))}
    order = np.lexsort((start, [first_seen[name] for name in trial]))
    order = order[np.isfinite(y[order])]
    smooth = _changes_inside(y, trial, order)
    parts = []
    for name in np.unique(person[order]):
        rows = order[person[order] == name]
        begins = np.r_[True, (trial[rows][1:] != trial[rows][:-1]) | (np.diff(y[rows]) != 0)]
        parts.append((rows, begins, np.cumsum(begins) - 1))

    def permute(draw: np.random.Generator) -> np.ndarray:
        out = y.copy()
        for rows, begins, block in parts:
            if smooth:
                out[rows] = np.roll(y[rows], draw.integers(len(rows)))
            else:
                out[rows] = draw.permutation(y[rows][begins])[block]
        return out

    return permute


def _between_people(y: np.ndarray, person: np.ndarray) -> Permute:
    rows = np.flatnonzero(np.isfinite(y))
    _, first, codes = np.unique(person[rows], return_index=True, return_inverse=True)
    labels = y[rows][first]

    def permute(draw: np.random.Generator) -> np.ndarray:
        out = y.copy()
        out[rows] = draw.permutation(labels)[codes]
        return out

    return permute


def _changes_inside(y: np.ndarray, trial: np.ndarray, order: np.ndarray) -> bool:
    """Tell whether labels change continuously: most neighbouring windows of a trial differ."""
    same_trial = trial[order][1:] == trial[order][:-1]
    differ = np.diff(y[order])[same_trial] != 0
    return bool(len(differ)) and float(differ.mean()) > 0.5


def is_slow(head: Any) -> bool:
    """Tell whether hundreds of refits would take hours: a network, trees or inner selection."""
    from emotion_rppg.emotion.persistence import has_network

    kinds = [type(part) for part in (head, *head.get_params().values())]
    many = any(kind.__module__.startswith(_SLOW_MODULES) for kind in kinds)
    return many or any(issubclass(kind, CompositeHead) for kind in kinds) or has_network(head)


def without_calibration(head: Any) -> Any:
    """Return the head inside wrappers that only calibrate probabilities."""
    while isinstance(head, _OF_PROBABILITIES):
        head = head.estimator
    return head


def preprocess_once(job: Job) -> Job:
    """Impute and scale a job's features once for all refits.

    Both steps depend on the training rows and on no label, so a refit gives the same predictions.
    Where the predictions would differ, or the head does neither, the job is returned unchanged.
    """
    head = fit_job(job)
    inner = head.estimator_ if isinstance(head, EqualPriors) else head
    if not isinstance(inner, OnFeatures) or not hasattr(inner, "pipeline_"):
        return job
    try:
        scaled = inner.pipeline_[:-1].transform(job.inputs.X[:, : inner.n_features])
    except ValueError:  # the head was made for other columns
        return job
    plain = clone(inner.pipeline_[-1])
    inputs = Matrix(scaled, scaled.shape[1], 0, tuple(map(str, range(scaled.shape[1]))))
    head = EqualPriors(plain) if isinstance(head, EqualPriors) else plain
    preprocessed = replace(job, head=head, inputs=inputs)
    same = np.array_equal(run_job(preprocessed).predicted, run_job(job).predicted)
    return preprocessed if same else job


def joined(jobs: Sequence[Job], *, seed: int) -> list[Job]:
    """Join the folds of one head at random into ``FOLDS`` folds of people.

    A joined fold is trained on the rows that are in the training of all its parts. Folds that do
    not keep people apart are returned unchanged.
    """
    if len(jobs) <= FOLDS or not _keep_people_apart(jobs):
        return list(jobs)
    order = np.random.default_rng([seed, len(jobs)]).permutation(len(jobs))
    out = []
    for part in np.array_split(order, FOLDS):
        train = reduce(np.intersect1d, [jobs[k].train for k in part])
        test = np.concatenate([jobs[k].test for k in part])
        out.append(replace(jobs[part[0]], train=train, test=test))
    return out


def _keep_people_apart(jobs: Sequence[Job]) -> bool:
    return not any(set(job.groups[job.train]) & set(job.groups[job.test]) for job in jobs)


def permutation_test(
    jobs: Sequence[Job],
    table: pd.DataFrame,
    *,
    permutations: int | None,
    over_people: bool,
    seed: int,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Test one head by label permutation; ``jobs`` are its folds.

    Parameters
    ----------
    permutations : int or None
        Number of refits. None: the default test of the head, ``"forward"`` for slow heads.

    Returns
    -------
    dict
        ``observed`` score; ``score`` under permuted labels, (permutations,); ``p``; ``test``,
        ``"refit"`` or ``"forward"``. p is NaN where the default cannot test: a slow head on a
        split within people.
    """
    run: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
    plain = [replace(job, head=without_calibration(job.head)) for job in jobs]
    if permutations is None and is_slow(plain[0].head):
        return forward_test(plain, table, over_people=over_people, seed=seed, **run)
    plain = joined(plain, seed=seed) if permutations is None else plain
    plain = [preprocess_once(job) for job in plain]
    observed = _score_of(plain, plain[0].y, over_people)
    null = null_scores(
        plain,
        table,
        permutations=PERMUTATIONS if permutations is None else permutations,
        over_people=over_people,
        enough=(observed, ENOUGH) if permutations is None else None,
        seed=seed,
        progress=progress,
        **run,
    )
    stopped = permutations is None and len(null) < PERMUTATIONS
    p = float(np.mean(null >= observed - 1e-12)) if stopped else p_value(observed, null)
    return {"observed": observed, "score": null, "p": p, "test": "refit"}


def null_scores(
    jobs: Sequence[Job],
    table: pd.DataFrame,
    *,
    permutations: int,
    seed: int,
    over_people: bool = False,
    enough: tuple[float, int] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Score one head on each permutation of the labels, (permutations,).

    Folds, features and seeds are those of the true labels; the head is fitted afresh. ``enough``,
    (score, times): stop when so many permutations have reached the score.
    """
    permute = permuter(jobs[0].y, table, over_people=over_people)
    labels = (permute(np.random.default_rng([seed, k])) for k in range(permutations))
    calls = ((list(jobs), y, over_people) for y in labels)
    out: list[float] = []
    for score in map_in_order(_score_of, calls, workers=workers, scheduler=scheduler):
        out.append(score)
        if progress is not None:
            progress(len(out), permutations)
        if enough is not None and sum(s >= enough[0] - 1e-12 for s in out) >= enough[1]:
            break
    return np.array(out)


def _score_of(jobs: list[Job], y: np.ndarray, over_people: bool) -> float:
    rows = np.concatenate([job.test for job in jobs])
    predicted = np.concatenate([run_job(replace(job, y=y)).predicted for job in jobs])
    first = jobs[0]
    return group_score(
        y[rows],
        predicted,
        first.groups[rows],
        classes=first.classes,
        over_people=over_people,
        usable=first.usable[rows],
    )


def forward_test(
    jobs: Sequence[Job],
    table: pd.DataFrame,
    *,
    over_people: bool,
    seed: int,
    workers: int = 1,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Test blocks of people by heads fitted on the blocks before them (see the module).

    The observed score is the mean over the blocks. p is NaN where folds do not keep people apart.
    """
    no_result = {"observed": float("nan"), "score": np.array([np.nan]), "p": float("nan")}
    if not _keep_people_apart(jobs):
        return {**no_result, "test": "none: the split is within people"}
    chain = forward_jobs(jobs, seed=seed, over_people=over_people)
    calls = ((job,) for job in chain)
    predictions = map_in_order(run_job, calls, workers=workers, scheduler=scheduler)
    observed: list[float] = []
    nulls: list[np.ndarray] = []
    p: list[float] = []
    for number, (job, prediction) in enumerate(zip(chain, predictions, strict=True)):
        own = table.iloc[job.test]
        permute = permuter(job.y[job.test], own, over_people=over_people)
        draw = np.random.default_rng([seed, number])
        labels = (permute(draw) for _ in range(FORWARD_PERMUTATIONS))
        options: dict[str, Any] = {
            "classes": job.classes,
            "over_people": over_people,
            "usable": job.usable[job.test],
        }
        person = job.groups[job.test]
        score = group_score(job.y[job.test], prediction.predicted, person, **options)
        null = np.array([group_score(y, prediction.predicted, person, **options) for y in labels])
        if np.isfinite(score):
            observed, nulls = [*observed, score], [*nulls, null]
            p.append(p_value(score, null))
    if not p:
        return {**no_result, "test": "forward"}
    return {
        "observed": float(np.mean(observed)),
        "score": np.mean(nulls, axis=0),
        "p": fisher(np.array(p)),
        "test": "forward",
    }


def forward_jobs(jobs: Sequence[Job], *, seed: int, over_people: bool) -> list[Job]:
    """Make one job for each block of people but the first, trained on all blocks before it."""
    first = jobs[0]
    tested = np.unique(np.concatenate([job.test for job in jobs]))
    known = np.unique(np.concatenate([tested, *(job.train for job in jobs)]))
    draw = np.random.default_rng([seed, len(known)])
    names = draw.permutation(np.unique(first.groups[known]))
    if over_people:  # order people by class in turn, so that every block has each class
        label = {name: first.y[known][first.groups[known] == name][0] for name in names}
        turn = {v: iter(range(len(names))) for v in set(label.values())} if first.classes else {}
        names = np.array(sorted(names, key=lambda n: next(turn[label[n]]) if turn else 0))
    # a small block has few permutations of people's labels: test half of the people as one block
    blocks = np.array_split(names, min(2 if over_people else BLOCKS, len(names)))
    out = []
    for k in range(1, len(blocks)):
        train = known[np.isin(first.groups[known], np.concatenate(blocks[:k]))]
        test = tested[np.isin(first.groups[tested], blocks[k])]
        if len(test) and len(train):
            reference = train if first.reference is None else first.reference
            out.append(replace(first, train=train, test=test, reference=reference))
    return out


def fisher(p: np.ndarray) -> float:
    """Combine independent p values by Fisher's method (Fisher 1925)."""
    from scipy.stats import combine_pvalues

    return float(combine_pvalues(p, method="fisher").pvalue)


def p_value(observed: float, null: np.ndarray) -> float:
    """Compute p, the share of permutations that score at least as high as the true labels.

    The true labels count as one permutation, so that p is never zero. NaN where nothing was scored.
    """
    known = null[np.isfinite(null)]
    if not len(known) or not np.isfinite(observed):
        return float("nan")
    return float((1 + np.sum(known >= observed - 1e-12)) / (1 + len(known)))
