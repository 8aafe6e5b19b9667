"""Heads that are made of several heads: their common base, and late fusion."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition, available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data


class CompositeHead(_BaseComposition, BaseEstimator):
    """An estimator made of named estimators; a classifier if the first one is, else a regressor."""

    candidates: Any
    predict: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return dict(self._get_params("candidates", deep=deep))

    def set_params(self, **params: Any) -> CompositeHead:
        self._set_params("candidates", **params)
        return self

    def score(self, X: Any, y: Any) -> float:
        """Return the accuracy of a classifier, R² of a regressor."""
        return float((r2_score if is_regressor(self) else accuracy_score)(y, self.predict(X)))

    def __sklearn_tags__(self) -> Any:
        tags, own = super().__sklearn_tags__(), get_tags(self.candidates[0][1])
        tags.estimator_type = own.estimator_type
        tags.classifier_tags, tags.regressor_tags = own.classifier_tags, own.regressor_tags
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags


class Average(CompositeHead):
    """Late fusion: fit each candidate by itself and average their outputs with equal weights.

    The outputs are the probabilities of classifiers and the predictions of regressors.

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
        self.estimators_ = [fit_clone(head, X, y, groups, others) for _, head in self.candidates]
        return self

    @available_if(lambda self: all(hasattr(head, "predict_proba") for _, head in self.candidates))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the mean probabilities, (n, classes); each row sums to one."""
        return self._mean("predict_proba", X)

    def predict(self, X: Any) -> np.ndarray:
        if is_regressor(self):
            return self._mean("predict", X)
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _mean(self, method: str, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return np.mean([getattr(head, method)(X) for head in self.estimators_], axis=0)


def fit_clone(
    head: Any, X: np.ndarray, y: np.ndarray, groups: Any = None, others: Any = None
) -> Any:
    """Fit a clone of the head; people and other targets are passed if its ``fit`` takes them."""
    return clone(head).fit(X, y, **fit_arguments(head, groups=groups, others=others))


def fit_arguments(head: Any, **available: Any) -> dict[str, Any]:
    """Select the arguments that are not None and that the head's ``fit`` has a parameter for."""
    return {
        name: value
        for name, value in available.items()
        if value is not None and has_fit_parameter(head, name)
    }
