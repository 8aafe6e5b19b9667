"""Measure the error of the respiration rate from pulse intervals against a respiration signal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emotion_rppg.features import hrv
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.hrv.spectra import RESPIRATION
from emotion_rppg.signals import Signal

LENGTH_S, STEP_S, POINTS = 60, 15, 8192


def waves(data: Path) -> Iterator[tuple[str, Signal, Signal]]:
    """Yield name, finger PPG and respiration of two people: at rest, and in intensive care."""
    import pandas as pd

    rest = pd.read_csv(data / "contact" / "neurokit" / "bio_resting_5min_100hz.csv")
    care = pd.read_csv(data / "contact" / "bidmc" / "bidmc_01_Signals.csv")
    care.columns = care.columns.str.strip()
    for name, table, finger, respiration, rate in (
        ("at rest", rest, "PPG", "RSP", 100),
        ("intensive care", care, "PLETH", "RESP", 125),
    ):
        columns = (table[column].to_numpy(float) for column in (finger, respiration))
        pulse, chest = (Signal(column, rate) for column in columns)
        yield name, Signal(pulse.samples, rate, kind="bvp"), chest


def breaths_per_min(chest: Signal) -> float:
    """Estimate the respiration rate (1/min) from the highest peak of the spectrum."""
    samples = chest.resample(10).bandpass(0.08, 0.6).samples
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), POINTS)) ** 2
    hz = np.fft.rfftfreq(POINTS, 0.1)
    power[(hz < RESPIRATION[0]) | (hz > RESPIRATION[1])] = 0
    return float(60 * hz[power.argmax()])


def main(data: Path) -> None:
    """Print errors of the respiration rate."""
    print("respiration rate from the intervals of a finger PPG, windows of 60 s (no target)")
    for name, pulse, chest in waves(data):
        beats = find_beats(pulse)
        spans = [(s, s + LENGTH_S) for s in range(0, int(pulse.duration_s) - LENGTH_S + 1, STEP_S)]
        estimated = hrv.table([beats.crop(*span) for span in spans])["resp_rate_per_min"].to_numpy()
        error = np.abs(estimated - [breaths_per_min(chest.crop(*span)) for span in spans])
        print(
            f"  {name}: {len(spans)} windows, median error {np.median(error):.1f}/min, mean "
            f"{error.mean():.1f}, within 2/min {np.mean(error < 2):.0%}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
