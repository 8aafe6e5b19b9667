"""Wrappers that make heads of scikit-learn estimators: features only, class priors, calibration.

The table `heads.HEADS` lists the wrapped estimators.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from emotion_rppg.emotion.ensemble import fit_arguments
from emotion_rppg.errors import InputError

Split = tuple[np.ndarray, np.ndarray]


def _has(method: str) -> Any:
    return available_if(lambda self: hasattr(self.estimator, method))


class OnFeatures(MetaEstimatorMixin, BaseEstimator):
    """Fit a scikit-learn classifier or regressor to the imputed and scaled features.

    Missing values become the training median (0 in a column without values), then each feature is
    scaled to mean 0 and variance 1. The beat tokens after the features are ignored.

    Parameters
    ----------
    estimator : classifier or regressor
    n_features : int or None
        Number of leading columns that are features; None: all.
    """

    def __init__(self, estimator: Any, *, n_features: int | None = None) -> None:
        self.estimator = estimator
        self.n_features = n_features

    def fit(self, X: Any, y: Any) -> OnFeatures:
        X, y = validate_data(
            self, X, y, ensure_all_finite="allow-nan", y_numeric=is_regressor(self)
        )
        if self.n_features is not None and not 0 < self.n_features <= X.shape[1]:
            raise InputError(
                f"n_features is {self.n_features}, want 1 to {X.shape[1]} (the columns of X)"
            )
        self.pipeline_ = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            StandardScaler(),
            self._limited_neighbours(len(X)),
        ).fit(X[:, : self.n_features], y)
        if hasattr(self.pipeline_, "classes_"):
            self.classes_ = self.pipeline_.classes_
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self._call("predict", X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        return self._call("predict_proba", X)

    @_has("decision_function")
    def decision_function(self, X: Any) -> np.ndarray:
        return self._call("decision_function", X)

    def _limited_neighbours(self, rows: int) -> Any:
        """Clone the estimator, with no more nearest neighbours than there are rows.

        Neighbours are searched by brute force, with the same result: trees cannot be saved.
        """
        estimator = clone(self.estimator)
        params = estimator.get_params()
        if "n_neighbors" not in params:
            return estimator
        if params.get("algorithm") == "auto":
            estimator.set_params(algorithm="brute")
        return estimator.set_params(n_neighbors=min(params["n_neighbors"], rows))

    def score(self, X: Any, y: Any) -> float:
        """Return the accuracy of a classifier, R² of a regressor."""
        return float((r2_score if is_regressor(self) else accuracy_score)(y, self.predict(X)))

    def _call(self, method: str, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return getattr(self.pipeline_, method)(X[:, : self.n_features])

    def __sklearn_tags__(self) -> Any:
        tags, own = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = own.estimator_type
        tags.classifier_tags, tags.regressor_tags = own.classifier_tags, own.regressor_tags
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False  # one label a row
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags


class EqualPriors(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Correct an estimator without class weights to equal class priors.

    Its probabilities are divided by the class shares of the training rows and normalised again
    (Saerens, Latinne and Decaestecker 2002). The prediction is the most probable class.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any) -> EqualPriors:
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, counts = np.unique(y, return_counts=True)
        if len(self.classes_) < 2:
            raise ValueError("the labels have one class only; a classifier needs at least two")
        self.shares_ = counts / len(y)
        self.estimator_ = clone(self.estimator).fit(X, y)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, (n, classes); each row sums to one."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        reweighted = self.estimator_.predict_proba(X) / self.shares_
        return np.asarray(reweighted / reweighted.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> np.ndarray:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags


class Calibrated(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Calibrate a classifier by temperature scaling, each class with equal weight.

    This is scikit-learn's `CalibratedClassifierCV` on group-disjoint inner folds (``groups`` are
    people). One positive factor on the decision values, or on the logarithms of the probabilities
    (Guo et al. 2017), is fitted on predictions for people whom the estimator was not fitted on.
    Then the estimator is fitted on all rows. With too few classes or people for such folds, the
    probabilities stay uncalibrated; without ``predict_proba``, they are the softmax of the decision
    values.

    A factor alone, unlike Platt's slope and offset, cannot change a decision: on weak signals an
    offset moves all predictions to the larger class.

    Parameters
    ----------
    estimator : classifier with ``decision_function`` or ``predict_proba``
    folds : int
        Number of inner folds, group-disjoint if ``fit`` gets groups; fewer with fewer people.
    random_state : int
    """

    _method = "temperature"

    def __init__(self, estimator: Any, *, folds: int = 5, random_state: int = 0) -> None:
        self.estimator = estimator
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> Calibrated:
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("the labels have one class only; a classifier needs at least two")
        arguments = fit_arguments(self.estimator, groups=groups, others=others)
        estimator, splits = clone(self.estimator), self._splits(codes, groups)
        if splits:
            self.estimator_ = self._calibrated(estimator, splits, X, codes, arguments)
            estimator = self.estimator_.calibrated_classifiers_[0].estimator
        else:
            self.estimator_ = estimator.fit(X, codes, **arguments)
        self.chosen_ = getattr(estimator, "chosen_", "")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, (n, classes); each row sums to one."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        if hasattr(self, "factor_"):  # saved by an old version, which fitted the factor itself
            return softmax(self.factor_ * _decision(self.estimator_, X), axis=1)
        if hasattr(self.estimator_, "predict_proba"):
            return np.asarray(self.estimator_.predict_proba(X))
        return softmax(_decision(self.estimator_, X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _calibrated(
        self, estimator: Any, splits: list[Split], X: np.ndarray, codes: np.ndarray, arguments: Any
    ) -> Any:
        calibrated = CalibratedClassifierCV(
            estimator, method=self._method, cv=splits, ensemble=False
        )
        weight = compute_sample_weight("balanced", codes)
        with warnings.catch_warnings():  # the weights are for the calibrator; heads have their own
            warnings.filterwarnings("ignore", "Since .* sample_weight", UserWarning)
            calibrated.fit(X, codes, sample_weight=weight, **arguments)
        return calibrated.set_params(cv=None)  # a model must not contain the rows of the folds

    def _splits(self, codes: np.ndarray, groups: Any) -> list[Split]:
        """Make inner folds with every class in each training part; empty if there are none."""
        n_folds = min(self.folds, int(np.bincount(codes).min()))
        n_folds = n_folds if groups is None else min(n_folds, len(np.unique(groups)))
        if n_folds < 2:
            return []
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        folds = kind(n_folds, shuffle=True, random_state=self.random_state)
        splits = list(folds.split(codes[:, None], codes, groups))
        complete = all(len(np.unique(codes[train])) == len(self.classes_) for train, _ in splits)
        return splits if complete else []

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags


def _decision(fitted: Any, X: np.ndarray) -> np.ndarray:
    """Return values (n, classes) whose softmax gives the probabilities."""
    if hasattr(fitted, "predict_proba"):
        return logarithms(fitted.predict_proba(X))
    decision = fitted.decision_function(X)
    return np.column_stack([-decision, decision]) if decision.ndim == 1 else decision


def temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """Fit the factor on scores (n, classes) that maximises the likelihood of their softmax.

    Classes have equal weight. For heads that hold people out anyway, for early stopping or
    selection: they need no further fits, whereas `Calibrated` fits a head once for each fold.
    ``labels`` (n,) are class indices of people whom the head was not fitted on.
    """
    from scipy.optimize import minimize_scalar

    weight = compute_sample_weight("balanced", labels)

    def loss(log_factor: float) -> float:
        p = softmax(np.exp(log_factor) * scores, axis=1)[np.arange(len(labels)), labels]
        return float(np.average(-np.log(np.maximum(p, 1e-12)), weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Take natural logarithms of probabilities, which are first clipped at 1e-9."""
    return np.log(np.maximum(probabilities, 1e-9))
