"""Features relative to a baseline that was recorded before: columns beside the raw ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

VS_BASELINE = "_vs_baseline"
_WHO = ["dataset", "subject", "session"]


def add_baseline_columns(
    table: pd.DataFrame, baseline: str | float, *, columns: Sequence[str]
) -> pd.DataFrame:
    """The table and, beside each of the columns, its value less its mean over a person's baseline.

    Nothing recorded later than a row enters it. The baseline is of the same person and session,
    read in the same way (source, method). A row that is not after the baseline has NaN: the
    baseline's own windows, trials that came before it, windows that reach into it. Raw columns stay
    as they are.

    Parameters
    ----------
    table : DataFrame
        As ``extract`` makes it. Trials are taken to follow each other as their rows do.
    baseline : str or float
        The name of a trial; or seconds: the windows that end within each recording's first so
        many seconds are its baseline.
    columns : sequence of str
        Columns of numbers to compare: those of `emotion_rppg.features.compared`.

    Raises
    ------
    InputError
        No row is of that trial, or none ends within those seconds.
    """
    import pandas as pd

    number = not isinstance(baseline, str)
    within = _within(table, float(baseline)) if number else _named(table, str(baseline))
    features = list(columns)
    keys = [*_WHO, "source", "method", *(["trial"] if number else [])]
    values = table[features].to_numpy(dtype=float)
    out = np.full(values.shape, np.nan)
    for rows in table.groupby(keys, sort=False, dropna=False).indices.values():
        rest = rows[within[rows]]
        if len(rest):
            later = _after(table, rows, rest, float(baseline) if number else None)
            out[later] = values[later] - _mean(values[rest])
    beside = pd.DataFrame(out, columns=[f"{c}{VS_BASELINE}" for c in features], index=table.index)
    return pd.concat([table, beside], axis=1)


def _within(table: pd.DataFrame, seconds: float) -> np.ndarray:
    """Windows that end within the first seconds of their recordings."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"a baseline is a trial's name or seconds above zero, got {seconds!r}")
    ends = _ends(table)
    if not (ends <= seconds + 1e-6).any():
        raise InputError(
            f"no window ends within the first {seconds:g} s of any recording: give more seconds "
            "of baseline, or shorter windows (length_s, --length)"
        )
    return np.asarray(ends <= seconds + 1e-6)


def _ends(table: pd.DataFrame) -> np.ndarray:
    """End of each window, s after its recording's first window begins."""
    begin = table.groupby([*_WHO, "trial", "source", "method"], dropna=False)["start_s"]
    return np.asarray(table["start_s"] - begin.transform("min") + table["duration_s"], dtype=float)


def _named(table: pd.DataFrame, trial: str) -> np.ndarray:
    within = (table["trial"].astype(str) == trial).to_numpy()
    if not within.any():
        known = ", ".join(dict.fromkeys(table["trial"].astype(str)))
        raise InputError(f"no recording is of the trial {trial!r}; trials: {known}")
    return np.asarray(within)


def _after(
    table: pd.DataFrame, rows: np.ndarray, rest: np.ndarray, seconds: float | None
) -> np.ndarray:
    """Those of ``rows`` that began after the baseline's windows had ended."""
    if seconds is None:
        return rows[rows > rest.max()]
    starts = _ends(table)[rows] - table["duration_s"].to_numpy(dtype=float)[rows]
    return rows[starts >= seconds - 1e-6]


def _mean(values: np.ndarray) -> np.ndarray:
    """Of rows (n, features), over those that know the feature; NaN where none does."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(
        total, known.sum(axis=0), out=np.full(values.shape[1], np.nan), where=known.any(axis=0)
    )
