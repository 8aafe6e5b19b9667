"""Fix exposure, gain, white balance and focus of a camera, and report what its driver accepted.

An automatic exposure or white balance changes the colours of a face while it is recorded, at the
rates of breathing and pulse. The automatic settles first; its values are then fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emotion_rppg.video.frames import opencv

SETTLE_FRAMES = 45  # for the automatic to settle, before its values are fixed
_TOLERANCE = 0.02  # of a value that the driver rounds, relative


@dataclass(frozen=True)
class Setting:
    """A setting of the camera: value before, requested and after; None where unknown."""

    name: str
    before: float | None
    requested: float | None
    after: float | None
    accepted: bool

    def __str__(self) -> str:
        if not self.accepted:
            return f"{self.name}: not accepted by the driver (stays {_text(self.after)})"
        return f"{self.name}: {_text(self.before)} → {_text(self.after)}"


def fix_settings(capture: Any, wanted: Mapping[str, float] | None = None) -> tuple[Setting, ...]:
    """Switch the automatics of an open camera off and fix their values.

    ``wanted`` has values for ``exposure``, ``gain``, ``white_balance`` (K) or ``focus`` in the
    units of the driver; the others keep the value at which the automatic arrived.
    """
    for _ in range(SETTLE_FRAMES):
        capture.read()
    found = {name: _get(capture, name) for name in _PROPERTIES}
    out = []
    for automatic, manual, fixed in _GROUPS:
        settings = [_set(capture, automatic, found[automatic], manual)] if automatic else []
        for name in fixed:
            value = (wanted or {}).get(name, found[name])
            settings.append(_set(capture, name, found[name], (value,)))
        out += settings
    return tuple(out)


# automatic, its values for "off" (drivers differ; V4L2: 1, others: 0.25 or 0), values then fixed
_GROUPS: tuple[tuple[str, tuple[float, ...], tuple[str, ...]], ...] = (
    ("auto_exposure", (1.0, 0.25, 0.0), ("exposure", "gain")),
    ("auto_white_balance", (0.0,), ("white_balance",)),
    ("autofocus", (0.0,), ("focus",)),
)
_PROPERTIES = {
    "auto_exposure": "CAP_PROP_AUTO_EXPOSURE",
    "exposure": "CAP_PROP_EXPOSURE",
    "gain": "CAP_PROP_GAIN",
    "auto_white_balance": "CAP_PROP_AUTO_WB",
    "white_balance": "CAP_PROP_WB_TEMPERATURE",
    "autofocus": "CAP_PROP_AUTOFOCUS",
    "focus": "CAP_PROP_FOCUS",
}


def _get(capture: Any, name: str) -> float | None:
    value = float(capture.get(getattr(opencv(), _PROPERTIES[name])))
    return value if math.isfinite(value) and value != -1.0 else None


def _set(
    capture: Any, name: str, before: float | None, values: tuple[float | None, ...]
) -> Setting:
    """Try the values in turn until the driver accepts one and reports it."""
    for value in values:
        if value is None or not capture.set(getattr(opencv(), _PROPERTIES[name]), value):
            continue
        after = _get(capture, name)
        if after is not None and abs(after - value) <= _TOLERANCE * max(abs(value), 1.0):
            return Setting(name, before, value, after, True)
    return Setting(name, before, values[0], _get(capture, name), False)


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"
