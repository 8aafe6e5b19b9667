"""Define PhysNet, a 3D-CNN with a temporal encoder–decoder (Yu et al. 2019), and load checkpoints.

Space is pooled from H×W to H/16×W/16. Time is pooled T → T/2 → T/4 and restored by two transposed
convolutions. Names and shapes of the parameters are the published ones, so that public checkpoints
load.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.networks import keras_weights
from emotion_rppg.pulse.networks.input_normalisation import detrended
from emotion_rppg.runtime.model_folders import load_plain, load_safetensors, load_state

SHORTEST, SMALLEST = 4, 16  # frames; pixels a side
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")


def _conv(channels_in: int, channels_out: int, kernel: tuple[int, int, int]) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, kernel, padding=padding),
        nn.BatchNorm3d(channels_out),
        nn.ReLU(inplace=True),
    )


def _double_time(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose3d(channels, channels, (4, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0)),
        nn.BatchNorm3d(channels),
        nn.ELU(),
    )


class PhysNet(nn.Module):
    """PhysNet: (batch, 3, frames, height, width) -> (batch, frames).

    It takes any number of frames from 4 (the last is repeated up to a multiple of four, and the
    wave cut back) and any size from 16×16 pixels.

    Parameters
    ----------
    width : int
        Channels from the third convolution on; the first two have a quarter and a half. Published
        checkpoints have 64.
    normalisation : str
        Normalisation inside the network: ``"diff_batchnorm"`` is BatchNorm of frame differences
        (keys ``norm.*``; published with FactorizePhys, Joshi et al. 2024); ``"temporal"`` detrends
        every pixel before each convolution (Wang et al. 2024); any other value: none.

    References
    ----------
    Yu, Li & Zhao (2019), Remote photoplethysmograph signal measurement from facial videos using
    spatio-temporal networks, BMVC.
    """

    def __init__(self, *, width: int = 64, normalisation: str = "raw") -> None:
        super().__init__()
        self.normalisation = normalisation
        if normalisation == "diff_batchnorm":
            self.norm = nn.BatchNorm3d(3)
        self.ConvBlock1 = _conv(3, width // 4, (1, 5, 5))
        self.ConvBlock2 = _conv(width // 4, width // 2, (3, 3, 3))
        self.ConvBlock3 = _conv(width // 2, width, (3, 3, 3))
        self.ConvBlock4 = _conv(width, width, (3, 3, 3))
        self.ConvBlock5 = _conv(width, width, (3, 3, 3))
        self.ConvBlock6 = _conv(width, width, (3, 3, 3))
        self.ConvBlock7 = _conv(width, width, (3, 3, 3))
        self.ConvBlock8 = _conv(width, width, (3, 3, 3))
        self.ConvBlock9 = _conv(width, width, (3, 3, 3))
        self.upsample = _double_time(width)
        self.upsample2 = _double_time(width)
        self.ConvBlock10 = nn.Conv3d(width, 1, (1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, height, width) -> (batch, frames)."""
        return self.ConvBlock10(self.decoded(x)).flatten(1)

    def decoded(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, height, width) -> (batch, channels, frames, 1, 1) of the decoder.

        It is averaged over space.
        """
        frames = check_clip(x, "PhysNet")
        if self.normalisation == "diff_batchnorm":
            change = torch.diff(x, dim=2)
            x = self.norm(torch.cat([change, change[:, :, -1:]], dim=2))
        x = functional.pad(x, (0, 0, 0, 0, 0, -frames % 4), mode="replicate")
        x = _pool(self._block(x, 1), time=1)
        x = _pool(self._block(x, 2, 3), time=2)  # T/2: the encoder
        x = _pool(self._block(x, 4, 5), time=2)  # T/4
        x = _pool(self._block(x, 6, 7), time=1)
        x = self._block(x, 8, 9)
        x = self.upsample2(self.upsample(x))  # T/4 -> T/2 -> T: the decoder
        return x.mean((3, 4), keepdim=True)[:, :, :frames]

    def _block(self, x: Tensor, *numbers: int) -> Tensor:
        for number in numbers:
            if self.normalisation == "temporal":
                x = detrended(x)
            x = self.get_submodule(f"ConvBlock{number}")(x)
        return x


def _pool(x: Tensor, *, time: int) -> Tensor:
    return functional.max_pool3d(x, (time, 2, 2))


def check_clip(x: Tensor, network_name: str) -> int:
    """Check the shape of a clip for a network; return its number of frames.

    Raises
    ------
    InputError
        Another shape; too few frames or pixels.
    """
    if x.ndim != 5 or x.shape[1] != 3:
        raise InputError(
            f"{network_name} takes (batch, 3, frames, height, width), got {tuple(x.shape)}"
        )
    frames, height, width = x.shape[2:]
    if frames < SHORTEST:
        raise InputError(f"{network_name} needs at least {SHORTEST} frames, got {frames}")
    if min(height, width) < SMALLEST:
        raise InputError(
            f"{network_name} needs at least {SMALLEST}×{SMALLEST} pixels, got {height}×{width}"
        )
    return int(frames)


def load_public(path: str | Path) -> PhysNet:
    """Load a network (eval mode, CPU) from a public PyTorch or Keras checkpoint.

    A PyTorch checkpoint is a state dict, or has one under a usual key, with or without the
    ``module.`` prefix of DataParallel, with or without ``norm.*``, stored on any device; also a
    ``.safetensors`` file. A Keras checkpoint is a ``.weights.h5`` of open-rppg (extra ``files``).
    The caller applies the input normalisation of the checkpoint.

    Raises
    ------
    InputError
        No such file; not a checkpoint of plain tensors (a pickle that would run code is not
        opened); missing or unexpected tensors, or tensors of another shape, listed by name; the
        network of another publication; h5py is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no checkpoint {str(path)!r}")
    state = keras_weights.keras_state(path) if is_keras(path) else _tensors(path)
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    _refuse_contrast_phys(state, path)
    network = PhysNet(normalisation="diff_batchnorm" if "norm.weight" in state else "raw")
    load_state(network, state, str(path))
    return network.eval()


def is_keras(path: str | Path) -> bool:
    """Tell by its name whether a checkpoint has Keras weights."""
    return Path(path).suffix.lower() in keras_weights.SUFFIXES


def _refuse_contrast_phys(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise `InputError` for the network of Contrast-Phys, which shares only its name."""
    if {"start.0.weight", "end.1.weight"} <= set(state):
        raise InputError(
            f"{path} is the network of Contrast-Phys, whose layers are not those of PhysNet (ELU, "
            "average pooling, interpolation in place of transposed convolutions, 2×2 outputs): it "
            "cannot be converted; want a checkpoint with the keys ConvBlock1 to ConvBlock10"
        )


def _tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_safetensors(path)
    content: Any = load_plain(path)
    while isinstance(content, Mapping):
        inner = next((k for k in _WRAPPERS if isinstance(content.get(k), Mapping)), None)
        if inner is None:
            break
        content = content[inner]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path} holds {type(content).__name__}, want a state_dict of tensors")
    others = [str(k) for k, v in content.items() if not isinstance(v, Tensor)]
    if others:
        raise InputError(f"{path} holds more than tensors ({', '.join(others[:4])})")
    return {str(name): tensor for name, tensor in content.items()}
