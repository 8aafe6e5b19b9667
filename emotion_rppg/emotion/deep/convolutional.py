"""The recurrent encoder's rival: convolutions over the beats, pooled."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emotion_rppg.emotion.deep.encoders import Standardise


class Convolutional(nn.Module):
    """1D convolutions over beat tokens, mean over the beats that are there.

    It takes and gives what `networks.Encoder` does. The layers look 5 beats wide, each at twice the
    distance of the one before: two of them see 13 beats, and nothing beyond. The result for a
    sequence does not depend on what it is batched or padded with.

    Parameters
    ----------
    channels : int
        Values a beat.
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
        """(batch, time, channels), (batch,) -> (batch, dim); no tokens at all give zeros."""
        there = (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None])[:, None]
        x = self.standardise(tokens).transpose(1, 2)
        for layer in self.layers:
            x = layer(x * there).relu()  # silence behind the end
        return (x * there).sum(2) / lengths.clamp(min=1)[:, None]
