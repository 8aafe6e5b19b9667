"""Electrodermal activity (EDA): tonic skin conductance and skin conductance responses (SCR), µS.

The signal is reduced to at most 8 samples per second and low-pass filtered at 1 Hz. NeuroKit2
separates the tonic part (below 0.05 Hz), and finds the responses in the complete signal: rises of
at least 0.01 µS from onset to peak within 5 s. (In the phasic part, the filter's undershoot adds
responses: 23 instead of 15 in a made signal.) Each stretch without unusable samples is analysed by
itself.

References
----------
Boucsein et al. 2012, Psychophysiology 49, 1017–1034 (responses of 0.01 µS and more). Makowski et
al. 2021, Behav Res Methods 53, 1689–1696 (NeuroKit2). Posada-Quintero et al. 2016, Ann Biomed Eng
44, 3124–3135 (sympathetic band).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.features.family import Column, Family
from emotion_rppg.features.sensors import measured, quality_column
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

LEAST_SCR_US = 0.01
FASTEST_HZ, SMOOTH_HZ = 8.0, 1.0
SLOWEST_RISE_S = 5.0
SPECTRUM_S, SEGMENT_S = 108.0, 64.0  # least stretch for the spectrum (0.9 of its minimum), segment
LEAST_RUN_S = 10.0  # shorter stretches are not separated into tonic and phasic part
SYMPATHETIC_HZ = (0.045, 0.25)
_BO, _PO = "Boucsein et al. 2012", "Posada-Quintero et al. 2016"

COLUMNS: dict[str, Column] = {
    "eda_tonic_us": Column("µS", "mean tonic skin conductance (below 0.05 Hz)", _BO, 10),
    "eda_tonic_slope_us_per_min": Column(
        "µS/min", "slope of the straight line through the tonic skin conductance", _BO, 30
    ),
    "eda_scr_per_min": Column(
        "1/min", "skin conductance responses of 0.01 µS or more, per usable minute", _BO, 30, step=1
    ),
    "eda_scr_amplitude_us": Column(
        "µS", "mean amplitude of these responses; empty without a response", _BO, 30
    ),
    "eda_scr_sum_us_per_min": Column(
        "µS/min", "sum of the amplitudes per usable minute; 0 without a response", _BO, 30
    ),
    "eda_scr_rise_s": Column(
        "s", "mean time from onset to peak; empty without a response", _BO, 30
    ),
    "eda_scr_recovery_s": Column(
        "s",
        "mean time from the peak to half of the amplitude; empty if no response recovers so far",
        _BO,
        30,
    ),
    "eda_sympathetic_us2": Column(
        "µS²", "power of skin conductance at 0.045–0.25 Hz (sympathetic)", _PO, 120
    ),
    "eda_sympathetic_nu": Column("1", "eda_sympathetic_us2 / power up to 1 Hz", _PO, 120),
    "eda_quality": quality_column("EDA"),
}


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Compute the EDA features of each window, one row each: ``COLUMNS`` in order, float64.

    Parameters
    ----------
    list_of_beats : list of Beats
        One per window; only their span is used.
    signals : sequence of Signal or None
        EDA of each window, µS, with NaN where it cannot be used (`sensors.judge`).
    """
    return measured(list_of_beats, signals, COLUMNS, _of_window)


def _of_window(signal: Signal, beats: Beats) -> dict[str, float]:
    """The features of a window, as far as it has them."""
    smooth = signal.resample(FASTEST_HZ) if signal.rate_hz > FASTEST_HZ else signal
    if smooth.rate_hz > 2.5 * SMOOTH_HZ:
        smooth = smooth.lowpass(SMOOTH_HZ)
    rate_hz = smooth.rate_hz
    runs = [(a, b) for a, b in smooth.runs() if b - a >= LEAST_RUN_S * rate_hz]
    if not runs:
        return {}
    parts = [smooth.samples[a:b] for a, b in runs]
    tonic = np.concatenate([_tonic(part, rate_hz) for part in parts])
    minute = np.concatenate([np.arange(a, b) for a, b in runs]) / rate_hz / 60
    return {
        "eda_tonic_us": float(tonic.mean()),
        "eda_tonic_slope_us_per_min": float(np.polyfit(minute, tonic, 1)[0]),
        **_of_responses(parts, rate_hz),
        **_sympathetic(max(parts, key=len), rate_hz),
    }


def _tonic(part: np.ndarray, rate_hz: float) -> np.ndarray:
    """Tonic skin conductance of a stretch, µS, (n,)."""
    import neurokit2

    phases = neurokit2.eda_phasic(part, sampling_rate=rate_hz, method="highpass")
    return np.asarray(phases["EDA_Tonic"], dtype=float)


def _of_responses(parts: list[np.ndarray], rate_hz: float) -> dict[str, float]:
    """Number and mean shape of the responses in all stretches."""
    found = np.concatenate([responses(part, rate_hz) for part in parts])
    minutes = sum(map(len, parts)) / rate_hz / 60
    amplitude, rise_s, recovery_s = found.T
    return {
        "eda_scr_per_min": len(found) / minutes,
        "eda_scr_sum_us_per_min": float(amplitude.sum()) / minutes,
        "eda_scr_amplitude_us": _mean(amplitude),
        "eda_scr_rise_s": _mean(rise_s),
        "eda_scr_recovery_s": _mean(recovery_s),
    }


def responses(part: np.ndarray, rate_hz: float) -> np.ndarray:
    """Find skin conductance responses: amplitude (µS), rise (s), half recovery (s or NaN), (n, 3).

    Parameters
    ----------
    part : array (n,)
        Skin conductance without missing samples, µS, smoothed.
    """
    import neurokit2
    from scipy.signal import find_peaks

    none = np.zeros((0, 3))
    if not len(find_peaks(part, prominence=LEAST_SCR_US / 2)[0]):
        return none  # NeuroKit2 fails without a peak
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, found = neurokit2.eda_peaks(
            part, sampling_rate=rate_hz, method="neurokit", amplitude_min=1e-9
        )
    names = ("SCR_Amplitude", "SCR_RiseTime", "SCR_RecoveryTime")
    values = np.column_stack([np.asarray(found[name], dtype=float) for name in names])
    with np.errstate(invalid="ignore"):
        large = (values[:, 0] >= LEAST_SCR_US) & (values[:, 1] <= SLOWEST_RISE_S)
    return values[large] if len(values) else none


def _sympathetic(part: np.ndarray, rate_hz: float) -> dict[str, float]:
    """Power of a stretch in the sympathetic band, µS², and its share of the power up to 1 Hz."""
    from scipy.signal import detrend, welch

    if len(part) < SPECTRUM_S * rate_hz:
        return {}
    segment = round(SEGMENT_S * rate_hz)
    hz, power = welch(detrend(part), rate_hz, window="blackman", nperseg=segment)
    low, high = SYMPATHETIC_HZ
    step = float(hz[1])
    inside = float(power[(hz >= low) & (hz <= high)].sum() * step)
    total = float(power[(hz > 0) & (hz <= SMOOTH_HZ)].sum() * step)
    return {
        "eda_sympathetic_us2": inside,
        "eda_sympathetic_nu": inside / total if total > 0 else float("nan"),
    }


def _mean(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


FAMILY = Family("eda", table, COLUMNS, kind="eda")
