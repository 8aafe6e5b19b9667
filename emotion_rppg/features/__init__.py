"""Features of windows of beats and waves.

``FAMILIES``: name -> `Family`, a function ``(list[Beats], list[Signal | None]) -> DataFrame`` with
a record of each of its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emotion_rppg.errors import InputError
from emotion_rppg.features import hrv, morphology, sequences
from emotion_rppg.features.baseline_columns import VS_BASELINE
from emotion_rppg.features.family import OF_EVERY_TABLE, Column, Family

if TYPE_CHECKING:
    import pandas as pd

FAMILIES: dict[str, Family] = {
    "hrv": hrv.FAMILY,
    "sequence": sequences.FAMILY,
    "morphology": morphology.FAMILY,
}


def check_families(names: Sequence[str]) -> None:
    """Raise InputError for a name that is not in ``FAMILIES``."""
    for name in names:
        if name not in FAMILIES:
            raise InputError(f"unknown feature family {name!r}; known: {', '.join(FAMILIES)}")


def columns() -> dict[str, Column]:
    """Return the records of all measured columns: of every table first, then of each family."""
    records = dict(OF_EVERY_TABLE)
    for family in FAMILIES.values():
        records |= family.columns
    return records


def column(name: str) -> Column | None:
    """Return the record of a column, or None if no family has it.

    ``NAME_vs_baseline`` has the record of ``NAME``.

    Examples
    --------
    >>> column("rmssd_ms_vs_baseline").unit
    'ms'
    >>> column("age") is None
    True
    """
    return columns().get(name.removesuffix(VS_BASELINE))


def describes_recording(name: str) -> bool:
    """Return whether a column describes the recording (quality, length, errors), not the heart.

    True also for a column that measures the heart but reveals the window's length (see `Column`).

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
    """Return the columns to compare with a baseline: numbers that describe the heart."""
    records = columns()
    return [
        str(name)
        for name in table.columns
        if name in records and records[name].role == "heart" and table[name].dtype.kind == "f"
    ]
