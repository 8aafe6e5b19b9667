"""How fast and how large the first stage is: ``python -m benchmarks.speed``.

Absolute times belong to the machine they were taken on; ratios, taken side by side in one run,
travel better.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from emotion_rppg.pulse.inference import estimate
from emotion_rppg.pulse.normalise import NORMALISATIONS
from emotion_rppg.pulse.physnet import PhysNet
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.faces import face

RATE_HZ = 30.0
MEMORY = """
import resource, sys
from emotion_rppg import estimate
estimate(sys.argv[1], "pos")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def write_clip(path: Path, seconds: float) -> Path:
    """A 640×480 video of a synthetic face before a grey wall."""
    n = round(seconds * RATE_HZ)
    wave = np.sin(2 * np.pi * 1.2 * np.arange(n) / RATE_HZ)
    small = film(face(0.3, size=480), wave, RATE_HZ, Camera())
    wide = (np.pad(f, ((0, 0), (80, 80), (0, 0)), constant_values=128) for f in small)
    return write_video(path, wide, RATE_HZ, crf=18)


def seconds_of(work: Callable[[], object], *, times: int = 3) -> float:
    """Shortest of several runs: other work on the machine only ever adds."""
    best = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def frames_per_second(normalisation: str, size: int, frames: int = 128) -> float:
    """Of one forward pass with its input normalisation, eager."""
    inside = normalisation in ("temporal", "diff_batchnorm")
    network = PhysNet(normalisation=normalisation if inside else "raw").eval()
    clip = torch.rand(1, 3, frames, size, size) * 255
    prepare = NORMALISATIONS[normalisation]
    with torch.inference_mode():
        return frames / seconds_of(lambda: network(prepare(clip)))


def megabytes(path: Path) -> float:
    """Peak memory of a process of its own that reads the video with POS."""
    run = [sys.executable, "-c", MEMORY, str(path)]
    return float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        short = write_clip(Path(folder) / "short.mp4", 30)
        long = write_clip(Path(folder) / "long.mp4", 150)
        faster = 30 / seconds_of(lambda: estimate(short, "pos"))
        memory = megabytes(short), megabytes(long)
    published = frames_per_second("diff_normalised", 72)
    small = frames_per_second("temporal", 36)
    smallest = frames_per_second("temporal", 16)
    rows = {
        "640×480, 30 fps file to waveform (POS, faces found)": f"{faster:.1f}× real time",
        "peak memory, 30 s of it": f"{memory[0]:.0f} MB",
        "peak memory, five times as long": f"{memory[1] / memory[0]:.2f}×",
        "PhysNet forward, 72×72 diff_normalised (published)": f"{published:.0f} frames/s",
        "PhysNet forward, 36×36 temporal against it": f"{small / published:.1f}×",
        "PhysNet forward, 16×16 temporal against it": f"{smallest / published:.1f}×",
    }
    print("| what | measured |\n|---|---|")
    for what, measured in rows.items():
        print(f"| {what} | {measured} |")


if __name__ == "__main__":
    main()
