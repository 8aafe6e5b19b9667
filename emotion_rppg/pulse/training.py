"""Train a pulse network: one loop, on whatever device and however many processes Fabric is given.

A source of clips is a function of an index, so that a run that was killed goes on where it stood
and ends with the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import lightning_fabric
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emotion_rppg.checkpoints import (
    check_folder,
    checkpoint_beside,
    load_state,
    load_tensors,
    read_config,
    whole_file,
    whole_folder,
)
from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference import pick_device, pictures_at
from emotion_rppg.pulse.networks import NETWORKS, save_network
from emotion_rppg.pulse.normalise import NORMALISATIONS
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Signal
from emotion_rppg.video.faces import follow

ClipSource = Callable[[int], tuple[np.ndarray, np.ndarray]]
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
_IN_NETWORK = ("temporal", "diff_batchnorm")


@dataclass(frozen=True)
class Recipe:
    """What is trained and how; the defaults are the small network of the demo.

    ``size`` pixels a side, ``frames`` a clip at ``rate_hz``; Adam with a one-cycle learning rate
    whose top is ``learning_rate``; ``steps`` of ``batch_size`` clips. ``varied`` is the share of
    the synthetic clips that have what real video has (`synthesis.clips`); the rest is plain.
    """

    network: str = "physnet"
    normalisation: str = "temporal"
    size: int = 16
    frames: int = 96
    rate_hz: float = 30.0
    steps: int = 60
    batch_size: int = 4
    learning_rate: float = 3e-3
    varied: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, table in (("network", NETWORKS), ("normalisation", NORMALISATIONS)):
            if getattr(self, name) not in table:
                raise InputError(
                    f"unknown {name} {getattr(self, name)!r}; known: {', '.join(table)}"
                )
        for name in ("size", "frames", "steps", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 <= self.varied <= 1:
            raise InputError(f"varied is a share, 0 to 1, got {self.varied}")
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, got {self.seed}: others are people's")

    @property
    def options(self) -> dict[str, Any]:
        inside = self.normalisation in _IN_NETWORK
        return {"normalisation": self.normalisation} if inside else {}

    def learning_rate_at(self, step: int) -> float:
        """One cycle (Smith & Topin 2019): up over the first fifth, down along a cosine to 1/100."""
        up = max(self.steps // 5, 1)
        if step < up:
            return self.learning_rate * (0.1 + 0.9 * step / up)
        down = (step - up) / max(self.steps - up, 1)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * down)))


def negative_pearson(found: Tensor, truth: Tensor) -> Tensor:
    """1 − Pearson's r, mean over the batch: (batch, frames) ×2 -> scalar in 0–2.

    A flat wave correlates with nothing (r = 0) instead of dividing by zero.
    """
    x = found - found.mean(-1, keepdim=True)
    y = truth - truth.mean(-1, keepdim=True)
    scale = (x.square().sum(-1) * y.square().sum(-1) + 1e-12).sqrt()
    return (1.0 - (x * y).sum(-1) / scale).mean()


def train(
    clips: ClipSource,
    out: str | Path,
    *,
    recipe: Recipe | None = None,
    trained_on: Mapping[str, Sequence[str]] | str = "unknown",
    init: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    precision: str = "32-true",
    loaders: int = 0,
    checkpoint_every: int = 100,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train a network on clips and write its folder.

    Parameters
    ----------
    clips : function
        Index to ``(clip uint8 (frames, size, size, 3), wave (frames,))``; more blood is up.
    out : path
        The model folder. A checkpoint lies beside it until training ends; ``resume=True`` goes
        on from there.
    trained_on : mapping or "unknown"
        ``{data set: [subjects]}``: kept with the weights, so that nobody is tested by a network
        that saw them.
    init : folder, optional
        A trained network of the same kind to begin with; whom it saw is kept as well. Its
        pictures may have had another size.
    devices : int
        How many share out the clips of each step: the network sees the same clips whatever their
        number. BatchNorm takes its statistics on each device for itself.
    loaders : int
        Processes that make clips while the network learns.

    Raises
    ------
    InputError
        An ``out`` that is somebody else's folder (before training); an unknown device or
        precision; clips that cannot be shared out; a loss that is no longer a number.
    """
    recipe = recipe or Recipe()
    out = Path(out)
    checkpoint = checkpoint_beside(out)
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    check_folder(out)
    module = _new(recipe)
    if init is not None:
        load_state(module, load_tensors(init), str(init))
        trained_on = _together(trained_on, read_config(init).get("trained_on", "unknown"))
    fabric = lightning_fabric.Fabric(**place(device, devices), precision=cast(Any, precision))
    fabric.launch()
    network, optimiser = fabric.setup(module, torch.optim.Adam(module.parameters()))
    first = 0
    curve: list[tuple[int, float]] = []
    if resume and checkpoint.is_file():
        first, curve = _restore(checkpoint, module, optimiser, recipe)
    batches = fabric.setup_dataloaders(_loader(clips, recipe, first, loaders, fabric.world_size))
    prepare = NORMALISATIONS[recipe.normalisation]
    network.train()
    for step, (clip, wave) in enumerate(batches, start=first):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate_at(step)
        loss = negative_pearson(network(prepare(clip)), wave)
        optimiser.zero_grad()
        fabric.backward(loss)
        # not finite: in half precision a step too far, which the optimiser leaves out
        fabric.clip_gradients(network, optimiser, max_norm=1.0, error_if_nonfinite=False)
        optimiser.step()
        curve.append((step, _finite(fabric.all_reduce(loss.detach()), step, recipe)))
        if (step + 1) % checkpoint_every == 0 and fabric.is_global_zero:
            _keep(checkpoint, module, optimiser, recipe, step + 1, curve)
        if progress is not None:
            progress(step + 1, recipe.steps)
    if fabric.is_global_zero:
        _write(out, module, recipe, trained_on, curve)
        checkpoint.unlink(missing_ok=True)
    fabric.barrier()
    return out


