"""The deep heads: scikit-learn estimators of features and beat sequences, of one target or more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from emotion_rppg.emotion.deep.net import SequenceNet, held_out_rows
from emotion_rppg.emotion.wrappers import temperature
from emotion_rppg.errors import InputError


class SequenceHead(ClassifierMixin, SequenceNet):
    """Classifier of beat sequences and features together, or of either alone.

    Beat tokens → encoder → vector; features → one layer; both side by side → classes.
    Features and tokens are standardised by training statistics, what is missing becomes the mean.
    Each class weighs the same. Gradients are clipped to norm 1. A fifth of the people (``groups``
    of ``fit``; else a fifth of the rows) is held out to stop early. Same data and
    ``random_state``, same network.

    Parameters
    ----------
    n_features : int or None
        How many of the first columns are features; None: all, and there are no tokens.
    n_token_channels : int
        Channels of the tokens that follow, flattened and padded with NaN; 0: none.
    channels : str
        Their names with commas, where an encoder is given that reads more of them.
    reads : {"both", "features", "beats"}
        ``"features"`` makes it a multilayer perceptron, ``"beats"`` an encoder and its head.
    encoder : folder, optional
        An encoder as ``train encoder`` writes it, in whose weights training begins; its
        architecture takes the place of the parameters below. What beats are on average is taken
        from the training rows all the same, for people's levels may have been taken off them.
    hidden : int
        Width of the encoder and of the features' layer.
    cell, layers, bidirectional, pooling :
        As of `networks.Encoder`; the cell ``"conv"`` is `convolutional.Convolutional` with so
        many layers.
    calibrate : bool
        Temperature-scale the probabilities on the people who were held out (of a classifier).
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> SequenceHead:
        """Fit; ``groups`` (n,) are people, kept whole by the inner split for early stopping."""
        return self._fit(X, y, groups)

    def _fit(self, X: Any, y: Any, groups: Any, others: Any = None) -> SequenceHead:
        from emotion_rppg.emotion.deep.losses import Classes

        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan", dtype=float)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("the labels have one class only; a classifier needs at least two")
        held_out = held_out_rows(len(X), groups, codes=codes, seed=self.random_state)
        if len(np.unique(codes[~held_out])) < len(self.classes_):
            held_out[:] = False
        targets = np.column_stack([codes, *(_coded(c) for c in _columns(others, len(X)))])
        loss = Classes(targets[~held_out], sizes=targets.max(axis=0) + 1)
        self.n_outputs_ = sum(loss.sizes)
        self._train(X, targets, loss, held_out)
        self.factor_ = 1.0
        if self.calibrate and held_out.any():
            own = self._outputs(X[held_out])[:, : len(self.classes_)]
            self.factor_ = temperature(own, codes[held_out])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes), rows add up to one."""
        scores = self._outputs(X)[:, : len(self.classes_)]
        return softmax(self.factor_ * scores, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


class SequenceRegressor(RegressorMixin, SequenceNet):
    """As `SequenceHead`, for a number (squared error)."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> SequenceRegressor:
        """Fit; ``groups`` (n,) are people, kept whole by the inner split for early stopping."""
        return self._fit(X, y, groups)

    def _fit(self, X: Any, y: Any, groups: Any, others: Any = None) -> SequenceRegressor:
        from emotion_rppg.emotion.deep.losses import Numbers

        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan", dtype=float, y_numeric=True)
        self.mean_, self.scale_ = float(np.mean(y)), float(np.std(y)) or 1.0
        targets = np.column_stack([y, *_columns(others, len(X))])
        scale = np.nanstd(targets, axis=0)
        scaled = (targets - np.nanmean(targets, axis=0)) / np.where(scale > 0, scale, 1.0)
        held_out = held_out_rows(len(X), groups, seed=self.random_state)
        self.n_outputs_ = scaled.shape[1]
        self._train(X, scaled.astype(np.float32), Numbers(), held_out)
        return self

    def predict(self, X: Any) -> np.ndarray:
        outputs = self._outputs(X)
        return self.mean_ + self.scale_ * outputs[:, 0]


class MultiTaskHead(SequenceHead):
    """A `SequenceHead` with one output for each of several targets, learned together.

    It is asked for the first; the others shape the layers they share (Caruana 1997). Without
    others it is a `SequenceHead`.
    """

    several_targets = True  # "all" heads have it only where there are several

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> MultiTaskHead:
        """Fit; ``others`` (n, targets) are classes as numbers, NaN where a row has no label."""
        super()._fit(X, y, groups, others)
        return self


class MultiTaskRegressor(SequenceRegressor):
    """As `MultiTaskHead`, for numbers."""

    several_targets = True

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> MultiTaskRegressor:
        """Fit; ``others`` (n, targets) are numbers, NaN where a row has no label."""
        super()._fit(X, y, groups, others)
        return self


def _columns(others: Any, rows: int) -> Sequence[np.ndarray]:
    """The other targets of which anything is known."""
    if others is None:
        return []
    others = np.asarray(others, dtype=float)
    if others.ndim != 2 or len(others) != rows:
        raise InputError(f"others have shape {others.shape}, want ({rows}, targets)")
    return [column for column in others.T if np.isfinite(column).any()]


def _coded(column: np.ndarray) -> np.ndarray:
    """Classes numbered from 0; -1 where there is no label."""
    known = np.isfinite(column)
    codes = np.full(len(column), -1)
    codes[known] = np.unique(column[known], return_inverse=True)[1]
    return codes
