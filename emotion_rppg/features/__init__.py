"""Stage two, from waves to features. FAMILIES: name -> ``list[Beats] -> DataFrame``, a row each."""

from emotion_rppg.features import hrv, sequences

FAMILIES = {
    "hrv": hrv.table,
    "sequence": sequences.table,
}
