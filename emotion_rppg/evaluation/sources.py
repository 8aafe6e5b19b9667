"""Compare sources (pulse, EDA …): the same heads on each alone, on all, and on all without one.

Every head is fitted on the same folds with the features of each set of sources:

- **alone**: one source;
- **early** fusion: the columns of several sources side by side, one head;
- **late** fusion: one head for each source, and the mean of their probabilities (of their
  predictions, for numbers), each source with the same weight.

A network reads the sequences of its sources beside their features: the beats, and the samples of
sensors (`emotion_rppg.features.sensor_sequences`), with one encoder for each source
(`emotion_rppg.emotion.deep.grouped`).

There are two sets of windows:

- ``"shared"``: training and test consist of the windows in which *all* sources are trusted. All
  models see the same windows, so that they differ by their features alone. Tests are on these.
- ``"all"``: every window is scored. A model is trained on the windows in which its own sources are
  trusted. Where one of them is not, early fusion predicts nothing; late fusion averages the sources
  that are trusted, and a network with several encoders predicts from the sources that are trusted.
  A window without a prediction does not count (`evaluation.scoring`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.deep.net import reads_sequences
from emotion_rppg.emotion.design_matrix import Matrix, side_by_side
from emotion_rppg.emotion.tasks import class_names
from emotion_rppg.evaluation.jobs import FoldPrediction, Job
from emotion_rppg.evaluation.plans import Plan, usable_rows
from emotion_rppg.evaluation.scoring import predictions, scores_of_people
from emotion_rppg.evaluation.statistics import BASELINES
from emotion_rppg.features import sensor_sequences
from emotion_rppg.features.family import PULSE
from emotion_rppg.features.sensor_sequences import COLUMN_OF
from emotion_rppg.features.sources import of_kinds
from emotion_rppg.windows import SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

SHARED, ALL = "shared", "all"
ALONE, EARLY, LATE = "alone", "early", "late"
JOIN = "+"  # between the names of sources: bvp+eda
Run = Callable[[list[Job]], list[FoldPrediction]]
Names = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Fit:
    """One head on the features of some sources and on one set of windows: its jobs."""

    sources: Names
    jobs: list[Job]


def compare_sources(
    plans: Sequence[Plan],
    table: pd.DataFrame,
    inputs: Matrix,
    sources: Mapping[str, str],
    *,
    sequences: Mapping[str, Matrix],
    run: Run,
) -> list[dict[str, Any]]:
    """Score each head on each set of sources: one row per model and person.

    Parameters
    ----------
    inputs : Matrix
        Features of all sources, normalised.
    sources : mapping
        Name of each source to its kind of signal.
    sequences : mapping
        Kind of signal to its features and its samples as tokens, normalised (`with_sequence`).
    run : function
        Runs jobs and returns their predictions in order.

    Returns
    -------
    list of dict
        ``target, head, windows, fusion, sources`` and the scores of `scores_of_people`.
    """
    parts = {
        names: select_kinds(inputs, [sources[name] for name in names])
        for names in _fitted_sets(tuple(sources))
    }
    trusted = {name: usable_rows(parts[name,], table) for name in sources}
    encoded = {
        names: own
        for names, part in parts.items()
        if (own := _encoded(part, [sequences.get(sources[name]) for name in names])) is not None
    }
    rows: list[dict[str, Any]] = []
    for plan in plans:
        heads = [name for name in dict.fromkeys(j.name for j in plan.jobs) if name not in BASELINES]
        for head in heads:
            jobs = [job for job in plan.jobs if job.name == head]
            joint = set(encoded) if reads_sequences(jobs[0].head) else set()
            read = {names: (encoded if names in joint else parts)[names] for names in parts}
            for windows in (SHARED, ALL):
                fits = list(_fits(jobs, read, trusted, windows, joint=joint))
                if fits:
                    facts = {"target": plan.task.target, "head": head, "windows": windows}
                    rows += [{**facts, **row} for row in _scores(fits, plan, table, run)]
    return rows


def _fitted_sets(names: Names) -> list[Names]:
    """List the sets of sources that heads are fitted on: each, all, and all without one."""
    each = [(name,) for name in names]
    without = [tuple(n for n in names if n != name) for name in names]
    return list(dict.fromkeys([*each, names, *without]))


def select_kinds(inputs: Matrix, kinds: Sequence[str]) -> Matrix:
    """Select the columns and tokens that need no other kind of signal than these."""
    columns = [k for k, name in enumerate(inputs.names) if of_kinds(name, kinds)]
    tokens = inputs.X[:, inputs.n_features :] if PULSE in kinds else inputs.X[:, :0]
    has_tokens = tokens.shape[1] > 0
    return Matrix(
        np.hstack([inputs.X[:, columns], tokens]),
        n_features=len(columns),
        n_token_channels=inputs.n_token_channels if has_tokens else 0,
        names=tuple(inputs.names[k] for k in columns),
        channels=inputs.channels if has_tokens else (),
    )


def with_sequence(inputs: Matrix, table: pd.DataFrame, kind: str) -> Matrix | None:
    """Return a sensor's features with its samples as tokens; None if the table has no sequence."""
    if kind not in COLUMN_OF:
        return None
    tokens = sensor_sequences.tokens(table, kind)
    if not tokens.shape[1]:
        return None
    part = select_kinds(inputs, [kind])
    channel = COLUMN_OF[kind][0].removeprefix(SEQUENCE)
    return Matrix(
        np.hstack([part.X, tokens.reshape(len(tokens), -1)]),
        n_features=part.n_features,
        n_token_channels=1,
        names=part.names,
        channels=(channel,),
    )


