"""Stage two, from waves to features.

FAMILIES: name -> `Family`, ``(list[Beats], list[Signal | None]) -> DataFrame`` with a record of
each column.
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
    """Refuse a name that is none of ``FAMILIES``."""
    for name in names:
        if name not in FAMILIES:
            raise InputError(f"unknown feature family {name!r}; known: {', '.join(FAMILIES)}")


def columns() -> dict[str, Column]:
    """Records of all measured columns: those of every table, then those of each family."""
    found = dict(OF_EVERY_TABLE)
    for family in FAMILIES.values():
        found |= family.columns
    return found


def column(name: str) -> Column | None:
    """Record of a column, or of the one that a ``…_vs_baseline`` was made of; None: of no family.

    Examples
    --------
    >>> column("rmssd_ms_vs_baseline").unit
    'ms'
    >>> column("age") is None
    True
    """
    return columns().get(name.removesuffix(VS_BASELINE))


def describes_recording(name: str) -> bool:
    """Tell whether a column describes the recording (quality, length, errors), not the heart.

    So do those that measure the heart but reveal the window's length beside others.

    Examples
    --------
    >>> describes_recording("rmssd_se_ms"), describes_recording("n_beats")
    (True, True)
    >>> describes_recording("rmssd_ms")
    False
    """
    found = column(name)
    return found is not None and (found.role == "recording" or found.reveals_length)


def compared(table: pd.DataFrame) -> list[str]:
    """Columns of a table whose differences from a baseline are of use: numbers of the heart."""
    known = columns()
    return [
        str(name)
        for name in table.columns
        if name in known and known[name].role == "heart" and table[name].dtype.kind == "f"
    ]
