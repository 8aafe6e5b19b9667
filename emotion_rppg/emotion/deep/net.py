"""What the deep heads share: a skorch net that is built and trained inside ``fit``.

Features go through a layer, beat sequences through an encoder, side by side.
"""

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

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from emotion_rppg.emotion.deep.encoders import Fusion

READS = ("both", "features", "beats")
CONVOLUTIONS = "conv"
_FOLDS = 5  # one in five people is held out for early stopping
_FEWEST = 20  # rows; below it nothing is held out


class SequenceNet(BaseEstimator):
    """Its parameters are told of in `deep.SequenceHead`."""

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
        """The untrained network for ``n_features_in_`` columns and ``n_outputs_`` numbers."""
        from emotion_rppg.emotion.deep.encoders import Fusion

        if self.reads not in READS:
            raise InputError(f"unknown reads {self.reads!r}; known: {', '.join(READS)}")
        features = 0 if self.reads == "beats" else self._layout()[0]
        encoder = self._encoder() if self.reads != "features" and self.n_token_channels else None
        if not features and encoder is None:
            raise InputError("there is nothing to read: no features, and no beat sequences")
        return Fusion(features, encoder, self.n_outputs_, hidden=self.hidden, dropout=self.dropout)

    def restore(self, tensors: dict[str, Tensor], where: str) -> None:
        """Make the fitted network of its numbers."""
        from emotion_rppg.runtime.model_folders import load_state

        module = self.build().double()
        load_state(module, tensors, where)
        self.module_ = module.eval()

    def _encoder(self) -> Any:
        from emotion_rppg.emotion.deep.convolutional import Convolutional
        from emotion_rppg.emotion.deep.encoders import Encoder

        if self.pretrained_:
            return Encoder(**self.pretrained_)
        if self.cell == CONVOLUTIONS:
            return Convolutional(self.n_token_channels, hidden=self.hidden, layers=self.layers)
        return Encoder(
            self.n_token_channels,
            hidden=self.hidden,
            cell=self.cell,
            layers=self.layers,
            bidirectional=self.bidirectional,
            pooling=self.pooling,
        )

    def _begin(self) -> Fusion:
        """The network that training begins with: the encoder's weights, if one is given."""
        if self.encoder is None or not self.n_token_channels or self.reads == "features":
            self.pretrained_: dict[str, Any] = {}
            return self.build()
        from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder

        given = load_encoder(self.encoder)
        wanted = self.n_token_channels
        columns = self._columns_of(given.options["channels"])
        if given.reads != "beats" or columns is None:
            raise InputError(
                f"the encoder reads {given.reads!r} of {given.options['channels']} channels, this "
                f"head beats of {wanted}: train one on tables with the same columns"
            )
        known = ("channels", "hidden", "cell", "layers", "bidirectional", "pooling", "strides")
        self.pretrained_ = {k: given.options[k] for k in known if k in given.options}
        self.pretrained_["channels"] = wanted
        module = self.build()
        module.encoder.load_state_dict(_of_channels(given.encoder.state_dict(), columns))
        return module

    def _columns_of(self, channels: int) -> list[int] | None:
        """Which of an encoder's channels the tokens have; None where that cannot be told."""
        from emotion_rppg.features.sequences import CHANNELS

        if channels == self.n_token_channels:
            return list(range(channels))
        names = self.channels.split(",")
        known = channels == len(CHANNELS) and len(names) == self.n_token_channels
        return [CHANNELS.index(name) for name in names] if known else None

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
        from emotion_rppg.emotion.deep.encoders import lengths_of

        features, longest = self._layout()
        tokens = X[:, features:].reshape(len(X), longest, self.n_token_channels)
        return {"features": X[:, :features], "tokens": tokens, "lengths": lengths_of(tokens)}

    def _train(self, X: np.ndarray, y: np.ndarray, criterion: Any, held_out: np.ndarray) -> None:
        """Fit on the rows that are not held out; stop when the held-out loss no longer falls."""
        import torch
        from skorch import NeuralNet
        from skorch.callbacks import EarlyStopping, GradientNormClipping
        from skorch.dataset import Dataset
        from skorch.helper import predefined_split

        from emotion_rppg.emotion.deep.encoders import deterministic_single_thread

        inputs = {name: _single(values) for name, values in self._inputs(X).items()}
        kept = ~held_out
        callbacks: list[Any] = [("clip", GradientNormClipping(1.0))]
        held_back = None
        if held_out.any():
            callbacks += [("stop", EarlyStopping(patience=self.patience, load_best=True))]
            validation = Dataset({k: v[held_out] for k, v in inputs.items()}, y[held_out])
            held_back = predefined_split(validation)
        with deterministic_single_thread(self.random_state):
            module = self._begin()
            if module.features is not None:
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

        from emotion_rppg.emotion.deep.encoders import deterministic_single_thread

        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_all_finite="allow-nan", dtype=float)
        inputs = {name: torch.tensor(values) for name, values in self._inputs(X).items()}
        with deterministic_single_thread(0), torch.no_grad():
            return self.module_(**inputs).numpy()

    def __getstate__(self) -> dict[str, Any]:
        """Plain arrays in the network's place: what holds this head can be kept as data."""
        state = dict(super().__getstate__())
        if "module_" in state:
            numbers = state["module_"].state_dict()
            state["module_"] = {name: tensor.numpy() for name, tensor in numbers.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        numbers = self.__dict__.pop("module_", None)
        if numbers is not None:
            import torch

            tensors = {name: torch.tensor(values) for name, values in numbers.items()}
            self.restore(tensors, type(self).__name__)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def held_out_rows(n: int, groups: Any, *, codes: np.ndarray | None = None, seed: int) -> np.ndarray:
    """Rows of the inner validation set, bool (n,); none where there is too little of anything.

    ``codes`` (n,) are classes, whose shares are kept.
    """
    held_out = np.zeros(n, dtype=bool)
    most = _FOLDS if groups is None else min(_FOLDS, len(np.unique(groups)))
    if codes is not None:
        most = min(most, int(np.bincount(codes).min()))
    if most < 2 or n < _FEWEST:
        return held_out
    kinds = (KFold, GroupKFold) if codes is None else (StratifiedKFold, StratifiedGroupKFold)
    split = kinds[groups is not None](most, shuffle=True, random_state=seed)
    target = np.zeros(len(held_out)) if codes is None else codes
    _, chosen = next(split.split(held_out[:, None], target, groups))
    held_out[chosen] = True
    return held_out


def _single(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _of_channels(tensors: dict[str, Tensor], columns: list[int]) -> dict[str, Tensor]:
    """An encoder's numbers for some of its channels: the others count as always average."""
    first = ("recurrent.weight_ih_l0", "recurrent.weight_ih_l0_reverse", "stem.layers.0.weight")
    stem = any(name.startswith("stem.") for name in tensors)
    out = dict(tensors)
    for name, tensor in tensors.items():
        if name.startswith("standardise."):
            out[name] = tensor[columns]
        elif name in first and stem == name.startswith("stem."):
            out[name] = tensor[:, columns]
    return out
