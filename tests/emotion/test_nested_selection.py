"""`Selected` chooses a candidate or the mean of all, by scores on held-out people."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from emotion_rppg.emotion.nested_selection import MEAN, Selected


def reads_column(column: int, head):
    """Restrict the head to one column."""
    return make_pipeline(FunctionTransformer(lambda X: X[:, [column]]), head)


@pytest.fixture
def windows():
    """Two columns whose sum is the number to predict, for ten people."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 2))
    return X, X.sum(axis=1) + draw.normal(0, 0.3, 400), np.repeat(np.arange(10), 40)


def test_the_mean_is_selected_where_candidates_complement_each_other(windows) -> None:
    X, number, people = windows
    y = np.where(number > 0, "high", "low")
    halves = [
        ("left", reads_column(0, LogisticRegression())),
        ("right", reads_column(1, LogisticRegression())),
    ]
    both = Selected(halves).fit(X, y, groups=people)
    assert both.chosen_ == MEAN
    assert both.scores_[MEAN] > max(both.scores_["left"], both.scores_["right"]) + 0.1
    probabilities = [head.fit(X, y).predict_proba(X) for _, head in halves]
    np.testing.assert_allclose(both.predict_proba(X), np.mean(probabilities, axis=0))
    assert (both.predict(X) == y).mean() > 0.9
    numbers = [("left", reads_column(0, Ridge())), ("right", reads_column(1, Ridge()))]
    assert Selected(numbers).fit(X, number, groups=people).chosen_ == MEAN


def test_a_mean_that_is_no_better_is_not_selected(windows) -> None:
    X, number, people = windows
    candidates = [("half", reads_column(0, LogisticRegression())), ("whole", LogisticRegression())]
    fitted = Selected(candidates).fit(X, number > 0, groups=people)
    assert fitted.chosen_ == "whole"
    assert fitted.scores_["whole"] > fitted.scores_[MEAN]
    twins = [(name, LogisticRegression()) for name in ("first", "second")]
    assert Selected(twins).fit(X, number > 0, groups=people).chosen_ == "first"


def test_without_probabilities_there_is_no_mean(windows) -> None:
    X, number, people = windows
    halves = [
        ("left", reads_column(0, LogisticRegression())),
        ("right", reads_column(1, RidgeClassifier())),
    ]
    assert set(Selected(halves).fit(X, number > 0, groups=people).scores_) == {"left", "right"}
    alone = Selected(halves[:1]).fit(X, number > 0, groups=people)
    assert set(alone.scores_) == {"left"}
