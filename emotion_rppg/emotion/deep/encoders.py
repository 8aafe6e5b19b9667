"""The recurrent encoder: beat sequences of any length in, one vector of fixed size out."""

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
_LIMIT = 8.0  # standard deviations: one absurd interval must not drown the others


class Standardise(nn.Module):
    """Channels to mean 0 and deviation 1 by the training set's statistics; NaN becomes 0.

    A channel that training never saw has the mean NaN and stays 0: nothing was learned about it.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def fit(self, values: Tensor) -> Standardise:
        """Statistics of (…, channels) over everything that is not NaN; in place."""
        flat = values.reshape(-1, values.shape[-1]).double()
        seen = flat.isfinite()
        n = seen.sum(0).clamp(min=1)
        mean = torch.where(seen, flat, 0.0).sum(0) / n
        variance = torch.where(seen, flat - mean, 0.0).square().sum(0) / n
        scale = variance.sqrt()
        flat_line = scale <= 1e-9 * mean.abs() + 1e-12  # constant up to rounding: leave its size
        self.mean.copy_(torch.where(seen.any(0), mean, torch.nan))
        self.scale.copy_(torch.where(flat_line, 1.0, scale))
        return self

    def forward(self, values: Tensor) -> Tensor:
        """(…, channels) -> (…, channels)"""
        scaled = ((values - self.mean) / self.scale).clamp(-_LIMIT, _LIMIT)
        return torch.where(scaled.isnan(), 0.0, scaled)


class Stem(nn.Module):
    """Strided convolutions that make few steps of a wave's many samples.

    ``strides`` are those of the layers: (4, 4, 2) makes one step of 32 samples.
    """

    def __init__(self, channels: int, width: int, strides: Sequence[int]) -> None:
        super().__init__()
        if any(stride < 1 for stride in strides):
            raise InputError(f"strides are whole numbers above 0, got {tuple(strides)}")
        inputs = [channels, *[width] * (len(strides) - 1)]
        self.layers = nn.ModuleList(
            nn.Conv1d(n, width, 2 * stride + 1, stride=stride, padding=stride)
            for n, stride in zip(inputs, strides, strict=True)
        )
        self.strides = tuple(strides)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, time, channels), (batch,) -> (batch, steps, width), (batch,)

        Behind a sequence's end there is silence, whatever it is batched with.
        """
        x = values.transpose(1, 2)
        for layer, stride in zip(self.layers, self.strides, strict=True):
            there = torch.arange(x.shape[2], device=x.device) < lengths[:, None]
            x = layer(x * there[:, None]).relu()
            lengths = (lengths + stride - 1) // stride
        return x.transpose(1, 2), lengths


class Encoder(nn.Module):
    """A recurrent network over beat tokens, pooled over the beats that are there.

    Tokens come raw (NaN where a beat's value was not seen); they are standardised inside, by
    statistics that ``standardise.fit`` takes from training tokens. The result for a sequence does
    not depend on what it is batched or padded with.

    Parameters
    ----------
    channels : int
        Values a beat.
    hidden : int
        Width of the recurrent state, each direction.
    cell : {"lstm", "gru", "rnn"}
        LSTM (Hochreiter & Schmidhuber 1997) with forget bias 1 (Gers et al. 2000), GRU (Cho et
        al. 2014), or the plain RNN, which loses the long past.
    layers : int
    bidirectional : bool
    pooling : {"mean", "attention", "last"}
        Mean over the beats, a learned weighting of them (softmax of one score a beat), or the
        last state (of both directions).
    strides : sequence of int
        Of a convolution `Stem` before the recurrent network, for waves; default: none.
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
        """(batch, time, channels), (batch,) -> (batch, dim); no tokens at all give zeros."""
        if not bool((lengths > 0).any()):
            return tokens.new_zeros(len(tokens), self.dim)
        steps = lengths.clamp(min=1)  # an empty sequence takes one step and is wiped at the end
        values = self.standardise(tokens[:, : int(steps.max())])
        if self.stem is not None:
            values, steps = self.stem(values, steps)
        pooled = self._pool(self._states(values, steps), steps)
        return pooled * (lengths > 0).to(pooled)[:, None]

    def gates(self, sequence: np.ndarray | Tensor) -> Gates:
        """First layer's gates over one sequence, (time, channels) -> (steps, hidden) each.

        Only an LSTM has them. Steps are those that the stem makes; without one, times.
        """
        if not isinstance(self.recurrent, nn.LSTM):
            raise InputError(f"gates are those of an LSTM; this encoder's cell is {self.cell!r}")
        tokens = torch.as_tensor(np.asarray(sequence)).to(self.standardise.mean)
        values = self.standardise(tokens)
        if self.stem is not None:
            with torch.no_grad():
                values = self.stem(values[None], torch.tensor([len(values)]))[0][0]
        return lstm_gates(self.recurrent, values)

    def _states(self, tokens: Tensor, steps: Tensor) -> Tensor:
        """(batch, time, channels), (batch,) -> (batch, time, dim), meaningless behind the end.

        A forward network has not seen what follows a step, so padding behind the end changes
        nothing before it, and running over it is 4–7 times faster on a CPU than packing. A
        backward one would start in the padding: both directions are packed.
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
        places = torch.arange(states.shape[1], device=states.device)
        there = (places < steps[:, None])[..., None]
        if self.score is None:
            return states.masked_fill(~there, 0.0).sum(1) / steps[:, None]
        weight = self.score(states).masked_fill(~there, -torch.inf).softmax(dim=1)
        return (weight * states).sum(1)


def lengths_of(tokens: np.ndarray) -> np.ndarray:
    """Tokens up to the last one of which anything is known: (n, longest, channels) -> int (n,)."""
    known = np.isfinite(tokens).any(axis=2)
    backwards = np.argmax(known[:, ::-1], axis=1) if known.shape[1] else np.zeros(len(known), int)
    return np.where(known.any(axis=1), known.shape[1] - backwards, 0)


@contextmanager
def small_and_repeatable(seed: int) -> Iterator[None]:
    """One thread (small networks are slower on more) and a random state of one's own, then back."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


class Fusion(nn.Module):
    """Features and a beat sequence side by side, or either alone: the network of the deep heads.

    ``n_features`` 0 leaves the features out, ``encoder`` None the sequence.
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
