"""Choose the device that a network runs on: the best available or the requested one."""

from __future__ import annotations

from typing import Any

from emotion_rppg.errors import InputError


def pick_device(device: str) -> str:
    """Choose a device by its name; ``auto`` is the best available.

    Raises
    ------
    InputError
        The name is unknown, or the device is not available.
    """
    import torch

    device = device.lower()
    accelerators = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name, available in accelerators.items() if available), "cpu")
    if device.split(":")[0] not in ("cpu", *accelerators):
        raise InputError(
            f"unknown device {device!r}; known: auto, cpu, cuda, mps, and for inference openvino"
        )
    if not accelerators.get(device.split(":")[0], True):
        raise InputError(f"this machine has no {device} device: use --device cpu or auto")
    return device


def fabric_devices(device: str, devices: int) -> dict[str, Any]:
    """Make the arguments of Lightning Fabric for ``cuda:1`` or for several devices of a kind."""
    kind, _, number = pick_device(device).partition(":")
    one = number and kind != "cpu"
    return {"accelerator": kind, "devices": [int(number)] if one else devices}
