"""Stage two, from waves to features.

FAMILIES: name -> ``(list[Beats], list[Signal | None]) -> DataFrame``, one row each; the waves may
be left out.
"""

from collections.abc import Sequence

from emotion_rppg.errors import InputError
from emotion_rppg.features import hrv, morphology, sequences

FAMILIES = {
    "hrv": hrv.table,
    "sequence": sequences.table,
    "morphology": morphology.table,
}


def check_families(names: Sequence[str]) -> None:
    """Refuse a name that is none of ``FAMILIES``."""
    for name in names:
        if name not in FAMILIES:
            raise InputError(f"unknown feature family {name!r}; known: {', '.join(FAMILIES)}")
