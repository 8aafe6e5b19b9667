"""A fake of Stress-Predict: raw E4 sessions and one table of labels."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import MAKE, e4_file, level_of, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

LABELS = Path("Processed_data") / "Improved_All_Combined_hr_rsp_binary.csv"


def write(folder: str | Path, *, seconds: int = 40) -> Path:
    """Write two people at rest, then in a stress task at another heart rate."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    (folder / LABELS).parent.mkdir(parents=True)
    rows = ["Participant,HR,respr,Time(sec),Label"]
    for number, person in enumerate((2, 3)):
        rest, stress = rate_of(2 * number), rate_of(2 * number + 1)
        start = 1_644_227_574 + 10_000 * person
        place = folder / "Raw_data" / f"S{person:02d}"
        place.mkdir(parents=True)
        t = np.arange(64 * seconds) / 64
        rate = np.where(t < seconds / 2, rest, stress)
        wave = 30 * np.sin(2 * np.pi * np.cumsum(rate / 60) / 64)
        decoy = "\n".join(f"{v:.2f}" for v in pulse(DECOY_BPM, seconds, 1))
        (place / "HR.csv").write_text(f"{start}.00\n1.000000\n{decoy}\n", encoding="utf-8")
        for kind, hz in (("eda", 4), ("temp", 4), ("acc", 32)):
            halves = [MAKE[kind](level_of(2 * number + k), seconds / 2, hz) for k in (0, 1)]
            per_unit = 64.0 if kind == "acc" else 1.0
            text = e4_file(np.concatenate(halves), start, hz, per_unit=per_unit)
            (place / f"{kind.upper()}.csv").write_text(text, encoding="utf-8")
        sensors |= {
            f"stress-predict/{person:02d}/1/{k + 1}": truth_of(
                level_of(2 * number + k), ("eda", "temp", "acc")
            )
            for k in (0, 1)
        }
        truth |= {
            f"stress-predict/{person:02d}/1/{k}": {"bvp": bpm}
            for k, bpm in enumerate((rest, stress), 1)
        }
        (place / f"tags_{place.name}.csv").write_text(f"{start + seconds // 2}\n", encoding="utf-8")
        lines = [f"{start}.00", "64.000000", *(f"{v:.2f}" for v in wave)]
        (place / "BVP.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        rows += [
            f"{person},{rate[64 * k]:.1f},15.0,{start + k},{int(k >= seconds / 2)}"
            for k in range(seconds)
        ]
    (folder / LABELS).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return write_truth(folder, truth, sensors)
