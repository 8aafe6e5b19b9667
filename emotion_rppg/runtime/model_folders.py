"""Read and write the folder of a trained network: model.safetensors and config.json.

Nothing here can run code from disk: safetensors holds arrays, JSON holds text, and of what
torch.save wrote only tensors and plain containers are read.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    import torch
from emotion_rppg.runtime.atomic_files import CONFIG, WEIGHTS, whole_file

# what torch.load raises on damaged files and on pickles that want to run something
_UNREADABLE: tuple[type[Exception], ...] = (pickle.UnpicklingError, RuntimeError, OSError, EOFError)


_UNREADABLE += (LookupError, ValueError, AssertionError, AttributeError, TypeError)


def checkpoint_beside(out: Path) -> Path:
    """Where the state of a training lies until its folder is written."""
    return out.with_name(f".{out.name}.checkpoint.pt")


def save_training_state(path: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Write the state of a training; ``identity`` tells which training it belongs to."""
    import torch

    with whole_file(path) as fresh:
        torch.save({**state, "identity": identity}, fresh)


def load_training_state(path: Path, identity: str) -> dict[str, Any]:
    """What `save_training_state` wrote.

    Raises
    ------
    InputError
        A damaged file, or the state of another training.
    """
    state = load_plain(path)
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise InputError(
            f"{path} was made by another training (other data, recipe, beginning or version): "
            "resume with those, or delete the file to begin anew"
        )
    return state


def load_plain(path: Path) -> Any:
    """Tensors and plain containers as torch.save wrote them; nothing in the file can run."""
    import torch

    try:
        with warnings.catch_warnings():  # of unusual pickles, which are read or refused anyway
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise InputError(
            f"{path} is not a checkpoint of plain tensors and was not opened: want a file that "
            "torch.save wrote from a state_dict; a damaged one has to be copied or made again"
        ) from error


def read_config(folder: str | Path) -> dict[str, Any]:
    """The config.json of a model folder, checked to be a JSON object."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise InputError(
            f"no {CONFIG} in {str(folder)!r}: want a model folder as `emotion-rppg train` writes it"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): the model folder is damaged") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} holds {type(config).__name__}, want a JSON object")
    return config


def save_tensors(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write the tensors to ``folder/model.safetensors``."""
    from safetensors.torch import save_file

    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, folder / WEIGHTS)


def load_tensors(folder: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a model folder, on the CPU."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise InputError(f"no {WEIGHTS} in {str(folder)!r}: the model folder is incomplete")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error}); copy the model folder again") from error


def load_state(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Fill the module; every missing, unexpected or misshapen tensor is named."""
    own = module.state_dict()
    problems = [f"missing {k}" for k in own if k not in tensors]
    problems += [f"unexpected {k}" for k in tensors if k not in own]
    problems += [
        f"{k} is {tuple(tensors[k].shape)}, want {tuple(own[k].shape)}"
        for k in own
        if k in tensors and tensors[k].shape != own[k].shape
    ]
    if problems:
        shown = "; ".join(problems[:6]) + (" …" if len(problems) > 6 else "")
        raise InputError(f"{where} does not fit {type(module).__name__}: {shown}")
    module.load_state_dict(dict(tensors))
