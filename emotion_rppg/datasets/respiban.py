"""Read pulse and ECG from the pickles of WESAD and PPG-DaLiA.

Both data sets were recorded with a RespiBAN (chest) and an Empatica E4 (wrist), and their pickles
have the same layout. `datasets.wesad` and `datasets.dalia` use these functions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal

ECG_HZ, BVP_HZ = 700.0, 64.0


def read_heart(path: Path, content: object, duration_s: float) -> dict[str, Signal]:
    """Return the wrist's pulse and the chest's ECG.

    Raises
    ------
    InputError
        A missing channel, or one whose length differs from ``duration_s`` by more than a second.
    """
    out = {
        "bvp": Signal(channel(path, content, "signal", "wrist", "BVP"), BVP_HZ, kind="bvp"),
        "ecg": Signal(channel(path, content, "signal", "chest", "ECG"), ECG_HZ, kind="ecg"),
    }
    for kind, signal in out.items():
        if abs(signal.duration_s - duration_s) > 1.0:
            raise InputError(
                f"{path}: the {kind} at {signal.rate_hz:g} Hz lasts {signal.duration_s:.1f} s, the "
                f"labels {duration_s:.1f} s: are the channels swapped?"
            )
    return out


def channel(path: Path, content: object, *keys: str) -> np.ndarray:
    """Return the numbers (n,) at a path of keys in a pickle's content.

    Raises
    ------
    InputError
        No such key, or not one column of numbers.
    """
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            raise InputError(f"{path} has no {'/'.join(keys)}: want the authors' pickle")
        content = content[key]
    values = np.asarray(content)
    if values.dtype.kind not in "fiu" or values.size != len(np.atleast_1d(values)):
        raise InputError(f"{path}: {'/'.join(keys)} has the shape {values.shape}: want one column")
    return values.astype(float).reshape(-1)
