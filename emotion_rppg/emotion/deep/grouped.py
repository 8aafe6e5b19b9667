"""One encoder for each source of a sequence: beats beside the samples of EDA, temperature …"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emotion_rppg.emotion.design_matrix import TokenGroup

DROPPED = 0.2  # share of a batch's sequences of one source that training hides


class Grouped(nn.Module):
    """Encode the token channels of each source by themselves and concatenate the vectors.

    Each source has its own length: its tokens end at the last one with a value. A source without
    tokens in a row has the vector 0, so that rows with a missing source can be predicted. In
    training, each source of a row is hidden with the probability ``DROPPED`` (never all of them),
    whatever the label: the network learns to do without a source, but not from which one is
    missing.

    Parameters
    ----------
    groups : sequence of TokenGroup
        Name and channel numbers of each source.
    encoder : function
        Number of channels -> an `encoders.Encoder` or `convolutional.Convolutional`.
    """

    def __init__(self, groups: Sequence[TokenGroup], encoder: Callable[[int], Any]) -> None:
        super().__init__()
        self.groups = tuple(groups)
        parts = [encoder(len(group.channels)) for group in groups]
        self.encoders = nn.ModuleList(parts)
        self.dim = sum(part.dim for part in parts)

    def _parts(self) -> Iterator[tuple[TokenGroup, Any]]:
        yield from zip(self.groups, self.encoders, strict=True)

    @property
    def standardise(self) -> Grouped:
        """Object whose ``fit`` sets mean and SD of the tokens, as `Encoder.standardise`."""
        return self

    def fit(self, tokens: Tensor) -> Grouped:
        """Compute mean and SD of the channels of each source over (…, channels), in place."""
        for group, part in self._parts():
            part.standardise.fit(tokens[..., list(group.channels)])
        return self

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, channels), (batch,) -> (batch, dim); each source has its own length."""
        del lengths
        vectors, present = [], []
        for group, part in self._parts():
            own = tokens[..., list(group.channels)]
            own_lengths = _lengths(own)
            vectors.append(part(own, own_lengths))
            present.append(own_lengths > 0)
        if self.training:
            kept = _kept(torch.stack(present, dim=1))
            vectors = [v * kept[:, k, None].to(v) for k, v in enumerate(vectors)]
        return torch.cat(vectors, dim=1)


def _lengths(tokens: Tensor) -> Tensor:
    """Number of tokens up to the last one with a value: (batch, time, channels) -> (batch,)."""
    measured = tokens.isfinite().any(dim=2)
    places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    return (measured * places).amax(dim=1)


def _kept(present: Tensor) -> Tensor:
    """Choose the sources that are not hidden, (batch, sources); at least one that is present."""
    kept = torch.rand(present.shape, device=present.device) >= DROPPED
    return kept | ~(kept & present).any(dim=1, keepdim=True)