def _together(
    people: Mapping[str, Sequence[str]] | str, more: Mapping[str, Sequence[str]] | str
) -> dict[str, list[str]] | str:
    """Whom two trainings saw, one after the other; unknown if either is."""
    if isinstance(people, str) or isinstance(more, str):
        return "unknown"
    sets = sorted({*people, *more})
    return {name: sorted({*people.get(name, ()), *more.get(name, ())}) for name in sets}


def place(device: str, devices: int) -> dict[str, Any]:
    """Fabric's words for a device such as ``cuda:1``, or for so many of a kind."""
    kind, _, number = pick_device(device).partition(":")
    one = number and kind != "cpu"
    return {"accelerator": kind, "devices": [int(number)] if one else devices}


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
        clip, wave = self.source(self.first + index)
        pixels = torch.from_numpy(np.ascontiguousarray(clip.transpose(3, 0, 1, 2)))
        return pixels.float(), torch.as_tensor(wave, dtype=torch.float32)


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


def _keep(
    path: Path,
    module: torch.nn.Module,
    optimiser: Any,
    recipe: Recipe,
    step: int,
    curve: list[tuple[int, float]],
) -> None:
    state = {
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "recipe": json.dumps(asdict(recipe)),
        "step": step,
        "curve": curve,
    }
    with whole_file(path) as fresh:
        torch.save(state, fresh)


def _restore(
    path: Path, module: torch.nn.Module, optimiser: Any, recipe: Recipe
) -> tuple[int, list[tuple[int, float]]]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != json.dumps(asdict(recipe)):
        raise InputError(
            f"{path} was made by another recipe ({state['recipe']}): resume with that one, or "
            "delete the file to begin anew"
        )
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"]), [(int(i), float(loss)) for i, loss in state["curve"]]


