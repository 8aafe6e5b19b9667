"""Read frames that skin or a face fills: ``python -m benchmarks.close_ups DATA [METHOD…]``.

A real face of known rate with ``--region full`` and its forehead alone, and four videos of drawn
skin without a face. For each method: the heart rate that is reported, or why it is withheld.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emotion_rppg import estimate
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.synthesis.cameras import write_video
from emotion_rppg.synthesis.faces import MELANIN, PULSE_COLOUR

RATE_HZ, SECONDS, SHAPE = 30.0, 20.0, (120, 160)
FACE = "faces/known_rate/evm_face.mp4"
REAL = (("face, full frame", "full", 52.6), ("its forehead", "200,120,130,70", 52.6))
# skin tone 0 (light) to 1 (dark), relative change of green, heart rate (bpm)
DRAWN = ((0.2, 0.006, 66.0), (0.5, 0.006, 80.0), (0.8, 0.005, 95.0), (0.3, 0.003, 55.0))


def skin(tone: float, strength: float, bpm: float) -> Iterator[np.ndarray]:
    """Draw frames of smoothly shaded skin with a pulse of slowly varying rate."""
    draw = np.random.default_rng(round(bpm))
    t = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * bpm / 60 * t + 0.3 * np.sin(0.6 * t)
    wave = np.sin(phase) + 0.3 * np.sin(2 * phase - 1)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    shade = 1 + 0.15 * np.sin(x / 60) + 0.1 * np.cos(y / 50)
    still = np.array([225, 180, 155]) * np.exp(-1.6 * tone * MELANIN) * shade[..., None]
    for beat in wave:
        image = still * (1 - strength * beat * PULSE_COLOUR / PULSE_COLOUR[1])
        yield np.clip(image + draw.normal(0, 1.5, image.shape) + 0.5, 0, 255).astype(np.uint8)


def show(name: str, video: Path, region: str, truth_bpm: float, methods: list[str]) -> None:
    """Print a row of the table: what each method reports."""
    cells = []
    for method in methods:
        found = estimate_heart_rate(estimate(video, method, region=region))
        rate = f"**{found.hr_bpm:.1f}**" if found.hr_bpm is not None else "withheld"
        cells.append(f"{rate} ({found.quality:.2f})")
    print(f"| {name} | {truth_bpm:.1f} | {' | '.join(cells)} |", flush=True)


def main(data: Path, methods: list[str]) -> None:
    """Print heart rates (bpm) and, in brackets, qualities."""
    print(f"| frame | truth, bpm | {' | '.join(Path(m).name for m in methods)} |")
    print("|---|---|" + "---|" * len(methods))
    for name, region, bpm in REAL:
        show(name, data / FACE, region, bpm, methods)
    with tempfile.TemporaryDirectory() as folder:
        for tone, strength, bpm in DRAWN:
            video = write_video(Path(folder) / "skin.mp4", skin(tone, strength, bpm), RATE_HZ)
            name = f"skin, tone {tone}, pulse {100 * strength:g} %"
            show(name, video, "full", bpm, methods)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["physnet", "pos"])
