"""Measure speed and memory from video to wave.

``python -m benchmarks.speed [VIDEO | loaded | overlap]``. Absolute times depend on the machine;
ratios, measured in turn in one run, do so less. ``VIDEO`` is the file of the cold start; default: a
synthetic one of 10 s. ``loaded``: only the verb beside other busy processes, with and without
planned threads. ``overlap``: only the chunks of a network. All takes about ten minutes.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import torch

from emotion_rppg.pulse.estimate import estimate
from emotion_rppg.pulse.inference import overlap_add
from emotion_rppg.pulse.inference.accelerate import Accelerated, OpenVino
from emotion_rppg.pulse.inference.trained_network import BUNDLED, SIZE, load_network
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.networks.physnet import PhysNet
from emotion_rppg.pulse.training.clips import as_tensors
from emotion_rppg.pulse.training.losses import negative_pearson
from emotion_rppg.runtime.model_folders import load_tensors
from emotion_rppg.runtime.threads import COUNTS, WAITING, threads_for, usable_cores
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.clips import training_clip
from emotion_rppg.synthesis.faces import face
from emotion_rppg.synthesis.head_clips import head_clip
from emotion_rppg.video.frames import opencv

RATE_HZ = 30.0
FRAMES = 300  # of a forward pass: a chunk of ten seconds
PUBLISHED_PX, PUBLISHED_FRAMES = 72, 128
ROUNDS = 5
LIBRARY_SPINS = "300000"  # rounds in which a thread of GNU OpenMP waits by default
DRAWN = 8  # clips with different codec, motion and camera
Forward = Callable[[], torch.Tensor]
# Peak MB of this process alone (Linux); ru_maxrss would include the memory of its parent
PEAK_MB = """
def peak_mb():
    line = next(line for line in open("/proc/self/status") if "VmHWM" in line)
    return int(line.split()[1]) / 1024
"""
PEAK = f"""
import runpy, sys
{PEAK_MB}
sys.argv = sys.argv[1:]
try:
    runpy.run_module("emotion_rppg.cli", run_name="__main__", alter_sys=True)
finally:
    print("peak", peak_mb(), file=sys.stderr)
