"""Choosing among heads without looking at whom they will be tested on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from emotion_rppg import metrics


class Several(_BaseComposition, BaseEstimator):
    """An estimator made of named ones, of the kind of the first."""

    candidates: Any
    predict: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return dict(self._get_params("candidates", deep=deep))

    def set_params(self, **params: Any) -> Several:
        self._set_params("candidates", **params)
        return self

    def score(self, X: Any, y: Any) -> float:
        """Accuracy of a classifier, R² of a regressor."""
        return float((r2_score if is_regressor(self) else accuracy_score)(y, self.predict(X)))

    def __sklearn_tags__(self) -> Any:
        tags, own = super().__sklearn_tags__(), get_tags(self.candidates[0][1])
        tags.estimator_type = own.estimator_type
        tags.classifier_tags, tags.regressor_tags = own.classifier_tags, own.regressor_tags
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags


class Selected(Several):
    """The candidate that does best on inner folds of the training people, fitted on all of them.

    Inner folds are group-disjoint: nobody is on both sides. A candidate's score is the mean over
    people of balanced accuracy (CCC of numbers); the first of equals is taken. Give an evaluation
    this head and its choice is nested: it never sees the tested person.

    Parameters
    ----------
    candidates : list of (name, estimator)
    folds : int
        Inner folds; fewer where there are fewer people.
    random_state : int

    Attributes
    ----------
    chosen_ : str
        Name of the candidate that was taken.
    scores_ : dict
        Name to its inner score.
    """

    def __init__(self, candidates: Any, *, folds: int = 5, random_state: int = 0) -> None:
        self.candidates = candidates
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> Selected:
        X, y = validate_data(
            self, X, y, ensure_all_finite="allow-nan", y_numeric=is_regressor(self)
        )
        if not is_regressor(self):
            self.classes_ = np.unique(y)
        parts = list(self._splits(X, groups))
        self.scores_ = {
            name: self._score(head, X, y, groups, others, parts) for name, head in self.candidates
        }
        finite = {n: s if np.isfinite(s) else -np.inf for n, s in self.scores_.items()}
        self.chosen_ = max(finite, key=lambda name: finite[name])
        self.estimator_ = fitted(dict(self.candidates)[self.chosen_], X, y, groups, others)
        return self

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes) of the chosen candidate."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    def _splits(self, X: np.ndarray, groups: Any) -> Any:
        if groups is None:
            return KFold(
                min(self.folds, len(X)), shuffle=True, random_state=self.random_state
            ).split(X)
        n = min(self.folds, len(np.unique(groups)))
        return GroupKFold(n).split(X, groups=groups) if n > 1 else []

    def _score(
        self, head: Any, X: np.ndarray, y: np.ndarray, groups: Any, others: Any, parts: Any
    ) -> float:
        measure = metrics.ccc if is_regressor(self) else metrics.balanced_accuracy
        names = np.zeros(len(y)) if groups is None else np.asarray(groups)
        said = np.empty(len(y), dtype=np.asarray(y).dtype if not is_regressor(self) else float)
        done = np.zeros(len(y), dtype=bool)
        for train, test in parts:
            if is_regressor(self) or len(np.unique(y[train])) == len(self.classes_):
                beside = (None if part is None else part[train] for part in (groups, others))
                said[test] = fitted(head, X[train], y[train], *beside).predict(X[test])
                done[test] = True
        each = [
            measure(y[done & (names == one)], said[done & (names == one)])
            for one in np.unique(names[done])
        ]
        known = np.array(each)[np.isfinite(each)]
        return float(known.mean()) if len(known) else float("nan")


def fitted(head: Any, X: np.ndarray, y: np.ndarray, groups: Any = None, others: Any = None) -> Any:
    """A clone of the head, fitted, and told of the people and other targets if it asks for them."""
    return clone(head).fit(X, y, **asked_for(head, groups=groups, others=others))


def asked_for(head: Any, **known: Any) -> dict[str, Any]:
    """What of all that is known beside the labels the head's ``fit`` has a parameter for."""
    return {
        name: value
        for name, value in known.items()
        if value is not None and has_fit_parameter(head, name)
    }
