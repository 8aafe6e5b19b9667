"""Sequence to sequence: an encoder's vector, and a decoder that writes a sequence from it alone.

What is written need not be as long as what was read (Sutskever et al. 2014).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emotion_rppg.emotion.deep.encoders import Encoder, Standardise, lengths_of
from emotion_rppg.errors import InputError
from emotion_rppg.recurrent import initialise

ORDERS = ("reverse", "forward")


class Autoencoder(nn.Module):
    """Encoder → vector → LSTM decoder (Srivastava et al. 2015).

    The decoder is given the vector at every step. With ``feedback`` it is also given the value
    before: its own, or in training the true one (`decode`). Without, whatever it writes must have
    passed through the vector.
    """

    def __init__(self, encoder: Encoder, channels: int, *, feedback: bool = False) -> None:
        super().__init__()
        self.encoder, self.feedback = encoder, feedback
        self.begin = nn.Linear(encoder.dim, encoder.dim)
        given = encoder.dim + (channels if feedback else 0)
        self.decoder = nn.LSTM(given, encoder.dim, batch_first=True)
        self.write = nn.Linear(encoder.dim, channels)
        initialise(self.decoder)

    def forward(
        self,
        tokens: Tensor,
        lengths: Tensor,
        steps: int,
        truth: Tensor | None = None,
        share: float = 0.0,
    ) -> Tensor:
        """(batch, time, channels), (batch,) -> (batch, steps, channels), in the order written."""
        return self.decode(self.encoder(tokens, lengths), steps, truth, share)

    def decode(
        self, vector: Tensor, steps: int, truth: Tensor | None = None, share: float = 0.0
    ) -> Tensor:
        """(batch, dim) -> (batch, steps, channels)

        Scheduled sampling (Bengio et al. 2015): with feedback, the value before is taken from
        ``truth`` (batch, steps, channels) with the probability ``share``.
        """
        h = torch.tanh(self.begin(vector))[None].contiguous()
        state = (h, torch.zeros_like(h))
        if not self.feedback:
            states, _ = self.decoder(vector[:, None].expand(-1, steps, -1), state)
            return self.write(states)
        value = vector.new_zeros(len(vector), self.write.out_features)
        written = []
        for step in range(steps):
            states, state = self.decoder(torch.cat([vector, value], dim=1)[:, None], state)
            value = self.write(states[:, 0])
            written.append(value)
            if truth is not None:
                told = torch.rand(len(value), 1, device=value.device) < share
                value = torch.where(told, truth[:, step], value)
        return torch.stack(written, dim=1)


def build(
    *, channels: int, target_channels: int, feedback: bool = False, **encoder: Any
) -> tuple[Autoencoder, Standardise]:
    """The untrained network and the statistics of what it writes, in float64."""
    network = Autoencoder(Encoder(channels, **encoder), target_channels, feedback=feedback)
    return network.double(), Standardise(target_channels).double()


def turned(targets: np.ndarray, order: str) -> np.ndarray:
    """Each sequence in the order it is written, last value first; turned twice it is as before.

    (n, longest, channels), NaN behind each sequence's end, before and after.
    """
    if order == "forward":
        return targets
    out = np.full_like(targets, np.nan)
    for row, back, n in zip(targets, out, lengths_of(targets), strict=True):
        back[:n] = row[:n][::-1]
    return out


def checked(tokens: np.ndarray, channels: int | None = None) -> np.ndarray:
    """The array as floats with NaN for whatever is not finite.

    Raises
    ------
    InputError
        Not (sequences, longest, channels).
    """
    tokens = np.asarray(tokens, dtype=float)
    wanted = "channels" if channels is None else str(channels)
    if tokens.ndim != 3 or (channels is not None and tokens.shape[2] != channels):
        raise InputError(
            f"tokens have shape {tokens.shape}, want (sequences, longest, {wanted}): make them "
            "with features.sequences.tokens"
        )
    return np.where(np.isfinite(tokens), tokens, np.nan)
