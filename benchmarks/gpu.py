"""Measure networks, training and a folder of videos on a GPU: ``python -m benchmarks.gpu``.

It prints tables of the agreement with the CPU, frames a second of each network (eager, compiled, in
bf16), images a second of training, and the time of a folder of 32 videos with what bounds it.
Without a GPU it prints "no GPU here". Every function takes a device, so that tests run it on a CPU.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.speed import RATE_HZ, write_clip
from emotion_rppg.pulse.inference import Network, load_network
from emotion_rppg.pulse.inference.batching import Batches, estimate_many
from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, EvenGrid, face_crop
from emotion_rppg.pulse.inference.trained_network import BUNDLED, SIZE
from emotion_rppg.pulse.networks import NETWORKS
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.training.clips import as_tensors
from emotion_rppg.pulse.training.losses import negative_pearson
from emotion_rppg.recordings import Video
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import training_clip
from emotion_rppg.video.face_tracking import track_face
from emotion_rppg.video.frames import read_frames

NORMALISATION = "temporal"
TOLERANCE = 1e-3  # of a standardised wave, between devices
VARIANTS = ("eager", "compiled", "bf16", "bf16, channels last")
VIDEOS, VIDEO_S = 32, 60.0
BATCH, TRAIN_FRAMES = 32, 128
ROUNDS = 5


@dataclass(frozen=True)
class Shape:
    """Clips of a measurement: number in a batch, frames and pixels a side."""

    batch: int = BATCH
    frames: int = round(CHUNK_S * RATE_HZ)
    size: int = SIZE

    def clip(self, device: str) -> Tensor:
        """Make a random batch, (batch, 3, frames, size, size), 0–255."""
        draw = torch.Generator().manual_seed(0)
        shape = (self.batch, 3, self.frames, self.size, self.size)
        return (torch.rand(shape, generator=draw) * 255).to(device)


def synchronise(device: str) -> None:
    """Wait until the device has finished."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds(run: Callable[[], object], device: str, rounds: int = ROUNDS) -> float:
    """Measure the shortest time of a call, after one that is not counted."""
    best = float("inf")
    for k in range(rounds + 1):
        synchronise(device)
        begun = time.perf_counter()
        run()
        synchronise(device)
        best = min(best, time.perf_counter() - begun) if k else best
    return best


def peak_mb(run: Callable[[], object], device: str) -> float:
    """Measure the peak memory of a call on the device, in MB; NaN on a CPU."""
    if not device.startswith("cuda"):
        return float("nan")
    torch.cuda.reset_peak_memory_stats()
    run()
    synchronise(device)
    return torch.cuda.max_memory_allocated() / 1e6


# ---- networks ----------------------------------------------------------------------------------


def difference(name: str, device: str, shape: Shape) -> float:
    """Compute the largest difference of a network's standardised waves between device and CPU."""
    torch.manual_seed(0)
    module = NETWORKS[name](normalisation=NORMALISATION).eval()
    clip = NORMALISATIONS[NORMALISATION](shape.clip("cpu"))
    with torch.inference_mode():
        expected = module(clip)
        found = module.to(device)(clip.to(device)).cpu()
    mean, spread = expected.mean(1, keepdim=True), expected.std(1, keepdim=True) + 1e-9
    return float(((found - mean) / spread - (expected - mean) / spread).abs().max())


def forward(module: nn.Module, variant: str, device: str, shape: Shape) -> Callable[[], Tensor]:
    """Return a forward pass of a variant of a network."""
    kind = device.split(":")[0]
    reduced: Callable[[], AbstractContextManager[object]] = nullcontext
    if variant.startswith("bf16"):
        reduced = lambda: torch.autocast(kind, dtype=torch.bfloat16)  # noqa: E731
    clip = shape.clip(device)
    if variant.endswith("channels last"):
        clip = clip.contiguous(memory_format=torch.channels_last_3d)
    run = torch.compile(module) if variant == "compiled" else module

    def once() -> Tensor:
        with torch.inference_mode(), reduced():
            found: Tensor = run(clip)
            return found

    return once


def network_table(
    device: str,
    *,
    names: Iterable[str] = tuple(NETWORKS),
    variants: Sequence[str] = VARIANTS,
    shape: Shape | None = None,
    rounds: int = ROUNDS,
) -> list[list[str]]:
    """Measure each network: difference from the CPU, frames/s of its variants, peak memory."""
    shape = shape or Shape()
    small = replace(shape, batch=min(shape.batch, 2))
    rows = [["network", f"difference (≤ {TOLERANCE:g})", *variants, "peak MB"]]
    for name in names:
        off = difference(name, device, small)
        module = NETWORKS[name](normalisation=NORMALISATION).eval().to(device)
        runs = {variant: forward(module, variant, device, shape) for variant in variants}
        cells = [_frames_a_second(run, device, shape, rounds) for run in runs.values()]
        text = f"{off:.0e}" if off <= TOLERANCE else f"**{off:.0e}**"
        rows.append([name, text, *cells, f"{peak_mb(runs[variants[0]], device):.0f}"])
    return rows


def _frames_a_second(run: Callable[[], object], device: str, shape: Shape, rounds: int) -> str:
    try:
        return f"{shape.batch * shape.frames / seconds(run, device, rounds):,.0f}"
    except Exception as error:  # a compiler that is missing must not end the other measurements
        return f"failed: {type(error).__name__}"


# ---- training ----------------------------------------------------------------------------------


