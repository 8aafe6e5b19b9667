"""Signals without beats as sequences for recurrent networks: text columns of a table, and arrays.

A family each (``eda_sequence``, ``resp_sequence``, ``temp_sequence``, ``acc_sequence``): the
samples of a window at ``RATE_HZ``, as text. A recurrent network reads them beside the features
where sources are compared (`emotion_rppg.evaluation.sources`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.family import Column, Family
from emotion_rppg.features.sensors import SENSORS
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

RATE_HZ = 4.0
# kind of signal -> column, and the format of its numbers
COLUMN_OF = {
    "eda": ("seq_eda_us", ".4g"),
    "resp": ("seq_resp_au", ".4g"),
    "temp": ("seq_temp_c", ".2f"),
    "acc": ("seq_acc_g", ".3f"),
}


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None, *, kind: str
) -> pd.DataFrame:
    """Write the samples of each window as text, ``RATE_HZ`` numbers a second, one row each.

    ``nan`` marks samples that cannot be used; a window without any has empty text.
    """
    import pandas as pd

    column, spec = COLUMN_OF[kind]
    waves = [None] * len(list_of_beats) if signals is None else list(signals)
    texts = [_text(wave, spec) for wave in waves]
    return pd.DataFrame({column: texts}, dtype=object)


def _text(signal: Signal | None, spec: str) -> str:
    if signal is None or not np.isfinite(signal.samples).any():
        return ""
    samples = signal.resample(RATE_HZ).samples
    if not np.isfinite(samples).any():
        return ""
    return " ".join(f"{value:{spec}}" for value in samples)


def tokens(table: pd.DataFrame, kind: str) -> np.ndarray:
    """Convert the text of each row to an array (n, longest, 1), NaN-padded at the end.

    Samples that cannot be used take the median of their row; a row without text is NaN. Without the
    column the array is (n, 0, 1).

    Raises
    ------
    InputError
        A text is not a list of numbers.
    """
    column = COLUMN_OF[kind][0]
    texts = table[column].fillna("").astype(str) if column in table else [""] * len(table)
    rows = [_numbers(text, column) for text in texts]
    out = np.full((len(rows), max((len(row) for row in rows), default=0), 1), np.nan)
    for k, row in enumerate(rows):
        known = np.isfinite(row)
        if known.any():
            out[k, : len(row), 0] = np.where(known, row, np.median(row[known]))
    return out


def _numbers(text: str, column: str) -> np.ndarray:
    try:
        return np.array([float(word) for word in text.split()])
    except ValueError:
        raise InputError(
            f"{column} has numbers and nan separated by spaces, got {text[:40]!r}"
        ) from None


def _family(kind: str) -> Family:
    column, _ = COLUMN_OF[kind]
    sensor = SENSORS[kind]
    text = Column(
        sensor.unit,
        f"{sensor.name}, {RATE_HZ:g} numbers a second in order, as text; nan: cannot be used",
        role="sequence",
        group=f"{sensor.name} sequence",
    )
    return Family(f"{kind}_sequence", partial(table, kind=kind), {column: text}, kind=kind)


FAMILIES = {f"{kind}_sequence": _family(kind) for kind in COLUMN_OF}
