"""Compute 3×3×3 convolutions with half the multiplications (Winograd 1980; Lavin & Gray 2016).

Four output frames of a convolution with three taps in time take twelve 2-D convolutions. Computed
from sums and differences of the six input frames they take six (Winograd's F(4, 3)). The output is
the same up to rounding, about 1e-5 of a wave.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE = 16  # groups of four frames at a time, whose sums fit into the processor's cache


def is_supported(layer: nn.Module) -> TypeGuard[nn.Conv3d]:
    """Tell whether a layer can be replaced: kernel 3×3×3, stride 1, padding 1, with a bias."""
    return (
        isinstance(layer, nn.Conv3d)
        and layer.kernel_size == (3, 3, 3)
        and (layer.stride, layer.padding, layer.dilation) == ((1, 1, 1),) * 3
        and layer.groups == 1
        and layer.bias is not None
    )


class Convolution(nn.Module):
    """Winograd convolution: (batch, channels, frames, h, w) -> (batch, other channels, …).

    It has the weights of a layer that `is_supported`, uses the channels-last memory layout and
    cannot be trained.
    """

    bias: Tensor

    def __init__(self, layer: nn.Conv3d) -> None:
        super().__init__()
        assert layer.bias is not None
        a, b, c = layer.weight.detach().double().unbind(2)
        slow = (a / 4, -(a + b + c) / 6, (b - a - c) / 6)
        taps = (*slow, a / 24 + b / 12 + c / 6, a / 24 - b / 12 + c / 6, c)
        for k, tap in enumerate(taps):
            kernel = tap.float().contiguous(memory_format=torch.channels_last)
            self.register_buffer(f"tap{k}", kernel)
        self.register_buffer("bias", layer.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, frames, h, w) -> (batch, other channels, frames, h, w)."""
        batch, _, frames, height, width = x.shape
        fours = -(-frames // 4)
        rows = x.permute(0, 2, 3, 4, 1)
        rows = functional.pad(rows, (0, 0, 0, 0, 0, 0, 1, 1 + 4 * fours - frames))
        out = x.new_empty((batch, 4 * fours, height, width, len(self.bias)))
        for clip, found in zip(rows, out, strict=True):
            for k in range(0, 4 * fours, 4 * TILE):
                self._write(clip[k : k + 4 * TILE + 2], found[k : k + 4 * TILE])
        return out[:, :frames].permute(0, 4, 1, 2, 3)

    def _write(self, rows: Tensor, out: Tensor) -> None:
        """Write the output of one tile: (4n + 2, h, w, channels) -> (4n, h, w, other channels)."""
        a, b, c, d, e, f = (rows[k : len(rows) - 5 + k : 4] for k in range(6))
        even, odd = torch.sub(e, c, alpha=4), torch.sub(d, b, alpha=4)
        near, far = e - c, (d - b).mul_(2)
        first, last = (
            torch.sub(z, y, alpha=5).add_(x, alpha=4) for x, y, z in ((a, c, e), (b, d, f))
        )
        sums = (first, even + odd, even.sub_(odd), near + far, near.sub_(far), last)
        p0, p1, p2, p3, p4, p5 = (self._convolve_frames(k, x) for k, x in enumerate(sums))
        both, apart = (p1 + p2).add_(self.bias), p1.sub_(p2).add_(self.bias)
        wide, skew = p3 + p4, p3.sub_(p4)
        torch.add(p0.add_(both), wide, out=out[0::4])
        torch.add(apart, skew, alpha=2, out=out[1::4])
        torch.add(both, wide, alpha=4, out=out[2::4])
        torch.add(p5.add_(apart), skew, alpha=8, out=out[3::4])

    def _convolve_frames(self, k: int, x: Tensor) -> Tensor:
        """Convolve each frame with the k-th 2-D kernel, channels last."""
        tap = self.get_buffer(f"tap{k}")
        return functional.conv2d(x.permute(0, 3, 1, 2), tap, padding=1).permute(0, 2, 3, 1)


class Traceable(Convolution):
    """Winograd convolution that OpenVINO can trace: no in-place operations; slower in torch."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, frames, h, w) -> (batch, other channels, frames, h, w)."""
        batch, _, frames, height, width = x.shape
        rows = functional.pad(x, (0, 0, 0, 0, 1, 1 + -frames % 4))
        last = rows.shape[2] - 5
        parts = (rows[:, :, k : last + k : 4] for k in range(6))
        a, b, c, d, e, f = (part.transpose(1, 2).flatten(0, 1) for part in parts)
        even, odd, near, far = e - 4 * c, d - 4 * b, e - c, 2 * (d - b)
        sums = (4 * a - 5 * c + e, even + odd, even - odd, near + far, near - far)
        taps = (self.get_buffer(f"tap{k}") for k in range(6))
        p0, p1, p2, p3, p4, p5 = (
            functional.conv2d(x, tap, padding=1)
            for x, tap in zip((*sums, 4 * b - 5 * d + f), taps, strict=True)
        )
        bias = self.bias[:, None, None]
        both, apart, wide, skew = p1 + p2 + bias, p1 - p2 + bias, p3 + p4, p3 - p4
        four = (p0 + both + wide, apart + 2 * skew, both + 4 * wide, apart + 8 * skew + p5)
        found = torch.stack(four, 1).reshape(batch, -1, len(self.bias), height, width)
        return found[:, :frames].transpose(1, 2)


def replace_convolutions(module: nn.Module, kind: type[Convolution]) -> nn.Module:
    """Replace, in place, each layer that `is_supported` by one of ``kind``; return the module."""
    for part in list(module.modules()):
        for name, layer in part.named_children():
            if is_supported(layer):
                part.register_module(name, kind(layer))
    return module
