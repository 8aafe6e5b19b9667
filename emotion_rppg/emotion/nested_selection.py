"""Select among heads by inner cross-validation on the training people."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import is_regressor
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils.validation import check_is_fitted, validate_data

from emotion_rppg import metrics
from emotion_rppg.emotion.ensemble import Average, CompositeHead, fit_clone
from emotion_rppg.emotion.wrappers import logarithms, temperature

MEAN = "their mean"


class Selected(CompositeHead):
    """Select the candidate that scores best in inner folds, and fit it on all training rows.

    The mean of all candidates (`Average`) is a candidate, too, if each has probabilities:
    candidates often differ by less than people do, and then their mean errs less than most of them.
    Inner folds are group-disjoint: no person is on both sides. The score is the mean over people of
    balanced accuracy (for numbers, of CCC). The first of equal candidates is selected, the mean
    last. In an evaluation the selection is nested: it never uses the tested person.

    Parameters
    ----------
    candidates : list of (name, estimator)
    folds : int
        Inner folds; fewer where there are fewer people.
    calibrate : bool
        Temperature-scale the probabilities of the selected head on its inner-fold predictions.
    random_state : int

    Attributes
    ----------
    chosen_ : str
        Name of the selected candidate, or "their mean".
    scores_ : dict
        Inner score of each candidate, by name.
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
        folds = [
            (train, test)
            for train, test in self._splits(X, groups)
            if is_regressor(self) or len(np.unique(y[train])) == len(self.classes_)
        ]
        heads = dict(self.candidates)
        predictions, outputs = {}, {}
        for name, head in self.candidates:
            predictions[name], output = _inner_predictions(head, X, y, groups, others, folds)
            if output is not None:
                outputs[name] = output
        if 1 < len(heads) == len(outputs):
            heads[MEAN], mean = Average(self.candidates), np.mean(list(outputs.values()), axis=0)
            outputs[MEAN] = mean
            predictions[MEAN] = mean if is_regressor(self) else self.classes_[mean.argmax(axis=1)]
        scored = np.sort(np.concatenate([np.empty(0, int), *(test for _, test in folds)]))
        self.scores_ = {n: self._score(y, p, scored, groups) for n, p in predictions.items()}
        finite = {n: s if np.isfinite(s) else -np.inf for n, s in self.scores_.items()}
        self.chosen_ = max(finite, key=lambda name: finite[name])
        self.estimator_ = fit_clone(heads[self.chosen_], X, y, groups, others)
        self.factor_ = 1.0
        if self.calibrate and not is_regressor(self) and self.chosen_ in outputs and len(scored):
            codes = np.searchsorted(self.classes_, y[scored])
            self.factor_ = temperature(logarithms(outputs[self.chosen_][scored]), codes)
        return self

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the selected head, (n, classes)."""
        check_is_fitted(self)
        p = np.asarray(self.estimator_.predict_proba(X))
        return p if self.factor_ == 1.0 else softmax(self.factor_ * logarithms(p), axis=1)

    def _splits(self, X: np.ndarray, groups: Any) -> Any:
        if groups is None:
            return KFold(
                min(self.folds, len(X)), shuffle=True, random_state=self.random_state
            ).split(X)
        n = min(self.folds, len(np.unique(groups)))
        return GroupKFold(n).split(X, groups=groups) if n > 1 else []

    def _score(
        self, y: np.ndarray, predictions: np.ndarray, scored: np.ndarray, groups: Any
    ) -> float:
        """Return the mean score over the people of the rows ``scored`` who have one."""
        measure = metrics.ccc if is_regressor(self) else metrics.balanced_accuracy
        person = np.zeros(len(y)) if groups is None else np.asarray(groups)
        rows_of = [scored[person[scored] == name] for name in np.unique(person[scored])]
        scores = np.array([measure(y[rows], predictions[rows]) for rows in rows_of])
        finite = scores[np.isfinite(scores)]
        return float(finite.mean()) if len(finite) else float("nan")


def _inner_predictions(
    head: Any, X: np.ndarray, y: np.ndarray, groups: Any, others: Any, folds: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Predict the test rows of inner folds, and return what a mean of heads would average.

    Returns the predictions (n,), and the probabilities (n, classes) of a classifier (None if it has
    none) or again the predictions of a regressor. Rows in no test fold are 0.
    """
    numbers = is_regressor(head)
    predictions = np.zeros(len(y), dtype=float if numbers else y.dtype)
    shape = (len(y), len(np.unique(y)))
    probabilities: np.ndarray | None = predictions if numbers else np.zeros(shape)
    for train, test in folds:
        training = (None if values is None else values[train] for values in (groups, others))
        fold_head = fit_clone(head, X[train], y[train], *training)
        predictions[test] = fold_head.predict(X[test])
        if not hasattr(fold_head, "predict_proba"):
            probabilities = probabilities if numbers else None
        elif probabilities is not None:
            probabilities[test] = fold_head.predict_proba(X[test])
    return predictions, probabilities
