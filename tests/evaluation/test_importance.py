"""A head loses what it uses, and nothing else."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

import emotion_rppg
from emotion_rppg.emotion import HEADS
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.evaluation.importance import (
    exchange_columns,
    group_of,
    groups_of,
    head_to_explain,
)
from emotion_rppg.evaluation.jobs import Job, run_job
from emotion_rppg.features import hrv, morphology

from .test_evaluation import QUICK, study

evaluate = partial(emotion_rppg.evaluate, permutations=0)  # scores alone


def drops(table: pd.DataFrame, **options) -> pd.Series:
    drops_by_group = evaluate(table, target="arousal", heads=QUICK, importance=5, **options)
    return drops_by_group.importance.groupby("group")["drop"].mean()


@pytest.mark.slow
def test_the_informative_group_has_the_largest_drop() -> None:
    quality = {"extra_features": ("quality",)}
    lost = drops(study(effect=8.0), **quality)
    assert lost["heart rate"] > 0.2
    assert abs(lost["variability in time"]) < 0.05
    assert abs(lost["signal quality"]) < 0.05
    assert "signal quality" not in drops(study(effect=8.0), ablate=("quality",), **quality)


@pytest.mark.slow
def test_importance_changes_no_score_and_is_reproducible() -> None:
    table = study(4, effect=8.0)
    results = evaluate(table, target="arousal", heads=QUICK, importance=2)
    again = evaluate(table, target="arousal", heads=QUICK, importance=2)
    assert results.scores.equals(evaluate(table, target="arousal", heads=QUICK).scores)
    pd.testing.assert_frame_equal(again.importance, results.importance)


def test_columns_of_every_family_have_a_group() -> None:
    names = [*hrv.COLUMNS, *morphology.COLUMNS]
    assert "other columns" not in {group_of(name) for name in names}
    assert group_of("rmssd_ms_vs_baseline") == group_of("rmssd_ms")


@pytest.fixture
def job() -> Job:
    from emotion_rppg.emotion.design_matrix import matrix

    table = study(3).assign(seq_ibi_ms="800 810 790")
    inputs, n = matrix(table), len(table)
    rows = np.arange(n)
    y = (table["label_arousal"] > 5).to_numpy(float)
    groups = table["subject"].to_numpy()
    return Job("a", DummyClassifier(), inputs, y, groups, rows, rows, rows >= 0, 2, 0)


def test_values_are_exchanged_within_a_person_and_a_group_alone(job) -> None:
    columns = groups_of(job.inputs)["heart rate"]
    X, made = job.inputs.X, exchange_columns(job, columns, np.random.default_rng(0)).inputs.X
    np.testing.assert_array_equal(np.delete(made, columns, 1), np.delete(X, columns, 1))
    assert (made[:, columns] != X[:, columns]).any()
    for name in np.unique(job.groups):
        own = job.groups == name
        np.testing.assert_array_equal(
            np.sort(made[own][:, columns], axis=0), np.sort(X[own][:, columns], axis=0)
        )


def test_every_column_is_in_one_group(job) -> None:
    groups = groups_of(job.inputs)
    assert sorted(np.concatenate(list(groups.values()))) == list(range(job.inputs.X.shape[1]))
    assert len(groups["beat sequence"]) == job.inputs.longest * job.inputs.n_token_channels


def test_a_network_or_a_dummy_is_not_explained(job) -> None:
    from dataclasses import replace

    near = OnFeatures(KNeighborsClassifier())
    jobs = [
        replace(job, name=name, head=head)
        for name, head in {"majority": job.head, "lstm": HEADS["lstm"], "near": near}.items()
    ]
    assert head_to_explain(jobs) == "near"
    assert head_to_explain(jobs[:2]) is None
    assert head_to_explain(jobs, ["", "lstm", "near", "near"]) == "near"
    assert len(run_job(job).predicted) == len(job.test)
