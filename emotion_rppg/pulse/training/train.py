"""Train a pulse network: one loop, on whatever device and however many processes Fabric is given.

A source of clips is a function of an index, so that a run that was killed goes on where it stood
and ends with the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import lightning_fabric
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import KIND
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.pulse.networks import NETWORKS, save_network
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.training.clips import (
    ClipSource,
    People,
    as_tensors,
    recording_clips,
    sources,
    synthetic_clips,
    together,
)
from emotion_rppg.pulse.training.config import Recipe
from emotion_rppg.pulse.training.curves import write_curves
from emotion_rppg.pulse.training.losses import LOSSES, named_loss, negative_pearson
from emotion_rppg.pulse.training.skipping import SkippedSteps
from emotion_rppg.pulse.training.tensorboard import check_events, event_file
from emotion_rppg.pulse.training.validation import Validation
from emotion_rppg.runtime.atomic_files import WEIGHTS, atomic_folder, check_folder
from emotion_rppg.runtime.devices import fabric_devices
from emotion_rppg.runtime.model_folders import (
    checkpoint_beside,
    load_state,
    load_tensors,
    load_training_state,
    read_config,
    save_training_state,
)
from emotion_rppg.runtime.provenance import identity

__all__ = [  # what a script that trains needs
    "LOSSES",
    "Recipe",
    "beginning",
    "check_network",
    "negative_pearson",
    "recording_clips",
    "sources",
    "synthetic_clips",
    "train",
]
COMES_ALONG = "bundled"
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def train(
    clips: ClipSource,
    out: str | Path,
    *,
    recipe: Recipe | None = None,
    validation: ClipSource | None = None,
    trained_on: Mapping[str, Sequence[str]] | str = "unknown",
    init: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    precision: str = "32-true",
    loaders: int = 0,
    checkpoint_every: int = 100,
    resume: bool = False,
    tensorboard: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train a network on clips and write its folder.

    Parameters
    ----------
    clips : function
        Index to ``(clip uint8 (frames, size, size, 3), wave (frames,))``; more blood is up.
    out : path
        The model folder. A checkpoint lies beside it until training ends; ``resume=True`` goes
        on from there, with the same recipe, people and ``init``.
    validation : function, optional
        The same for people who are held out: training ends where it no longer helps them, and the
        weights that did best on them are kept (``Recipe``).
    trained_on : mapping or "unknown"
        ``{data set: [subjects]}``: kept with the weights, so that nobody is tested by a network
        that saw them; those of ``validation`` belong to them, too.
    init : folder or "bundled", optional
        A trained network of the same kind to begin with, or the one that comes along; whom it saw
        is kept as well. Its pictures may have had another size.
    devices : int
        How many share out the clips of each step: the network sees the same clips whatever their
        number. BatchNorm takes its statistics on each device for itself.
    loaders : int
        Processes that make clips while the network learns.
    tensorboard : folder, optional
        Where an event file with ``loss``, ``learning_rate`` and ``validation_loss`` grows, for
        TensorBoard (extra ``curves``); outside ``out``. A training of the same ``out`` replaces it.

    Raises
    ------
    InputError
        Before training: an ``out`` that is somebody else's folder, an ``init`` that is no folder or
        holds another network, a network or a loss that does not take the recipe's clips,
        a ``tensorboard`` that cannot be written, an unknown device or precision, clips that cannot
        be shared out. Later: a loss that is no longer a number, or a gradient that was not finite
        in too many steps in a row (single ones are skipped, logged and counted in ``config.json``
        as ``skipped_steps``).
    """
    recipe = recipe or Recipe()
    out = Path(out)
    checkpoint = checkpoint_beside(out)
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    check_folder(out)
    if tensorboard is not None:
        check_events(tensorboard, out)
    check_network(recipe)
    module = _new(recipe)
    begun = None if init is None else beginning(init, recipe)
    if begun is not None:
        load_state(module, load_tensors(begun), str(begun))
        trained_on = together(trained_on, read_config(begun).get("trained_on", "unknown"))
    which = _which(recipe, trained_on, begun)
    fabric = lightning_fabric.Fabric(
        **fabric_devices(device, devices), precision=cast(Any, precision)
    )
    if os.environ.get("LT_CLI_USED") != "1":  # `fabric run` has launched them, and forbids it twice
        fabric.launch()
    network, optimiser = fabric.setup(module, torch.optim.Adam(module.parameters()))
    first = 0
    curve: list[tuple[int, float]] = []
    skipped = SkippedSteps()
    watch = None if validation is None else Validation(validation, recipe)
    if resume and checkpoint.is_file():
        first, curve, skipped = _restore(checkpoint, which, module, optimiser, watch)
    batches = fabric.setup_dataloaders(_loader(clips, recipe, first, loaders, fabric.world_size))
    prepare, loss_of = NORMALISATIONS[recipe.normalisation], named_loss(recipe.loss)
    network.train()
    over, validated = (False, []) if watch is None else (watch.over, watch.curve)
    events = tensorboard if fabric.is_global_zero else None
    with event_file(events, out.name, recipe.learning_rate_at) as tell:
        tell(curve, validated)
        for step, (clip, wave) in enumerate(() if over else batches, start=first):
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate_at(step)
            loss = loss_of(network(prepare(clip)), wave, recipe.rate_hz)
            optimiser.zero_grad()
            fabric.backward(loss)
            norm = fabric.clip_gradients(network, optimiser, max_norm=1.0, error_if_nonfinite=False)
            # one gradient that is not finite would spoil every weight, and nothing but the loss
            # scaler of 16-mixed leaves such a step out by itself: it has to see the step, so that
            # it lowers its scale
            curve.append((step, _finite(fabric.all_reduce(loss.detach()), step, recipe)))
            if (
                skipped.usable(float(cast(Tensor, norm)), step, recipe, precision)
                or precision == "16-mixed"
            ):
                optimiser.step()
            if watch is not None and watch.due(step) and fabric.is_global_zero:
                watch.look(module, step)
            tell(curve, validated)
            if (step + 1) % checkpoint_every == 0 and fabric.is_global_zero:
                _keep(checkpoint, which, module, optimiser, step + 1, curve, watch, skipped)
            if progress is not None:
                progress(step + 1, recipe.steps)
            if watch is not None and watch.due(step) and fabric.broadcast(watch.over):
                break
    if fabric.is_global_zero:
        _write(out, module, recipe, trained_on, curve, watch, skipped)
        checkpoint.unlink(missing_ok=True)
    fabric.barrier()
    return out


