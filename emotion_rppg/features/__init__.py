"""Features of windows of beats and waves.

``FAMILIES``: name -> `Family`, a function ``(list[Beats], list[Signal | None]) -> DataFrame`` with
a record of each of its columns, and the kind of signal that it is computed from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from emotion_rppg.errors import InputError
from emotion_rppg.features import (
    eda,
    hrv,
    morphology,
    motion,
    respiration,
    sensor_sequences,
    sequences,
    temperature,
)
from emotion_rppg.features.baseline_columns import raw_name
from emotion_rppg.features.family import OF_EVERY_TABLE, PULSE, Column, Family
from emotion_rppg.features.outside import outside_column
from emotion_rppg.features.sensors import SENSORS
from emotion_rppg.windows import EMBEDDING, SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

FAMILIES: dict[str, Family] = {
    "hrv": hrv.FAMILY,
    "sequence": sequences.FAMILY,
    "morphology": morphology.FAMILY,
    "eda": eda.FAMILY,
    "resp": respiration.FAMILY,
    "temp": temperature.FAMILY,
    "acc": motion.FAMILY,
    **sensor_sequences.FAMILIES,
}


def check_families(names: Sequence[str]) -> None:
    """Raise InputError for a name that is not in ``FAMILIES``."""
    for name in names:
        if name not in FAMILIES:
            raise InputError(f"unknown feature family {name!r}; known: {', '.join(FAMILIES)}")
        if FAMILIES[name].kind not in (PULSE, *SENSORS):
            raise InputError(
                f"the feature family {name!r} is computed from {FAMILIES[name].kind!r}, which has "
                f"no rules in SENSORS; known: {', '.join((PULSE, *SENSORS))}"
            )


def kinds_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of signal that families are computed from: ``("pulse", "eda")``."""
    return tuple(dict.fromkeys(FAMILIES[name].kind for name in names))


def needs_pulse(names: Sequence[str]) -> bool:
    """Whether one of the families, or one of their columns, needs the pulse."""
    return any(PULSE in c.kinds for name in names for c in FAMILIES[name].columns.values())


def kinds_of_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of signal that must be trusted for these feature columns to have values.

    Columns of no family (an age) and columns on the recording need none.

    Examples
    --------
    >>> kinds_of_columns(["eda_tonic_us", "age"])
    ('eda',)
    >>> kinds_of_columns(["rmssd_ms", "eda_tonic_us_vs_baseline"])
    ('pulse', 'eda')
    """
    known = columns()
    kinds: dict[str, None] = {}
    for name in map(str, names):
        record = known.get(raw_name(name)) or outside_column(name)
        if name.startswith(EMBEDDING) or (record is None and name.startswith(SEQUENCE)):
            kinds[PULSE] = None
        elif record is not None and record.role != "recording":
            kinds |= dict.fromkeys(record.kinds)
    return tuple(kinds)


def columns() -> dict[str, Column]:
    """Return the records of all measured columns: of every table first, then of each family."""
    records = dict(OF_EVERY_TABLE)
    for family in FAMILIES.values():
        records |= family.columns
    return records


def column(name: str) -> Column | None:
    """Return the record of a column, or None if no family has it.

    ``NAME_vs_baseline`` and ``NAME_change`` have the record of ``NAME``. A joined column
    (``joined_…``) has one, too.

    Examples
    --------
    >>> column("rmssd_ms_vs_baseline").unit
    'ms'
    >>> column("age") is None
    True
    """
    return columns().get(raw_name(name)) or outside_column(name)


def describes_recording(name: str) -> bool:
    """Return whether a column describes the recording (quality, length, errors), not the person.

    True also for a feature that reveals the window's length (see `Column`).

    Examples
    --------
    >>> describes_recording("rmssd_se_ms"), describes_recording("n_beats")
    (True, True)
    >>> describes_recording("rmssd_ms")
    False
    """
    record = column(name)
    return record is not None and (record.role == "recording" or record.reveals_length)


def compared(table: pd.DataFrame) -> list[str]:
    """Return the columns to compare with a baseline: numbers that describe the person."""
    records = columns()
    return [
        str(name)
        for name in table.columns
        if name in records and records[name].role == "feature" and table[name].dtype.kind == "f"
    ]
