"""Losses of the deep heads, for one target or several, with missing labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


class Classes(nn.Module):
    """Cross-entropy with equal class weights, averaged over the targets.

    Parameters
    ----------
    codes : (n, targets) int
        Training labels, -1 where missing; they determine the class weights.
    sizes : (targets,) int
        Number of classes of each target.
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
    """Mean squared error over the labels that are not NaN, averaged over the targets."""

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(batch, targets), (batch, targets) -> ()"""
        labelled = targets.isfinite()
        squares = torch.where(labelled, scores - targets.nan_to_num(), 0.0).square()
        used = labelled.any(0)
        return (squares.sum(0)[used] / labelled.sum(0)[used]).mean()


def _balanced(codes: np.ndarray, classes: int) -> Tensor:
    """Compute class weights (classes,) that give each class of the codes the same total weight."""
    count = np.bincount(codes, minlength=classes)
    present = max(int((count > 0).sum()), 1)
    return torch.tensor(len(codes) / (present * np.maximum(count, 1)), dtype=torch.float32)