"""


def write_clip(path: Path, seconds: float) -> Path:
    """Write a 640×480 video of a synthetic face in front of a grey wall."""
    n = round(seconds * RATE_HZ)
    wave = np.sin(2 * np.pi * 1.2 * np.arange(n) / RATE_HZ)
    small = film(face(0.3, size=480), wave, RATE_HZ, Camera())
    wide = (np.pad(f, ((0, 0), (80, 80), (0, 0)), constant_values=128) for f in small)
    return write_video(path, wide, RATE_HZ, crf=18)


def repeated(path: Path, times: int) -> Path:
    """Write a file that repeats a video."""
    import imageio_ffmpeg

    out = path.with_stem(f"{path.stem}_{times}")
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", str(times - 1)]
    subprocess.run([*ffmpeg, "-i", str(path), "-c", "copy", str(out)], check=True)
    return out


def seconds_of(
    work: Mapping[str, Callable[[], object]],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Measure the shortest time of several runs of each, in turn: other work only adds time, s."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, run in work.items():
            begun = clock()
            run()
            best[name] = min(best[name], clock() - begun)
    return best


def forwards() -> dict[str, Forward]:
    """Return forward passes: the published PhysNet, and the bundled one in each implementation."""
    plain = PhysNet(normalisation="temporal")
    plain.load_state_dict(load_tensors(BUNDLED["physnet"]))
    clip = torch.rand(1, 3, FRAMES, SIZE, SIZE) * 255
    variants = {"eager": plain.eval(), "accelerated": Accelerated(plain, "cpu")}
    if importlib.util.find_spec("openvino"):
        variants["openvino"] = OpenVino(plain)
    published = PhysNet(normalisation="raw").eval()
    large = torch.rand(1, 3, PUBLISHED_FRAMES, PUBLISHED_PX, PUBLISHED_PX) * 255
    work = {name: lambda network=network: network(clip) for name, network in variants.items()}
    return work | {"published": lambda: published(NORMALISATIONS["diff_normalised"](large))}


def network_rows() -> dict[str, str]:
    """Measure the networks on one core in processor time, which other processes change least."""
    torch.set_num_threads(1)
    with torch.inference_mode():
        work = forwards()
        waves = {name: run() for name, run in work.items()}  # includes compilation
        taken = seconds_of(work, clock=time.process_time)
    rate = {k: (PUBLISHED_FRAMES if k == "published" else FRAMES) / s for k, s in taken.items()}
    rows = {"PhysNet as published (72×72, eager)": f"{rate.pop('published'):.0f} frames/s"}
    published = PUBLISHED_FRAMES / taken["published"]
    for name, frames_a_s in rate.items():
        difference = float((waves[name] - waves["eager"]).abs().max())
        rows[f"bundled PhysNet ({SIZE}×{SIZE}), {name}"] = (
            f"{frames_a_s:.0f} frames/s; {frames_a_s / published:.1f}× the published network; "
            f"{frames_a_s / rate['eager']:.2f}× eager, largest difference {difference:.0e}"
        )
    return rows


def overlap_rows() -> dict[str, str]:
    """Measure a network on a minute of crops in chunks that overlap by 5 s (as before) and 2 s."""
    torch.set_num_threads(1)
    network = load_network(BUNDLED["physnet"], device="cpu")
    crops = np.random.default_rng(0).uniform(0, 255, (60 * 30, SIZE, SIZE, 3)).astype(np.float32)

    def read(share: float) -> None:
        with patch.object(overlap_add, "OVERLAP", share):
            overlap_add.overlap_add(crops, network, chunk=300)

    taken = seconds_of({"5 s": partial(read, 0.5), "2 s": partial(read, 0.2)}, 3, time.process_time)
    ratio = taken["5 s"] / taken["2 s"]
    text = ", ".join(f"{overlap}: {seconds:.2f} s" for overlap, seconds in taken.items())
    return {"a minute of crops by PhysNet, chunks of 10 s that overlap": f"{text}; {ratio:.1f}×"}


def training_rows() -> dict[str, str]:
    """Measure drawing a training clip, codec included, as a share of learning from it."""
    torch.set_num_threads(1)
    network = PhysNet(normalisation="temporal")
    optimiser = torch.optim.Adam(network.parameters())
    clips = [as_tensors(training_clip(k, frames=PUBLISHED_FRAMES, size=SIZE)) for k in range(4)]
    clip, wave = (torch.stack(parts) for parts in zip(*clips, strict=True))

    def learn() -> None:
        optimiser.zero_grad()
        negative_pearson(network(clip), wave).backward()
        optimiser.step()

    def draw(varied: bool) -> None:
        for seed in range(DRAWN):
            training_clip(seed, frames=PUBLISHED_FRAMES, size=SIZE, varied=varied)

    def draw_heads() -> None:
        for seed in range(DRAWN):
            head_clip(seed, frames=PUBLISHED_FRAMES, size=SIZE)

    work = {
        "learn": learn,
        "plain": partial(draw, False),
        "varied": partial(draw, True),
        "heads": draw_heads,
    }
    taken = seconds_of(work, 2, lambda: sum(os.times()[:4]))
    per_clip = taken["learn"] / len(clips)
    shares = (taken[name] / DRAWN / per_clip for name in ("plain", "varied", "heads"))
    text = "plain {:.0%}, varied {:.0%}, heads {:.0%}".format(*shares)
    return {f"drawing a training clip ({SIZE}×{SIZE}), share of the time to learn from it": text}


def cold(video: Path, method: str) -> tuple[float, float]:
    """Measure seconds and peak MB of a new process that reads a video."""
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", str(Path(folder) / "wave.csv")]
        run = [sys.executable, "-c", PEAK, "emotion-rppg", "pulse", str(video), "--method", method]
        begun = time.perf_counter()
        done = subprocess.run([*run, *out], capture_output=True, text=True, check=True)
        return time.perf_counter() - begun, float(done.stderr.split("peak ")[-1])


def file_rows(folder: Path, arguments: Sequence[str]) -> dict[str, str]:
    """Measure speed and peak memory from file to wave."""
    minute = write_clip(folder / "minute.mp4", 60)
    short = Path(arguments[0]) if arguments else write_clip(folder / "short.mp4", 10)
    long = repeated(minute, 10)
    rows: dict[str, str] = {}
    for method in ("pos", "physnet"):
        speed = 60 / seconds_of({method: partial(estimate, minute, method)}, 2)[method]
        one, ten = cold(minute, method)[1], cold(long, method)[1]
        rows |= {
            f"640×480 file to waveform, {method}": f"{speed:.1f}× real time",
            f"peak memory of a minute, of ten; {method}": f"{one:.0f}, {ten:.0f} MB: "
            f"{ten / one:.2f}×",
        }
    seconds, peak = min(cold(short, "physnet") for _ in range(3))
    rows[f"cold `pulse --method physnet`, {short.name}"] = f"{seconds:.1f} s, {peak:.0f} MB"
    return rows


ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
LIBRARY = dict.fromkeys((*COUNTS, *WAITING, *ONE_THREAD), "")  # nothing chosen


@contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Keep some cores busy with other processes while the block runs."""
    run = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(run) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def verb_seconds(video: Path, method: str, chosen: Mapping[str, str]) -> tuple[float, float]:
    """Measure wall time and processor time of the verb `pulse` with some variables set, seconds."""
    environ = {k: v for k, v in os.environ.items() if k not in LIBRARY} | chosen
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, "-m", "emotion_rppg.cli", "pulse", str(video), "--method", method]
        before, begun = sum(os.times()[2:4]), time.perf_counter()
        out = ["--out", str(Path(folder) / "wave.csv")]
        subprocess.run([*run, *out], env=environ, capture_output=True, check=True)
        return time.perf_counter() - begun, sum(os.times()[2:4]) - before


