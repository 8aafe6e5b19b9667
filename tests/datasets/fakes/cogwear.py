"""A fake of CogWear: tables of two wristbands, whose hearts beat at different rates here."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import MAKE, level_of, truth_of
from tests.datasets.fakes.shared import pulse, rate_of, write_truth

PLACES = {
    "2/1/baseline": "pilot/2/baseline",
    "2/1/cognitive_load": "pilot/2/cognitive_load",
    "13/pre/baseline": "survey_gamification/13/pre/baseline",
    "13/pre/survey": "survey_gamification/13/pre/survey",
    "13/post/survey": "survey_gamification/13/post/survey",
}


def write(folder: str | Path, *, seconds: int = 14) -> Path:
    """Write a person of each study; the truth is that of the Empatica E4."""
    folder = Path(folder)
    for number, place in enumerate(PLACES.values()):
        (folder / place).mkdir(parents=True)
        start = 1_588_333_256.0 + 1000 * number
        waves = {
            ("empatica_bvp.csv", "bvp", 64): 30 * pulse(rate_of(number), seconds, 64),
            ("empatica_eda.csv", "eda", 4): MAKE["eda"](level_of(number), seconds, 4),
            ("empatica_temp.csv", "temp", 4): MAKE["temp"](level_of(number), seconds, 4),
        }
        for (name, column, rate_hz), values in waves.items():
            if place.endswith("survey"):
                values[0] = rate_hz  # as in the real files, whose first sample is of the header
            _write(folder / place / name, column, values, start + np.arange(len(values)) / rate_hz)
        watch = 2e6 - 3e4 * pulse(rate_of(10 + number), seconds, 25)
        times = start - 0.5 + np.arange(len(watch)) / 25
        late = np.argsort(np.arange(len(watch)) + 15 * (np.arange(len(watch)) % 7 == 3))
        path = folder / place / "samsung_bvp.csv"
        _write(path, "PPG GREEN", watch[late], times[late])  # some samples come 0.6 s late
    names = [f"cogwear/{name}" for name in PLACES]
    return write_truth(
        folder,
        {name: {"bvp": rate_of(k)} for k, name in enumerate(names)},
        {name: truth_of(level_of(k), ("eda", "temp")) for k, name in enumerate(names)},
    )


def write_samsung(folder: str | Path) -> Path:
    """Write the same files; the truth is that of the Samsung watch."""
    rates = {f"cogwear/{name}": {"bvp": rate_of(10 + k)} for k, name in enumerate(PLACES)}
    return write_truth(write(folder), rates)


def _write(path: Path, column: str, values: np.ndarray, times: np.ndarray) -> None:
    rows = [f"{v:.6f},{t:.6f}" for v, t in zip(values, times, strict=True)]
    path.write_text("\n".join([f"{column},time", *rows]) + "\n", encoding="utf-8")
