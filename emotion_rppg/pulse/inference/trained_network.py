"""A trained pulse network: load it from its folder, read a wave from a clip of face pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import KIND
from emotion_rppg.pulse.inference.overlap_add import (
    LONGEST_HOLE_S,
    SHORTEST_FRAMES,
    at_rate,
    standard,
)
from emotion_rppg.pulse.inference.spatial_refinement import wave_of_crops
from emotion_rppg.pulse.methods import detrend
from emotion_rppg.runtime.devices import pick_device
from emotion_rppg.runtime.model_folders import load_state, load_tensors, read_config

if TYPE_CHECKING:
    import torch


SIZE = 32  # pixels a side of the default network's face picture


BUNDLED = {"physnet": Path(__file__).parents[1] / "weights" / "physnet"}  # trained networks


OPENVINO = "openvino"


@dataclass(frozen=True, eq=False)
class Network:
    """A trained pulse network with what its config.json says, ready on a device."""

    module: Callable[[torch.Tensor], torch.Tensor]
    config: dict[str, Any]
    device: str

    @property
    def rate_hz(self) -> float:
        return float(self.config["rate_hz"])

    @property
    def size(self) -> int:
        return int(self.config["size"])

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """(frames, size, size, 3), 0–255, at ``rate_hz`` -> wave (frames,), standardised."""
        import torch

        from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS

        x = torch.as_tensor(np.ascontiguousarray(clip), dtype=torch.float32)
        with torch.inference_mode():
            x = x.permute(3, 0, 1, 2)[None].to(self.device)
            wave = self.module(NORMALISATIONS[self.config["normalisation"]](x))
        found = wave[0].float().cpu().numpy().astype(float)
        if self.config.get("output") == "derivative":
            found = detrend(np.cumsum(standard(found)), self.rate_hz)
        return standard(found) * self.config["polarity"]


def load_network(folder: str | Path, *, device: str = "auto") -> Network:
    """A trained network from its folder, made ready to read on the device.

    ``device="openvino"`` runs it on the CPU through OpenVINO (extra ``fast``).
    """
    from emotion_rppg.pulse.inference.accelerate import Accelerated, OpenVino
    from emotion_rppg.pulse.networks import NETWORKS
    from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS

    config = read_config(folder)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, want a pulse network"
        )
    needed = ("network", "options", "rate_hz", "size", "normalisation", "polarity", "lag_s")
    lacking = [key for key in needed if key not in config]
    if lacking:
        raise InputError(f"config.json in {str(folder)!r} lacks {', '.join(lacking)}")
    for key, table in (("network", NETWORKS), ("normalisation", NORMALISATIONS)):
        if config[key] not in table:
            raise InputError(
                f"config.json in {str(folder)!r} names the {key} {config[key]!r}; "
                f"known: {', '.join(table)}"
            )
    try:
        numbers = {k: float(config[k]) for k in ("rate_hz", "size", "polarity", "lag_s")}
        module = NETWORKS[config["network"]](**config["options"])
    except (TypeError, ValueError) as error:
        raise InputError(f"config.json in {str(folder)!r} cannot be used: {error}") from error
    if not (numbers["rate_hz"] > 0 and numbers["size"] >= 1 and abs(numbers["polarity"]) == 1):
        raise InputError(
            f"config.json in {str(folder)!r} has {numbers}: want rate_hz and size above 0, and a "
            "polarity of 1 or -1"
        )
    load_state(module, load_tensors(folder), str(folder))
    if device == OPENVINO:
        return Network(OpenVino(module), config, "cpu")
    where = pick_device(device)
    return Network(Accelerated(module, where), config, where)


def waveform_from_clip(
    clip: np.ndarray, *, rate_hz: float, network: Network | str | Path | None = None
) -> np.ndarray:
    """The pulse wave of a clip of face pictures, (frames,), standardised, more blood up.

    Parameters
    ----------
    clip : uint8 array (frames, SIZE, SIZE, 3), RGB
        The face and a little around it (a square 1.65 times as wide as the face).
    rate_hz : float
        Frames a second of the clip; it is brought to the network's own rate and back.
    network : Network or folder, optional
        Default: the bundled network.

    Raises
    ------
    InputError
        Another shape or type; too few frames.
    """
    net = network if isinstance(network, Network) else load_network(network or BUNDLED["physnet"])
    clip = np.asarray(clip)
    wanted = (net.size, net.size, 3)
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[1:] != wanted:
        raise InputError(
            f"want uint8 (frames, {net.size}, {net.size}, 3), got {clip.dtype} {clip.shape}"
        )
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"rate_hz must be a positive number of hertz, got {rate_hz!r}")
    wave = _wave_of(clip, rate_hz, net) if len(clip) else np.empty(0)
    if not len(wave) or not np.isfinite(wave).all():
        raise InputError(
            f"{len(clip)} frames at {rate_hz:g} Hz are too few to read a pulse: want at least "
            f"{SHORTEST_FRAMES / net.rate_hz:.2g} s, with no more than {LONGEST_HOLE_S} s between "
            "frames"
        )
    return wave


def _wave_of(clip: np.ndarray, rate_hz: float, net: Network) -> np.ndarray:
    """Brought to the network's rate, read, brought back."""
    times = np.arange(len(clip)) / rate_hz
    pictures = at_rate(zip(times, clip, strict=True), net.rate_hz)
    wave = wave_of_crops(pictures, net, rate_hz=net.rate_hz, lag_s=net.config["lag_s"])
    own = np.arange(len(wave)) / net.rate_hz - net.config["lag_s"]
    return standard(np.interp(times, own, wave))