def loaded_rows(folder: Path) -> dict[str, str]:
    """Compare the planned threads with one thread and with those that the libraries would choose.

    The cases run in turn: alone, with one other process, and with one on each core but one.
    """
    minute = write_clip(folder / "minute.mp4", 60)
    cores = threads_for(usable_cores())
    defaults = {name: str(cores) for name in ONE_THREAD} | {"GOMP_SPINCOUNT": LIBRARY_SPINS}
    cases = {"planned": {}, "one thread": dict.fromkeys(ONE_THREAD, "1"), "not planned": defaults}
    rows = {}
    for others in sorted({0, 1, cores - 1}):
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, chosen in cases.items():
                with busy_processes(others):
                    runs[name].append(verb_seconds(minute, "physnet", chosen))
        wall, used = (
            {name: median(pair[k] for pair in pairs) for name, pairs in runs.items()}
            for k in (0, 1)
        )
        texts = (
            f"{name} {wall[name]:.1f} s ({wall[name] / wall['one thread']:.2f}×), "
            f"{used[name]:.1f} s of processor time"
            for name in cases
        )
        rows[f"`pulse --method physnet`, a minute of 640×480; {others} other processes"] = (
            "; ".join(texts)
        )
    return rows


def core_rows(folder: Path) -> dict[str, str]:
    """Measure the processor time of a minute of video on one core, with one thread."""
    torch.set_num_threads(1)
    opencv().setNumThreads(1)
    minute = write_clip(folder / "minute.mp4", 60)
    work = {method: partial(estimate, minute, method) for method in ("pos", "physnet")}
    taken = seconds_of(work, 2, time.process_time)
    text = ", ".join(f"{method} {seconds:.1f} s" for method, seconds in taken.items())
    return {"processor time for a minute of 640×480, one thread": text}


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        if arguments == ["loaded"]:
            rows = loaded_rows(Path(folder))
        elif arguments == ["overlap"]:
            rows = overlap_rows()
        else:
            rows = file_rows(Path(folder), arguments) | loaded_rows(Path(folder))
            rows |= core_rows(Path(folder)) | network_rows() | overlap_rows() | training_rows()
    print("| what | measured |\n|---|---|")
    for what, measured in rows.items():
        print(f"| {what} | {measured} |")


if __name__ == "__main__":
    main(sys.argv[1:])
