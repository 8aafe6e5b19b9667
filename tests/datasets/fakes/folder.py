"""A fake of a user's own study: a manifest and a CSV of contact signals for each trial."""

import json
from itertools import product
from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse, rate_of, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with two trials of contact signals, without video."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    (folder / "signals").mkdir(parents=True)
    rows = ["subject,session,trial,signal,label_arousal,label_valence"]
    times = [f"{k / 128:.6f}" for k in range(seconds * 128)]
    for k, (subject, trial) in enumerate(product("12", repeat=2)):
        bpm, name = rate_of(k), f"signals/{subject}_{trial}.csv"
        waves = (
            make(rate, seconds, 128)
            for make, rate in ((pulse, bpm), (ecg_wave, bpm), (pulse, DECOY_BPM))
        )
        cells = zip(times, *(np.char.mod("%.4f", w) for w in waves), strict=True)
        lines = ["time_s,bvp,ecg,breath", *(",".join(row) for row in cells)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        rows.append(f"{subject},1,{trial},{name},{3 + k},{7 - k}")
        truth[f"fake/{subject}/1/{trial}"] = {"bvp": bpm, "ecg": bpm}
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    facts = {"dataset": "fake", "scales": {"arousal": [1, 9], "valence": [1, 9]}}
    (folder / "manifest.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return write_truth(folder, truth)
