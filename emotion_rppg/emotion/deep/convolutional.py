"""Convolutional encoder of beat sequences, a baseline of the recurrent encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emotion_rppg.emotion.deep.encoders import Standardise


class Convolutional(nn.Module):
    """Encode beat tokens with 1D convolutions and take the mean over the beats of each sequence.

    Inputs and outputs are those of `encoders.Encoder`. Kernels are 5 beats wide and the dilation
    doubles with each layer: the receptive field of two layers is 13 beats. The vector of a sequence
    does not depend on its padding or on the other sequences of the batch.

    Parameters
    ----------
    channels : int
        Values of each beat.
    hidden : int
        Channels of each layer.
    layers : int
    """

    _WIDTH = 5

    def __init__(self, channels: int, *, hidden: int, layers: int) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        inputs = [channels, *[hidden] * (layers - 1)]
        self.layers = nn.ModuleList(
            nn.Conv1d(n, hidden, self._WIDTH, dilation=2**k, padding="same")
            for k, n in enumerate(inputs)
        )
        self.dim = hidden

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, channels), (batch,) -> (batch, dim); without tokens, zeros."""
        within = (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None])[:, None]
        x = self.standardise(tokens).transpose(1, 2)
        for layer in self.layers:
            x = layer(x * within).relu()  # zeros after the end
        return (x * within).sum(2) / lengths.clamp(min=1)[:, None]
