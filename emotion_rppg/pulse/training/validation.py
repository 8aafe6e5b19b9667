"""Validate a network during training on people held out, and stop training early."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.training.clips import HELD_OUT_CLIPS, ClipSource, as_tensors
from emotion_rppg.pulse.training.config import TrainingConfig


class Validation:
    """The loss on the same clips held out, now and then, and the weights of the lowest.

    ``curve`` has (step, loss).
    """

    def __init__(self, source: ClipSource, recipe: TrainingConfig) -> None:
        self.recipe = recipe
        self.curve: list[tuple[int, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self._clips = [as_tensors(source(index)) for index in range(HELD_OUT_CLIPS)]

    def due(self, step: int) -> bool:
        """Tell whether to validate after a step: each ``validate_every`` and after the last."""
        done = step + 1
        return done % self.recipe.validate_every == 0 or done == self.recipe.steps

    def evaluate(self, module: torch.nn.Module, step: int) -> None:
        """Compute the loss after a step; copy the weights if it is the lowest so far."""
        loss = self._loss(module)
        if loss < self.lowest:  # False for NaN
            self.best = {k: v.detach().cpu().clone() for k, v in module.state_dict().items()}
        self.curve.append((step, loss))

    @property
    def lowest(self) -> float:
        """Lowest loss so far, infinity before the first."""
        return min((loss for _, loss in self.curve if loss == loss), default=float("inf"))

    @property
    def finished(self) -> bool:
        """Whether the last ``patience`` losses were not lower than the lowest before."""
        losses = [loss if loss == loss else float("inf") for _, loss in self.curve]
        return len(losses) > 0 and len(losses) - 1 - int(np.argmin(losses)) >= self.recipe.patience

    def _loss(self, module: torch.nn.Module) -> float:
        loss, prepare = self.recipe.loss_function, NORMALISATIONS[self.recipe.normalisation]
        where = next(module.parameters()).device
        module.eval()
        with torch.no_grad():
            losses = [
                loss(
                    module(prepare(clip[None].to(where))), wave[None].to(where), self.recipe.rate_hz
                )
                for clip, wave in self._clips
            ]
        module.train()
        return float(torch.stack(losses).mean())

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"curve": self.curve, "best": self.best}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.curve = [(int(step), float(loss)) for step, loss in state["curve"]]
        self.best = state["best"]
