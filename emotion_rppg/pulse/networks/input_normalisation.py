"""Normalise the input of a network: NORMALISATIONS, (batch, 3, frames, h, w) -> the same shape.

Pixels are 0–255. Two normalisations are layers of the network; their entries return the clip
unchanged.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def raw(clip: Tensor) -> Tensor:
    """Scale to 0–1: x / 255 (Yu et al. 2019)."""
    return clip / 255.0


def standardised(clip: Tensor) -> Tensor:
    """Standardise over all pixels, channels and frames of the clip (Liu et al. 2023)."""
    axes = (1, 2, 3, 4)
    centred = clip - clip.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-7)


def channel_standardised(clip: Tensor) -> Tensor:
    """Standardise each colour channel over all pixels and frames of the clip (open-rppg).

    The 1e-6 in the denominator is on the scale 0–1, as published.
    """
    axes = (2, 3, 4)
    centred = (clip - clip.mean(axes, keepdim=True)) / 255.0
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-6)


def diff_normalised(clip: Tensor) -> Tensor:
    """Compute normalised frame differences (Chen & McDuff 2018).

    d_t = (x_{t+1} − x_t) / (x_{t+1} + x_t), divided by its standard deviation over the clip. That
    of the last frame is 0, so that the length stays.
    """
    later, earlier = clip[:, :, 1:], clip[:, :, :-1]
    change = (later - earlier) / (later + earlier + 1e-7)
    change = change / (change.square().mean((1, 2, 3, 4), keepdim=True).sqrt() + 1e-7)
    return functional.pad(change, (0, 0, 0, 0, 0, 1))


def inside(clip: Tensor) -> Tensor:
    """Return the clip: the network normalises it (`temporal`, `diff_batchnorm`)."""
    return clip


NORMALISATIONS = {
    "raw": raw,
    "standardised": standardised,
    "channel_standardised": channel_standardised,
    "diff_normalised": diff_normalised,
    "temporal": inside,
    "diff_batchnorm": inside,
}


def detrended(x: Tensor) -> Tensor:
    """Detrend each pixel over time and divide it by its root mean square.

    ``x`` is (batch, channels, frames, h, w); the result has the same shape. This is the temporal
    normalisation module of Wang et al. 2024: y = (x − a·t − b) / sqrt(mean((x − a·t − b)²) + 1e-6),
    where a·t + b is the least-squares line.
    """
    import torch

    # as (k, frames, m) without a copy in either memory layout, for fast sums over time
    channels_last = x.is_contiguous(memory_format=torch.channels_last_3d)
    rows = x.permute(0, 2, 3, 4, 1) if channels_last else x
    flat = rows.flatten(2) if channels_last else rows.flatten(0, 1).flatten(2)
    t = torch.linspace(-1.0, 1.0, x.shape[2], dtype=x.dtype, device=x.device)[:, None]
    residual = flat - flat.mean(1, keepdim=True)
    slope = (residual * (t / t.square().sum())).sum(1, keepdim=True)
    residual = torch.addcmul(residual, t, slope, value=-1)
    scaled = residual * (residual.square().mean(1, keepdim=True) + 1e-6).rsqrt()
    return scaled.view(rows.shape).permute(0, 4, 1, 2, 3) if channels_last else scaled.view(x.shape)