def _encoded(part: Matrix, sensors: Sequence[Matrix | None]) -> Matrix | None:
    """Put the tokens of several sources side by side, each of one length; None without sensors.

    The length of a source is the one that nine of ten of its windows reach, so that the number of
    beats carries no information. A source without tokens in a row is NaN there.
    """
    own = [sensor for sensor in sensors if sensor is not None]
    if not own:
        return None
    groups = [(part.tokens, part.channels)] if part.longest else []
    groups += [(sensor.tokens, sensor.channels) for sensor in own]
    tokens = side_by_side([tokens for tokens, _ in groups])
    return Matrix(
        np.hstack([part.X[:, : part.n_features], tokens.reshape(len(tokens), -1)]),
        n_features=part.n_features,
        n_token_channels=tokens.shape[2],
        names=part.names,
        channels=tuple(name for _, channels in groups for name in channels),
    )


def _fits(
    jobs: Sequence[Job],
    parts: Mapping[Names, Matrix],
    trusted: Mapping[str, np.ndarray],
    windows: str,
    *,
    joint: Collection[Names],
) -> Iterator[_Fit]:
    """Make the jobs of one head for each set of sources; none if there is nothing to compare.

    Models on ``joint`` sets predict a window from any trusted source; they are trained on windows
    with all of them, so that they cannot learn from which source is missing.
    """
    shared = np.all(list(trusted.values()), axis=0)
    tested = [job.test[shared[job.test]] if windows == SHARED else job.test for job in jobs]
    if windows == SHARED and not _comparable(jobs, shared):
        return
    for names, inputs in parts.items():
        each = [trusted[name] for name in names]
        own = shared if windows == SHARED else np.all(each, axis=0)
        tested_by = np.any(each, axis=0) if windows == ALL and names in joint else own
        yield _Fit(
            names,
            [
                replace(
                    job,
                    name=f"{job.name} on {JOIN.join(names)}",
                    inputs=inputs,
                    usable=_usable(own, tested_by, test),
                    test=test,
                )
                for job, test in zip(jobs, tested, strict=True)
                if len(test)
            ],
        )


def _usable(trained: np.ndarray, tested: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Mark the rows to train on and, among the tested rows, those to predict, bool (n,)."""
    out = trained.copy()
    out[test] = tested[test]
    return out


def _comparable(jobs: Sequence[Job], shared: np.ndarray) -> bool:
    """Tell whether two people are tested on shared windows, by heads that know two classes."""
    first = jobs[0]
    tested = np.concatenate([job.test[shared[job.test]] for job in jobs])
    fitted = [job.y[job.train[shared[job.train]]] for job in jobs]
    learnable = any(len(np.unique(y)) > 1 for y in fitted)
    return learnable and len(set(first.groups[tested])) > 1


def _scores(
    fits: Sequence[_Fit], plan: Plan, table: pd.DataFrame, run: Run
) -> Iterator[dict[str, Any]]:
    """Run the fits of one head on one set of windows; yield the scores of each model and person."""
    import pandas as pd

    results = iter(run([job for fit in fits for job in fit.jobs]))
    predicted: dict[Names, pd.DataFrame] = {}
    for fit in fits:
        tables = [predictions(table, job, plan.task, next(results)) for job in fit.jobs]
        predicted[fit.sources] = pd.concat(tables, ignore_index=True)
    classes = class_names(table, plan.task)
    for fusion, names, own in _models(predicted, len(classes)):
        facts = {"fusion": fusion, "sources": JOIN.join(names)}
        yield from ({**facts, **scores} for scores in scores_of_people(own, classes))


def _models(
    predicted: Mapping[Names, pd.DataFrame], classes: int
) -> Iterator[tuple[str, Names, pd.DataFrame]]:
    """List fusion, sources and predictions of each model, those of late fusion included."""
    for names, own in predicted.items():
        yield (EARLY if len(names) > 1 else ALONE), names, own
    for names in (names for names in predicted if len(names) > 1):
        fused = late_fusion([predicted[name,] for name in names], classes)
        if fused is not None:
            yield LATE, names, fused


def late_fusion(parts: Sequence[pd.DataFrame], classes: int) -> pd.DataFrame | None:
    """Average the predictions of one head on several sources, window by window.

    A source that is not trusted in a window (``has_features``) does not count there; where none is,
    the prediction is empty.

    Parameters
    ----------
    parts : sequence of DataFrame
        Rows of `predictions`, of the same windows in the same order.
    classes : int
        Number of classes; 0 for numbers.

    Returns
    -------
    DataFrame, or None if the head gives no probabilities.
    """
    present = np.stack([part["has_features"].to_numpy(bool) for part in parts])
    known = np.asarray(present.any(axis=0))
    weight = present.astype(float)[:, :, None]
    columns = [f"p_{k}" for k in range(classes)] if classes else ["predicted"]
    values = np.stack([part[columns].to_numpy(float) for part in parts])
    values = np.where(weight > 0, values, 0.0)
    if not np.isfinite(values).all():
        return None
    mean = np.where(known[:, None], values.sum(axis=0) / np.maximum(weight.sum(axis=0), 1), np.nan)
    fused = parts[0].assign(has_features=known)
    fused[columns] = mean
    if classes:
        fused["predicted"] = np.where(known, values.sum(axis=0).argmax(axis=1), np.nan)
    good = [part["good_quality"].to_numpy(bool) for part in parts]
    return fused.assign(good_quality=np.any(good, axis=0))
