"""Recurrent encoder: sequences of beat tokens of any length → one vector of fixed size.

What the encoder reads, and how it handles lengths and missing values, is in `Encoder`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emotion_rppg.errors import InputError
from emotion_rppg.recurrent import Gates, initialise
from emotion_rppg.recurrent import gates as lstm_gates

CELLS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
POOLINGS = ("last", "mean", "attention")
_LIMIT = 8.0  # standard deviations: bounds the effect of one absurd interval


class Standardise(nn.Module):
    """Standardise channels to mean 0 and SD 1 of the training set, within ±8 SD; NaN becomes 0.

    A channel without a value in training has the mean NaN and is always 0.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def fit(self, values: Tensor) -> Standardise:
        """Compute mean and SD of (…, channels) over all values that are not NaN, in place."""
        flat = values.reshape(-1, values.shape[-1]).double()
        finite = flat.isfinite()
        n = finite.sum(0).clamp(min=1)
        mean = torch.where(finite, flat, 0.0).sum(0) / n
        variance = torch.where(finite, flat - mean, 0.0).square().sum(0) / n
        scale = variance.sqrt()
        constant = scale <= 1e-9 * mean.abs() + 1e-12  # up to rounding: is not scaled
        self.mean.copy_(torch.where(finite.any(0), mean, torch.nan))
        self.scale.copy_(torch.where(constant, 1.0, scale))
        return self

    def forward(self, values: Tensor) -> Tensor:
        """(…, channels) -> (…, channels)"""
        scaled = ((values - self.mean) / self.scale).clamp(-_LIMIT, _LIMIT)
        return torch.where(scaled.isnan(), 0.0, scaled)


