"""Compare pulse networks of one size: temporal pooling against recurrence, by length of clip.

``python -m benchmarks.ablation RESULTS.csv [FIGURE.svg]`` trains every network of ``NETWORKS`` with
the same budget on clips of 32, 64, 128 and 256 frames, and tests all on the same new clips. With
the package's own normalisation (``temporal``) clips have 128 frames, and each network is trained
from three seeds. Each result is written as soon as it is measured; the same command resumes after
an interruption (about two hours on one core). Clips are synthetic: the results compare networks and
are no evidence about faces.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.presets import row
from benchmarks.presets_of_clips import Truth
from emotion_rppg import find_beats
from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, overlap_add
from emotion_rppg.pulse.inference.trained_network import load_network
from emotion_rppg.pulse.networks import NETWORKS
from emotion_rppg.pulse.training.train import TrainingConfig, synthetic_clips, train
from emotion_rppg.runtime.model_folders import load_state, load_tensors
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import training_clip

LENGTHS = (32, 64, 128, 256)
SEEDS = (7, 8, 9)
FRAMES_A_STEP, STEPS = 512, 200
SIZE, RATE_HZ = 16, 30.0
TEST_SEED, TESTS, TEST_FRAMES = 1_900_000_000, 16, 900  # far from all training seeds
LEAST_GRADIENT = 1e-3  # of the largest: an input frame with more is in the receptive field
PAST = 96  # frames of the past in the profile
MEASURES = ("hr_error_bpm", "r", "jitter_ms", "beat_f1", "rmssd_error_ms")  # medians of clips
COLUMNS = (
    "network", "normalisation", "frames", "seed",
    "parameters", "mflop_a_frame", "sees", *MEASURES, "past",
)  # fmt: skip
HEADINGS = {  # of the printed table, whose columns are those of docs/networks.md
    "normalisation": "normalisation",
    "frames": "frames a clip",
    "network": "network",
    "seed": "seed",
    "parameters": "parameters",
    "mflop_a_frame": "MFLOP a frame",
    "sees": "sees",
    "hr_error_bpm": "heart rate error bpm",
    "r": "r",
    "jitter_ms": "jitter ms",
    "beat_f1": "beat F1",
    "rmssd_error_ms": "RMSSD error ms",
}


def recipe(network: str, normalisation: str, frames: int, seed: int = SEEDS[0]) -> TrainingConfig:
    """Return the training config of a network; frames per step and steps are the same for all."""
    return TrainingConfig(
        network=network,
        normalisation=normalisation,
        size=SIZE,
        frames=frames,
        steps=STEPS,
        batch_size=FRAMES_A_STEP // frames,
        learning_rate=2e-3,
        seed=seed,
    )


def measure(config: TrainingConfig) -> dict[str, Any]:
    """Train a network and measure its cost, receptive field and accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        source, people = synthetic_clips(config)
        out = train(source, Path(folder) / config.network, recipe=config, trained_on=people)
        network = load_network(out, device="cpu")  # accelerated: without gradients
        module = NETWORKS[config.network](**config.options).eval()
        load_state(module, load_tensors(out), str(out))
    profile = past(module)
    results = np.array([_test(network, TEST_SEED + k) for k in range(TESTS)])
    scores = [float(np.nanmedian(column)) for column in results.T[[0, 2, 3, 4, 5]]]
    return {
        "network": config.network,
        "normalisation": config.normalisation,
        "frames": config.frames,
        "seed": config.seed,
        "parameters": sum(p.numel() for p in module.parameters()),
        "mflop_a_frame": f"{flops(module) / 1e6:.1f}",
        "sees": int((profile > LEAST_GRADIENT).sum()),
        **{name: f"{value:.3f}" for name, value in zip(MEASURES, scores, strict=True)},
        "past": " ".join(f"{value:.2e}" for value in profile),
    }


def _test(network: Any, seed: int) -> list[float]:
    """Measures of one test clip, those of `benchmarks.presets.row`."""
    clip, wave = training_clip(seed, frames=TEST_FRAMES, size=SIZE, rate_hz=RATE_HZ)
    true_wave = Signal(wave, RATE_HZ, kind="bvp")
    estimated = overlap_add(clip, network, chunk=round(CHUNK_S * RATE_HZ))
    truth = Truth(find_beats(true_wave), true_wave, codec="none", tone=0.0)
    return row(Signal(estimated, RATE_HZ, kind="rppg"), truth)


