"""Train a pulse network on any device and any number of processes by Lightning Fabric.

A source of clips is a function of an index. A resumed training therefore gets the same clips and
ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import lightning_fabric
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import KIND
from emotion_rppg.pulse.inference.trained_network import BUNDLED, BUNDLED_NAME
from emotion_rppg.pulse.networks import NETWORKS, save_network
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.training.clips import (
    ClipSource,
    People,
    as_tensors,
    merge_people,
    recording_clips,
    sources,
    synthetic_clips,
)
from emotion_rppg.pulse.training.config import TrainingConfig
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

__all__ = [  # for scripts that train
    "LOSSES",
    "TrainingConfig",
    "check_network",
    "initial_network",
    "negative_pearson",
    "recording_clips",
    "sources",
    "synthetic_clips",
    "train",
]
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def train(
    clips: ClipSource,
    out: str | Path,
    *,
    recipe: TrainingConfig | None = None,
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
        From an index to ``(clip uint8 (frames, size, size, 3), wave (frames,))``; more blood is up.
    out : path
        The model folder. A checkpoint is beside it until training ends; ``resume=True`` continues
        from it, with the same recipe, people and ``init``.
    validation : function, optional
        The same for people who are held out: training ends when their loss no longer falls, and the
        weights with their lowest loss are saved (``TrainingConfig``).
    trained_on : mapping or "unknown"
        ``{data set: [subjects]}`` of ``clips`` and of ``validation``. It is saved with the weights,
        so that `evaluate` can refuse to test the network on these people.
    init : folder or "bundled", optional
        A trained network of the same kind whose weights training starts from, or the bundled one.
        Its subjects are added to ``trained_on``. Its crops may have had another size.
    devices : int
        Number of devices, which divide the clips of each step; the clips do not depend on it.
        BatchNorm computes its statistics on each device separately.
    loaders : int
        Processes that make clips during training.
    tensorboard : folder, optional
        Folder outside ``out`` for an event file with ``loss``, ``learning_rate`` and
        ``validation_loss``, for TensorBoard (extra ``curves``). A training of the same ``out``
        replaces it.

    Raises
    ------
    InputError
        Before training: an ``out`` that is not an output folder; an ``init`` that is no folder or
        has another network; a network or a loss that cannot process the recipe's clips; a
        ``tensorboard`` that cannot be written; an unknown device or precision; a batch that the
        processes cannot divide. During training: a loss that is not finite, or a gradient that is
        not finite in too many steps in a row (single steps are skipped, logged and counted in
        ``config.json`` as ``skipped_steps``).
    """
    recipe = recipe or TrainingConfig()
    out = Path(out)
    _check_arguments(recipe, out, precision, tensorboard)
    initial = None if init is None else initial_network(init, recipe)
    module = _untrained(recipe)
    if initial is not None:
        load_state(module, load_tensors(initial), str(initial))
        trained_on = merge_people(trained_on, read_config(initial).get("trained_on", "unknown"))
    fabric = _launched(device, devices, precision)
    network, optimiser = fabric.setup(module, torch.optim.Adam(module.parameters()))
    validator = None if validation is None else Validation(validation, recipe)
    run = _Run(recipe, precision, module, optimiser, validator)
    checkpoint, training_id = checkpoint_beside(out), _training_id(recipe, trained_on, initial)
    if resume and checkpoint.is_file():
        run.restore(checkpoint, training_id)
    batches = fabric.setup_dataloaders(_loader(clips, recipe, run.step, loaders, fabric.world_size))
    network.train()
    events = tensorboard if fabric.is_global_zero else None
    with event_file(events, out.name, recipe.learning_rate_at) as write_events:
        write_events(run.curve, run.validated)
        for clip, wave in () if run.finished else batches:
            run.fit(fabric, network, clip, wave)
            if run.validates and fabric.is_global_zero:
                run.validate()
            write_events(run.curve, run.validated)
            if run.step % checkpoint_every == 0 and fabric.is_global_zero:
                run.save(checkpoint, training_id)
            if progress is not None:
                progress(run.step, recipe.steps)
            if run.validates and fabric.broadcast(run.finished):
                break
    if fabric.is_global_zero:
        _write(out, run, trained_on)
        checkpoint.unlink(missing_ok=True)
    fabric.barrier()
    return out


