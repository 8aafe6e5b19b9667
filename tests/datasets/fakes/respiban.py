"""Signals of a chest strap and a wristband, as the pickles of WESAD and PPG-DaLiA hold them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse


def body_signals(
    rates: Sequence[float], seconds: float, gap_s: float
) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Make waves with one heart rate after another, each after a gap; other channels are decoys."""
    total = len(rates) * (seconds + gap_s)

    def concatenated(make: Callable[[float, float, float], np.ndarray], rate_hz: int) -> np.ndarray:
        gap = np.zeros(round(gap_s * rate_hz))
        return np.concatenate([p for bpm in rates for p in (gap, make(bpm, seconds, rate_hz))])

    def decoy(rate_hz: int, columns: int = 1) -> np.ndarray:
        wave = pulse(DECOY_BPM, total, rate_hz).astype(np.float32)
        return np.repeat(wave[:, None], columns, axis=1)

    others = {key: decoy(700) for key in ("EMG", "EDA", "Temp", "Resp")}
    return {
        "chest": {"ACC": decoy(700, 3), "ECG": concatenated(ecg_wave, 700)[:, None], **others},
        "wrist": {
            "ACC": decoy(32, 3),
            "BVP": concatenated(pulse, 64)[:, None],
            "EDA": decoy(4),
            "TEMP": decoy(4),
        },
    }
