"""Load a trained pulse network from its folder, and read a wave from a clip of face crops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import KIND
from emotion_rppg.pulse.inference.overlap_add import (
    LONGEST_HOLE_S,
    SHORTEST_FRAMES,
    resample_crops,
    standardise,
)
from emotion_rppg.pulse.inference.spatial_refinement import wave_of_crops
from emotion_rppg.pulse.methods import detrend
from emotion_rppg.runtime.config_checks import (
    Rule,
    check_entries,
    integer,
    mapping,
    network_options,
    number,
    one_of,
    or_null,
    people,
)
from emotion_rppg.runtime.devices import pick_device
from emotion_rppg.runtime.model_folders import load_tensors, read_config, restored
from emotion_rppg.runtime.threads import planned_torch_threads
from emotion_rppg.video.face_tracking import WIDEN

if TYPE_CHECKING:
    import torch


SIZE = 32  # pixels a side of the default network's crops
MAX_PIXELS_PER_S = 4e6  # 180×180 at 120 Hz: bounds the memory of a network from a stranger


BUNDLED = {"physnet": Path(__file__).parents[1] / "weights" / "physnet"}  # trained networks
BUNDLED_NAME = "bundled"  # of their weights, in tables and as ``--init``


OPENVINO = "openvino"


@dataclass(frozen=True, eq=False)
class Network:
    """A trained pulse network on a device, with its config.json."""

    module: Callable[[torch.Tensor], torch.Tensor]
    config: dict[str, Any]
    device: str

    @property
    def rate_hz(self) -> float:
        """Frames a second of its input and samples a second of its wave."""
        return float(self.config["rate_hz"])

    @property
    def size(self) -> int:
        """Pixels a side of its input."""
        return int(self.config["size"])

    @property
    def crop_width(self) -> float:
        """Width of its face crops, in widths of the face's box."""
        return float(self.config.get("crop_width", WIDEN))

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """Clip (frames, size, size, 3), 0–255, at ``rate_hz`` -> wave (frames,), standardised."""
        import torch

        from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS

        x = torch.as_tensor(np.ascontiguousarray(clip), dtype=torch.float32)
        planned = planned_torch_threads() if self.device == "cpu" else nullcontext()
        with torch.inference_mode(), planned:
            x = x.permute(3, 0, 1, 2)[None].to(self.device)
            wave = self.module(NORMALISATIONS[self.config["normalisation"]](x))
        found = wave[0].float().cpu().numpy().astype(float)
        if not np.isfinite(found).all():
            raise InputError(
                f"the pulse network {self.config['network']!r} gives numbers that are not finite: "
                "its weights are damaged or the precision of the device is too low; copy or train "
                "it again"
            )
        if self.config.get("output") == "derivative":
            found = detrend(np.cumsum(standardise(found)), self.rate_hz)
        return standardise(found) * self.config["polarity"]


def load_network(folder: str | Path, *, device: str = "auto") -> Network:
    """Load a trained network from its folder and accelerate it for a device.

    ``device="openvino"`` runs it on the CPU by OpenVINO (extra ``fast``).

    Raises
    ------
    InputError
        No folder of a pulse network; a config.json or weights that cannot be used.
    """
    from emotion_rppg.pulse.inference.accelerate import Accelerated, OpenVino

    module, config = load_module(folder)
    if device == OPENVINO:
        return Network(OpenVino(module), config, "cpu")
    resolved = pick_device(device)
    return Network(Accelerated(module, resolved), config, resolved)


def load_module(folder: str | Path) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Load the network of a folder on the CPU, as it was trained, and its checked config.json.

    Raises
    ------
    InputError
        As `load_network`.
    """
    from emotion_rppg.pulse.networks import NETWORKS
    from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS

    config = read_config(folder)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, want a pulse network"
        )
    where = f"config.json in {str(folder)!r}"
    check_entries(config, _rules(NETWORKS, NORMALISATIONS), where)
    pixels_per_s = config["size"] ** 2 * config["rate_hz"]
    if pixels_per_s > MAX_PIXELS_PER_S:
        raise InputError(
            f"{where} wants {pixels_per_s:.3g} pixels a second (size² × rate_hz): want at most "
            f"{MAX_PIXELS_PER_S:.3g}"
        )
    network = NETWORKS[config["network"]]
    tensors = load_tensors(folder)
    return restored(lambda: network(**config["options"]), tensors, str(folder)), config


def _rules(networks: Mapping[str, Any], normalisations: Mapping[str, Any]) -> dict[str, Rule]:
    """List what the entries of a pulse network's config.json must be."""
    return {
        "network": one_of(tuple(networks)),
        "options": network_options(),
        "rate_hz": number(1, 240),
        "size": integer(16, 512),
        "normalisation": one_of(tuple(normalisations)),
        "polarity": one_of((1, -1)),
        "lag_s": number(-5, 5),
        "output": one_of(("wave", "derivative"), optional=True),
        "crop_width": number(0.5, 10, optional=True),
        "trained_on": people(optional=True),
        "training": mapping(optional=True),
        "source": or_null(mapping()),
        "check": or_null(mapping()),
    }


def waveform_from_clip(
    clip: np.ndarray, *, rate_hz: float, network: Network | str | Path | None = None
) -> np.ndarray:
    """Read the pulse wave (frames,) of a clip of face crops, standardised, more blood up.

    Parameters
    ----------
    clip : uint8 array (frames, SIZE, SIZE, 3), RGB
        A square 1.65 times as wide as the face, around it.
    rate_hz : float
        Frames a second of the clip; it is resampled to the network's rate and the wave back.
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
    """Resample a clip to the network's rate, compute its wave and resample that back."""
    times = np.arange(len(clip)) / rate_hz
    crops = resample_crops(zip(times, clip, strict=True), net.rate_hz)
    wave = wave_of_crops(crops, net, rate_hz=net.rate_hz, lag_s=net.config["lag_s"])
    wave_times = np.arange(len(wave)) / net.rate_hz - net.config["lag_s"]
    return standardise(np.interp(times, wave_times, wave))