class Stem(nn.Module):
    """Downsample a wave with strided convolutions before the recurrent network.

    ``strides`` has one stride for each layer: (4, 4, 2) makes one step of 32 samples.
    """

    def __init__(self, channels: int, width: int, strides: Sequence[int]) -> None:
        super().__init__()
        if any(stride < 1 for stride in strides):
            raise InputError(f"strides are {tuple(strides)}, want integers from 1")
        inputs = [channels, *[width] * (len(strides) - 1)]
        self.layers = nn.ModuleList(
            nn.Conv1d(n, width, 2 * stride + 1, stride=stride, padding=stride)
            for n, stride in zip(inputs, strides, strict=True)
        )
        self.strides = tuple(strides)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, time, channels), (batch,) -> (batch, steps, width), (batch,)

        Values after the end of a sequence are set to 0 before each layer, so its steps do not
        depend on its padding.
        """
        x = values.transpose(1, 2)
        for layer, stride in zip(self.layers, self.strides, strict=True):
            within = torch.arange(x.shape[2], device=x.device) < lengths[:, None]
            x = layer(x * within[:, None]).relu()
            lengths = (lengths + stride - 1) // stride
        return x.transpose(1, 2), lengths


class Encoder(nn.Module):
    """Encode a sequence of beat tokens as one vector: recurrent network, then pooling over beats.

    *Input.* A token is one beat: inter-beat interval, its difference from the previous one,
    amplitude, rise time, width and, if requested, confidence (`features.sequences.tokens` defines
    them), NaN where a value is missing; a gap between beats is not a token. A batch is (batch,
    time, channels), padded at the end, with the number of tokens of each sequence in ``lengths``.
    Tokens are standardised inside, with mean and SD of the training tokens (``standardise.fit``);
    a missing value becomes 0, the mean.

    *Length.* Any length is accepted and none is cut. Pooling covers only the tokens within
    ``lengths``, so the vector of a sequence does not depend on its padding or on the rest of the
    batch. A sequence without tokens has the vector 0. The heads themselves train and predict with
    one common length (`design_matrix.of_one_length`), so that the number of beats carries no
    information.

    Parameters
    ----------
    channels : int
        Values of each beat.
    hidden : int
        Size of the recurrent state in each direction.
    cell : {"lstm", "gru", "rnn"}
        LSTM (Hochreiter & Schmidhuber 1997) with forget bias 1 (Gers et al. 2000), GRU (Cho et
        al. 2014), or the plain RNN, whose gradients vanish over long sequences.
    layers : int
    bidirectional : bool
    pooling : {"mean", "attention", "last"}
        Mean of the states of all beats, their learned weighted mean (softmax of one score for each
        beat), or the last state (of both directions).
    strides : sequence of int
        Strides of a convolutional `Stem` before the recurrent network, for waves; default: none.
    """

    def __init__(
        self,
        channels: int,
        *,
        hidden: int = 32,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "mean",
        strides: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise InputError(f"unknown cell {cell!r}; known: {', '.join(CELLS)}")
        if pooling not in POOLINGS:
            raise InputError(f"unknown pooling {pooling!r}; known: {', '.join(POOLINGS)}")
        self.pooling, self.cell = pooling, cell
        self.standardise = Standardise(channels)
        self.stem = Stem(channels, hidden, strides) if strides else None
        self.recurrent: nn.RNNBase = CELLS[cell](
            hidden if strides else channels,
            hidden,
            num_layers=layers,
            bidirectional=bidirectional,
            batch_first=True,
        )
        initialise(self.recurrent)
        self.dim = hidden * (2 if bidirectional else 1)
        self.score = nn.Linear(self.dim, 1) if pooling == "attention" else None

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, channels), (batch,) -> (batch, dim); without tokens, zeros."""
        if not bool((lengths > 0).any()):
            return tokens.new_zeros(len(tokens), self.dim)
        steps = lengths.clamp(min=1)  # an empty sequence takes one step; its vector is zeroed below
        values = self.standardise(tokens[:, : int(steps.max())])
        if self.stem is not None:
            values, steps = self.stem(values, steps)
        pooled = self._pool(self._states(values, steps), steps)
        return pooled * (lengths > 0).to(pooled)[:, None]

    def gates(self, sequence: np.ndarray | Tensor) -> Gates:
        """Compute the gates of the first layer, (time, channels) -> (steps, hidden) each.

        Only for an LSTM. A step is a token, or with a stem several samples.
        """
        if not isinstance(self.recurrent, nn.LSTM):
            raise InputError(f"only an LSTM has gates; the cell of this encoder is {self.cell!r}")
        tokens = torch.as_tensor(np.asarray(sequence)).to(self.standardise.mean)
        values = self.standardise(tokens)
        if self.stem is not None:
            with torch.no_grad():
                values = self.stem(values[None], torch.tensor([len(values)]))[0][0]
        return lstm_gates(self.recurrent, values)

    def _states(self, tokens: Tensor, steps: Tensor) -> Tensor:
        """(batch, time, channels), (batch,) -> (batch, time, dim), meaningless after the end.

        A state of a forward network depends on no later token, so padding after the end does not
        change it, and computing it is 4–7 times faster on a CPU than packing. A backward network
        would start in the padding: a bidirectional one is packed.
        """
        if not self.recurrent.bidirectional:
            return self.recurrent(tokens)[0]
        packed = pack_padded_sequence(tokens, steps.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)[0]

    def _pool(self, states: Tensor, steps: Tensor) -> Tensor:
        """(batch, time, dim), (batch,) -> (batch, dim)"""
        if self.pooling == "last":
            forward, backward = states.tensor_split([self.recurrent.hidden_size], dim=-1)
            end = forward[torch.arange(len(states), device=states.device), steps - 1]
            return torch.cat([end, backward[:, 0]], dim=-1)
        index = torch.arange(states.shape[1], device=states.device)
        within = (index < steps[:, None])[..., None]
        if self.score is None:
            return states.masked_fill(~within, 0.0).sum(1) / steps[:, None]
        weight = self.score(states).masked_fill(~within, -torch.inf).softmax(dim=1)
        return (weight * states).sum(1)


@contextmanager
def deterministic_single_thread(seed: int) -> Iterator[None]:
    """Use one thread and a seeded random state inside the block, then restore both.

    Small networks are slower on several threads.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


class Fusion(nn.Module):
    """Network of the deep heads: features and an encoded beat sequence → outputs.

    Features go through one layer, the sequence through the encoder; both vectors are concatenated.
    ``n_features=0`` omits the features, ``encoder=None`` the sequence.
    """

    def __init__(
        self, n_features: int, encoder: Any, outputs: int, *, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.standardise = Standardise(n_features)
        self.features = (
            nn.Sequential(nn.Linear(n_features, hidden), nn.ReLU()) if n_features else None
        )
        width = (hidden if n_features else 0) + (0 if encoder is None else encoder.dim)
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, outputs))

    def forward(self, features: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """(batch, features), (batch, time, channels), (batch,) -> (batch, outputs)"""
        parts = []
        if self.features is not None:
            parts.append(self.features(self.standardise(features)))
        if self.encoder is not None:
            parts.append(self.encoder(tokens, lengths))
        return self.classify(torch.cat(parts, dim=1))
