"""A fake of PPG-DaLiA: a pickle for each person."""

import pickle
from pathlib import Path

import numpy as np

from tests.datasets.fakes.respiban import body_signals
from tests.datasets.fakes.sensors import level_of, truth_of
from tests.datasets.fakes.shared import rate_of, write_truth


def write(folder: str | Path, *, seconds: int = 10) -> Path:
    """Write two people with activities in different orders and two seconds between them."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    names = {1: "sitting", 2: "stairs", 3: "soccer", 4: "cycling", 5: "driving", 6: "lunch"}
    names |= {7: "walking", 8: "working"}
    for person, order in ((2, [1, 2, 3, 4, 5, 6, 7, 8]), (10, [8, 1, 7, 2, 6, 3, 5, 4])):
        rates = [rate_of(3 * code + person) for code in order]
        levels = [level_of(3 * code + person) for code in order]
        codes = np.concatenate([np.repeat([0, code], [8, 4 * seconds]) for code in order])
        middles = np.arange(4, len(codes) / 4 - 3, 2)
        content = {
            "activity": codes[:, None].astype(float),
            "label": np.array(rates)[(middles // (seconds + 2)).astype(int)],
            "rpeaks": np.arange(0, 700, 100),
            "signal": body_signals(rates, levels, seconds, 2, per_g=1.0),
            "subject": f"S{person}",
        }
        (folder / f"S{person}").mkdir(parents=True)
        with (folder / f"S{person}" / f"S{person}.pkl").open("wb") as file:
            pickle.dump(content, file, protocol=2)
        for code, bpm, level in zip(order, rates, levels, strict=True):
            name = f"ppg-dalia/{person}/1/{names[code]}"
            truth[name] = {"bvp": bpm, "ecg": bpm}
            sensors[name] = truth_of(level, ("eda", "resp", "temp", "acc"))
    return write_truth(folder, truth, sensors)