def _check_arguments(
    recipe: TrainingConfig, out: Path, precision: str, tensorboard: str | Path | None
) -> None:
    """Check all that can be checked before any clip is made."""
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    check_folder(out)
    if tensorboard is not None:
        check_events(tensorboard, out)
    check_network(recipe)


def _launched(device: str, devices: int, precision: str) -> lightning_fabric.Fabric:
    """Make the Fabric and start its processes, unless `fabric run` has started them already."""
    fabric = lightning_fabric.Fabric(
        **fabric_devices(device, devices), precision=cast(Any, precision)
    )
    if os.environ.get("LT_CLI_USED") != "1":
        fabric.launch()
    return fabric


@dataclass
class _Run:
    """A training in progress: all that changes with its steps, and what its checkpoint holds.

    ``step`` is the number of finished steps; ``curve`` has (index of the step, loss).
    """

    recipe: TrainingConfig
    precision: str
    module: torch.nn.Module
    optimiser: Any
    validator: Validation | None
    step: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    skipped: SkippedSteps = field(default_factory=SkippedSteps)

    def fit(
        self, fabric: lightning_fabric.Fabric, network: torch.nn.Module, clip: Tensor, wave: Tensor
    ) -> None:
        """Take one step of the optimiser, unless its gradient is not finite.

        Such a gradient would make every weight NaN. Only the loss scaler of 16-mixed skips the step
        itself, and it needs the call to lower its scale.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate_at(self.step)
        prepare, loss_of = NORMALISATIONS[self.recipe.normalisation], self.recipe.loss_function
        loss = loss_of(network(prepare(clip)), wave, self.recipe.rate_hz)
        self.optimiser.zero_grad()
        fabric.backward(loss)
        norm = fabric.clip_gradients(
            network, self.optimiser, max_norm=1.0, error_if_nonfinite=False
        )
        mean = _finite(fabric.all_reduce(loss.detach()), self.step, self.recipe)
        self.curve.append((self.step, mean))
        size = float(cast(Tensor, norm))
        usable = self.skipped.usable(size, self.step, self.recipe, self.precision)
        if usable or self.precision == "16-mixed":
            self.optimiser.step()
        self.step += 1

    @property
    def validates(self) -> bool:
        """Whether to validate after the last finished step."""
        return self.validator is not None and self.validator.due(self.step - 1)

    def validate(self) -> None:
        """Compute the loss of the clips held out."""
        assert self.validator is not None
        self.validator.evaluate(self.module, self.step - 1)

    @property
    def validated(self) -> list[tuple[int, float]]:
        """The curve of the validation; empty without one."""
        return [] if self.validator is None else self.validator.curve

    @property
    def finished(self) -> bool:
        """Whether the validation has ended the training."""
        return self.validator is not None and self.validator.finished

    def save(self, path: Path, training_id: str) -> None:
        """Write the checkpoint."""
        state = {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "curve": self.curve,
            "validation": None if self.validator is None else self.validator.state(),
            "skipped": [self.skipped.total, self.skipped.in_a_row],
        }
        save_training_state(path, training_id, state)

    def restore(self, path: Path, training_id: str) -> None:
        """Continue from the checkpoint."""
        state = load_training_state(path, training_id)
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.validator is not None and state["validation"] is not None:
            self.validator.restore(state["validation"])
        self.step = int(state["step"])
        self.curve = [(int(i), float(loss)) for i, loss in state["curve"]]
        self.skipped = SkippedSteps(*(int(n) for n in state.get("skipped", (0, 0))))


def initial_network(init: str | Path, recipe: TrainingConfig) -> Path:
    """Return the folder of the trained network to start from: ``"bundled"`` or a folder.

    A folder named bundled is given as ``./bundled``.

    Raises
    ------
    InputError
        No such folder; not a pulse network, or another one than the recipe's.
    """
    if init == BUNDLED_NAME:
        if recipe.network not in BUNDLED:
            raise InputError(
                f"no trained {recipe.network} is bundled: give the folder of one, or train "
                f"{', '.join(BUNDLED)}"
            )
        return BUNDLED[recipe.network]
    if not Path(init).is_dir():
        raise InputError(
            f"no folder {str(init)!r} to begin with: give that of a trained network, or "
            f"{BUNDLED_NAME!r} for the bundled one"
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


def check_network(recipe: TrainingConfig) -> None:
    """Check that the recipe's network and loss can process its clips, before any clip is made.

    Raises
    ------
    InputError
        Too few frames or pixels; a network that does not return one value a frame.
    """
    module = _untrained(recipe).eval()
    with torch.no_grad():
        wave = module(torch.zeros(1, 3, recipe.frames, recipe.size, recipe.size))
    if wave.shape != (1, recipe.frames):
        raise InputError(
            f"the network {recipe.network!r} returned {tuple(wave.shape)} for one clip of "
            f"{recipe.frames} frames: want (batch, frames)"
        )
    named_loss(recipe.loss)(wave, torch.zeros_like(wave), recipe.rate_hz)


def _untrained(recipe: TrainingConfig) -> torch.nn.Module:
    """Make the untrained network of the recipe's seed, without changing the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)
        module: torch.nn.Module = NETWORKS[recipe.network](**recipe.options)
    return module


