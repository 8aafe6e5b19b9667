"""Define the settings of a training of a pulse network (`TrainingConfig`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.networks import NETWORKS
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.training.losses import named_loss, with_pulseless

_IN_NETWORK = ("temporal", "diff_batchnorm")


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training; the defaults are those of the small network of the demo.

    Clips have ``size`` pixels a side and ``frames`` frames at ``rate_hz``. Training takes ``steps``
    steps of ``batch_size`` clips by Adam, with a one-cycle learning rate whose maximum is
    ``learning_rate``. ``loss`` is a name of ``LOSSES`` or several joined by ``+``. ``varied`` is
    the share of synthetic clips with the difficulties of real video (`synthesis.clips`); the others
    are plain. ``rendered`` is the share of clips of rendered heads (`synthesis.head_clips`);
    ``varied`` then is a share of the rest. ``pulseless`` is the share of these clips of heads that
    have no pulse; their loss is ``pulseless_weight`` times `losses.peakedness`. ``donors`` is the
    share of clips of real faces with a drawn pulse (`pulse.training.donors`), if there are donors;
    ``rendered`` then is one of the rest. ``close_ups`` is the share of all synthetic clips in which
    skin or the face fills the frame (`synthesis.close_ups`).

    ``validation`` is the share of people who are held out (synthetic clips: some are held out if it
    is above 0). Every ``validate_every`` steps the loss on them is computed. After ``patience``
    times without a lower one, training ends; the weights with the lowest loss are saved.

    Raises
    ------
    InputError
        An unknown name or a value out of range.
    """

    network: str = "physnet"
    normalisation: str = "temporal"
    size: int = 16
    frames: int = 96
    rate_hz: float = 30.0
    steps: int = 60
    batch_size: int = 4
    learning_rate: float = 3e-3
    loss: str = "pearson"
    varied: float = 0.0
    rendered: float = 0.0
    donors: float = 0.0
    close_ups: float = 0.0
    pulseless: float = 0.0
    pulseless_weight: float = 1.0
    validation: float = 0.0
    validate_every: int = 50
    patience: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, table in (("network", NETWORKS), ("normalisation", NORMALISATIONS)):
            if getattr(self, name) not in table:
                raise InputError(
                    f"unknown {name} {getattr(self, name)!r}; known: {', '.join(table)}"
                )
        named_loss(self.loss)
        for name in ("size", "frames", "steps", "batch_size", "validate_every", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("varied", "rendered", "pulseless", "donors", "close_ups"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise InputError(f"{name} is a share of the clips, 0 to 1, got {share}")
        if self.pulseless_weight < 0:
            raise InputError(f"pulseless_weight must be 0 or more, got {self.pulseless_weight}")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation is a share of the people, below 1, got {self.validation}")
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, got {self.seed}: others belong to people")

    @property
    def loss_function(self) -> Callable[[Tensor, Tensor, float], Tensor]:
        """Loss of predicted and true waves (batch, frames) at a rate, clips without pulse too."""
        return with_pulseless(named_loss(self.loss), self.pulseless_weight)

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of the network's class."""
        inside = self.normalisation in _IN_NETWORK
        return {"normalisation": self.normalisation} if inside else {}

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step: one cycle (Smith & Topin 2019).

        It rises over the first fifth of the steps and falls along a cosine to 1/100.
        """
        up = max(self.steps // 5, 1)
        if step < up:
            return self.learning_rate * (0.1 + 0.9 * step / up)
        down = (step - up) / max(self.steps - up, 1)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * down)))
