"""What the deep heads are trained by: one target or several, labels missing here and there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


class Classes(nn.Module):
    """Cross-entropy, each class of a target weighing the same; mean over the targets.

    Parameters
    ----------
    codes : (n, targets) int
        Training labels, -1 where there is none: they give the weights.
    sizes : (targets,) int
        How many classes each target has.
    """

    def __init__(self, codes: np.ndarray, *, sizes: Sequence[int] | np.ndarray) -> None:
        super().__init__()
        self.sizes = [int(n) for n in sizes]
        self.weights = [
            _balanced(column[column >= 0], n) for column, n in zip(codes.T, self.sizes, strict=True)
        ]

    def forward(self, scores: Tensor, codes: Tensor) -> Tensor:
        """(batch, classes of all targets), (batch, targets) -> ()"""
        parts = zip(scores.split(self.sizes, dim=1), codes.T, self.weights, strict=True)
        losses = [
            nn.functional.cross_entropy(part, code, weight, ignore_index=-1)
            for part, code, weight in parts
            if bool((code >= 0).any())
        ]
        return torch.stack(losses).mean()


class Numbers(nn.Module):
    """Mean squared error of each target, NaN left out; mean over the targets."""

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(batch, targets), (batch, targets) -> ()"""
        known = targets.isfinite()
        squares = torch.where(known, scores - targets.nan_to_num(), 0.0).square()
        seen = known.any(0)
        return (squares.sum(0)[seen] / known.sum(0)[seen]).mean()


def _balanced(codes: np.ndarray, classes: int) -> Tensor:
    count = np.bincount(codes, minlength=classes)
    there = max(int((count > 0).sum()), 1)
    return torch.tensor(len(codes) / (there * np.maximum(count, 1)), dtype=torch.float32)