def _finite(loss: Any, step: int, recipe: TrainingConfig) -> float:
    """Return the loss as a number; raise InputError if it is not finite."""
    if not math.isfinite(value := float(loss)):
        raise InputError(
            f"the loss was {value} at step {step}: lower the learning rate "
            f"({recipe.learning_rate:g}) or train with precision 32-true"
        )
    return value


class _Clips(Dataset[tuple[Tensor, Tensor]]):
    """Clips of the remaining steps, as tensors (3, frames, h, w), 0–255, and (frames,)."""

    def __init__(self, source: ClipSource, first: int, stop: int) -> None:
        self.source, self.first, self.stop = source, first, stop

    def __len__(self) -> int:
        return self.stop - self.first

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return as_tensors(self.source(self.first + index))


def _loader(
    clips: ClipSource, recipe: TrainingConfig, first: int, loaders: int, processes: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Load this process's share of each step; Fabric distributes the clips in turn."""
    n = recipe.batch_size
    if n % processes:
        raise InputError(
            f"a batch of {n} clips cannot be divided between {processes} processes: want a "
            f"multiple of {processes}"
        )
    data = _Clips(clips, first * n, recipe.steps * n)
    own = torch.Generator()  # else the loader would change the global random state
    return DataLoader(data, batch_size=n // processes, num_workers=loaders, generator=own)


def _training_id(recipe: TrainingConfig, trained_on: People | str, initial: Path | None) -> str:
    """Identify the training of a checkpoint by recipe, people and initial weights, as JSON."""
    weights = None if initial is None else identity(initial / WEIGHTS)
    return json.dumps({"recipe": asdict(recipe), "people": trained_on, "init": weights})


def _write(out: Path, run: _Run, trained_on: Mapping[str, Sequence[str]] | str) -> None:
    """Write the model folder, with the weights of the lowest validation loss if there is one."""
    recipe, validator = run.recipe, run.validator
    tail = [loss for _, loss in run.curve[-20:]]
    facts: dict[str, Any] = {**asdict(recipe), "loss_of_last_20_steps": float(np.mean(tail))}
    facts["skipped_steps"] = run.skipped.total
    if validator is not None and validator.best:
        run.module.load_state_dict(validator.best)
        facts["lowest_validation_loss"] = validator.lowest
    with atomic_folder(out) as fresh:
        save_network(
            fresh,
            run.module,
            network=recipe.network,
            options=recipe.options,
            rate_hz=recipe.rate_hz,
            size=recipe.size,
            normalisation=recipe.normalisation,
            trained_on=trained_on,
            training=facts,
        )
        write_curves(fresh, run.curve, run.validated)
