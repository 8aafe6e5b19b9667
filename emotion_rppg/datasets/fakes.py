"""What the fakes of data sets share: waves of a known rate, rates for their neighbours, truth.json.

A fake lies in its data set's real layout with seconds of content. Each recording has a heart rate
of its own (`rate_of`), so that a reader that mixes up people, trials or clips is found out; every
other channel beats at `DECOY_BPM`, so that one that reads the wrong channel is, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.safely import load_json
from emotion_rppg.errors import InputError

TRUTH = "truth.json"
DECOY_BPM = 150.0
_SLOWEST_BPM, _STEP_BPM, _RATES = 54.0, 4.0, 20


def rate_of(recording: int) -> float:
    """The heart rate of the fake's recording with that number: 54, 58 … 130 bpm, then again."""
    return _SLOWEST_BPM + _STEP_BPM * (recording % _RATES)


def pulse(bpm: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """A contact pulse, (n,): a steep rise and a slow fall."""
    phase = 2 * np.pi * np.arange(round(duration_s * rate_hz)) / rate_hz * bpm / 60
    wave: np.ndarray = np.sin(phase) + 0.25 * np.sin(2 * phase)
    return wave


def chest(bpm: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """An ECG in millivolts, (n,): R peaks with their T waves."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    since = (t + 30 / bpm) % (60 / bpm) - 30 / bpm  # from the nearest R peak
    wave: np.ndarray = np.exp(-((since / 0.012) ** 2)) + 0.2 * np.exp(
        -(((since - 0.25) / 0.05) ** 2)
    )
    return wave


def write_face(path: str | Path, wave: np.ndarray, rate_hz: float) -> Path:
    """A film of a small face under that blood volume, a frame a sample, still and evenly lit."""
    from emotion_rppg.synthesis.cameras import Camera, film, write_video
    from emotion_rppg.synthesis.faces import face

    still = Camera(motion_px=0, light=0, noise=0.5)
    blood = (wave - wave.mean()) / wave.std()
    return write_video(
        path, film(face(0.2, size=64, strength=0.04), blood, rate_hz, still), rate_hz
    )


def pictures(bpm: float, duration_s: float, rate_hz: float, *, size: int = 32) -> np.ndarray:
    """Skin that fills the picture and pulses: uint8 RGB (n, size, size, 3)."""
    wave = pulse(bpm, duration_s, rate_hz)[:, None, None, None]
    light = np.linspace(0.9, 1.1, size)[:, None, None]
    skin = np.array([180, 130, 110]) * light - wave * np.array([1.5, 3.0, 2.0])
    return np.broadcast_to(skin, (len(wave), size, size, 3)).round().astype(np.uint8)


def write_truth(folder: str | Path, rates: Mapping[str, Mapping[str, float]]) -> Path:
    """Write truth.json: a recording's name -> the kind of a signal -> its heart rate in bpm."""
    path = Path(folder) / TRUTH
    path.write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
    return Path(folder)


def read_truth(folder: str | Path) -> dict[str, dict[str, float]]:
    """What `write_truth` wrote."""
    rates = load_json(Path(folder) / TRUTH)
    if not isinstance(rates, dict):
        raise InputError(f"{Path(folder) / TRUTH} is no table of rates: write the fake again")
    return rates
