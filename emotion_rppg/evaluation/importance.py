"""Permutation importance of groups of features, on held-out people (Breiman 2001).

The importance of a group is the score that a head loses when the group's values are exchanged
between the tested windows of one person. The head of each fold is not fitted again. Columns that
carry nearly the same information (heart rate and mean interval) are exchanged together, since the
head could replace one by the other. Differences between people remain, so that the importance
measures what the head uses to distinguish one person's windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from emotion_rppg import metrics
from emotion_rppg.emotion.design_matrix import Matrix
from emotion_rppg.emotion.nested_selection import Selected
from emotion_rppg.emotion.persistence import has_network
from emotion_rppg.evaluation.jobs import Job, fit_job, predict_fold
from emotion_rppg.evaluation.statistics import BASELINES
from emotion_rppg.runtime.parallel import map_in_order
from emotion_rppg.windows import EMBEDDING

SEQUENCE_OF_BEATS = "beat sequence"


def group_of(name: str) -> str:
    """Return the group of columns that a feature is exchanged with: that of its `Column` record.

    Examples
    --------
    >>> group_of("mean_nn_ms"), group_of("hf_ms2"), group_of("skin_conductance")
    ('heart rate', 'spectrum, breathing', 'other columns')
    """
    from emotion_rppg.features import column

    if name.startswith(EMBEDDING):
        return "embedding"
    known = column(name)
    return "other columns" if known is None else known.group


def groups_of(inputs: Matrix) -> dict[str, np.ndarray]:
    """Map each group to the numbers of its columns in ``inputs.X``; beat tokens are one group."""
    groups: dict[str, list[int]] = {}
    for k, name in enumerate(inputs.names):
        groups.setdefault(group_of(name), []).append(k)
    tokens = list(range(inputs.n_features, inputs.X.shape[1]))
    return {n: np.array(k) for n, k in {**groups, SEQUENCE_OF_BEATS: tokens}.items() if k}


def head_to_explain(jobs: Sequence[Job], chosen: Sequence[str] = ()) -> str | None:
    """Name the head whose importance is computed; None where there is no suitable one.

    It is the head that ``selected`` chose most often, else the first one that is no network.
    Networks would have to be fitted once more for each fold, and dummies use no feature.
    """
    names = dict.fromkeys(job.name for job in jobs)
    for name, _ in Counter(name for name in chosen if name in names).most_common(1):
        return name
    heads = {job.name: job.head for job in jobs if job.name not in BASELINES}
    candidates = (n for n, h in heads.items() if not isinstance(h, Selected) and not has_network(h))
    return next(candidates, None)


def score_drops(
    jobs: Sequence[Job], *, repeats: int, workers: int = 1, scheduler: str | None = None
) -> list[dict[str, Any]]:
    """Compute by how much each person's score drops without each group of features.

    ``jobs`` are all folds of one head.

    Returns
    -------
    list of dict
        ``subject, group, drop``: balanced accuracy (CCC of numbers) over the person's windows,
        less that with the group exchanged, mean over the repeats.
    """
    calls = ((job, repeats) for job in jobs)
    score = metrics.balanced_accuracy if jobs[0].classes else metrics.ccc
    results = list(
        map_in_order(_predict_with_exchanges, calls, workers=workers, scheduler=scheduler)
    )
    rows = np.concatenate([job.test for job in jobs])
    truth, person = jobs[0].y[rows], jobs[0].groups[rows]
    unchanged = np.concatenate([plain for plain, _ in results])
    drops = []
    for group in groups_of(jobs[0].inputs):
        exchanged = np.concatenate([by_group[group] for _, by_group in results], axis=1)
        for name in np.unique(person):
            own = person == name
            if len(np.unique(truth[own])) < 2:
                continue  # a person of one class has no score
            without = [score(truth[own], predicted[own]) for predicted in exchanged]
            drop = score(truth[own], unchanged[own]) - np.mean(without)
            drops.append({"subject": name, "group": group, "drop": float(drop)})
    return drops


def _predict_with_exchanges(job: Job, repeats: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Predict the tested rows as they are, (n,), and with each group exchanged, (repeats, n)."""
    head = fit_job(job)
    out = {}
    for number, (group, columns) in enumerate(groups_of(job.inputs).items()):
        draw = np.random.default_rng([job.seed, number])
        changed = (exchange_columns(job, columns, draw) for _ in range(repeats))
        out[group] = np.stack([predict_fold(head, each).predicted for each in changed])
    return predict_fold(head, job).predicted, out


def exchange_columns(job: Job, columns: np.ndarray, draw: np.random.Generator) -> Job:
    """Exchange the values of those columns between the tested windows of each person."""
    X = job.inputs.X.copy()
    tested = job.test[job.usable[job.test]]
    for name in np.unique(job.groups[tested]):
        own = tested[job.groups[tested] == name]
        X[np.ix_(own, columns)] = X[np.ix_(draw.permutation(own), columns)]
    return replace(job, inputs=replace(job.inputs, X=X))
