"""Signals without beats of fakes; each recording has its own level, which a reader must return.

A reader of the wrong person, trial, channel or unit is detected by the mean of the signal
(`truth_of`), which is its level in its own unit.
"""

from collections.abc import Callable, Iterable

import numpy as np

WAVE_HZ = 1.7


def level_of(recording: int) -> float:
    """Return a number for each recording: 1.0, 1.1 … 2.9, then 1.0 again."""
    return round(1.0 + 0.1 * (recording % 20), 1)


def truth_of(level: float, kinds: Iterable[str]) -> dict[str, float]:
    """Return what the signals of a level must have: means, or the amplitude of the movement (g)."""
    of = {"eda": level, "temp": 30.0 + level, "resp": 100.0 * level, "acc": 0.1 * level}
    return {kind: of[kind] for kind in kinds}


def _wave(level: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """Make a wave whose phase is that of the level: no two recordings have the same samples."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    return np.sin(2 * np.pi * WAVE_HZ * t + 10 * level)


def eda(level: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """Make skin conductance (n,), µS."""
    return level + 0.01 * _wave(level, duration_s, rate_hz)


def temperature(level: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """Make skin temperature (n,), °C."""
    return 30.0 + level + 0.01 * _wave(level, duration_s, rate_hz)


def breathing(level: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """Make the signal of a respiration belt (n,), in an arbitrary unit."""
    return 100.0 * level + 0.1 * _wave(level, duration_s, rate_hz)


def axes(level: float, duration_s: float, rate_hz: float) -> np.ndarray:
    """Make three axes (n, 3), g: gravity, and a movement along it of a tenth of the level."""
    size = 1.0 + 0.1 * level * _wave(level, duration_s, rate_hz)
    return size[:, None] * np.array([0.6, 0.0, 0.8])


MAKE: dict[str, Callable[[float, float, float], np.ndarray]] = {
    "eda": eda,
    "temp": temperature,
    "resp": breathing,
    "acc": axes,
}


def e4_file(values: np.ndarray, start_s: float, rate_hz: float, *, per_unit: float = 1.0) -> str:
    """Format a file of an E4: start and rate (for each axis), then a sample per line."""
    columns = np.atleast_2d(values.T).T * per_unit
    rows = [[f"{start_s:.2f}"] * columns.shape[1], [f"{rate_hz:.6f}"] * columns.shape[1]]
    rows += [
        [f"{value:g}" for value in np.round(row, 6 if per_unit == 1 else 0)] for row in columns
    ]
    return "\n".join(",".join(row) for row in rows) + "\n"
