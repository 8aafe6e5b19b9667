"""Add columns of features relative to a subject baseline that was recorded earlier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import CHANGE, PERSON

if TYPE_CHECKING:
    import pandas as pd

VS_BASELINE = "_vs_baseline"
COMPARED = (VS_BASELINE, CHANGE)  # endings of columns with a difference of a feature
_SESSION = ["dataset", "subject", "session"]


def raw_name(name: str) -> str:
    """Return the feature of which a column has the difference, or the column's own name.

    Examples
    --------
    >>> raw_name("hr_bpm_change"), raw_name("hr_bpm")
    ('hr_bpm', 'hr_bpm')
    """
    ending = next((ending for ending in COMPARED if name.endswith(ending)), "")
    return name.removesuffix(ending)


def add_baseline_columns(
    table: pd.DataFrame, baseline: str | float, *, columns: Sequence[str]
) -> pd.DataFrame:
    """Add ``NAME_vs_baseline`` columns: value minus the mean over the person's baseline.

    The baseline is of the same person and session and has the same source and method. Only windows
    recorded before a row contribute to it. A row that does not follow the baseline gets NaN: the
    windows of the baseline itself, earlier trials, and windows that overlap the baseline. Raw
    columns stay as they are.

    Parameters
    ----------
    table : DataFrame
        As ``extract`` returns it. The order of the rows is taken as the order of the trials.
    baseline : str or float
        The name of a trial; or a duration in seconds: the baseline of a recording is the windows
        that end within its first ``baseline`` seconds.
    columns : sequence of str
        Numeric columns to compare: those of `emotion_rppg.features.compared`.

    Raises
    ------
    InputError
        No row has that trial, or no window ends within those seconds.
    """
    import pandas as pd

    by_time = not isinstance(baseline, str)
    if by_time:
        in_baseline = _ends_within(table, float(baseline))
    else:
        in_baseline = _is_trial(table, str(baseline))
    features = list(columns)
    keys = [*_SESSION, "source", "method", *(["trial", *_person(table)] if by_time else [])]
    values = table[features].to_numpy(dtype=float)
    out = np.full(values.shape, np.nan)
    for rows in table.groupby(keys, sort=False, dropna=False).indices.values():
        rest = rows[in_baseline[rows]]
        if len(rest):
            later = _after_baseline(table, rows, rest, float(baseline) if by_time else None)
            out[later] = values[later] - _mean(values[rest])
    added = pd.DataFrame(out, columns=[f"{c}{VS_BASELINE}" for c in features], index=table.index)
    return pd.concat([table, added], axis=1)


def _ends_within(table: pd.DataFrame, seconds: float) -> np.ndarray:
    """Whether each window ends within the first ``seconds`` of its recording, bool (n,)."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(
            f"a baseline is the name of a trial or seconds above zero, got {seconds!r}"
        )
    ends = _ends(table)
    if not (ends <= seconds + 1e-6).any():
        raise InputError(
            f"no window ends within the first {seconds:g} s of any recording: give a baseline of "
            "more seconds, or shorter windows (length_s, --length)"
        )
    return np.asarray(ends <= seconds + 1e-6)


def _ends(table: pd.DataFrame) -> np.ndarray:
    """End of each window, s after the start of the first window of its recording."""
    keys = [*_SESSION, "trial", *_person(table), "source", "method"]
    starts = table.groupby(keys, dropna=False)["start_s"]
    return np.asarray(table["start_s"] - starts.transform("min") + table["duration_s"], dtype=float)


def _person(table: pd.DataFrame) -> list[str]:
    """Return the column with the people of one video, if the table has it."""
    return [PERSON] if PERSON in table else []


def _is_trial(table: pd.DataFrame, trial: str) -> np.ndarray:
    """Whether each window is of the trial, bool (n,)."""
    matches = (table["trial"].astype(str) == trial).to_numpy()
    if not matches.any():
        available = ", ".join(dict.fromkeys(table["trial"].astype(str)))
        raise InputError(f"no recording is of the trial {trial!r}; trials: {available}")
    return np.asarray(matches)


def _after_baseline(
    table: pd.DataFrame, rows: np.ndarray, rest: np.ndarray, seconds: float | None
) -> np.ndarray:
    """Return those of ``rows`` that start after the last baseline window has ended."""
    if seconds is None:
        return rows[rows > rest.max()]
    starts = _ends(table)[rows] - table["duration_s"].to_numpy(dtype=float)[rows]
    return rows[starts >= seconds - 1e-6]


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of each feature over rows (n, features), NaN ignored; NaN where no row has a value."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0.0).sum(axis=0)
    return np.divide(
        total, finite.sum(axis=0), out=np.full(values.shape[1], np.nan), where=finite.any(axis=0)
    )
