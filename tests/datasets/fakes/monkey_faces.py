"""A fake of the monkey faces: mean colours of each frame and the rates of an oximeter."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import pulse, rate_of, write_truth

BLOOD = np.array([0.3, 0.8, 0.5])  # change of red, green and blue


def write(folder: str | Path, *, seconds: int = 60) -> Path:
    """Write a session of colours at 30 and 50 frames a second, and one of infrared."""
    folder, truth = Path(folder), {}
    sessions = {"Session1": (30, 8.5), "Session2IR": (30, 8.5), "Session3": (50, 5.0)}
    for n, (name, (rate, segment_s)) in enumerate(sessions.items()):
        place, bpm = folder / name, rate_of(10 + n)
        place.mkdir(parents=True)
        truth[f"monkey-faces/{name.removeprefix('Session')}/1/1"] = {}  # no signal has a pulse
        noise = np.random.default_rng(n).normal(0, 0.05, (seconds * rate, 3))
        rgb = np.array([120, 90, 80]) - pulse(bpm, seconds, rate)[:, None] * BLOOD + noise
        rgb = rgb[:, 1:2] if name.endswith("IR") else rgb
        rgb.astype("<f4").tofile(place / f"{name}.bin")
        rates = ",".join([f"{bpm:.0f}"] * int(seconds / segment_s))
        (place / f"{name}_REF.csv").write_text(rates, encoding="utf-8")
    return write_truth(folder, truth)
