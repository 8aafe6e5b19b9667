"""Convert a feature table to the long layout for R and SPSS: one row per window and feature."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.baseline_columns import VS_BASELINE, raw_name
from emotion_rppg.features.family import PULSE, Column
from emotion_rppg.features.sensors import QUALITY, REASON
from emotion_rppg.windows import (
    CHANGE,
    CHANGE_REASON,
    EMBEDDING,
    EVENT_BEATS,
    OK,
    SCALE,
    SEQUENCE,
)

if TYPE_CHECKING:
    import pandas as pd

MEASURED = ("feature", "value", "unit", "quality", "reason")  # columns after identities and labels
_PROVENANCE = ("network", "trained_on", "reader", "encoder", "encoder_trained_on")
_LONGEST_NAME = 64  # of a variable in SPSS
_RESERVED = ("ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH")
_TOLERANCE = 0.02  # a minute may be 59.9 s long


def long_table(table: pd.DataFrame) -> pd.DataFrame:
    """Convert a feature table to one row per window and feature.

    The first columns are those of the window: identities, event, labels, participants' columns and
    any other column of the table. Then follow ``MEASURED``: the name of the feature, its value and
    unit, the quality of the signal that it is computed from (0–1), and ``ok`` or the reason why it
    has no value. Names are valid for variables in SPSS and R (`variable_names`).

    Raises
    ------
    InputError
        The table has no column of a feature, or is in the long layout.
    """
    import pandas as pd

    from emotion_rppg.features import column

    if {"feature", "value"} <= set(table.columns):
        raise InputError("the table is in the long layout: give a table with a column per feature")
    known = {str(name): record for name in table if (record := column(str(name))) is not None}
    features = [n for n, r in known.items() if r.role == "feature" and _is_number(table[n])]
    if not features:
        raise InputError("the table has no column of a feature: extract it with families")
    first = [str(n) for n in table if str(n) not in known and not _about_signals(str(n))]
    identity = table[first].set_axis(variable_names(first), axis=1)
    names = dict(zip(features, variable_names(features), strict=True))
    parts = [_of_feature(table, identity, n, known[n], names[n]) for n in features]
    long = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    long.attrs = {}  # predict and evaluate do not read this layout
    return long


def _is_number(column: pd.Series) -> bool:
    return column.dtype.kind in "fiub"


def _about_signals(name: str) -> bool:
    """Tell whether a column without a record describes how signals were measured."""
    if name in (*_PROVENANCE, EVENT_BEATS, CHANGE_REASON, "reason"):
        return True
    return name.startswith((SEQUENCE, EMBEDDING, SCALE)) or name.endswith(REASON)


def _of_feature(
    table: pd.DataFrame, identity: pd.DataFrame, name: str, record: Column, shown: str
) -> pd.DataFrame:
    """Make the rows of one feature."""
    own = "quality" if record.kind == PULSE else record.kind + QUALITY
    quality = table[own].to_numpy(dtype=float) if own in table else np.full(len(table), np.nan)
    values = table[name].to_numpy(dtype=float)
    reasons = _reasons(table, name, record, values)
    columns = (shown, values, record.unit, quality, reasons)
    return identity.reset_index(drop=True).assign(**dict(zip(MEASURED, columns, strict=True)))


def _reasons(table: pd.DataFrame, name: str, record: Column, values: np.ndarray) -> list[str]:
    """Say why a feature has no value in a row: its window is too short, or the signal's reason."""
    stated = [column for column in _reason_columns(name, record) if column in table]
    texts = table[stated].astype(str).to_dict("records") if stated else [{}] * len(table)
    durations = table["duration_s"] if "duration_s" in table else [np.inf] * len(table)
    raw = raw_name(name) == name
    out = []
    for value, text, duration_s in zip(values, texts, durations, strict=True):
        if np.isfinite(value):
            out.append(OK)
        elif raw and duration_s < record.minimum_s * (1 - _TOLERANCE):
            out.append(f"needs a window of {record.minimum_s:g} s, this one has {duration_s:g} s")
        else:
            said = [reason for reason in text.values() if reason not in ("", OK, "nan")]
            out.append("; ".join(dict.fromkeys(said)) or _otherwise(name))
    return out


def _reason_columns(name: str, record: Column) -> list[str]:
    if name.endswith(CHANGE):
        return [CHANGE_REASON]
    return ["reason" if kind == PULSE else kind + REASON for kind in record.kinds]


def _otherwise(name: str) -> str:
    if name.endswith(VS_BASELINE):
        return "no value of the baseline before this window"
    return "not defined in this window: too few beats or samples for it"


def variable_names(names: Iterable[str]) -> list[str]:
    """Make valid and distinct names of variables for SPSS and R, in the same order.

    They begin with a letter, have only ASCII letters, digits and underscores, at most 64 of them,
    differ by more than case, and are none of the words that SPSS reserves.

    Examples
    --------
    >>> variable_names(["hr_bpm", "label_2 Hz!", "2nd", "With"])
    ['hr_bpm', 'label_2_Hz', 'v_2nd', 'With_v']
    """
    out: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"_*[^0-9A-Za-z_]+_*", "_", name).strip("_")
        plain = plain if plain[:1].isalpha() else f"v_{plain}".rstrip("_")
        plain = f"{plain}_v" if plain.upper() in _RESERVED else plain
        plain, number = plain[:_LONGEST_NAME].rstrip("_"), 1
        stem = plain
        while plain.casefold() in taken:
            number += 1
            ending = f"_{number}"
            plain = stem[: _LONGEST_NAME - len(ending)] + ending
        taken.add(plain.casefold())
        out.append(plain)
    return out
