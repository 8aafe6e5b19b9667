"""Data sets, signals and windows of a table in words, for titles and texts of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

_SIGNALS = {
    "rppg": "camera pulse (rPPG)",
    "bvp": "contact pulse (PPG)",
    "ecg": "ECG",
    "rr": "RR intervals",
}


def joined(names: Sequence[str]) -> str:
    """Join names: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def data_sets(table: pd.DataFrame) -> list[str]:
    """List the data sets of a table, by the titles of their cards if they have one."""
    titles = {card.name: card.title for card in cards_of(table)}
    return [titles.get(name, name) for name in sorted(set(table["dataset"].astype(str)))]


def signals_in_words(table: pd.DataFrame) -> str:
    """Name the signals that the pulse comes from; empty if the table does not say."""
    kinds = sorted(set(table["source"].dropna().astype(str)) - {""}) if "source" in table else []
    return joined([_SIGNALS.get(kind, kind) for kind in kinds]) if kinds else ""


def windows_in_words(table: pd.DataFrame) -> str:
    """Describe length, overlap and source of the windows."""
    sources = " and ".join(sorted(set(table["source"].astype(str)))) if "source" in table else ""
    of = f", of {sources} signals" if sources else ""
    return f"{length_in_words(table)} long{of}; {overlap_in_words(table)}"


def length_in_words(table: pd.DataFrame) -> str:
    """State the length of the windows: "60 s", "30 to 60 s"."""
    lengths = table["duration_s"].round(1).drop_duplicates().sort_values()
    return f"{lengths.iloc[0]:g}" + (f" to {lengths.iloc[-1]:g} s" if len(lengths) > 1 else " s")


def overlap_in_words(table: pd.DataFrame) -> str:
    """Describe the overlap of successive windows of one trial, from their start times."""
    plain = table.reset_index(drop=True)
    keys = [people(plain), plain["session"].astype(str), plain["trial"].astype(str)]
    rows = plain[["start_s", "duration_s"]].sort_values("start_s")
    steps = rows.groupby(keys)["start_s"].diff()
    known = steps[steps > 0].round(1)
    if known.empty:
        return "each trial is one window"
    step = float(known.mode().iloc[0])
    length = float(rows["duration_s"][known.index].round(1).mode().iloc[0])
    text = f"successive windows of a trial start {step:g} s apart"
    if step >= length:
        return f"{text} and do not overlap"
    return f"{text} and overlap by {length - step:g} s ({1 - step / length:.0%})"
