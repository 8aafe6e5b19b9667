"""The null: labels change places between blocks of a person, and p is what it says it is."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from emotion_rppg import evaluate
from emotion_rppg.evaluation.permutation import p_value, permuter
from emotion_rppg.evaluation.scoring import group_score
from emotion_rppg.evaluation.statistics import between_heads
from emotion_rppg.windows import people

NAMES = ("hr_bpm", "sdnn_ms", "rmssd_ms", "cvnn", "cvsd", "hf_ms2", "lf_ms2", "lf_hf")


def slow(draw, *, n_people=4, trials=8, windows=8, memory=0.97, features=2) -> pd.DataFrame:
    """Features that drift slowly through each person's trials; labels of trials at random."""
    rows = []
    for person in range(n_people):
        noise = draw.normal(size=(trials * windows, features))
        for k in range(1, len(noise)):
            noise[k] = memory * noise[k - 1] + np.sqrt(1 - memory**2) * noise[k]
        noise -= noise.mean(axis=0)
        stress = draw.permutation(np.arange(trials) % 2)
        rows += [
            {
                "dataset": "d",
                "subject": f"s{person}",
                "session": "1",
                "trial": f"{k // windows}",
                "start_s": 60.0 * (k % windows),
                "duration_s": 60.0,
                "label_stress": float(stress[k // windows]),
                "scale_stress": "0..1",
                **dict(zip(NAMES, noise[k], strict=False)),
            }
            for k in range(len(noise))
        ]
    return pd.DataFrame(rows)


class Nearest(ClassifierMixin, BaseEstimator):
    """The nearer of two class means: quick enough for hundreds of permutations.

    Knowing ``n_features`` it is given them as they are, not scaled.
    """

    def __init__(self, n_features=None):
        self.n_features = n_features

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == c].mean(axis=0) for c in self.classes_])
        return self

    def predict(self, X):
        return self.classes_[((X[:, None] - self.means_) ** 2).sum(axis=2).argmin(axis=1)]


def halves(table, *, seed=0):
    person = people(table).to_numpy()
    first = np.isin(person, np.unique(person)[: len(np.unique(person)) // 2])
    yield np.flatnonzero(first), np.flatnonzero(~first)
    yield np.flatnonzero(~first), np.flatnonzero(first)


def score(X, y, table) -> float:
    """What ``evaluate`` computes, without its care, for the null that is wrong."""
    predicted = np.empty(len(y))
    for train, test in halves(table):
        predicted[test] = Nearest().fit(X[train], y[train]).predict(X[test])
    own = people(table).to_numpy()
    return group_score(y, predicted, own, classes=2, over_people=False)


def null_p(table, shuffle, draw, n=19) -> float:
    X, y = table[list(NAMES[:2])].to_numpy(), table["label_stress"].to_numpy()
    null = np.array([score(X, shuffle(y, table, draw), table) for _ in range(n)])
    return p_value(score(X, y, table), null)


def permuted(y, table, draw):
    return permuter(y, table)(draw)


def windows_permuted(y, table, draw):
    out, person = y.copy(), people(table).to_numpy()
    for name in np.unique(person):
        out[person == name] = draw.permutation(out[person == name])
    return out


@pytest.mark.slow
def test_p_is_uniform_on_drifting_features_and_permuting_windows_would_not_be() -> None:
    draw = np.random.default_rng(1)
    tables = [slow(draw) for _ in range(40)]
    blocks = np.array([null_p(t, permuted, draw) for t in tables])
    windows = np.array([null_p(t, windows_permuted, draw) for t in tables])
    assert np.mean(blocks <= 0.05) <= 0.13
    assert 0.25 < np.mean(blocks <= 0.5) < 0.75
    assert np.mean(windows <= 0.05) > 0.17


def test_labels_are_exchanged_between_blocks_of_one_person() -> None:
    table = slow(np.random.default_rng(2))
    y = table["label_stress"].to_numpy().copy()
    y[:3] = np.nan
    moved = permuted(y, table, np.random.default_rng(0))
    assert np.isnan(moved).tolist() == np.isnan(y).tolist()
    assert not np.array_equal(moved[3:], y[3:])
    for rows in table.groupby([people(table), "trial"]).indices.values():
        assert len(np.unique(moved[rows][np.isfinite(moved[rows])])) == 1
    for rows in list(table.groupby("subject").indices.values())[1:]:
        assert moved[rows].sum() == y[rows].sum()


def test_runs_of_equal_label_within_a_trial_stay_together() -> None:
    table = slow(np.random.default_rng(3), n_people=2).assign(trial="1")
    table["start_s"] = 60.0 * (np.arange(len(table)) % 64)
    y = table["label_stress"].to_numpy()
    moved = permuted(y, table, np.random.default_rng(1))
    changes = np.flatnonzero(np.diff(moved[:64]) != 0) + 1
    assert set(changes) <= set(np.flatnonzero(np.diff(y[:64]) != 0) + 1)


def test_a_smooth_course_is_rotated() -> None:
    table = slow(np.random.default_rng(4), n_people=2)
    y = np.arange(len(table), dtype=float)
    moved = permuted(y, table, np.random.default_rng(0))
    own = moved[:64]
    k = int(np.argmin(own))
    assert np.array_equal(np.r_[own[k:], own[:k]], y[:64])


@pytest.mark.slow
def test_the_summary_has_p_of_a_planted_effect_and_of_none() -> None:
    table = slow(np.random.default_rng(5))
    found = table.assign(hr_bpm=3 * table["label_stress"] + 0.3 * table["hr_bpm"])
    for data, sure in ((found, True), (table, False)):
        results = evaluate(
            data, target="stress", heads={"near": Nearest()}, split=halves, permutations=39
        )
        p = results.summary().set_index("head")["p_permutation"]
        assert (p["near"] < 0.03) == sure
        assert np.isnan(p["majority"])


def test_the_null_of_the_package_is_the_null_of_the_test() -> None:
    table = slow(np.random.default_rng(6))
    results = evaluate(
        table, target="stress", heads={"near": Nearest()}, split=halves, permutations=3, seed=4
    )
    X = table[list(NAMES[:2])].to_numpy()
    by_hand = [
        score(
            X,
            permuted(table["label_stress"].to_numpy(), table, np.random.default_rng([4, k])),
            table,
        )
        for k in range(3)
    ]
    np.testing.assert_allclose(results.null["score"], by_hand)


def test_p_counts_the_true_labels_and_is_never_zero() -> None:
    assert p_value(0.9, np.array([0.5, 0.6, 0.4])) == 0.25
    assert p_value(0.5, np.array([0.5, 0.6, 0.4])) == 0.75
    assert np.isnan(p_value(0.5, np.array([np.nan])))


def test_heads_are_compared_over_the_same_people() -> None:
    draw = np.random.default_rng(0)
    scores = {"good": draw.uniform(0.7, 0.9, 12), "worse": draw.uniform(0.4, 0.6, 12)}
    scores["like"] = scores["good"].copy()
    results = pd.DataFrame(
        [
            {"target": "t", "head": name, "subject": str(k), "balanced_accuracy": value}
            for name, values in scores.items()
            for k, value in enumerate(values)
        ]
    )
    pairs = between_heads(results).set_index(["head", "other"])
    assert len(pairs) == 3
    assert pairs.loc[("good", "worse"), "effect"] == 1.0
    assert pairs.loc[("good", "worse"), "p"] == pytest.approx(3 * 2 / 2**12)
    assert pairs.loc[("good", "like"), "p"] == 1.0
