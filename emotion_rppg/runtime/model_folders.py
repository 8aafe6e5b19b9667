"""Read and write the folder of a trained network: model.safetensors and config.json.

Nothing that is loaded can run code: safetensors files contain arrays, JSON files text, and from
files of torch.save only tensors and plain containers are read.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.atomic_files import CONFIG, WEIGHTS, atomic_file
from emotion_rppg.runtime.json_text import parse_json

if TYPE_CHECKING:
    import torch

# exceptions of torch.load on damaged files and on pickles that would run code
_UNREADABLE: tuple[type[Exception], ...] = (
    *(pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError),
    *(ValueError, AssertionError, AttributeError, TypeError),
)


def checkpoint_beside(out: Path) -> Path:
    """Name the hidden file with the state of a training whose output is not complete yet."""
    return out.with_name(f".{out.name}.checkpoint.pt")


def save_training_state(path: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Write the state of a training; ``identity`` identifies its data and settings."""
    import torch

    with atomic_file(path) as fresh:
        torch.save({**state, "identity": identity}, fresh)


def load_training_state(path: Path, identity: str) -> dict[str, Any]:
    """Read the output of `save_training_state`.

    Raises
    ------
    InputError
        The file is damaged or belongs to another training.
    """
    state = load_plain(path)
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise InputError(
            f"{path} belongs to another training (other data, settings, initial weights or "
            "version): resume with those, or delete the file to start again"
        )
    return state


def load_plain(path: Path) -> Any:
    """Read tensors and plain containers from a file of torch.save, without running code.

    Raises
    ------
    InputError
        The file is damaged or contains anything else.
    """
    import torch

    try:
        with warnings.catch_warnings():  # unusual pickles are read or refused in any case
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise InputError(
            f"{path} is not a checkpoint of plain tensors and was not opened: want a file that "
            "torch.save wrote from a state_dict; copy or make a damaged file again"
        ) from error


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read the config.json of a model folder and check that it is a JSON object."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise InputError(
            f"no {CONFIG} in {str(folder)!r}: want a model folder as `emotion-rppg train` writes it"
        )
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): the model folder is damaged") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} contains a {type(config).__name__}; want a JSON object")
    return config


def save_tensors(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write the tensors to ``folder/model.safetensors``."""
    from safetensors.torch import save_file

    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, folder / WEIGHTS)


def load_tensors(folder: str | Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a model folder, on the CPU."""
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise InputError(f"no {WEIGHTS} in {str(folder)!r}: the model folder is incomplete")
    return load_safetensors(path)


def load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file, on the CPU."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error}): copy the file again") from error


def load_state(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Load the tensors into the module.

    Raises
    ------
    InputError
        Tensors are missing, unexpected, of another shape or not finite; the message lists them. The
        values of a tensor of another shape are not looked at: it may claim to have any number.
    """
    _check_state(module, tensors, where)
    module.load_state_dict(dict(tensors))


def restored(
    build: Callable[[], torch.nn.Module], tensors: Mapping[str, torch.Tensor], where: str
) -> torch.nn.Module:
    """Build a network and load its tensors; nothing is allocated before their shapes fit.

    Raises
    ------
    InputError
        As in `load_state`; or the network cannot be built with its options.
    """
    import torch

    try:
        with torch.device("meta"):  # shapes without memory
            shapes = build()
    except (TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"the options of {where} cannot be used: {reason}") from error
    _check_state(shapes, tensors, where)
    module = build()
    module.load_state_dict(dict(tensors))
    return module


def _check_state(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    own = module.state_dict()
    problems = [f"missing {k}" for k in own if k not in tensors]
    problems += [f"unexpected {k}" for k in tensors if k not in own]
    shared = [k for k in own if k in tensors]
    problems += [
        f"{k} is {tuple(tensors[k].shape)}, want {tuple(own[k].shape)}"
        for k in shared
        if tensors[k].shape != own[k].shape
    ]
    problems += [
        f"{k} has values that are not finite, complex ones or a variance below 0"
        for k in shared
        if tensors[k].shape == own[k].shape and not _sound(k, tensors[k])
    ]
    if problems:
        shown = "; ".join(problems[:6]) + (" …" if len(problems) > 6 else "")
        raise InputError(f"{where} does not fit {type(module).__name__}: {shown}")


def _sound(name: str, tensor: torch.Tensor) -> bool:
    """Check for finite real numbers; a mean of inputs may be NaN, where none was in training."""
    import torch

    if name.endswith("standardise.mean"):
        return not bool(torch.isinf(tensor).any())
    variance = name.endswith("running_var")
    return not tensor.is_complex() and bool(
        torch.isfinite(tensor).all() and not (variance and (tensor < 0).any())
    )
