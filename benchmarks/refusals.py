"""Count rates reported for noise and for videos without a pulse, and errors of short waves."""

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
LEAST_CONFIDENCE, AROUND_S = 0.8, 3.0  # of the recordings' own confidence, mean around a sample


def noise_of(name: str, seed: int) -> Signal:
    """Draw a minute of noise at 30 Hz."""
    white = Signal(np.random.default_rng(seed).normal(size=1800), 30, kind="rppg")
    if name == "brown":
        return Signal(np.cumsum(white.samples), 30, kind="rppg")
    band = NOISES[name]
    return white if band is None else white.bandpass(*band)


def noise() -> None:
    """Print the share of time with detected beats and of reported rates in noise."""
    print("minutes of noise as camera waves, 20 of each: detected beats · heart rate reported")
    for name in NOISES:
        waves = [noise_of(name, seed) for seed in SEEDS]
        detected = np.mean([find_beats(wave).coverage for wave in waves])
        rated = np.mean([judge(wave).hr_bpm is not None for wave in waves])
        print(f"  {name:13s} {detected:4.0%} of the time · {rated:4.0%} of the waves (no target)")


def vitallens(data: Path) -> None:
    """Print errors of the heart rate of short camera waves."""
    print("contact/vitallens: heart rate of short camera waves against that of the recordings")
    for path in sorted((data / "contact" / "vitallens").glob("sample_video_*.json")):
        result = json.loads(path.read_text())
        result = result[0] if isinstance(result, list) else result
        wave = result["waveforms"]["ppg_waveform"]
        confident = _mean(np.array(wave["confidence"]), result["fps"]) >= LEAST_CONFIDENCE
        signal = Signal(np.where(confident, wave["data"], np.nan), result["fps"], kind="rppg")
        bpm, truth = judge(signal).hr_bpm, result["vitals"]["heart_rate"]["value"]
        error = "withheld" if bpm is None else f"{bpm - truth:+.2f} bpm (target 1)"
        print(f"  {path.stem}: {confident.mean():.0%} used, {truth:.1f} bpm, error {error}")


def _mean(confidence: np.ndarray, rate_hz: float) -> np.ndarray:
    """Running mean of the confidence, which falls to zero at each extremum of the wave."""
    near = np.ones(round(AROUND_S * rate_hz))
    return np.convolve(confidence, near, "same") / np.convolve(confidence * 0 + 1, near, "same")


def no_pulse(data: Path) -> None:
    """Print what is reported for videos without a pulse."""
    print("no_pulse, with the region full: no heart rate may be reported")
    for path in sorted((data / "no_pulse").glob("*.avi")):
        judged = judge(estimate(path, "pos", region="full"))
        result = judged.reason if judged.hr_bpm is None else f"REPORTED {judged.hr_bpm:.0f} bpm"
        print(f"  {path.stem}: {result}")


def main(data: Path) -> None:
    """Print all results."""
    noise()
    vitallens(data)
    no_pulse(data)
