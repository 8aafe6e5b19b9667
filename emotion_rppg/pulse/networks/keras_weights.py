"""Read the Keras weights of open-rppg's PhysNet as the tensors of the published PyTorch network.

The file (``.weights.h5``) holds arrays only; h5py reads them and nothing is executed. Keras stores
kernels with the channels last, and the four vectors of a BatchNorm without their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import GB, load_hdf5

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".h5", ".hdf5")
EPSILON_KERAS, EPSILON_TORCH = 1e-3, 1e-5  # in the denominator of BatchNorm, by default
_NORM = ("weight", "bias", "running_mean", "running_var")  # order of Keras
_LAST = "convBlock10"


def keras_state(path: Path) -> dict[str, Tensor]:
    """Read a ``.weights.h5`` file as the state dict of `PhysNet`, float32.

    BatchNorm of Keras adds 1e-3 to the variance, that of PyTorch 1e-5; the difference is added to
    ``running_var``, so that both networks compute the same.

    Raises
    ------
    InputError
        h5py is not installed; a damaged file, or one without the layers of PhysNet.
    """
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"{path} has Keras weights, which need the package h5py: "
            "pip install 'emotion-rppg[files]'"
        ) from error
    import torch

    content = load_hdf5(path, limit_bytes=GB)
    try:
        arrays = dict(_arrays(content))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InputError(
            f"{path} is not the PhysNet of open-rppg (groups: {', '.join(content) or 'none'}): "
            "want its ConvBlock1 to ConvBlock9, convBlock10 and two transposed convolutions"
        ) from error
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _arrays(content: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the published name and array of each tensor."""
    # Keras stores attributes in alphabetical order; those after "layers" have only numbers
    others = [name for name in content["layers"] if name.startswith("sequential_")]
    others = sorted(others, key=lambda name: int(name.removeprefix("sequential_")))
    blocks = {f"ConvBlock{k}": content[f"ConvBlock{k}"] for k in range(1, 10)}
    for block, name in zip(("upsample", "upsample2"), others, strict=True):
        blocks[block] = content["layers"][name]
    for block, group in blocks.items():
        kind = "conv3d" if block.startswith("ConvBlock") else "conv3d_transpose"
        yield from _convolution(f"{block}.0", group["layers"][kind])
        yield from _norm(f"{block}.1", group["layers"]["batch_normalization"])
    yield from _convolution("ConvBlock10", content[_LAST])


def _convolution(name: str, layer: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield kernel and bias: (time, h, w, in, out) of Keras becomes (out, in, time, h, w).

    A transposed convolution has its channels in the opposite order in both libraries.
    """
    kernel, bias = (np.asarray(layer["vars"][k], dtype=np.float32) for k in ("0", "1"))
    yield f"{name}.weight", kernel.transpose(4, 3, 0, 1, 2).copy()
    yield f"{name}.bias", bias


def _norm(name: str, layer: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    for k, part in enumerate(_NORM):
        vector = np.asarray(layer["vars"][str(k)], dtype=np.float32)
        vector = vector + (EPSILON_KERAS - EPSILON_TORCH) * (part == "running_var")
        yield f"{name}.{part}", vector.astype(np.float32)
    yield f"{name}.num_batches_tracked", np.array(0)
