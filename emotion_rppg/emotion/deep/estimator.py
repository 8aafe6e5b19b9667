"""Deep heads: scikit-learn estimators on features and beat sequences, for one target or several."""

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
    """Classify beat sequences and features together, or either alone.

    Beat tokens → encoder → vector; features → one layer; both vectors concatenated → classes. What
    the encoder reads, and how it handles the length of a sequence, is in `encoders.Encoder`.
    Features and tokens are standardised by training statistics; a missing value becomes the mean.
    Classes have equal weight. Gradients are clipped to norm 1. A fifth of the people (``groups`` of
    ``fit``; else a fifth of the rows) is held out for early stopping. The same data and
    ``random_state`` give the same network.

    Parameters
    ----------
    n_features : int or None
        Number of leading columns that are features; None: all, without tokens.
    n_token_channels : int
        Channels of the tokens that follow, flattened and padded with NaN; 0: no tokens.
    channels : str
        Names of these channels, joined by commas. Needed if ``encoder`` reads more channels, and
        for channels of several sources (beats, ``eda_us``): each source has its own encoder
        (`grouped.Grouped`).
    reads : {"both", "features", "beats"}
        ``"features"`` gives a multilayer perceptron, ``"beats"`` an encoder without features.
    encoder : folder, optional
        A pretrained encoder (``emotion-rppg train encoder``), with whose weights training begins.
        Its architecture replaces the parameters below. Mean and SD of the tokens still come from
        the training rows, because a subject baseline may have been subtracted from them.
    hidden : int
        Size of the encoder's state and of the layer on the features.
    cell, layers, bidirectional, pooling :
        As in `encoders.Encoder`. The cell ``"conv"`` is `convolutional.Convolutional` with
        ``layers`` layers.
    dropout : float
        Dropout probability before the output layer.
    max_epochs, patience : int
        Training stops after ``max_epochs``, or ``patience`` epochs without a lower loss on the
        held-out people.
    batch_size, learning_rate, weight_decay :
        Settings of AdamW.
    calibrate : bool
        Temperature-scale the probabilities on the held-out people (classifiers only).
    random_state : int
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> SequenceHead:
        """Fit; ``groups`` (n,) are people: the inner split for early stopping is group-disjoint."""
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
        targets = np.column_stack([codes, *(_coded(c) for c in _other_labels(others, len(X)))])
        loss = Classes(targets[~held_out], sizes=targets.max(axis=0) + 1)
        self.n_outputs_ = sum(loss.sizes)
        self._train(X, targets, loss, held_out)
        self.factor_ = 1.0
        if self.calibrate and held_out.any():
            scores = self._outputs(X[held_out])[:, : len(self.classes_)]
            self.factor_ = temperature(scores, codes[held_out])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, (n, classes); each row sums to one."""
        scores = self._outputs(X)[:, : len(self.classes_)]
        return softmax(self.factor_ * scores, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


class SequenceRegressor(RegressorMixin, SequenceNet):
    """Predict a number from beat sequences and features; as `SequenceHead`, with squared error."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> SequenceRegressor:
        """Fit; ``groups`` (n,) are people: the inner split for early stopping is group-disjoint."""
        return self._fit(X, y, groups)

    def _fit(self, X: Any, y: Any, groups: Any, others: Any = None) -> SequenceRegressor:
        from emotion_rppg.emotion.deep.losses import Numbers

        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan", dtype=float, y_numeric=True)
        self.mean_, self.scale_ = float(np.mean(y)), float(np.std(y)) or 1.0
        targets = np.column_stack([y, *_other_labels(others, len(X))])
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
    """Classify one target, learning the other targets together with it (Caruana 1997).

    The network has outputs for every target. The other targets shape the shared layers in training;
    only the first target is predicted. Without others it is a `SequenceHead`.
    """

    several_targets = True  # "all" includes this head only with several targets

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> MultiTaskHead:
        """Fit; ``others`` (n, targets) are class numbers of other targets, NaN if missing."""
        super()._fit(X, y, groups, others)
        return self


class MultiTaskRegressor(SequenceRegressor):
    """Predict a number, learning other numbers together with it; as `MultiTaskHead`."""

    several_targets = True

    def fit(self, X: Any, y: Any, groups: Any = None, others: Any = None) -> MultiTaskRegressor:
        """Fit; ``others`` (n, targets) are numbers of other targets, NaN if missing."""
        super()._fit(X, y, groups, others)
        return self


def _other_labels(others: Any, rows: int) -> Sequence[np.ndarray]:
    """List the other targets (n,) that have any label."""
    if others is None:
        return []
    others = np.asarray(others, dtype=float)
    if others.ndim != 2 or len(others) != rows:
        raise InputError(f"others have shape {others.shape}, want ({rows}, targets)")
    return [column for column in others.T if np.isfinite(column).any()]


def _coded(column: np.ndarray) -> np.ndarray:
    """Number classes from 0; -1 where the label is missing."""
    labelled = np.isfinite(column)
    codes = np.full(len(column), -1)
    codes[labelled] = np.unique(column[labelled], return_inverse=True)[1]
    return codes
