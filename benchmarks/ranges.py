"""Measure how many windows the bundled stress model refuses as unlike its training data.

``python -m benchmarks.ranges TABLE DATA``: TABLE is that of `benchmarks.stress`, DATA the folder of
real recordings. Each training person is held out in turn; the model reads the other recordings as
they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from emotion_rppg import Signal, extract, load
from emotion_rppg.emotion.design_matrix import matrix
from emotion_rppg.emotion.feature_ranges import Ranges
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.tables import read_table
from emotion_rppg.windows import people, trusted

FAMILIES = ("hrv", "morphology", "sequence")
E4_HZ = 64.0


def held_out(table: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Compute the share of each training person's windows outside the ranges of all others."""
    table = table[trusted(table)]
    X = matrix(table, names=names, ablate=("sequence",)).X
    subjects = people(table).to_numpy()
    shares = []
    for person in np.unique(subjects):
        own = subjects == person
        ranges = Ranges.of(X[~own], subjects[~own])
        assert ranges is not None
        shares.append(np.mean(ranges.distances(X[own]) > ranges.limit))
    return np.array(shares)


def fingers(data: Path) -> Iterator[tuple[str, Signal]]:
    """Yield finger PPG at rest: phone cameras, oximeters, a laboratory, intensive care."""
    for folder in sorted((data / "welltory").glob("subject_*")):
        table = pd.read_csv(folder / "PPG.csv")
        times = table["time"].to_numpy() / 1e3
        even = np.arange(times[0], times[-1], 1 / 30)
        samples = np.interp(even, times, table["R"])  # less light is more blood
        yield "finger on a phone (Welltory)", Signal(-samples, 30.0, kind="bvp")
    waves = np.load(data / "rppg_waveforms" / "ubfc_11_people.npz")
    for name in (n.removesuffix("_t") for n in waves.files if n.endswith("_t")):
        times, first = np.unique(waves[f"{name}_t"], return_index=True)
        even = np.arange(times[0], times[-1], 1 / 60)
        samples = np.interp(even, times, waves[f"{name}_contact_ppg"][first])
        yield "finger oximeter (UBFC-rPPG)", Signal(samples, 60.0, kind="bvp")
    rest = pd.read_csv(data / "contact" / "neurokit" / "bio_resting_5min_100hz.csv")
    yield "finger, laboratory (NeuroKit)", Signal(rest["PPG"].to_numpy(), 100.0, kind="bvp")
    care = pd.read_csv(data / "contact" / "bidmc" / "bidmc_01_Signals.csv", skipinitialspace=True)
    yield "finger, intensive care (BIDMC)", Signal(care["PLETH"].to_numpy(), 125.0, kind="bvp")


def wrists(data: Path) -> Iterator[tuple[str, Signal]]:
    """Yield the first 50 minutes of other people with the same wrist device."""
    for path in sorted((data / "wesad").glob("S*/**/BVP.csv")):
        samples = np.loadtxt(path)[2:]
        yield "the same device (WESAD)", Signal(samples[: int(3000 * E4_HZ)], E4_HZ, kind="bvp")


def windows(waves: Iterator[tuple[str, Signal]]) -> pd.DataFrame:
    """Extract the feature table of waves."""
    recordings = [
        Recording(name, str(k), signals={"bvp": lambda wave=wave: wave})
        for k, (name, wave) in enumerate(waves)
    ]
    return extract(recordings, families=FAMILIES)


def main(path: Path, data: Path) -> None:
    """Print the shares of refused windows."""
    model = load("stress")
    assert model.ranges is not None
    shares = held_out(read_table(path), model.names)
    print("| windows of | windows with a trusted pulse | refused |\n|---|---|---|")
    print(
        f"| {len(shares)} training people, each held out | – | {shares.mean():.1%} on average, "
        f"{shares.max():.0%} for the most refused person |"
    )
    for waves in (wrists(data), fingers(data)):
        table = windows(waves)
        for name, part in table[trusted(table)].groupby("dataset"):
            X = matrix(part, names=model.names, ablate=("sequence",)).X
            refused = model.ranges.distances(X) > model.ranges.limit
            print(f"| {name} | {len(part)} | {refused.mean():.1%} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
