"""What is refused, and what must not be: noise, videos without a pulse, short waves of a camera."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from emotion_rppg.features.beats import find_beats
from emotion_rppg.pulse.estimate import estimate
from emotion_rppg.signal_quality import judge
from emotion_rppg.signals import Signal

NOISES = {"white": None, "of 0.7-4 Hz": (0.7, 4.0), "of 0.7-2.5 Hz": (0.7, 2.5), "brown": None}
SEEDS = range(100, 120)
LEAST_CONFIDENCE, ABOUT_S = 0.8, 3.0  # of the recordings' own, on the mean about a sample


def noise_of(name: str, seed: int) -> Signal:
    """A minute at 30 Hz that holds no pulse."""
    white = Signal(np.random.default_rng(seed).normal(size=1800), 30, kind="rppg")
    if name == "brown":
        return Signal(np.cumsum(white.samples), 30, kind="rppg")
    band = NOISES[name]
    return white if band is None else white.bandpass(*band)


def noise() -> None:
    print("a minute of noise read as a camera's wave, 20 of each: called beats · given a rate")
    for name in NOISES:
        waves = [noise_of(name, seed) for seed in SEEDS]
        called = np.mean([find_beats(wave).coverage for wave in waves])
        rated = np.mean([judge(wave).hr_bpm is not None for wave in waves])
        print(f"  {name:13s} {called:4.0%} of the time · {rated:4.0%} of the waves (no bar)")


def vitallens(data: Path) -> None:
    print("contact/vitallens: heart rate of short camera waves against the recordings' own")
    for path in sorted((data / "contact" / "vitallens").glob("sample_video_*.json")):
        found = json.loads(path.read_text())
        found = found[0] if isinstance(found, list) else found
        wave = found["waveforms"]["ppg_waveform"]
        sure = _mean(np.array(wave["confidence"]), found["fps"]) >= LEAST_CONFIDENCE
        signal = Signal(np.where(sure, wave["data"], np.nan), found["fps"], kind="rppg")
        said, truth = judge(signal), found["vitals"]["heart_rate"]["value"]
        error = "withheld" if said.hr_bpm is None else f"{said.hr_bpm - truth:+.2f} bpm (bar 1)"
        print(f"  {path.stem}: sure {sure.mean():.0%}, {truth:.1f} bpm, error {error}")


def _mean(confidence: np.ndarray, rate_hz: float) -> np.ndarray:
    """About each sample; it falls to zero at every turn of the wave."""
    near = np.ones(round(ABOUT_S * rate_hz))
    return np.convolve(confidence, near, "same") / np.convolve(confidence * 0 + 1, near, "same")


def no_pulse(data: Path) -> None:
    print("no_pulse, through region full: nothing may be claimed")
    for path in sorted((data / "no_pulse").glob("*.avi")):
        said = judge(estimate(path, "pos", region="full"))
        claimed = f"CLAIMED {said.hr_bpm:.0f} bpm" if said.hr_bpm is not None else said.reason
        print(f"  {path.stem}: {claimed}")


def main(data: Path) -> None:
    noise()
    vitallens(data)
    no_pulse(data)
