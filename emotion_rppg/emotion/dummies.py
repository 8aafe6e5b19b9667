"""Dummies: one that knows who somebody is and nothing of their pulse, and random draws."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

DRAWS = 500  # of the dummy that draws classes at random


def draw_classes(shares: np.ndarray, names: Any, *, draws: int = DRAWS, seed: int) -> np.ndarray:
    """Draw a class for each row by its class shares (n, classes), (draws, n) class numbers.

    ``names`` (n,) tell the rows apart (person, trial, time). The draws of a row depend on the seed
    and its name alone: not on the order of rows, on the fold or on who else is in the table.
    """
    out = np.empty((draws, len(shares)), dtype=int)
    borders = np.cumsum(shares, axis=1)[:, :-1]
    for k, name in enumerate(names):
        uniform = np.random.default_rng([seed, zlib.crc32(str(name).encode())]).random(draws)
        out[:, k] = np.searchsorted(borders[k], uniform, side="right")
    return out


class SubjectPrior(ClassifierMixin, BaseEstimator):
    """Says of a person what was commonest among that person's own training rows.

    Of a person never seen (any, under leave-one-subject-out) it says what was commonest of all.
    Where a person is on both sides, a head that does no better has only recognised people.

    ``predict`` and ``predict_proba`` take ``groups``, the people asked about; without them all are
    unknown.
    """

    knows_people = True

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
        """(n, classes): shares of the classes in each person's training rows."""
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
