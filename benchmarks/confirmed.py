"""Measure heart rates that are reported from the spectrum because the beats are few.

``python -m benchmarks.confirmed DATA``: camera waves of eleven people (UBFC-rPPG), cut into windows
that overlap by half. Counted are windows in which the accepted beats cover less than half of the
time or are too few for a mean rate, by the share that they cover: how many rates are reported, how
many are within 3 bpm of the contact PPG's beats, and the largest error of the others. The last
columns are the same for a rule that would not ask for an accepted beat.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.beats import _camera_waves, _people, reference
from emotion_rppg import find_beats
from emotion_rppg.features.beats.acceptance import same_rate
from emotion_rppg.features.beats.heart_rate import LEAST_COVERAGE, estimate_heart_rate
from emotion_rppg.metrics import beat_measures
from emotion_rppg.signal_quality import judge
from emotion_rppg.signals import Beats, Signal

LENGTHS_S, RIGHT_BPM = (10.0, 15.0, 20.0, 30.0), 3.0
SHARES = ((-1.0, 0.0, "none"), (0.0, 0.25, "up to a quarter"), (0.25, 1.0, "more"))


class Case(NamedTuple):
    """A window with few beats: coverage, reported rate, rate of the looser rule, true rate, bpm."""

    coverage: float
    hr_bpm: float
    loose_bpm: float
    true_bpm: float


def cases(data: Path, length_s: float) -> Iterator[Case]:
    """Yield the windows in which the spectrum has a rate and the beats are few."""
    waves = np.load(data / "rppg_waveforms" / "ubfc_11_people.npz")
    for person in _people(waves):
        truth = reference(waves[f"{person}_t"], waves[f"{person}_contact_ppg"])
        for _, wave in _camera_waves(waves, person):
            last = wave.start_s + wave.duration_s - length_s + 0.1
            for start in np.arange(wave.start_s, last, length_s / 2):
                window = wave.crop(start, start + length_s)
                beats, by_spectrum = find_beats(window), judge(window).hr_bpm
                few = beats.coverage < LEAST_COVERAGE or np.isnan(beat_measures(beats).hr_bpm)
                if few and by_spectrum is not None:
                    true_bpm = 60e3 / float(truth.crop(start, start + length_s).intervals_ms.mean())
                    yield _case(window, beats, by_spectrum, true_bpm)


def _case(window: Signal, beats: Beats, by_spectrum: float, true_bpm: float) -> Case:
    """Compare the rule of `estimate_heart_rate` with one that accepts rejected beats alone."""
    rate = estimate_heart_rate(window, beats).hr_bpm
    rejected = beats.times_s[:0] if beats.rejected_s is None else beats.rejected_s
    intervals = np.diff(np.sort(np.r_[beats.times_s, rejected]))
    agree = bool(len(intervals)) and same_rate(by_spectrum, 60 / float(np.median(intervals)))
    return Case(
        beats.coverage if len(beats) else 0.0,
        float("nan") if rate is None else rate,
        by_spectrum if agree else float("nan"),
        true_bpm,
    )


def main(data: Path) -> None:
    """Print a row per length of window and share covered by accepted beats."""
    print(
        "| window | covered by beats | windows | reported | right | largest error, bpm "
        "| reported without an accepted beat | right | largest error, bpm |"
    )
    print("|---" * 9 + "|")
    for length_s in LENGTHS_S:
        found = np.array(list(cases(data, length_s)))
        for low, high, name in SHARES:
            own = found[(found[:, 0] > low) & (found[:, 0] <= high)]
            cells = " | ".join(_counts(own[:, k] - own[:, 3]) for k in (1, 2))
            print(f"| {length_s:g} s | {name} | {len(own)} | {cells} |")


def _counts(error: np.ndarray) -> str:
    error = np.abs(error[np.isfinite(error)])
    largest = f"{error.max():.1f}" if len(error) else "–"
    return f"{len(error)} | {int((error <= RIGHT_BPM).sum())} | {largest}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
