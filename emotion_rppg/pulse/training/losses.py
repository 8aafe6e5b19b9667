"""What a pulse network's wave is worth while it learns: LOSSES, name -> `Loss`.

Each is called as ``(found, truth, rate_hz)`` and is a mean over the batch, (batch, frames) ×2 ->
scalar, 0 for the true wave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from emotion_rppg.errors import InputError

SLOWEST_HZ, FASTEST_HZ, STEP_HZ = 40 / 60, 180 / 60, 1 / 60  # of the spectra that are compared
LAG_S = 0.3  # by which `lag_tolerant` lets labels be off


def negative_pearson(found: Tensor, truth: Tensor, rate_hz: float | None = None) -> Tensor:
    """1 − Pearson's r, 0–2 (Yu et al. 2019); it needs no rate.

    A flat wave correlates with nothing (r = 0) instead of dividing by zero.
    """
    return (1.0 - _pearson(found, truth)).mean()


def slopes(found: Tensor, truth: Tensor, rate_hz: float | None = None) -> Tensor:
    """1 − Pearson's r of the waves' slopes, which weigh the steep rise that times a beat."""
    return negative_pearson(found.diff(), truth.diff())


def frequency(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
    """Cross-entropy between the power spectra at 40–180 bpm, less that of the truth with itself.

    After Niu et al. (2020) and Yu et al. (2022), whose target is one rate; here it is the whole
    spectrum of the true wave, so that a perfect wave has no loss. Blind to delay and to polarity.
    """
    want = _spectrum(truth, rate_hz)
    ratio = torch.log(want + 1e-9) - torch.log(_spectrum(found, rate_hz) + 1e-9)
    return (want * ratio).sum(-1).mean()


def lag_tolerant(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
    """1 − the highest r over delays of ±0.3 s (after Gideon and Stent 2021), each clip its own.

    For labels that are off by more than 133 ms, with which plain Pearson does not converge. The
    network's own delay is then undefined within these bounds.
    """
    reach = round(LAG_S * rate_hz)
    n = truth.shape[-1] - 2 * reach
    if n < 2:
        raise InputError(
            f"clips of {truth.shape[-1]} frames are too short for lag_tolerant: want more than "
            f"{2 * reach + 1} at {rate_hz:g} Hz"
        )
    shifted = found.unfold(-1, n, 1)  # (batch, delays, frames)
    inner = truth[..., reach : reach + n].unsqueeze(-2)
    return (1.0 - _pearson(shifted, inner).amax(-1)).mean()


@dataclass(frozen=True)
class Loss:
    """A loss of a pulse network; calling it is calling its function.

    Parameters
    ----------
    name : str
        Its name, as ``--loss`` has it.
    function : function
        ``(found, truth, rate_hz) -> scalar``, both (batch, frames); 0 for the true wave.
    polarity : bool
        Whether it tells a wave from the same wave upside down. One that does not is refused alone.
    """

    name: str
    function: Callable[[Tensor, Tensor, float], Tensor]
    polarity: bool = True

    def __call__(self, found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
        """(batch, frames) ×2 -> scalar."""
        return self.function(found, truth, rate_hz)


LOSSES = {
    "pearson": Loss("pearson", negative_pearson),
    "slopes": Loss("slopes", slopes),
    "frequency": Loss("frequency", frequency, polarity=False),
    "lag_tolerant": Loss("lag_tolerant", lag_tolerant),
}


def named_loss(name: str) -> Callable[[Tensor, Tensor, float], Tensor]:
    """A loss by its name, or the mean of several: ``pearson+frequency``.

    Raises
    ------
    InputError
        Unknown name; a loss, or several, none of which can tell which way is up.
    """
    names = name.split("+")
    for one in names:
        if one not in LOSSES:
            raise InputError(
                f"unknown loss {one!r}; known: {', '.join(LOSSES)}, or several: pearson+frequency"
            )
    chosen = [LOSSES[one] for one in names]
    if not any(loss.polarity for loss in chosen):
        raise InputError(
            f"the loss {name} cannot tell which way is up: want it beside another, such as "
            f"pearson+{name}"
        )

    def loss(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
        return torch.stack([one(found, truth, rate_hz) for one in chosen]).mean()

    return loss


def _pearson(found: Tensor, truth: Tensor) -> Tensor:
    """r along the last axis."""
    x = found - found.mean(-1, keepdim=True)
    y = truth - truth.mean(-1, keepdim=True)
    scale = (x.square().sum(-1) * y.square().sum(-1) + 1e-12).sqrt()
    return (x * y).sum(-1) / scale


def _spectrum(wave: Tensor, rate_hz: float) -> Tensor:
    """Shares of the power at each rate (batch, rates), under a Hann window."""
    n = wave.shape[-1]
    flat = (wave - wave.mean(-1, keepdim=True)).float()
    flat = flat * torch.hann_window(n, periodic=False, device=wave.device)
    hz = torch.arange(SLOWEST_HZ, FASTEST_HZ + STEP_HZ / 2, STEP_HZ, device=wave.device)
    turn = 2 * torch.pi * hz[:, None] * torch.arange(n, device=wave.device) / rate_hz
    power = (flat @ turn.cos().T).square() + (flat @ turn.sin().T).square()
    return power / (power.sum(-1, keepdim=True) + 1e-9)
