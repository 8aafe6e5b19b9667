"""Dummies that use no pulse: the class prior of each person, and random draws of classes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

DRAWS = 500  # by the dummy that draws classes at random


def draw_classes(shares: np.ndarray, names: Any, *, draws: int = DRAWS, seed: int) -> np.ndarray:
    """Draw classes for each row by its class shares: (n, classes) -> (draws, n) class indices.

    ``names`` (n,) identify the rows (person, trial, time). The draws of a row depend only on the
    seed and its name, not on the order of rows, the fold, or other people in the table.
    """
    out = np.empty((draws, len(shares)), dtype=int)
    borders = np.cumsum(shares, axis=1)[:, :-1]
    for k, name in enumerate(names):
        uniform = np.random.default_rng([seed, zlib.crc32(str(name).encode())]).random(draws)
        out[:, k] = np.searchsorted(borders[k], uniform, side="right")
    return out


class SubjectPrior(ClassifierMixin, BaseEstimator):
    """Predict each person's most frequent class in the training rows.

    For a person without training rows (everybody, under leave-one-subject-out) it predicts the most
    frequent class of all. If the same people are in training and test, a head that is no better
    than this dummy has only recognised people.

    ``predict`` and ``predict_proba`` take ``groups``, the person of each row; without them every
    person counts as unknown.
    """

    knows_people = True  # evaluate gives it the people of the test rows

    def fit(self, X: Any, y: Any, groups: Any = None) -> SubjectPrior:
        X, y = validate_data(self, X, y, ensure_all_finite=False, dtype=None)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        one_hot = np.eye(len(self.classes_))[codes]
        self.prior_ = one_hot.mean(axis=0)
        names = np.array([], dtype=str) if groups is None else np.asarray(groups).astype(str)
        self.shares_ = {str(n): one_hot[names == n].mean(axis=0) for n in np.unique(names)}
        return self

    def predict_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return the class shares in each person's training rows, (n, classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite=False, dtype=None)
        if groups is None:
            return np.tile(self.prior_, (len(X), 1))
        return np.array([self.shares_.get(str(n), self.prior_) for n in groups])

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        best = self.predict_proba(X, groups).argmax(axis=1)
        return self.classes_[best]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.poor_score = True
        tags.no_validation = True
        return tags
