"""Shared parts of the fakes: waves of a known heart rate, images, videos and truth.json."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np

from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.faces import face

TRUTH = "truth.json"
DECOY_BPM = 150.0
_SLOWEST_BPM, _STEP_BPM, _RATES = 54.0, 4.0, 20


def rate_of(recording: int) -> float:
    """Return the heart rate (bpm) of a recording by its number: 54, 58 … 130, then 54 again."""
    return _SLOWEST_BPM + _STEP_BPM * (recording % _RATES)


def pulse(bpm: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """Make a contact pulse wave (n,): a steep rise and a slow fall."""
    phase = 2 * np.pi * np.arange(round(duration_s * rate_hz)) / rate_hz * bpm / 60
    wave: np.ndarray = np.sin(phase) + 0.25 * np.sin(2 * phase)
    return wave


def ecg_wave(bpm: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """Make an ECG (n,) in millivolts: R peaks and T waves."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    from_peak_s = (t + 30 / bpm) % (60 / bpm) - 30 / bpm  # from the nearest R peak
    wave: np.ndarray = np.exp(-((from_peak_s / 0.012) ** 2)) + 0.2 * np.exp(
        -(((from_peak_s - 0.25) / 0.05) ** 2)
    )
    return wave


def write_face(path: str | Path, wave: np.ndarray, rate_hz: float) -> Path:
    """Write a video of a small, still face whose colour follows ``wave``, one frame per sample."""
    camera = Camera(motion_px=0, light=0, noise=0.5)
    blood = (wave - wave.mean()) / wave.std()
    return write_video(
        path, film(face(0.2, size=64, strength=0.04), blood, rate_hz, camera), rate_hz
    )


def skin_images(bpm: float, duration_s: float, rate_hz: float, *, size: int = 32) -> np.ndarray:
    """Make images (n, size, size, 3), uint8 RGB, of skin alone that pulses at ``bpm``."""
    wave = pulse(bpm, duration_s, rate_hz)[:, None, None, None]
    light = np.linspace(0.9, 1.1, size)[:, None, None]
    skin = np.array([180, 130, 110]) * light - wave * np.array([1.5, 3.0, 2.0])
    return np.broadcast_to(skin, (len(wave), size, size, 3)).round().astype(np.uint8)


def write_images(folder: Path, names: Iterable[str], clip: np.ndarray) -> None:
    """Write one file per image, in the format of its name's ending."""
    folder.mkdir(parents=True)
    for name, image in zip(names, clip, strict=True):
        (folder / name).write_bytes(encode_image(image, Path(name).suffix))


def encode_image(image: np.ndarray, ending: str) -> bytes:
    """Encode a uint8 RGB image in the format of a file ending."""
    return bytes(cv2.imencode(ending, np.ascontiguousarray(image[..., ::-1]))[1])


def write_truth(
    folder: str | Path,
    rates: Mapping[str, Mapping[str, float]],
    sensors: Mapping[str, Mapping[str, float]] | None = None,
) -> Path:
    """Write truth.json: recording -> kind -> heart rate (bpm), or mean level; return the folder.

    ``sensors`` has the mean of each signal without beats, in the unit of its kind; of acceleration,
    the amplitude of its movement.
    """
    path = Path(folder) / TRUTH
    truth = {"rates": rates, "sensors": sensors or {}}
    path.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return Path(folder)


def read_truth(folder: str | Path) -> dict[str, dict[str, float]]:
    """Read the heart rates (bpm) that `write_truth` wrote."""
    return json.loads((Path(folder) / TRUTH).read_text(encoding="utf-8"))["rates"]


def read_sensors(folder: str | Path) -> dict[str, dict[str, float]]:
    """Read the levels of signals without beats that `write_truth` wrote."""
    return json.loads((Path(folder) / TRUTH).read_text(encoding="utf-8"))["sensors"]
