"""A fake of the Welltory set: colours of a finger on a camera, and a belt's intervals."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import pulse, rate_of, write_truth


def write(folder: str | Path, *, seconds: int = 30) -> Path:
    """Write three measurements at 30 frames a second; another colour has the pulse in each."""
    folder, truth = Path(folder), {}
    for number, colour in enumerate("RGB"):
        place = folder / f"subject_{number + 1:02d}"
        place.mkdir(parents=True)
        bpm, belt = rate_of(2 * number), rate_of(2 * number + 1)
        truth[f"welltory/{place.name[-2:]}/1/1"] = {"rppg": bpm, "rr": belt}
        noise = np.random.default_rng(number).normal(0, 1, (3, 30 * seconds))
        light = {name: 150 + wave for name, wave in zip("RGB", noise, strict=True)}
        light["RGB"[number - 1]] = np.zeros(30 * seconds)
        light[colour] = 150 - pulse(bpm, seconds, 30)  # less light is more blood
        rows = [
            f"{1000 * k / 30:.0f}," + ",".join(f"{light[c][k]:.3f}" for c in "RGB")
            for k in range(30 * seconds)
        ]
        (place / "PPG.csv").write_text("\n".join(["time,R,G,B", *rows]) + "\n", encoding="utf-8")
        intervals = 6e4 / belt + 3 * (-1.0) ** np.arange(int(seconds * belt / 60))
        (place / "RR.txt").write_text(" ".join(f"{v:.0f}" for v in intervals), encoding="utf-8")
    return write_truth(folder, truth)
