"""Stage two, from waves to features.

FAMILIES: name -> ``(list[Beats], list[Signal | None]) -> DataFrame``, one row each; the waves may
be left out.
"""

from emotion_rppg.features import hrv, morphology, sequences

FAMILIES = {
    "hrv": hrv.table,
    "sequence": sequences.table,
    "morphology": morphology.table,
}