def past(module: nn.Module, *, frames: int = 256, tries: int = 4) -> np.ndarray:
    """Measure how inputs 0, 1, 2 … frames earlier affect an output, (PAST,), 1 at most.

    The norm of the gradient of one late output with respect to each input frame, mean over random
    inputs.
    """
    draw = torch.Generator().manual_seed(0)
    total = np.zeros(PAST)
    at = frames - 33  # only earlier frames count
    for _ in range(tries):
        clip = torch.randn((1, 3, frames, SIZE, SIZE), generator=draw).requires_grad_()
        module(clip)[0, at].backward()
        assert clip.grad is not None
        by_frame = clip.grad.square().sum((0, 1, 3, 4)).sqrt().numpy()
        total += by_frame[at::-1][:PAST]
    return total / total.max()


def flops(module: nn.Module, *, frames: int = 128) -> float:
    """Count floating-point operations per frame: torch's count, and 2 per recurrent weight."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(torch.zeros(1, 3, frames, SIZE, SIZE))
    counted: float = counter.get_total_flops() / frames
    recurrent = [part for part in module.modules() if isinstance(part, nn.RNNBase)]
    return counted + 2 * sum(w.numel() for part in recurrent for w in part.parameters())


def plans() -> list[TrainingConfig]:
    """List the configs: frame differences at all lengths, then the package's own normalisation.

    The slow ConvLSTM comes last, so that an interrupted run has most of the results.
    """
    names = sorted(NETWORKS, key=lambda name: name == "cnn2d_convlstm")
    lengths = [recipe(name, "diff_normalised", n) for name in names[:-1] for n in LENGTHS]
    lengths.sort(key=lambda plan: -plan.frames)
    rest = [recipe(names[-1], "diff_normalised", n) for n in LENGTHS]
    own = [recipe(name, "temporal", 128, seed) for seed in SEEDS for name in names]
    return [*lengths, *rest, *own]


def main(arguments: Sequence[str]) -> None:
    torch.set_num_threads(1)
    path = Path(arguments[0])
    done = _rows(path) if path.is_file() else []
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if not done:
            writer.writeheader()
        for plan in plans():
            if any(_same(plan, row) for row in done):
                continue
            writer.writerow(measure(plan))
            file.flush()
    rows = _rows(path)
    print(table(rows))
    if len(arguments) > 1:
        draw(rows).savefig(arguments[1])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _same(plan: TrainingConfig, row: dict[str, str]) -> bool:
    wanted = (plan.network, plan.normalisation, str(plan.frames), str(plan.seed))
    return wanted == tuple(row[c] for c in ("network", "normalisation", "frames", "seed"))


def table(rows: list[dict[str, str]]) -> str:
    """Format a Markdown table, one row per network and length of clip."""
    lines = [f"| {' | '.join(HEADINGS.values())} |", "|" + "---|" * len(HEADINGS)]
    return "\n".join([*lines, *(f"| {' | '.join(row[c] for c in HEADINGS)} |" for row in rows)])


def draw(rows: list[dict[str, str]]) -> Any:
    """Draw jitter by length of clip, and the effect of past frames on an output."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in NETWORKS:
        own = [r for r in rows if r["network"] == name and r["normalisation"] != "temporal"]
        own.sort(key=lambda r: int(r["frames"]))
        left.plot([int(r["frames"]) for r in own], [float(r["jitter_ms"]) for r in own], "o-")
        profile = [r["past"] for r in own if r["frames"] == "128"]
        if profile:
            right.semilogy(np.array(profile[0].split(), float), label=name)
    left.set(xscale="log", xlabel="frames a training clip", ylabel="beat jitter (ms)")
    left.set_xticks(LENGTHS, labels=[str(n) for n in LENGTHS])
    left.minorticks_off()
    right.set(xlabel="frames back", ylabel="share of the strongest", ylim=(1e-5, 1.5))
    right.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    main(sys.argv[1:] or ["ablation.csv"])
