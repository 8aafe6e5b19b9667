"""Choosing among heads without looking at whom they will be tested on."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import is_regressor
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils.validation import check_is_fitted, validate_data

from emotion_rppg import metrics
from emotion_rppg.emotion.ensemble import Average, CompositeHead, fitted
from emotion_rppg.emotion.wrappers import logarithms, temperature

MEAN = "their mean"


class Selected(CompositeHead):
    """What does best on inner folds of the training people, fitted on all of them.

    A candidate, or the mean of them all (`Average`, where each gives probabilities): candidates
    that differ by less than people do cannot be told apart, and their mean errs less than most.
    Inner folds are group-disjoint: nobody is on both sides. A score is the mean over people of
    balanced accuracy (CCC of numbers); the first of equals is taken, the mean last. Give an
    evaluation this head and its choice is nested: it never sees the tested person.

    Parameters
    ----------
    candidates : list of (name, estimator)
    folds : int
        Inner folds; fewer where there are fewer people.
    calibrate : bool
        Temperature-scale the probabilities of what was chosen by its answers in the inner folds.
    random_state : int

    Attributes
    ----------
    chosen_ : str
        Name of the candidate that was taken, or "their mean".
    scores_ : dict
        Name to its inner score.
    """

    def __init__(
        self, candidates: Any, *, folds: int = 5, calibrate: bool = False, random_state: int = 0
    ) -> None:
        self.candidates = candidates
        self.folds = folds
        self.calibrate = calibrate
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> Selected:
        X, y = validate_data(
            self, X, y, ensure_all_finite="allow-nan", y_numeric=is_regressor(self)
        )
        if not is_regressor(self):
            self.classes_ = np.unique(y)
        parts = [
            (train, test)
            for train, test in self._splits(X, groups)
            if is_regressor(self) or len(np.unique(y[train])) == len(self.classes_)
        ]
        asked = [_asked(head, X, y, groups, others, parts) for _, head in self.candidates]
        heads = dict(self.candidates)
        said = {name: answers for name, (answers, _) in zip(heads, asked, strict=True)}
        chances = {
            n: given for n, (_, given) in zip(heads, asked, strict=True) if given is not None
        }
        if 1 < len(heads) == len(chances):
            heads[MEAN], mean = Average(self.candidates), np.mean(list(chances.values()), axis=0)
            chances[MEAN] = mean
            said[MEAN] = mean if is_regressor(self) else self.classes_[mean.argmax(axis=1)]
        scored = np.sort(np.concatenate([np.empty(0, int), *(test for _, test in parts)]))
        self.scores_ = {name: self._score(y, a, scored, groups) for name, a in said.items()}
        finite = {n: s if np.isfinite(s) else -np.inf for n, s in self.scores_.items()}
        self.chosen_ = max(finite, key=lambda name: finite[name])
        self.estimator_ = fitted(heads[self.chosen_], X, y, groups, others)
        self.factor_ = 1.0
        if self.calibrate and not is_regressor(self) and self.chosen_ in chances and len(scored):
            codes = np.searchsorted(self.classes_, y[scored])
            self.factor_ = temperature(logarithms(chances[self.chosen_][scored]), codes)
        return self

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes) of what was chosen."""
        check_is_fitted(self)
        own = np.asarray(self.estimator_.predict_proba(X))
        return own if self.factor_ == 1.0 else softmax(self.factor_ * logarithms(own), axis=1)

    def _splits(self, X: np.ndarray, groups: Any) -> Any:
        if groups is None:
            return KFold(
                min(self.folds, len(X)), shuffle=True, random_state=self.random_state
            ).split(X)
        n = min(self.folds, len(np.unique(groups)))
        return GroupKFold(n).split(X, groups=groups) if n > 1 else []

    def _score(self, y: np.ndarray, said: np.ndarray, scored: np.ndarray, groups: Any) -> float:
        """Mean over people, of the rows ``scored``; people without a score are not counted."""
        measure = metrics.ccc if is_regressor(self) else metrics.balanced_accuracy
        names = np.zeros(len(y)) if groups is None else np.asarray(groups)
        own = [scored[names[scored] == one] for one in np.unique(names[scored])]
        each = np.array([measure(y[rows], said[rows]) for rows in own])
        known = each[np.isfinite(each)]
        return float(known.mean()) if len(known) else float("nan")


def _asked(
    head: Any, X: np.ndarray, y: np.ndarray, groups: Any, others: Any, parts: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Answers (n,) to the tested rows of inner folds, and what is averaged of them.

    The latter are the chances (n, classes), None of a head that gives none, or the numbers again.
    """
    numbers = is_regressor(head)
    said = np.zeros(len(y), dtype=float if numbers else y.dtype)
    chances: np.ndarray | None = said if numbers else np.zeros((len(y), len(np.unique(y))))
    for train, test in parts:
        beside = (None if part is None else part[train] for part in (groups, others))
        one = fitted(head, X[train], y[train], *beside)
        said[test] = one.predict(X[test])
        if not hasattr(one, "predict_proba"):
            chances = chances if numbers else None
        elif chances is not None:
            chances[test] = one.predict_proba(X[test])
    return said, chances
