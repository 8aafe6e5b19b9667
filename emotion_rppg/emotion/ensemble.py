"""Several heads that are asked together."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from emotion_rppg.emotion.selection import Several, fitted


class Average(Several):
    """Late fusion: each candidate is fitted by itself, and their answers are averaged.

    Of classes the probabilities, of numbers the predictions; every candidate weighs the same.

    Parameters
    ----------
    candidates : list of (name, estimator)
    """

    def __init__(self, candidates: Any) -> None:
        self.candidates = candidates

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> Average:
        X, y = validate_data(
            self, X, y, ensure_all_finite="allow-nan", y_numeric=is_regressor(self)
        )
        if not is_regressor(self):
            check_classification_targets(y)
            self.classes_ = np.unique(y)
        self.estimators_ = [fitted(head, X, y, groups, others) for _, head in self.candidates]
        return self

    @available_if(lambda self: all(hasattr(head, "predict_proba") for _, head in self.candidates))
    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes), rows add up to one."""
        return self._mean("predict_proba", X)

    def predict(self, X: Any) -> np.ndarray:
        if is_regressor(self):
            return self._mean("predict", X)
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _mean(self, method: str, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return np.mean([getattr(one, method)(X) for one in self.estimators_], axis=0)