def beginning(init: str | Path, recipe: Recipe) -> Path:
    """The folder of the trained network that ``init`` names: ``"bundled"``, or that folder itself.

    A folder that is called so has to be given as a path: ``./bundled``.
    """
    if init == COMES_ALONG:
        if recipe.network not in BUNDLED:
            raise InputError(
                f"no trained {recipe.network} comes along: begin with the folder of one, or train "
                f"{', '.join(BUNDLED)}"
            )
        return BUNDLED[recipe.network]
    if not Path(init).is_dir():
        raise InputError(
            f"no folder {str(init)!r} to begin with: give that of a trained network, or "
            f"{COMES_ALONG!r} for the one that comes along"
        )
    config = read_config(init)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(init)!r} holds a model of kind {config.get('kind')!r}, want a pulse network"
        )
    holds = config.get("network")
    if holds != recipe.network:
        raise InputError(
            f"{str(init)!r} holds the network {holds!r} and {recipe.network!r} is to be trained: "
            f"begin with the folder of a {recipe.network}, or train {holds!r} (--network)"
        )
    return Path(init)


def check_network(recipe: Recipe) -> None:
    """Check that the recipe's network and loss take its clips, before any clip is made.

    Raises
    ------
    InputError
        Too few frames or pixels; a network that does not give one value a frame.
    """
    module = _new(recipe).eval()
    with torch.no_grad():
        wave = module(torch.zeros(1, 3, recipe.frames, recipe.size, recipe.size))
    if wave.shape != (1, recipe.frames):
        raise InputError(
            f"the network {recipe.network!r} gave {tuple(wave.shape)} for one clip of "
            f"{recipe.frames} frames: want (batch, frames)"
        )
    named_loss(recipe.loss)(wave, torch.zeros_like(wave), recipe.rate_hz)


