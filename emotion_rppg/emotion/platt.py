"""Probabilities that are calibrated on people the head had not seen.

PROBABILITIES names what a head's probabilities are. It has nothing to do with the normalisation
``calibration``, which takes people's own levels off their features.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    clone,
    is_classifier,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from emotion_rppg.emotion.ensemble import Average, Several, asked_for
from emotion_rppg.emotion.linear import Calibrated, OnFeatures
from emotion_rppg.errors import InputError

PROBABILITIES = {
    "temperature": "temperature-scaled: one factor, fitted in inner folds on training people whom "
    "the head had not seen, makes its probabilities less or more extreme and changes no decision "
    "(Guo et al. 2017)",
    "own": "as each head gives them",
    "platt": "Platt-scaled: a sigmoid, fitted in inner folds on training people whom the head had "
    "not seen, makes probabilities of what it says (Platt 1999)",
}


class Platt(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities a sigmoid corrects, each class weighing the same.

    scikit-learn's `CalibratedClassifierCV`, whose folds keep people (``groups``) whole: the sigmoid
    is fitted on what the head says of people it was not fitted on, the head then on all. Where
    classes or people are too few for folds, the head's own probabilities stay.

    A sigmoid has an offset and a sign: on a head that has learned nothing it may turn decisions
    round, which a score near chance then shows.

    Parameters
    ----------
    estimator : classifier
    folds : int
        Inner folds; fewer where there are fewer people.
    random_state : int
    """

    def __init__(self, estimator: Any, *, folds: int = 5, random_state: int = 0) -> None:
        self.estimator = estimator
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> Platt:
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("the labels have one class only; a classifier needs at least two")
        beside = asked_for(self.estimator, groups=groups, others=others)
        splits = self._splits(codes, groups)
        if splits:
            self.estimator_ = CalibratedClassifierCV(
                clone(self.estimator), method="sigmoid", cv=splits, ensemble=False
            )
            beside["sample_weight"] = compute_sample_weight("balanced", y)
        else:
            self.estimator_ = clone(self.estimator)
        with warnings.catch_warnings():  # the weights are the sigmoid's; heads have their own
            warnings.filterwarnings("ignore", "Since .* sample_weight", UserWarning)
            self.estimator_.fit(X, y, **beside)
        inner = self.estimator_.calibrated_classifiers_[0].estimator if splits else self.estimator_
        self.chosen_ = getattr(inner, "chosen_", "")
        return self

    @available_if(lambda self: hasattr(getattr(self, "estimator_", Platt), "predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes), rows add up to one."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return np.asarray(self.estimator_.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return np.asarray(self.estimator_.predict(X))

    def _splits(self, codes: np.ndarray, groups: Any) -> list[tuple[np.ndarray, np.ndarray]]:
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


def with_probabilities(head: Any, probabilities: str, *, numbers: bool = False) -> Any:
    """The head on features, made to give the probabilities of that name in `PROBABILITIES`."""
    if probabilities not in PROBABILITIES:
        known = ", ".join(PROBABILITIES)
        raise InputError(f"unknown probabilities {probabilities!r}; known: {known}")
    if not hasattr(head, "get_params") or isinstance(head, type):
        raise InputError(
            f"{head!r} is no scikit-learn estimator: give an object such as LogisticRegression()"
        )
    head = on_features(head)
    if probabilities == "platt" and numbers:
        raise InputError(
            f"probabilities {probabilities!r} are asked for, and the target is a number: leave "
            "them out, or choose a coding that makes classes"
        )
    if probabilities == "own" or not is_classifier(head):
        return head
    return Platt(head) if probabilities == "platt" else _tempered(head)


def on_features(head: Any) -> Any:
    """The head, given features alone (imputed and scaled) unless it knows of beat tokens itself.

    One that knows has a parameter ``n_features`` somewhere inside.
    """
    if isinstance(head, Several):
        candidates = [(name, on_features(one)) for name, one in head.candidates]
        return clone(head).set_params(candidates=candidates)
    knows = any(name.rpartition("__")[2] == "n_features" for name in head.get_params())
    return head if knows else OnFeatures(head)


def _tempered(head: Any) -> Any:
    if "calibrate" in head.get_params(deep=False):  # by the people whom it holds out anyway
        return clone(head).set_params(calibrate=True)
    if isinstance(head, Average):
        return Average([(name, _tempered(one)) for name, one in head.candidates])
    says = hasattr(head, "predict_proba") or hasattr(head, "decision_function")
    return Calibrated(head) if says and not isinstance(head, Calibrated) else head
