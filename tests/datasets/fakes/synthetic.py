"""A small study of synthetic people, and their heart rates."""

from pathlib import Path

import numpy as np

from emotion_rppg.datasets.synthetic import write_study
from tests.datasets.fakes.shared import write_truth


def write(folder: str | Path, *, seconds: int = 4) -> Path:
    """Write two people with two trials of a few seconds and small videos."""
    write_study(folder, people=2, trials=2, duration_s=seconds, size=64)
    truth = {}
    for path in sorted(Path(folder).glob("truth/*_beats.csv")):
        subject, trial, _ = path.stem.split("_")
        beats = np.loadtxt(path, delimiter=",", skiprows=1)[:, 0]
        bpm = 60 / float(np.median(np.diff(beats)))
        truth[f"synthetic/{subject}/1/{trial}"] = {"bvp": bpm, "ecg": bpm}
    return write_truth(folder, truth)
