"""Base of the deep heads: builds, trains and restores a network with skorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from emotion_rppg.emotion.design_matrix import lengths_of, token_groups
from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from emotion_rppg.emotion.deep.encoders import Fusion

READS = ("both", "features", "beats")
CONVOLUTIONS = "conv"
_FOLDS = 5  # one in five people is held out for early stopping
_MIN_ROWS = 20  # with fewer rows nothing is held out


class SequenceNet(BaseEstimator):
    """Base of the deep heads; `estimator.SequenceHead` documents the parameters."""

    def __init__(
        self,
        *,
        n_features: int | None = None,
        n_token_channels: int = 0,
        channels: str = "",
        reads: str = "both",
        encoder: str | Path | None = None,
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
        calibrate: bool = False,
        random_state: int = 0,
    ) -> None:
        self.n_features = n_features
        self.n_token_channels = n_token_channels
        self.channels = channels
        self.reads = reads
        self.encoder = encoder
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
        self.calibrate = calibrate
        self.random_state = random_state

    def build(self) -> Fusion:
        """Build the untrained network for ``n_features_in_`` columns and ``n_outputs_`` outputs."""
        from emotion_rppg.emotion.deep.encoders import Fusion

        if self.reads not in READS:
            raise InputError(f"unknown reads {self.reads!r}; known: {', '.join(READS)}")
        features = 0 if self.reads == "beats" else self._layout()[0]
        encoder = self._encoder() if self.reads != "features" and self.n_token_channels else None
        if not features and encoder is None:
            raise InputError(
                f"reads={self.reads!r} leaves no input: X has no features or no beat sequences; "
                "choose another value of reads, or extract the family 'sequence'"
            )
        return Fusion(features, encoder, self.n_outputs_, hidden=self.hidden, dropout=self.dropout)

    def restore(self, tensors: dict[str, Tensor], where: str) -> None:
        """Build the network and load its fitted weights; ``where`` names them in errors."""
        from emotion_rppg.runtime.model_folders import restored

        self.module_ = restored(lambda: self.build().double(), tensors, where).eval()

    def _encoder(self) -> Any:
        from emotion_rppg.emotion.deep.convolutional import Convolutional
        from emotion_rppg.emotion.deep.encoders import Encoder
        from emotion_rppg.emotion.deep.grouped import Grouped

        if self.pretrained_:
            return Encoder(**self.pretrained_)

        def encoder(channels: int) -> Any:
            if self.cell == CONVOLUTIONS:
                return Convolutional(channels, hidden=self.hidden, layers=self.layers)
            return Encoder(
                channels,
                hidden=self.hidden,
                cell=self.cell,
                layers=self.layers,
                bidirectional=self.bidirectional,
                pooling=self.pooling,
            )

        names = self.channels.split(",") if self.channels else []
        if names and len(names) != self.n_token_channels:
            raise InputError(
                f"channels names {len(names)} token channels, n_token_channels is "
                f"{self.n_token_channels}: set both by design_matrix.with_layout"
            )
        groups = token_groups(names)
        if len(groups) > 1:
            return Grouped(groups, encoder)
        return encoder(self.n_token_channels)

    def _initial_network(self) -> Fusion:
        """Build the network with initial weights, those of the pretrained encoder if given."""
        if self.encoder is None or not self.n_token_channels or self.reads == "features":
            self.pretrained_: dict[str, Any] = {}
            return self.build()
        from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder

        pretrained = load_encoder(self.encoder)
        options = pretrained.options
        columns = self._columns_of(options["channels"])
        if pretrained.reads != "beats" or columns is None:
            raise InputError(
                f"the encoder reads {pretrained.reads!r} of {options['channels']} channels, this "
                f"head beats of {self.n_token_channels}: train an encoder on tables with the same "
                "columns"
            )
        names = ("channels", "hidden", "cell", "layers", "bidirectional", "pooling", "strides")
        self.pretrained_ = {name: options[name] for name in names if name in options}
        self.pretrained_["channels"] = self.n_token_channels
        module = self.build()
        module.encoder.load_state_dict(_select_channels(pretrained.encoder.state_dict(), columns))
        return module

    def _columns_of(self, channels: int) -> list[int] | None:
        """Find the indices of the tokens' channels among those of an encoder; None if unknown."""
        from emotion_rppg.features.sequences import CHANNELS

        if channels == self.n_token_channels:
            return list(range(channels))
        names = self.channels.split(",")
        known = channels == len(CHANNELS) and len(names) == self.n_token_channels
        return [CHANNELS.index(name) for name in names] if known else None

    def _layout(self) -> tuple[int, int]:
        """Return the number of features and of tokens in a row, after checking the columns."""
        columns, channels = self.n_features_in_, self.n_token_channels
        features = columns if self.n_features is None else self.n_features
        rest = columns - features
        if rest < 0 or features < 0 or (rest and (not channels or rest % channels)):
            raise InputError(
                f"X has {columns} columns, want {features} features and complete tokens of "
                f"{channels} channels: set n_features and n_token_channels "
                "(design_matrix.with_layout)"
            )
        return features, rest // channels if channels else 0

    def _inputs(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Split X into the arguments of the network's forward, by name."""
        features, longest = self._layout()
        tokens = X[:, features:].reshape(len(X), longest, self.n_token_channels)
        return {"features": X[:, :features], "tokens": tokens, "lengths": lengths_of(tokens)}

    def _train(self, X: np.ndarray, y: np.ndarray, criterion: Any, held_out: np.ndarray) -> None:
        """Train on the rows that are not held out; stop when the held-out loss stops falling."""
        import torch
        from skorch import NeuralNet
        from skorch.callbacks import EarlyStopping, GradientNormClipping
        from skorch.dataset import Dataset
        from skorch.helper import predefined_split

        from emotion_rppg.emotion.deep.encoders import deterministic_single_thread

        inputs = {name: _as_float32(values) for name, values in self._inputs(X).items()}
        training = ~held_out
        callbacks: list[Any] = [("clip", GradientNormClipping(1.0))]
        split = None
        if held_out.any():
            callbacks += [("stop", EarlyStopping(patience=self.patience, load_best=True))]
            validation = Dataset({k: v[held_out] for k, v in inputs.items()}, y[held_out])
            split = predefined_split(validation)
        with deterministic_single_thread(self.random_state):
            module = self._initial_network()
            if module.features is not None:
                module.standardise.fit(torch.tensor(X[training][:, : self._layout()[0]]))
            if module.encoder is not None:
                module.encoder.standardise.fit(torch.tensor(self._inputs(X[training])["tokens"]))
            net = NeuralNet(
                module.float(),
                criterion=criterion,
                optimizer=torch.optim.AdamW,
                optimizer__weight_decay=self.weight_decay,
                lr=self.learning_rate,
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                iterator_train__shuffle=True,
                train_split=split,
                callbacks=callbacks,
                verbose=0,
            )
            net.fit({k: v[training] for k, v in inputs.items()}, y[training])
        self.n_epochs_ = len(net.history)
        # float64: the output of a row does not depend on the other rows of the call
        self.module_ = net.module_.double().eval()

    def _outputs(self, X: Any) -> np.ndarray:
        import torch

        from emotion_rppg.emotion.deep.encoders import deterministic_single_thread

        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan", dtype=float)
        inputs = {name: torch.tensor(values) for name, values in self._inputs(X).items()}
        with deterministic_single_thread(0), torch.no_grad():
            return self.module_(**inputs).numpy()

    def __getstate__(self) -> dict[str, Any]:
        """Replace the network by its arrays, so that an object with this head is stored as data."""
        state = dict(super().__getstate__())
        if "module_" in state:
            weights = state["module_"].state_dict()
            state["module_"] = {name: tensor.numpy() for name, tensor in weights.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        weights = self.__dict__.pop("module_", None)
        if weights is not None:
            import torch

            tensors = {name: torch.tensor(values) for name, values in weights.items()}
            self.restore(tensors, type(self).__name__)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def reads_sequences(head: Any) -> bool:
    """Tell whether a head is a network on sequences; one with a pretrained encoder reads beats."""
    while hasattr(head, "estimator"):  # wrappers that calibrate
        head = head.estimator
    return isinstance(head, SequenceNet) and head.reads != "features" and head.encoder is None


def held_out_rows(n: int, groups: Any, *, codes: np.ndarray | None = None, seed: int) -> np.ndarray:
    """Choose the rows of the inner validation set, bool (n,); none with too few rows or people.

    ``groups`` (n,) are people, of whom no one is on both sides; None: rows are independent.
    ``codes`` (n,) are classes, whose shares are preserved; None: a regression.
    """
    held_out = np.zeros(n, dtype=bool)
    n_folds = _FOLDS if groups is None else min(_FOLDS, len(np.unique(groups)))
    if codes is not None:
        n_folds = min(n_folds, int(np.bincount(codes).min()))
    if n_folds < 2 or n < _MIN_ROWS:
        return held_out
    kinds = (KFold, GroupKFold) if codes is None else (StratifiedKFold, StratifiedGroupKFold)
    split = kinds[groups is not None](n_folds, shuffle=True, random_state=seed)
    target = np.zeros(len(held_out)) if codes is None else codes
    _, rows = next(split.split(held_out[:, None], target, groups))
    held_out[rows] = True
    return held_out


def _as_float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _select_channels(tensors: dict[str, Tensor], columns: list[int]) -> dict[str, Tensor]:
    """Select an encoder's weights for some of its channels; the others count as always average."""
    first = ("recurrent.weight_ih_l0", "recurrent.weight_ih_l0_reverse", "stem.layers.0.weight")
    stem = any(name.startswith("stem.") for name in tensors)
    out = dict(tensors)
    for name, tensor in tensors.items():
        if name.startswith("standardise."):
            out[name] = tensor[columns]
        elif name in first and stem == name.startswith("stem."):
            out[name] = tensor[:, columns]
    return out
