"""A fake of POPANE: a CSV with lines of facts for each person and condition."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import eda, level_of, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse, rate_of, write_truth

RATE_HZ = 1000.0


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two studies, which differ in the order of channels and the number of facts."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    time = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    decoy, affect = pulse(DECOY_BPM, seconds, RATE_HZ), 5 + 5 * time / seconds
    for study, person, condition in ((1, 3, "Baseline"), (1, 3, "Fear_1"), (6, 3, "Baseline")):
        bpm = rate_of(len(truth))
        truth[f"popane/S{study}P{person}/1/{condition}"] = {"ecg": bpm}
        columns = {"timestamp": time, "affect": affect, "ECG": ecg_wave(bpm, seconds, RATE_HZ)}
        if study == 1:
            level = level_of(len(truth))
            sensors[f"popane/S1P{person}/1/{condition}"] = truth_of(level, ("eda",))
            skin = eda(level, seconds, RATE_HZ)
        more = {"EDA": skin} if study == 1 else {"dzdt": decoy, "dz": decoy}
        columns = columns | more if study == 1 else more | columns
        columns["marker"] = np.full(len(time), 101)
        path = folder / f"Study {study}" / f"S{study}_P{person}_{condition}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = [f"#Study_name,Study {study}", f"#Subject_ID,{person}", "#Subject_Age,22"]
        facts += ["#Channel_Name," + ",".join(columns)] + ["#Note,x"] * study
        np.savetxt(
            path,
            np.stack(list(columns.values()), 1),
            "%.7g",
            delimiter=",",
            header="\n".join([*facts, ",".join(columns)]),
            comments="",
        )
    return write_truth(folder, truth, sensors)