def _new(recipe: Recipe) -> torch.nn.Module:
    """The untrained network of the recipe's seed; the caller's random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)
        module: torch.nn.Module = NETWORKS[recipe.network](**recipe.options)
    return module


def _finite(loss: Any, step: int, recipe: Recipe) -> float:
    if not math.isfinite(value := float(loss)):
        raise InputError(
            f"the loss was {value} at step {step}: lower the learning rate "
            f"({recipe.learning_rate:g}) or train with precision 32-true"
        )
    return value


class _Clips(Dataset[tuple[Tensor, Tensor]]):
    """The clips of the steps that are left, as tensors (3, frames, h, w) of 0–255 and (frames,)."""

    def __init__(self, source: ClipSource, first: int, stop: int) -> None:
        self.source, self.first, self.stop = source, first, stop

    def __len__(self) -> int:
        return self.stop - self.first

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return as_tensors(self.source(self.first + index))


def _loader(
    clips: ClipSource, recipe: Recipe, first: int, loaders: int, processes: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """This process's share of each step: Fabric deals the clips out in turn."""
    n = recipe.batch_size
    if n % processes:
        raise InputError(
            f"a batch of {n} clips cannot be shared out over {processes} processes: "
            "want a multiple of them"
        )
    data = _Clips(clips, first * n, recipe.steps * n)
    own = torch.Generator()  # else the loader draws from the caller's random numbers
    return DataLoader(data, batch_size=n // processes, num_workers=loaders, generator=own)


def _which(recipe: Recipe, trained_on: People | str, begun: Path | None) -> str:
    """The training that a checkpoint belongs to: recipe, people, and the weights at its start."""
    weights = None if begun is None else identity(begun / WEIGHTS)
    return json.dumps({"recipe": asdict(recipe), "people": trained_on, "init": weights})


def _keep(
    path: Path,
    which: str,
    module: torch.nn.Module,
    optimiser: Any,
    step: int,
    curve: list[tuple[int, float]],
    watch: Validation | None,
    skipped: SkippedSteps,
) -> None:
    state = {
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "curve": curve,
        "validation": None if watch is None else watch.state(),
        "skipped": [skipped.total, skipped.in_a_row],
    }
    save_training_state(path, which, state)


def _restore(
    path: Path,
    which: str,
    module: torch.nn.Module,
    optimiser: Any,
    watch: Validation | None,
) -> tuple[int, list[tuple[int, float]], SkippedSteps]:
    state = load_training_state(path, which)
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    if watch is not None and state["validation"] is not None:
        watch.restore(state["validation"])
    curve = [(int(i), float(loss)) for i, loss in state["curve"]]
    total, in_a_row = state.get("skipped", (0, 0))
    return int(state["step"]), curve, SkippedSteps(int(total), int(in_a_row))


def _write(
    out: Path,
    module: torch.nn.Module,
    recipe: Recipe,
    trained_on: Mapping[str, Sequence[str]] | str,
    curve: list[tuple[int, float]],
    watch: Validation | None,
    skipped: SkippedSteps,
) -> None:
    """The folder; with validation, the weights that did best on it."""
    tail = [loss for _, loss in curve[-20:]]
    facts: dict[str, Any] = {**asdict(recipe), "loss_of_last_20_steps": float(np.mean(tail))}
    facts["skipped_steps"] = skipped.total
    if watch is not None and watch.best:
        module.load_state_dict(watch.best)
        facts["lowest_validation_loss"] = watch.lowest
    with atomic_folder(out) as fresh:
        save_network(
            fresh,
            module,
            network=recipe.network,
            options=recipe.options,
            rate_hz=recipe.rate_hz,
            size=recipe.size,
            normalisation=recipe.normalisation,
            trained_on=trained_on,
            training=facts,
        )
        write_curves(fresh, curve, [] if watch is None else watch.curve)
