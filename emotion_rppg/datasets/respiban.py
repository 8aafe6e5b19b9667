"""Read the signals of the pickles of WESAD and PPG-DaLiA.

Both data sets were recorded with a RespiBAN (chest) and an Empatica E4 (wrist), and their pickles
have the same layout. ECG and respiration are the chest's; pulse, EDA, skin temperature and
acceleration are the wrist's. `datasets.wesad` and `datasets.dalia` use these functions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import e4_acceleration
from emotion_rppg.signals import Signal

ECG_HZ, BVP_HZ = 700.0, 64.0
RATES_HZ = {"bvp": BVP_HZ, "ecg": ECG_HZ, "eda": 4.0, "resp": 700.0, "temp": 4.0, "acc": 32.0}
_PLACES = {
    "bvp": ("wrist", "BVP"),
    "ecg": ("chest", "ECG"),
    "eda": ("wrist", "EDA"),  # µS
    "resp": ("chest", "Resp"),  # % of the belt's range
    "temp": ("wrist", "TEMP"),  # °C
}


def read_body(path: Path, content: object, duration_s: float) -> dict[str, Signal]:
    """Return the signals of wrist and chest, one for each kind in ``RATES_HZ``.

    Raises
    ------
    InputError
        A missing channel, or one whose length differs from ``duration_s`` by more than a second.
    """
    out = {
        kind: Signal(channel(path, content, "signal", *place), RATES_HZ[kind], kind=kind)
        for kind, place in _PLACES.items()
    }
    axes = channel(path, content, "signal", "wrist", "ACC", columns=3)
    out["acc"] = e4_acceleration(axes, RATES_HZ["acc"])
    for kind, signal in out.items():
        if abs(signal.duration_s - duration_s) > 1.0:
            raise InputError(
                f"{path}: the {kind} at {signal.rate_hz:g} Hz lasts {signal.duration_s:.1f} s, the "
                f"labels {duration_s:.1f} s: are the channels swapped?"
            )
    return out


def channel(path: Path, content: object, *keys: str, columns: int = 1) -> np.ndarray:
    """Return the numbers at a path of keys in a pickle's content, (n,) or (n, columns).

    Raises
    ------
    InputError
        No such key, or another number of columns.
    """
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            raise InputError(f"{path} has no {'/'.join(keys)}: want the authors' pickle")
        content = content[key]
    values = np.asarray(content)
    if values.dtype.kind not in "fiu" or values.size != columns * len(np.atleast_1d(values)):
        wanted = "one column" if columns == 1 else f"{columns} columns"
        raise InputError(f"{path}: {'/'.join(keys)} has the shape {values.shape}: want {wanted}")
    return values.astype(float).reshape((-1,) if columns == 1 else (-1, columns))