def _write(
    out: Path,
    module: torch.nn.Module,
    recipe: Recipe,
    trained_on: Mapping[str, Sequence[str]] | str,
    curve: list[tuple[int, float]],
) -> None:
    tail = [loss for _, loss in curve[-20:]]
    with whole_folder(out) as fresh:
        save_network(
            fresh,
            module,
            network=recipe.network,
            options=recipe.options,
            rate_hz=recipe.rate_hz,
            size=recipe.size,
            normalisation=recipe.normalisation,
            trained_on=trained_on,
            training={**asdict(recipe), "loss_of_last_20_steps": float(np.mean(tail))},
        )
        lines = ["step,loss", *(f"{step},{loss:.6f}" for step, loss in curve)]
        (fresh / "curve.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


# ---- sources of clips ------------------------------------------------------------------------


def synthetic_clips(recipe: Recipe) -> tuple[ClipSource, dict[str, list[str]]]:
    """Endless clips of people that never were, and their seeds for ``trained_on``."""
    from emotion_rppg.synthesis.clips import FIRST_TRAINING_SEED, training_clip

    first = FIRST_TRAINING_SEED + recipe.seed * 10_000_000

    def source(index: int) -> tuple[np.ndarray, np.ndarray]:
        return training_clip(
            first + index,
            frames=recipe.frames,
            size=recipe.size,
            rate_hz=recipe.rate_hz,
            varied=math.floor((index + 1) * recipe.varied) > math.floor(index * recipe.varied),
        )

    last = first + recipe.steps * recipe.batch_size - 1
    return source, {"synthetic-clips": [f"{first}-{last}"]}


def recording_clips(
    recordings: Sequence[Recording], recipe: Recipe
) -> tuple[ClipSource, dict[str, list[str]]]:
    """Clips from those recordings that have a video and a contact pulse, and the people in them.

    Each recording's face is followed once and kept as small pictures; a clip is a random stretch
    in which the face was seen throughout.
    """
    stretches: list[tuple[np.ndarray, np.ndarray]] = []
    people: dict[str, list[str]] = {}
    for r in recordings:
        if r.video is None or "bvp" not in r.signals:
            continue
        found = [(c, w) for c, w in _paired(r, recipe) if len(w) >= recipe.frames]
        stretches += found
        if found and r.subject not in people.setdefault(r.dataset, []):
            people[r.dataset].append(r.subject)
    if not stretches:
        raise InputError(
            f"none of {len(recordings)} recordings has {recipe.frames} frames of a seen face "
            "beside a contact pulse (bvp)"
        )
    shares = np.array([len(w) for _, w in stretches], dtype=float)

    def source(index: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng((recipe.seed, index))
        clip, wave = stretches[draw.choice(len(stretches), p=shares / shares.sum())]
        at = draw.integers(0, len(wave) - recipe.frames + 1)
        return clip[at : at + recipe.frames], wave[at : at + recipe.frames]

    return source, people


def _paired(recording: Recording, recipe: Recipe) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stretches of seen face, uint8 (frames, size, size, 3), with the contact pulse beneath."""
    assert recording.video is not None
    bvp = recording.read("bvp")
    bvp = bvp.bandpass(0.5, min(8.0, 0.45 * bvp.rate_hz))
    start, stream = pictures_at(follow(recording.video), size=recipe.size, rate_hz=recipe.rate_hz)
    pictures = [None if p is None else np.rint(p).astype(np.uint8) for p in stream]
    times = start + np.arange(len(pictures)) / recipe.rate_hz
    wave = np.interp(times, bvp.times_s, bvp.samples, left=np.nan, right=np.nan)
    seen = Signal(np.where([p is not None for p in pictures], wave, np.nan), recipe.rate_hz)
    return [
        (np.stack([p for p in pictures[a:b] if p is not None]), wave[a:b]) for a, b in seen.runs()
    ]
