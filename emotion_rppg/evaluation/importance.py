"""What a head uses: the score it loses when a group of columns means nothing in the test.

Permutation importance (Breiman 2001) on people the head never saw: the head of each fold stays as
it was fitted, and a group's values are exchanged between the tested windows of one person. Columns
that say nearly the same (rate and mean interval) are exchanged together: one by one, each would
be made up for by the others. Levels that differ between people stay, so that what is measured is
what the head uses to tell one person's windows apart.
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
from emotion_rppg.evaluation.jobs import Job, fitted, predict_fold
from emotion_rppg.evaluation.statistics import BASELINES
from emotion_rppg.runtime.parallel import map_in_order
from emotion_rppg.windows import EMBEDDING

SEQUENCE_OF_BEATS = "beat sequence"


def group_of(name: str) -> str:
    """The group of columns that a feature is exchanged with: that of its `Column` record.

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
    """Group to the numbers of its columns in ``inputs.X``; the beat tokens are one group."""
    found: dict[str, list[int]] = {}
    for k, name in enumerate(inputs.names):
        found.setdefault(group_of(name), []).append(k)
    tokens = list(range(inputs.n_features, inputs.X.shape[1]))
    return {n: np.array(k) for n, k in {**found, SEQUENCE_OF_BEATS: tokens}.items() if k}


def explained(jobs: Sequence[Job], chosen: Sequence[str] = ()) -> str | None:
    """The head to explain: what `selected` chose most often, else the first that is no network.

    Networks would be fitted once more for each fold; dummies use nothing.
    """
    names = dict.fromkeys(job.name for job in jobs)
    for name, _ in Counter(name for name in chosen if name in names).most_common(1):
        return name
    heads = {job.name: job.head for job in jobs if job.name not in BASELINES}
    able = (n for n, h in heads.items() if not isinstance(h, Selected) and not has_network(h))
    return next(able, None)


def losses(
    jobs: Sequence[Job], *, repeats: int, workers: int = 1, scheduler: str | None = None
) -> list[dict[str, Any]]:
    """What each person's score loses without each group, of all the folds of one head.

    Returns
    -------
    list of dict
        ``subject, group, drop``: balanced accuracy (CCC of numbers) over the person's windows,
        less that with the group exchanged, mean over the repeats.
    """
    calls = ((job, repeats) for job in jobs)
    score = metrics.balanced_accuracy if jobs[0].classes else metrics.ccc
    found = list(map_in_order(_with_exchanges, calls, workers=workers, scheduler=scheduler))
    rows = np.concatenate([job.test for job in jobs])
    truth, person = jobs[0].y[rows], jobs[0].groups[rows]
    whole = np.concatenate([plain for plain, _ in found])
    drops = []
    for group in groups_of(jobs[0].inputs):
        exchanged = np.concatenate([each[group] for _, each in found], axis=1)
        for name in np.unique(person):
            own = person == name
            if len(np.unique(truth[own])) < 2:
                continue  # of one class: nothing to tell apart
            less = [score(truth[own], said[own]) for said in exchanged]
            drop = score(truth[own], whole[own]) - np.mean(less)
            drops.append({"subject": name, "group": group, "drop": float(drop)})
    return drops


def _with_exchanges(job: Job, repeats: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What a fold's head says of its tested rows, and of them with each group exchanged.

    (n,), and for each group (repeats, n).
    """
    head = fitted(job)
    out = {}
    for number, (group, columns) in enumerate(groups_of(job.inputs).items()):
        draw = np.random.default_rng([job.seed, number])
        said = [predict_fold(head, exchanged(job, columns, draw)).predicted for _ in range(repeats)]
        out[group] = np.stack(said)
    return predict_fold(head, job).predicted, out


def exchanged(job: Job, columns: np.ndarray, draw: np.random.Generator) -> Job:
    """The job with those columns exchanged between the tested windows of each person."""
    X = job.inputs.X.copy()
    tested = job.test[job.usable[job.test]]
    for name in np.unique(job.groups[tested]):
        own = tested[job.groups[tested] == name]
        X[np.ix_(own, columns)] = X[np.ix_(draw.permutation(own), columns)]
    return replace(job, inputs=replace(job.inputs, X=X))
