"""Sequence-to-sequence autoencoder: an encoder, and a decoder that reads only its vector.

Input and output may have different lengths (Sutskever et al. 2014).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emotion_rppg.emotion.deep.encoders import Encoder, Standardise
from emotion_rppg.emotion.design_matrix import lengths_of
from emotion_rppg.errors import InputError
from emotion_rppg.recurrent import initialise

ORDERS = ("reverse", "forward")


class Autoencoder(nn.Module):
    """Encode a sequence as one vector and decode it with an LSTM (Srivastava et al. 2015).

    The decoder receives the vector at every step. With ``feedback`` it also receives the previous
    value: its own, or in training the true one (`decode`). Without feedback all information passes
    through the vector.
    """

    def __init__(self, encoder: Encoder, channels: int, *, feedback: bool = False) -> None:
        super().__init__()
        self.encoder, self.feedback = encoder, feedback
        self.begin = nn.Linear(encoder.dim, encoder.dim)
        width = encoder.dim + (channels if feedback else 0)
        self.decoder = nn.LSTM(width, encoder.dim, batch_first=True)
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
        """(batch, time, channels), (batch,) -> (batch, steps, channels), in writing order."""
        return self.decode(self.encoder(tokens, lengths), steps, truth, share)

    def decode(
        self, vector: Tensor, steps: int, truth: Tensor | None = None, share: float = 0.0
    ) -> Tensor:
        """(batch, dim) -> (batch, steps, channels)

        Scheduled sampling (Bengio et al. 2015): with feedback, the previous value comes from
        ``truth`` (batch, steps, channels) with probability ``share``, else from the decoder.
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
                true = torch.rand(len(value), 1, device=value.device) < share
                value = torch.where(true, truth[:, step], value)
        return torch.stack(written, dim=1)


def build(
    *, channels: int, target_channels: int, feedback: bool = False, **encoder: Any
) -> tuple[Autoencoder, Standardise]:
    """Build the untrained network and the standardisation of its targets, in float64."""
    network = Autoencoder(Encoder(channels, **encoder), target_channels, feedback=feedback)
    return network.double(), Standardise(target_channels).double()


def in_writing_order(targets: np.ndarray, order: str) -> np.ndarray:
    """Reverse each sequence if ``order`` is ``"reverse"``; its own inverse.

    (n, longest, channels) -> the same shape, NaN after the end of each sequence in both.
    """
    if order == "forward":
        return targets
    out = np.full_like(targets, np.nan)
    for row, reversed_row, n in zip(targets, out, lengths_of(targets), strict=True):
        reversed_row[:n] = row[:n][::-1]
    return out


def checked_tokens(tokens: np.ndarray, channels: int | None = None) -> np.ndarray:
    """Check the shape of an array of tokens; return it as floats, with NaN for infinities.

    Raises
    ------
    InputError
        The shape is not (sequences, longest, channels).
    """
    tokens = np.asarray(tokens, dtype=float)
    expected = "channels" if channels is None else str(channels)
    if tokens.ndim != 3 or (channels is not None and tokens.shape[2] != channels):
        raise InputError(
            f"tokens have shape {tokens.shape}, want (sequences, longest, {expected}): make them "
            "with features.sequences.tokens"
        )
    return np.where(np.isfinite(tokens), tokens, np.nan)
