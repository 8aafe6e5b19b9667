"""Accelerate a trained network: fold BatchNorm, use Winograd convolutions, or run OpenVINO.

The output is that of the original network up to rounding (tests: within 1e-4). An accelerated
network cannot be trained.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference import winograd
from emotion_rppg.runtime.threads import torch_threads

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose3d)


def fold_batchnorms(module: nn.Module) -> nn.Module:
    """Copy a network in eval mode, with each BatchNorm after a convolution folded into its weights.

    (w·x + b − m) / s · g + β = (g/s·w)·x + (b − m)·g/s + β (Jacob et al. 2018, eq. 14).
    """
    fresh = copy.deepcopy(module).eval()
    for part in list(fresh.modules()):
        if not isinstance(part, nn.Sequential):
            continue
        for k in range(len(part) - 1):
            conv, norm = part[k], part[k + 1]
            if isinstance(conv, _CONVOLUTIONS) and isinstance(
                norm, nn.modules.batchnorm._BatchNorm
            ):
                transposed = isinstance(conv, nn.ConvTranspose3d)
                part[k] = fuse_conv_bn_eval(conv, norm, transpose=transposed)
                part[k + 1] = nn.Identity()
    return fresh.requires_grad_(False)


class Accelerated:
    """Run an accelerated network: (batch, 3, frames, h, w) -> (batch, frames).

    On a CPU it uses the channels-last memory layout and Winograd convolutions, which are faster
    there.
    """

    def __init__(self, module: nn.Module, device: str) -> None:
        self.channels_last = device == "cpu"
        self.module = fold_batchnorms(module).to(device)
        if self.channels_last:
            self.module = winograd.replace_convolutions(self.module, winograd.Convolution)
        for weight in self.module.parameters():
            if self.channels_last and weight.ndim == 5:
                weight.data = weight.contiguous(memory_format=torch.channels_last_3d)

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, h, w) -> (batch, frames)."""
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last_3d)
        out: Tensor = self.module(x)
        return out


class OpenVino:
    """Run a network by OpenVINO on the CPU, compiled for each shape of clip.

    Raises
    ------
    InputError
        The package openvino is not installed.
    """

    def __init__(self, module: nn.Module) -> None:
        try:
            import openvino
        except ImportError as error:
            raise InputError(
                "--device openvino needs the package openvino: pip install 'emotion-rppg[fast]'"
            ) from error
        self._library = openvino
        self._module = winograd.replace_convolutions(fold_batchnorms(module), winograd.Traceable)
        self._compiled: dict[tuple[int, ...], Any] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, h, w) -> (batch, frames)."""
        if tuple(x.shape) not in self._compiled:
            self._compiled[tuple(x.shape)] = self._compile(x)
        return torch.from_numpy(self._compiled[tuple(x.shape)](x.numpy())[0].copy())

    def _compile(self, x: Tensor) -> Any:
        # tracing warns that the number of frames becomes a constant, as it should here
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = self._library.convert_model(self._module, example_input=torch.zeros_like(x))
        model.reshape(list(x.shape))
        threads = str(torch_threads())
        options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        return self._library.Core().compile_model(model, "CPU", options)
