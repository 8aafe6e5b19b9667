"""Movement by an accelerometer: strength (g), share of active time, steps per minute.

The signal is the magnitude of the acceleration. Gravity adds 1 g whatever the posture; its value in
the sensor (the median of the window) is subtracted. Steps are regular peaks at 0.8–3.5 per second
in the magnitude, as walking gives at the wrist, waist and foot.

Movement disturbs pulse, EDA and respiration. Its features show whether an emotion is not in fact
recognised by movement: `evaluate` has a baseline of movement alone.

References
----------
van Hees et al. 2013, PLoS ONE 8, e61691 (magnitude minus gravity). Zhao 2010, Analog Dialogue 44(6)
(steps as regular peaks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.features.family import Column, Family
from emotion_rppg.features.sensors import measured, quality_column
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

ACTIVE_G = 0.05  # root mean square of a second from which it is active
LEAST_PEAK_G = 0.08  # least height of a step above the minima beside it
STEP_S = (0.28, 1.25)  # shortest and longest time between two steps
LEAST_STEPS, REGULAR = 4, 0.35  # steps in a row; least relative difference of two intervals
STEPS_HZ, WALKING_HZ = 20.0, (0.5, 4.0)
_VH = "van Hees et al. 2013"

COLUMNS: dict[str, Column] = {
    "acc_rms_g": Column("g", "root mean square of the magnitude minus gravity", _VH, 10),
    "acc_active_share": Column(
        "1", "share of seconds with a root mean square of 0.05 g or more, 0–1", _VH, 10, step=0.05
    ),
    "acc_steps_per_min": Column(
        "1/min",
        "steps per usable minute, at least four regular ones in a row; 20 samples/s or more",
        "Zhao 2010",
        10,
        step=5.0,
        minimum_hz=STEPS_HZ,
    ),
    "acc_quality": quality_column("acceleration"),
}


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Compute the movement features of each window, one row each, float64.

    Parameters
    ----------
    list_of_beats : list of Beats
        One per window; only their span is used.
    signals : sequence of Signal or None
        Magnitude of the acceleration of each window, g (`Signal.from_axes`), with NaN where it
        cannot be used (`sensors.judge`).
    """
    return measured(list_of_beats, signals, COLUMNS, _of_window)


def _of_window(signal: Signal, beats: Beats) -> dict[str, float]:
    """The features of a window with at least one usable sample."""
    movement = signal.samples - np.nanmedian(signal.samples)
    usable = np.isfinite(movement)
    values = {
        "acc_rms_g": float(np.sqrt(np.mean(movement[usable] ** 2))),
        "acc_active_share": _active_share(movement, signal.rate_hz),
    }
    if signal.rate_hz >= 0.98 * STEPS_HZ:
        runs = [movement[a:b] for a, b in signal.runs()]
        steps = sum(count_steps(run, signal.rate_hz) for run in runs)
        values["acc_steps_per_min"] = 60 * steps * signal.rate_hz / usable.sum()
    return values


def _active_share(movement: np.ndarray, rate_hz: float) -> float:
    """Share of the seconds with movement; NaN if no second is complete."""
    each = max(1, round(rate_hz))
    seconds = movement[: len(movement) // each * each].reshape(-1, each)
    power = np.mean(seconds**2, axis=1)
    power = power[np.isfinite(power)]
    return float((np.sqrt(power) >= ACTIVE_G).mean()) if len(power) else float("nan")


def count_steps(movement: np.ndarray, rate_hz: float) -> int:
    """Count the steps in a stretch (n,) of acceleration minus gravity, g."""
    from scipy.signal import find_peaks

    if len(movement) < LEAST_STEPS * STEP_S[0] * rate_hz:
        return 0
    smooth = Signal(movement, rate_hz)
    smooth = smooth.bandpass(*WALKING_HZ)
    samples = np.nan_to_num(smooth.samples)
    peaks, _ = find_peaks(samples, prominence=LEAST_PEAK_G, distance=max(1, STEP_S[0] * rate_hz))
    interval = np.diff(peaks) / rate_hz
    near = (interval >= STEP_S[0]) & (interval <= STEP_S[1])
    alike = np.abs(np.diff(interval)) <= REGULAR * np.minimum(interval[1:], interval[:-1])
    alike &= near[1:] & near[:-1]  # the peaks k, k + 1, k + 2 are steps of one gait
    edges = np.flatnonzero(np.diff(np.r_[0, alike.astype(int), 0])).reshape(-1, 2)
    lengths = edges[:, 1] - edges[:, 0] + 2  # peaks in a row
    return int(lengths[lengths >= LEAST_STEPS].sum())


FAMILY = Family("acc", table, COLUMNS, kind="acc")
