"""Skin temperature: its level, °C, and its slope, °C per minute.

Vessels of the skin narrow under stress, and hands and face cool (Herborn et al. 2015, Kistler et
al. 1998). The level also depends on the room and on how the sensor is worn, so compare it within
one person.

References
----------
Herborn et al. 2015, Physiol Behav 152, 225–230. Kistler et al. 1998, Int J Psychophysiol 29, 35–41.
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

COLUMNS: dict[str, Column] = {
    "temp_mean_c": Column("°C", "mean skin temperature", "Kistler et al. 1998", 10),
    "temp_slope_c_per_min": Column(
        "°C/min", "slope of the straight line through the temperature", "Herborn et al. 2015", 30
    ),
    "temp_quality": quality_column("skin temperature"),
}


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Compute the temperature features of each window, one row each, float64.

    Parameters
    ----------
    list_of_beats : list of Beats
        One per window; only their span is used.
    signals : sequence of Signal or None
        Skin temperature of each window, °C, with NaN where it cannot be used (`sensors.judge`).
    """
    return measured(list_of_beats, signals, COLUMNS, _of_window)


def _of_window(signal: Signal, beats: Beats) -> dict[str, float]:
    """The features of a window with at least one usable sample."""
    usable = np.isfinite(signal.samples)
    values, minutes = signal.samples[usable], signal.times_s[usable] / 60
    slope = np.polyfit(minutes - minutes[0], values, 1)[0] if len(values) > 2 else np.nan
    return {"temp_mean_c": float(values.mean()), "temp_slope_c_per_min": float(slope)}


FAMILY = Family("temp", table, COLUMNS, kind="temp")
