"""Skip and count training steps whose gradient is not finite; stop after too many in a row."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.training.config import TrainingConfig

_log = logging.getLogger(__name__)
# The loss scale of 16-mixed begins at 2**16 and is halved at each overflow: 16 skipped steps can be
# its search for a scale that fits; more are a fault.
MOST_IN_A_ROW = 20


@dataclass
class SkippedSteps:
    """Number of skipped steps, in all and in the current row."""

    total: int = 0
    in_a_row: int = 0

    def usable(self, norm: float, step: int, recipe: TrainingConfig, precision: str) -> bool:
        """Tell whether a step's gradient, given by its norm, may change the weights.

        Raises
        ------
        InputError
            More than ``MOST_IN_A_ROW`` steps in a row may not: the message names the cause.
        """
        if math.isfinite(norm):
            self.in_a_row = 0
            return True
        self.total += 1
        self.in_a_row += 1
        _log.warning("step %d skipped: its gradient has the norm %g", step, norm)
        if self.in_a_row >= MOST_IN_A_ROW:
            raise InputError(
                f"the gradient was not finite in {self.in_a_row} steps in a row, the last of them "
                f"step {step}: {_cure(recipe, precision)}"
            )
        return False


def _cure(recipe: TrainingConfig, precision: str) -> str:
    """Return what to do about it, for the error message."""
    if precision == "32-true":
        return (
            f"lower the learning rate ({recipe.learning_rate:g}), and search for clips without "
            "any change or with waves that are not finite"
        )
    small = (
        f"; bf16 gradients of small clips ({recipe.frames} frames of {recipe.size} pixels) are "
        "wrong on some CPUs, those of 16 frames of 32 pixels and more are correct"
        if precision == "bf16-mixed"
        else ""
    )
    return f"precision {precision} cannot hold it: train with precision 32-true{small}"
