"""Signals of a chest strap and a wristband, as the pickles of WESAD and PPG-DaLiA hold them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.datasets.fakes.sensors import axes, breathing, eda, temperature
from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse

Make = Callable[[float, float, float], np.ndarray]


def body_signals(
    rates: Sequence[float], levels: Sequence[float], seconds: float, gap_s: float, *, per_g: float
) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Make signals with one heart rate and level after another, each after a gap.

    ``per_g`` is the unit of the wrist's acceleration. Other channels are decoys.
    """
    total = len(rates) * (seconds + gap_s)

    def concatenated(make: Make, values: Sequence[float], rate_hz: int) -> np.ndarray:
        parts = [make(value, seconds, rate_hz) for value in values]
        gap = np.zeros((round(gap_s * rate_hz), *parts[0].shape[1:]))
        return np.concatenate([piece for part in parts for piece in (gap, part)])

    def decoy(rate_hz: int, columns: int = 1) -> np.ndarray:
        wave = pulse(DECOY_BPM, total, rate_hz).astype(np.float32)
        return np.repeat(wave[:, None], columns, axis=1)

    others = {key: decoy(700) for key in ("EMG", "EDA", "Temp")}
    return {
        "chest": {
            "ACC": decoy(700, 3),
            "ECG": concatenated(ecg_wave, rates, 700)[:, None],
            "Resp": concatenated(breathing, levels, 700)[:, None],
            **others,
        },
        "wrist": {
            "ACC": concatenated(axes, levels, 32) * per_g,
            "BVP": concatenated(pulse, rates, 64)[:, None],
            "EDA": concatenated(eda, levels, 4)[:, None],
            "TEMP": concatenated(temperature, levels, 4)[:, None],
        },
    }
