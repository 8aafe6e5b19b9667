"""Baseline networks that Yu et al. (2019) compare their temporal encoder–decoder with.

No code of theirs is public. All have PhysNet's nine convolutions and, by their default widths,
about its 768,577 parameters. They differ in how they use time: convolutions without pooling, or a
convolutional network for each frame and a recurrent layer after it. ``docs/networks.md`` compares
them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_rppg.pulse.networks.input_normalisation import detrended
from emotion_rppg.pulse.networks.physnet import PhysNet, check_clip
from emotion_rppg.recurrent import ConvLSTM, initialise

POOL_AFTER = (1, 3, 5, 7)  # as in PhysNet, space is halved after these convolutions
SINGLE_FRAME = (1,) * 9  # kernels along time of one frame


class _Convolutions(nn.Module):
    """PhysNet's nine convolutions without temporal pooling.

    (batch, 3, frames, height, width) -> (batch, width, frames, height/16, width/16).

    Parameters
    ----------
    kernels, steps : nine integers each
        Kernel size of each convolution in frames, and its dilation.
    width : int
        Channels from the third convolution on; the first two have a quarter and a half.
    pool_after : numbers of the convolutions, from 1, after which space is halved
    normalisation : str
        As in :class:`~emotion_rppg.pulse.networks.physnet.PhysNet`.
    """

    def __init__(
        self,
        *,
        kernels: tuple[int, ...] = SINGLE_FRAME,
        dilations: tuple[int, ...] = (1,) * 9,
        width: int = 64,
        pool_after: tuple[int, ...] = POOL_AFTER,
        normalisation: str = "raw",
    ) -> None:
        super().__init__()
        self.normalisation, self.pool_after = normalisation, pool_after
        if normalisation == "diff_batchnorm":
            self.norm = nn.BatchNorm3d(3)
        channels = (3, width // 4, width // 2, *[width] * 7)
        self.blocks = nn.ModuleList()
        for k, (kernel, dilation) in enumerate(zip(kernels, dilations, strict=True)):
            space = 5 if k == 0 else 3
            block = nn.Sequential(
                nn.Conv3d(
                    channels[k],
                    channels[k + 1],
                    (kernel, space, space),
                    dilation=(dilation, 1, 1),
                    padding=(kernel // 2 * dilation, space // 2, space // 2),
                ),
                nn.BatchNorm3d(channels[k + 1]),
                nn.ReLU(inplace=True),
            )
            self.blocks.append(block)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, height, width) -> (batch, width, frames, height/16, width/16)."""
        check_clip(x, "this network")
        if self.normalisation == "diff_batchnorm":
            change = torch.diff(x, dim=2)
            x = self.norm(torch.cat([change, change[:, :, -1:]], dim=2))
        for number, block in enumerate(self.blocks, 1):
            x = block(detrended(x) if self.normalisation == "temporal" else x)
            if number in self.pool_after:
                x = functional.max_pool3d(x, (1, 2, 2))
        return x


class CNN3D(nn.Module):
    """PhysNet without its temporal encoder–decoder: time is never pooled.

    (batch, 3, frames, height, width) -> (batch, frames). The receptive field is 17 frames.
    """

    DILATIONS: tuple[int, ...] = (1,) * 9

    def __init__(self, *, width: int = 64, normalisation: str = "raw") -> None:
        super().__init__()
        self.convolutions = _Convolutions(
            kernels=(1, *[3] * 8),
            dilations=self.DILATIONS,
            width=width,
            normalisation=normalisation,
        )
        self.last = nn.Conv3d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, height, width) -> (batch, frames)."""
        return self.last(self.convolutions(x).mean((3, 4), keepdim=True)).flatten(1)


class CNN3DDilated(CNN3D):
    """CNN3D with the dilations in time that PhysNet's pooling causes.

    It separates the effect of temporal pooling from that of a longer receptive field. It is not in
    Yu et al. (2019).
    """

    DILATIONS = (1, 1, 1, 2, 2, 4, 4, 4, 4)


class _Recurrent(nn.Module):
    """A 2DCNN for each frame, the mean over space, a recurrent layer and a linear layer."""

    LAYER: Any = nn.LSTM
    HIDDEN = 330
    BIDIRECTIONAL = False

    def __init__(
        self, *, width: int = 64, hidden: int | None = None, normalisation: str = "raw"
    ) -> None:
        super().__init__()
        hidden = hidden or self.HIDDEN
        self.convolutions = _Convolutions(width=width, normalisation=normalisation)
        self.recurrent = self.LAYER(
            width, hidden, batch_first=True, bidirectional=self.BIDIRECTIONAL
        )
        initialise(self.recurrent)
        self.last = nn.Linear(hidden * (1 + self.BIDIRECTIONAL), 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, height, width) -> (batch, frames)."""
        features = self.convolutions(x).mean((3, 4)).transpose(1, 2)
        states, _ = self.recurrent(features)
        return self.last(states).flatten(1)


class CNN2DRNN(_Recurrent):
    """A 2DCNN for each frame, then a plain RNN: (batch, 3, frames, h, w) -> (batch, frames)."""

    LAYER = nn.RNN
    HIDDEN = 690


class CNN2DLSTM(_Recurrent):
    """A 2DCNN for each frame, then an LSTM: (batch, 3, frames, h, w) -> (batch, frames)."""


class CNN2DBiLSTM(_Recurrent):
    """A 2DCNN for each frame, then a bidirectional LSTM: same shapes as `CNN2DLSTM`."""

    HIDDEN = 224
    BIDIRECTIONAL = True


class PhysNetBiLSTM(PhysNet):
    """PhysNet with a bidirectional LSTM behind its decoder: pooling in time and recurrence.

    (batch, 3, frames, height, width) -> (batch, frames). It is not in Yu et al. (2019).
    """

    def __init__(self, *, width: int = 64, hidden: int = 32, normalisation: str = "raw") -> None:
        super().__init__(width=width, normalisation=normalisation)
        self.recurrent = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        initialise(self.recurrent)
        self.ConvBlock10 = nn.Conv3d(2 * hidden, 1, (1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, height, width) -> (batch, frames)."""
        features = self.decoded(x).flatten(2).transpose(1, 2)
        states = self.recurrent(features)[0].transpose(1, 2)
        return self.ConvBlock10(states[..., None, None]).flatten(1)


class CNN2DConvLSTM(nn.Module):
    """A 2DCNN for each frame, then a ConvLSTM on its feature maps (Shi et al. 2015).

    (batch, 3, frames, height, width) -> (batch, frames). Space is halved three times instead of
    four, so that even 16×16 pixels give a feature map of more than one pixel.
    """

    def __init__(self, *, width: int = 64, hidden: int = 92, normalisation: str = "raw") -> None:
        super().__init__()
        self.convolutions = _Convolutions(
            width=width, pool_after=POOL_AFTER[:3], normalisation=normalisation
        )
        self.recurrent = ConvLSTM(width, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, height, width) -> (batch, frames)."""
        states = self.recurrent(self.convolutions(x)).mean((3, 4)).transpose(1, 2)
        return self.last(states).flatten(1)
