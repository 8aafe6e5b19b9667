"""Where a network runs: the best device there is, or the one that was asked for."""

from __future__ import annotations

from typing import Any

from emotion_rppg.errors import InputError


def pick_device(device: str) -> str:
    """``auto`` is the best there is; a device that is asked for and missing is an error."""
    import torch

    device = device.lower()
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name, available in there.items() if available), "cpu")
    if device.split(":")[0] not in ("cpu", *there):
        raise InputError(
            f"unknown device {device!r}; known: auto, cpu, cuda, mps; to read, openvino"
        )
    if not there.get(device.split(":")[0], True):
        raise InputError(f"no {device} device on this machine: use --device cpu or auto")
    return device


def fabric_devices(device: str, devices: int) -> dict[str, Any]:
    """Fabric's words for a device such as ``cuda:1``, or for so many of a kind."""
    kind, _, number = pick_device(device).partition(":")
    one = number and kind != "cpu"
    return {"accelerator": kind, "devices": [int(number)] if one else devices}
