"""The deep head: beat sequences through a recurrent encoder, fused with the features.

A scikit-learn estimator that builds its skorch net inside ``fit``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    from emotion_rppg.emotion.networks import Fusion


class _SequenceNet(BaseEstimator):
    """What classifier and regressor share; see `SequenceHead`."""

    _FOLDS = 5  # one in five people is held out for early stopping
    _FEWEST = 20  # rows; below it nothing is held out

    def __init__(
        self,
        *,
        n_features: int | None = None,
        n_token_channels: int = 0,
        hidden: int = 24,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "mean",
        dropout: float = 0.2,
        max_epochs: int = 60,
        patience: int = 12,
        batch_size: int = 32,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        random_state: int = 0,
    ) -> None:
        self.n_features = n_features
        self.n_token_channels = n_token_channels
        self.hidden = hidden
        self.cell = cell
        self.layers = layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def build(self, outputs: int) -> Fusion:
        """The untrained network for ``n_features_in_`` columns."""
        from emotion_rppg.emotion.networks import Fusion

        return Fusion(
            self._layout()[0],
            self.n_token_channels,
            outputs,
            hidden=self.hidden,
            cell=self.cell,
            layers=self.layers,
            bidirectional=self.bidirectional,
            pooling=self.pooling,
            dropout=self.dropout,
        )

    def _layout(self) -> tuple[int, int]:
        """How many columns are features, and how many tokens follow; checked."""
        columns, channels = self.n_features_in_, self.n_token_channels
        features = columns if self.n_features is None else self.n_features
        rest = columns - features
        if rest < 0 or features < 0 or (rest and (not channels or rest % channels)):
            raise InputError(
                f"X has {columns} columns: that is not {features} features and whole tokens of "
                f"{channels} channels; set n_features and n_token_channels (inputs.fitted_to)"
            )
        return features, rest // channels if channels else 0

    def _inputs(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """What the network's forward takes, by name."""
        from emotion_rppg.emotion.networks import lengths_of

        features, longest = self._layout()
        tokens = X[:, features:].reshape(len(X), longest, self.n_token_channels)
        return {"features": X[:, :features], "tokens": tokens, "lengths": lengths_of(tokens)}

    def _train(
        self, X: np.ndarray, y: np.ndarray, outputs: int, criterion: Any, held_out: np.ndarray
    ) -> None:
        """Fit on the rows that are not held out; stop when the held-out loss no longer falls."""
        import torch
        from skorch import NeuralNet
        from skorch.callbacks import EarlyStopping, GradientNormClipping
        from skorch.dataset import Dataset
        from skorch.helper import predefined_split

        from emotion_rppg.emotion.networks import small_and_repeatable

        inputs = {name: _single(values) for name, values in self._inputs(X).items()}
        kept = ~held_out
        callbacks: list[Any] = [("clip", GradientNormClipping(1.0))]
        held_back = None
        if held_out.any():
            callbacks += [("stop", EarlyStopping(patience=self.patience, load_best=True))]
            validation = Dataset({k: v[held_out] for k, v in inputs.items()}, y[held_out])
            held_back = predefined_split(validation)
        with small_and_repeatable(self.random_state):
            module = self.build(outputs)
            module.standardise.fit(torch.tensor(X[kept][:, : self._layout()[0]]))
            if module.encoder is not None:
                module.encoder.standardise.fit(torch.tensor(self._inputs(X[kept])["tokens"]))
            net = NeuralNet(
                module.float(),
                criterion=criterion,
                optimizer=torch.optim.AdamW,
                optimizer__weight_decay=self.weight_decay,
                lr=self.learning_rate,
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                iterator_train__shuffle=True,
                train_split=held_back,
                callbacks=callbacks,
                verbose=0,
            )
            net.fit({k: v[kept] for k, v in inputs.items()}, y[kept])
        self.n_epochs_ = len(net.history)
        # float64: what a row gets does not depend on which rows it is asked together with
        self.module_ = net.module_.double().eval()

    def _outputs(self, X: Any) -> np.ndarray:
        import torch

        from emotion_rppg.emotion.networks import small_and_repeatable

        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan", dtype=float)
        inputs = {name: torch.tensor(values) for name, values in self._inputs(X).items()}
        with small_and_repeatable(0), torch.no_grad():
            return self.module_(**inputs).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class SequenceHead(ClassifierMixin, _SequenceNet):
    """Classifier of beat sequences and features together.

    Beat tokens → recurrent encoder → vector; features → one layer; both side by side → classes.
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
    hidden : int
        Width of the recurrent state and of the features' layer.
    cell, layers, bidirectional, pooling :
        As of `networks.Encoder`.
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> SequenceHead:
        """Fit; ``groups`` (n,) are people, kept whole by the inner split for early stopping."""
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan", dtype=float)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("the labels have one class only; a classifier needs at least two")
        held_out = _held_out(
            codes, groups, self._FOLDS if len(X) >= self._FEWEST else 0, self.random_state
        )
        if len(np.unique(codes[~held_out])) < len(self.classes_):
            held_out[:] = False
        self._train(X, codes, len(self.classes_), _weighted(codes[~held_out]), held_out)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes), rows add up to one."""
        scores = self._outputs(X)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


class SequenceRegressor(RegressorMixin, _SequenceNet):
    """As `SequenceHead`, for a number (squared error)."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> SequenceRegressor:
        """Fit; ``groups`` (n,) are people, kept whole by the inner split for early stopping."""
        from torch.nn import MSELoss

        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan", dtype=float, y_numeric=True)
        self.mean_, self.scale_ = float(np.mean(y)), float(np.std(y)) or 1.0
        scaled = ((y - self.mean_) / self.scale_).astype(np.float32)[:, None]
        folds = self._FOLDS if len(X) >= self._FEWEST else 0
        held_out = _held_out(None, groups, folds, self.random_state, n=len(X))
        self._train(X, scaled, 1, MSELoss(), held_out)
        return self

    def predict(self, X: Any) -> np.ndarray:
        outputs = self._outputs(X)
        return self.mean_ + self.scale_ * outputs[:, 0]


def _held_out(
    codes: np.ndarray | None, groups: Any, folds: int, seed: int, *, n: int | None = None
) -> np.ndarray:
    """Rows of the inner validation set, bool (n,); none where there is too little of anything."""
    held_out = np.zeros(len(codes) if codes is not None else n or 0, dtype=bool)
    most = folds if groups is None else min(folds, len(np.unique(groups)))
    if codes is not None:
        most = min(most, int(np.bincount(codes).min()))
    if most < 2:
        return held_out
    kinds = (KFold, GroupKFold) if codes is None else (StratifiedKFold, StratifiedGroupKFold)
    split = kinds[groups is not None](most, shuffle=True, random_state=seed)
    target = np.zeros(len(held_out)) if codes is None else codes
    _, chosen = next(split.split(held_out[:, None], target, groups))
    held_out[chosen] = True
    return held_out


def _weighted(codes: np.ndarray) -> Any:
    import torch

    weight = compute_class_weight("balanced", classes=np.unique(codes), y=codes)
    return torch.nn.CrossEntropyLoss(weight=torch.tensor(weight, dtype=torch.float32))


def _single(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values
