"""Classic heads: any scikit-learn estimator on the features alone, with calibrated probabilities.

Which estimators those are stands in ``emotion.HEADS``.
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
    """A scikit-learn classifier or regressor on the imputed, scaled features.

    Missing values become the training median (an all-missing column zero), then every feature is
    scaled to mean 0 and variance 1; the beat tokens behind the features are left out.

    Parameters
    ----------
    estimator : classifier or regressor
    n_features : int or None
        How many of the first columns are features; None: all.
    """

    def __init__(self, estimator: Any, *, n_features: int | None = None) -> None:
        self.estimator = estimator
        self.n_features = n_features

    def fit(self, X: Any, y: Any) -> OnFeatures:
        X, y = validate_data(
            self, X, y, ensure_all_finite="allow-nan", y_numeric=is_regressor(self)
        )
        if self.n_features is not None and not 0 < self.n_features <= X.shape[1]:
            raise InputError(f"n_features is {self.n_features}, X has {X.shape[1]} columns")
        self.pipeline_ = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            StandardScaler(),
            self._for_so_many(len(X)),
        ).fit(X[:, : self.n_features], y)
        if hasattr(self.pipeline_, "classes_"):
            self.classes_ = self.pipeline_.classes_
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self._ask("predict", X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        return self._ask("predict_proba", X)

    @_has("decision_function")
    def decision_function(self, X: Any) -> np.ndarray:
        return self._ask("decision_function", X)

    def _for_so_many(self, rows: int) -> Any:
        """A clone of the estimator; of neighbours it asks for no more than there are.

        They are searched by brute force, which gives the same ones: trees cannot be saved.
        """
        estimator = clone(self.estimator)
        given = estimator.get_params()
        if "n_neighbors" not in given:
            return estimator
        if given.get("algorithm") == "auto":
            estimator.set_params(algorithm="brute")
        return estimator.set_params(n_neighbors=min(given["n_neighbors"], rows))

    def score(self, X: Any, y: Any) -> float:
        """Accuracy of a classifier, R² of a regressor."""
        return float((r2_score if is_regressor(self) else accuracy_score)(y, self.predict(X)))

    def _ask(self, method: str, X: Any) -> np.ndarray:
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
    """An estimator that cannot weigh classes, made to speak of classes equally frequent.

    Its probabilities are divided by the classes' shares in the training rows and made to add up to
    one again (Saerens, Latinne and Decaestecker 2002); the prediction follows them.
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
        """(n, classes), rows add up to one."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        evened = self.estimator_.predict_proba(X) / self.shares_
        return np.asarray(evened / evened.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> np.ndarray:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags


class Calibrated(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier with temperature-scaled probabilities, each class weighing the same.

    scikit-learn's `CalibratedClassifierCV` on inner folds that keep people (``groups``) whole: one
    positive factor on the decision values, or on the logarithms of the probabilities (Guo et al.
    2017), is fitted on decisions about people the estimator had not seen, and the estimator then
    on all. Where classes or people are too few for such folds, the estimator's own probabilities
    stay; of one that has none, the softmax of its decision values.

    A factor alone, unlike Platt's slope and offset, cannot turn a decision round: on weak signals
    an offset calls everything the larger class.

    Parameters
    ----------
    estimator : classifier with ``decision_function`` or ``predict_proba``
    folds : int
        Inner folds, group-disjoint if ``fit`` is given groups; fewer where there are fewer people.
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
        beside = fit_arguments(self.estimator, groups=groups, others=others)
        own, splits = clone(self.estimator), self._splits(codes, groups)
        if splits:
            self.estimator_ = self._calibrated(own, splits, X, codes, beside)
            own = self.estimator_.calibrated_classifiers_[0].estimator
        else:
            self.estimator_ = own.fit(X, codes, **beside)
        self.chosen_ = getattr(own, "chosen_", "")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes), rows add up to one."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        if hasattr(self, "factor_"):  # saved by a version that fitted the factor itself
            return softmax(self.factor_ * _decision(self.estimator_, X), axis=1)
        if hasattr(self.estimator_, "predict_proba"):
            return np.asarray(self.estimator_.predict_proba(X))
        return softmax(_decision(self.estimator_, X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _calibrated(
        self, own: Any, splits: list[Split], X: np.ndarray, codes: np.ndarray, beside: Any
    ) -> Any:
        whole = CalibratedClassifierCV(own, method=self._method, cv=splits, ensemble=False)
        weight = compute_sample_weight("balanced", codes)
        with warnings.catch_warnings():  # the weights are the calibration's; heads have their own
            warnings.filterwarnings("ignore", "Since .* sample_weight", UserWarning)
            whole.fit(X, codes, sample_weight=weight, **beside)
        return whole.set_params(cv=None)  # the rows of its folds are no part of a model

    def _splits(self, codes: np.ndarray, groups: Any) -> list[Split]:
        """Inner folds, each class in the training of each; empty where that cannot be."""
        most = min(self.folds, int(np.bincount(codes).min()))
        most = most if groups is None else min(most, len(np.unique(groups)))
        if most < 2:
            return []
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        folds = kind(most, shuffle=True, random_state=self.random_state)
        splits = list(folds.split(codes[:, None], codes, groups))
        whole = all(len(np.unique(codes[train])) == len(self.classes_) for train, _ in splits)
        return splits if whole else []

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags


def _decision(fitted: Any, X: np.ndarray) -> np.ndarray:
    """(n, classes) values whose softmax are probabilities."""
    if hasattr(fitted, "predict_proba"):
        return logarithms(fitted.predict_proba(X))
    decision = fitted.decision_function(X)
    return np.column_stack([-decision, decision]) if decision.ndim == 1 else decision


def temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """Fit the factor on scores (n, classes) that makes their softmax most likely, classes even.

    For heads that hold people out anyway, to stop early or to choose among candidates: where
    `Calibrated` fits a head once a fold and once more, these are fitted no more often for it.
    ``labels`` (n,) are whole numbers; they come from people whom the scores' head had not seen.
    """
    from scipy.optimize import minimize_scalar

    weight = compute_sample_weight("balanced", labels)

    def loss(log_factor: float) -> float:
        p = softmax(np.exp(log_factor) * scores, axis=1)[np.arange(len(labels)), labels]
        return float(np.average(-np.log(np.maximum(p, 1e-12)), weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Natural logarithms, of a probability of 0 that of one in a billion."""
    return np.log(np.maximum(probabilities, 1e-9))
