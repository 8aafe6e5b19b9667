"""Define the losses of a pulse network: LOSSES, name -> `Loss`.

Each is called as ``(found, truth, rate_hz)``, both waves (batch, frames), and returns a scalar, the
mean over the batch: 0 for the true wave.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from emotion_rppg.errors import InputError

SLOWEST_HZ, FASTEST_HZ, STEP_HZ = 40 / 60, 180 / 60, 1 / 60  # of the compared spectra
LAG_S = 0.3  # largest error of label times that `lag_tolerant` tolerates


def negative_pearson(found: Tensor, truth: Tensor, rate_hz: float | None = None) -> Tensor:
    """Compute 1 − Pearson's r, 0–2 (Yu et al. 2019); the rate is not used.

    For a constant wave r is 0.
    """
    return (1.0 - _pearson(found, truth)).mean()


def slopes(found: Tensor, truth: Tensor, rate_hz: float | None = None) -> Tensor:
    """Compute 1 − Pearson's r of the slopes, which emphasise the steep rise that times a beat."""
    return negative_pearson(found.diff(), truth.diff())


def frequency(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
    """Compute the cross-entropy of the power spectra at 40–180 bpm, minus the truth's entropy.

    After Niu et al. (2020) and Yu et al. (2022), whose target is one rate; here it is the complete
    spectrum of the true wave, so that a perfect wave has loss 0. It ignores delay and polarity.
    """
    want = _spectrum(truth, rate_hz)
    ratio = torch.log(want + 1e-9) - torch.log(_spectrum(found, rate_hz) + 1e-9)
    return (want * ratio).sum(-1).mean()


def lag_tolerant(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
    """Compute 1 − the highest r over delays of ±0.3 s of each clip (after Gideon and Stent 2021).

    It is for labels with a time error above 133 ms, with which plain Pearson does not converge. The
    delay of the network is then undefined within these bounds.
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
    """A loss of a pulse network; calling it calls its function.

    Parameters
    ----------
    name : str
        Its name for ``--loss``.
    function : function
        ``(found, truth, rate_hz) -> scalar``, both (batch, frames); 0 for the true wave.
    polarity : bool
        Whether it distinguishes a wave from the inverted wave. A loss that does not must be
        combined with one that does.
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
    """Return a loss by its name, or the mean of several: ``pearson+frequency``.

    Raises
    ------
    InputError
        Unknown name; no loss among them that detects polarity.
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
            f"the loss {name} cannot detect polarity: combine it with another, e.g. pearson+{name}"
        )

    def loss(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
        return torch.stack([one(found, truth, rate_hz) for one in chosen]).mean()

    return loss


def peakedness(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
    """Compute how peaked the power spectra at 40–180 bpm are: 0 flat, 1 a single line.

    It is one minus the entropy of the spectrum, relative to that of a flat one. The truth is not
    used: it is the loss of clips without a pulse, on which every peak is an error.
    """
    share = _spectrum(found, rate_hz)
    entropy = -(share * torch.log(share + 1e-9)).sum(-1)
    return (1.0 - entropy / math.log(share.shape[-1])).mean()


def with_pulseless(
    loss: Callable[[Tensor, Tensor, float], Tensor], weight: float
) -> Callable[[Tensor, Tensor, float], Tensor]:
    """Extend a loss to clips without a pulse, whose true wave is zero everywhere.

    These are left out of ``loss``, where Pearson's r is not defined, and have ``weight`` times
    their `peakedness` instead. The mean over all clips of the batch is returned.
    """

    def extended(found: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
        pulse = (truth != 0).any(-1)
        if bool(pulse.all()):
            return loss(found, truth, rate_hz)
        total = weight * peakedness(found[~pulse], truth[~pulse], rate_hz) * (~pulse).sum()
        if bool(pulse.any()):
            total = total + loss(found[pulse], truth[pulse], rate_hz) * pulse.sum()
        return total / len(truth)

    return extended


def _pearson(found: Tensor, truth: Tensor) -> Tensor:
    """Compute Pearson's r along the last axis."""
    x = found - found.mean(-1, keepdim=True)
    y = truth - truth.mean(-1, keepdim=True)
    scale = (x.square().sum(-1) * y.square().sum(-1) + 1e-12).sqrt()
    return (x * y).sum(-1) / scale


def _spectrum(wave: Tensor, rate_hz: float) -> Tensor:
    """Compute the share of power at each rate (batch, rates), with a Hann window."""
    n = wave.shape[-1]
    flat = (wave - wave.mean(-1, keepdim=True)).float()
    flat = flat * torch.hann_window(n, periodic=False, device=wave.device)
    hz = torch.arange(SLOWEST_HZ, FASTEST_HZ + STEP_HZ / 2, STEP_HZ, device=wave.device)
    turn = 2 * torch.pi * hz[:, None] * torch.arange(n, device=wave.device) / rate_hz
    power = (flat @ turn.cos().T).square() + (flat @ turn.sin().T).square()
    return power / (power.sum(-1, keepdim=True) + 1e-9)