def training_table(
    device: str, *, name: str = "physnet", shape: Shape | None = None, rounds: int = ROUNDS
) -> list[list[str]]:
    """Measure images/s of learning from clips on the device, and of drawing them on one core."""
    shape = shape or Shape(frames=TRAIN_FRAMES)
    images = shape.batch * shape.frames
    drawn = [as_tensors(training_clip(k, frames=shape.frames, size=shape.size)) for k in range(2)]
    clips, waves = (
        torch.stack([*parts] * shape.batch)[: shape.batch] for parts in zip(*drawn, strict=True)
    )
    clips, waves = clips.to(device), waves.to(device)
    rows = [["training step", "images/s", "peak MB"]]
    for text, reduced in (("float32", False), ("bf16", True)):
        step = _training_step(name, clips, waves, device, reduced=reduced)
        taken = seconds(step, device, rounds)
        rows.append([text, f"{images / taken:,.0f}", f"{peak_mb(step, device):.0f}"])
    draw = seconds(lambda: training_clip(7, frames=shape.frames, size=shape.size), "cpu", rounds)
    rows.append(["drawing clips, one core", f"{shape.frames / draw:,.0f}", ""])
    return rows


def _training_step(
    name: str, clips: Tensor, waves: Tensor, device: str, *, reduced: bool
) -> Callable[[], None]:
    network = NETWORKS[name](normalisation=NORMALISATION).to(device).train()
    optimiser = torch.optim.Adam(network.parameters())
    prepare, kind = NORMALISATIONS[NORMALISATION], device.split(":")[0]

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=reduced):
            predicted = network(prepare(clips))
        negative_pearson(predicted.float(), waves).backward()
        optimiser.step()

    return step


# ---- a folder of videos ------------------------------------------------------------------------


def stages(video: Path, network: Network) -> dict[str, float]:
    """Measure one video stage by stage: seconds of decoding, faces, crops, transfer, network."""

    def decode() -> int:
        return sum(1 for _ in read_frames(Video(video)))

    def track() -> int:
        return sum(1 for _ in track_face(Video(video)))

    def crops() -> list[Tensor]:
        even, found = EvenGrid(network.rate_hz), []
        for frame in track_face(Video(video)):
            face = face_crop(frame, network.size, width=network.crop_width)
            found += even.add(frame.time_s, face)
        return [torch.as_tensor(image) for image in found if image is not None]

    taken = [_once(run) for run in (decode, track, crops)]
    clip = torch.stack(crops()).permute(3, 0, 1, 2)[None].float()
    moved = seconds(lambda: clip.to(network.device), network.device, 1)
    x = NORMALISATIONS[network.config["normalisation"]](clip.to(network.device))

    def compute() -> Tensor:
        with torch.inference_mode():
            return network.module(x)

    return {
        "decoding": taken[0],
        "faces": max(taken[1] - taken[0], 0.0),
        "crops": max(taken[2] - taken[1], 0.0),
        "transfer to the device": 2 * moved,  # chunks overlap by half: every frame twice
        "network": 2 * seconds(compute, network.device, 1),
    }


def _once(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


class Busy:
    """A network that counts the seconds in which it computes."""

    def __init__(self, module: Callable[[Tensor], Tensor], device: str) -> None:
        self.module, self.device, self.seconds = module, device, 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, 3, frames, h, w) -> (batch, frames)."""
        begun = time.perf_counter()
        found = self.module(x)
        synchronise(self.device)
        self.seconds += time.perf_counter() - begun
        return found


def folder_table(
    videos: Sequence[Path], network: Network, *, readers: Sequence[int]
) -> list[list[str]]:
    """Measure all videos end to end by numbers of readers, and the share of the device's time."""
    rows = [["readers", "seconds", "videos/s", "device busy", "mean batch"]]
    for number in readers:
        busy = Busy(network.module, network.device)
        batches = Batches(busy)
        begun = time.perf_counter()
        waves = list(estimate_many(videos, replace(network, module=batches), readers=number))
        taken = time.perf_counter() - begun
        failed = [wave for wave in waves if not isinstance(wave, Signal)]
        if failed:
            raise failed[0]
        mean = sum(batches.sizes) / len(batches.sizes)
        speed = f"{len(videos) / taken:.2f}"
        share = f"{busy.seconds / taken:.0%}"
        rows.append([str(number), f"{taken:.1f}", speed, share, f"{mean:.1f}"])
    return rows


def stage_table(parts: dict[str, float]) -> list[list[str]]:
    """Tabulate the stages of one video, with their shares and which bounds it."""
    total = sum(parts.values())
    rows = [["stage of one video", "seconds", "share"]]
    rows += [[name, f"{s:.2f}", f"{s / total:.0%}"] for name, s in parts.items()]
    return [*rows, [f"bounded by {max(parts, key=lambda name: parts[name])}", "", ""]]


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Format rows as a table; the first is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:], ""])


def main() -> None:
    """Print all tables, or that there is no GPU."""
    if not torch.cuda.is_available():
        print("no GPU here")
        return
    device, cores = "cuda", os.cpu_count() or 1
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {cores} cores\n")
    print(as_markdown(network_table(device)))
    print(as_markdown(training_table(device)))
    network = load_network(BUNDLED["physnet"], device=device)
    with tempfile.TemporaryDirectory() as folder:
        video = write_clip(Path(folder, "face.mp4"), VIDEO_S)
        print(as_markdown(stage_table(stages(video, network))))
        readers = sorted({1, max(cores // 2, 1), cores, 2 * cores})
        print(as_markdown(folder_table([video] * VIDEOS, network, readers=readers)))


if __name__ == "__main__":
    main()
