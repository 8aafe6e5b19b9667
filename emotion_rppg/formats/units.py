"""Convert channels to the unit of their kind: EDA in µS, temperature in °C, acceleration in g."""

from __future__ import annotations

import re

import numpy as np

from emotion_rppg.errors import InputError

UNITS = {"eda": "µS", "temp": "°C", "acc": "g"}  # kind -> unit of its Signal
_STANDARD_GRAVITY = 9.80665  # m/s²
# units of rates, intervals, shares and states, which no wave has; in lower case
_OF_DERIVED = frozenset(("bpm", "beats/min", "1/min", "/min", "ms", "%", "no_units"))
# kind -> unit as files write it -> factor and offset to the kind's unit
_TO_UNIT: dict[str, dict[str, tuple[float, float]]] = {
    "eda": {
        **dict.fromkeys(("µs", "us", "microsiemens", "micromho", "umho"), (1.0, 0.0)),
        "ns": (1e-3, 0.0),
        **dict.fromkeys(("s", "siemens"), (1e6, 0.0)),
    },
    "temp": {
        **dict.fromkeys(("c", "degc", "celsius", "degreescelsius", "degreec"), (1.0, 0.0)),
        **dict.fromkeys(("f", "degf", "fahrenheit"), (5 / 9, -160 / 9)),
        **dict.fromkeys(("k", "kelvin"), (1.0, -273.15)),
    },
    "acc": {
        "g": (1.0, 0.0),
        "mg": (1e-3, 0.0),
        **dict.fromkeys(("m/s2", "m/s/s", "ms-2"), (1 / _STANDARD_GRAVITY, 0.0)),
    },
}


def _plain(unit: str) -> str:
    """Reduce a unit to its letters and signs: ``m/(s^2)`` and ``m/s²`` are ``m/s2``."""
    lower = unit.strip().lower().replace("²", "2").replace("μ", "µ")
    return re.sub(r"[°\s()\[\]^*]", "", lower)


def is_unit_of(kind: str | None, unit: str) -> bool:
    """Return whether values in a unit can be converted to the unit of the kind; True if not stated.

    Kinds without a unit of their own (pulse waves, ECG, respiration) accept any but those of
    numbers that are derived from a wave.
    """
    if _plain(unit) in _OF_DERIVED:
        return False
    return kind not in _TO_UNIT or not _plain(unit) or _plain(unit) in _TO_UNIT[kind]


def convert(samples: np.ndarray, kind: str | None, unit: str, where: str) -> np.ndarray:
    """Convert samples (n,) to the unit of their kind; a unit that is not stated is taken as it.

    Raises
    ------
    InputError
        A unit that is not one of the kind, such as raw counts of an EDA.
    """
    if kind not in _TO_UNIT or not _plain(unit):
        return samples
    if not is_unit_of(kind, unit):
        raise InputError(
            f"{where} is in {unit!r}, which cannot be converted to {UNITS[kind]}, the unit of "
            f"{kind}: export it in one of {', '.join(_TO_UNIT[kind])}"
        )
    factor, offset = _TO_UNIT[kind][_plain(unit)]
    return samples if (factor, offset) == (1.0, 0.0) else samples * factor + offset
