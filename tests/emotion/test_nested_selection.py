"""What `Selected` takes: a candidate, or the mean of them all, by people it does not learn from."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from emotion_rppg.emotion.nested_selection import MEAN, Selected


def sees(column: int, head):
    """The head, shown one column alone."""
    return make_pipeline(FunctionTransformer(lambda X: X[:, [column]]), head)


@pytest.fixture
def windows():
    """Two columns, each with half of what the numbers are made of; ten people."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 2))
    return X, X.sum(axis=1) + draw.normal(0, 0.3, 400), np.repeat(np.arange(10), 40)


def test_two_halves_are_taken_together(windows) -> None:
    X, number, people = windows
    y = np.where(number > 0, "high", "low")
    halves = [("left", sees(0, LogisticRegression())), ("right", sees(1, LogisticRegression()))]
    both = Selected(halves).fit(X, y, groups=people)
    assert both.chosen_ == MEAN
    assert both.scores_[MEAN] > max(both.scores_["left"], both.scores_["right"]) + 0.1
    each = [head.fit(X, y).predict_proba(X) for _, head in halves]
    np.testing.assert_allclose(both.predict_proba(X), np.mean(each, axis=0))
    assert (both.predict(X) == y).mean() > 0.9
    numbers = [("left", sees(0, Ridge())), ("right", sees(1, Ridge()))]
    assert Selected(numbers).fit(X, number, groups=people).chosen_ == MEAN


def test_a_mean_that_is_no_better_is_not_taken(windows) -> None:
    X, number, people = windows
    whole = [("half", sees(0, LogisticRegression())), ("whole", LogisticRegression())]
    fitted = Selected(whole).fit(X, number > 0, groups=people)
    assert fitted.chosen_ == "whole"
    assert fitted.scores_["whole"] > fitted.scores_[MEAN]
    twins = [(name, LogisticRegression()) for name in ("first", "second")]
    assert Selected(twins).fit(X, number > 0, groups=people).chosen_ == "first"


def test_without_probabilities_there_is_no_mean(windows) -> None:
    X, number, people = windows
    halves = [("left", sees(0, LogisticRegression())), ("right", sees(1, RidgeClassifier()))]
    assert set(Selected(halves).fit(X, number > 0, groups=people).scores_) == {"left", "right"}
    alone = Selected(halves[:1]).fit(X, number > 0, groups=people)
    assert set(alone.scores_) == {"left"}
