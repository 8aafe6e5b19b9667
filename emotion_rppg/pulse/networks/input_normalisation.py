"""How pixels enter a network: NORMALISATIONS, each (batch, 3, frames, h, w) -> the same shape.

Pixels come as 0–255. Two choices happen inside the network and pass through here unchanged.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def raw(clip: Tensor) -> Tensor:
    """x / 255: the frames as they are (Yu et al. 2019)."""
    return clip / 255.0


def standardised(clip: Tensor) -> Tensor:
    """(x − mean) / std over all pixels, channels and frames of the clip (Liu et al. 2023)."""
    axes = (1, 2, 3, 4)
    centred = clip - clip.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-7)


def diff_normalised(clip: Tensor) -> Tensor:
    """d_t = (x_{t+1} − x_t) / (x_{t+1} + x_t), divided by its std over the clip.

    Chen & McDuff 2018. The last frame's difference is 0, so that the length stays.
    """
    later, earlier = clip[:, :, 1:], clip[:, :, :-1]
    change = (later - earlier) / (later + earlier + 1e-7)
    change = change / (change.square().mean((1, 2, 3, 4), keepdim=True).sqrt() + 1e-7)
    return functional.pad(change, (0, 0, 0, 0, 0, 1))


def inside(clip: Tensor) -> Tensor:
    """Nothing here: the network does it (`temporal`, `diff_batchnorm`)."""
    return clip


NORMALISATIONS = {
    "raw": raw,
    "standardised": standardised,
    "diff_normalised": diff_normalised,
    "temporal": inside,
    "diff_batchnorm": inside,
}


def detrended(x: Tensor) -> Tensor:
    """Each pixel minus its least-squares line over time, over the root mean square of the rest.

    ``x`` is (batch, channels, frames, h, w). The temporal normalisation module of Wang et al.
    2024: y = (x − a·t − b) / sqrt(mean((x − a·t − b)²) + 1e-6).
    """
    import torch

    # as (k, frames, m) without a copy in either layout: sums over time then run along memory
    last = x.is_contiguous(memory_format=torch.channels_last_3d)
    rows = x.permute(0, 2, 3, 4, 1) if last else x
    flat = rows.flatten(2) if last else rows.flatten(0, 1).flatten(2)
    t = torch.linspace(-1.0, 1.0, x.shape[2], dtype=x.dtype, device=x.device)[:, None]
    left = flat - flat.mean(1, keepdim=True)
    slope = (left * (t / t.square().sum())).sum(1, keepdim=True)
    left = torch.addcmul(left, t, slope, value=-1)
    left = left * (left.square().mean(1, keepdim=True) + 1e-6).rsqrt()
    return left.view(rows.shape).permute(0, 4, 1, 2, 3) if last else left.view(x.shape)
