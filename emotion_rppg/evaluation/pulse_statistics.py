"""Summarise pulse agreement by method: scores with confidence intervals over people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from emotion_rppg.evaluation.statistics import clustered_ci
from emotion_rppg.metrics import pearson, rmse
from emotion_rppg.windows import LABEL, people

if TYPE_CHECKING:
    import pandas as pd

# labels by which recordings are grouped
GROUPS = ("skin_tone", "motion", "light", "codec", "camera", "condition")


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _mean_error(estimated: np.ndarray, true: np.ndarray) -> float:
    return _mean(np.abs(estimated - true))


def _mean_percentage_error(estimated: np.ndarray, true: np.ndarray) -> float:
    return 100 * _mean(np.abs(estimated / true - 1))


class Score(NamedTuple):
    """A statistic of columns over ``rows``: recordings, windows, or reported (not withheld)."""

    rows: str
    columns: tuple[str, ...]
    statistic: Callable[..., float]


_RATES = ("hr_bpm", "hr_true_bpm")
SCORES: dict[str, Score] = {
    "hr_mae_bpm": Score("recordings", _RATES, _mean_error),
    "hr_rmse_bpm": Score("recordings", _RATES, rmse),
    "hr_mape_pct": Score("recordings", _RATES, _mean_percentage_error),
    "hr_r": Score("recordings", _RATES, pearson),
    "hr_mae_given_bpm": Score("reported", _RATES, _mean_error),
    "beat_hr_mae_bpm": Score("recordings", ("beat_hr_bpm", "hr_true_bpm"), _mean_error),
    "window_mae_bpm": Score("windows", _RATES, _mean_error),
    "window_rmse_bpm": Score("windows", _RATES, rmse),
    "window_mape_pct": Score("windows", _RATES, _mean_percentage_error),
    "window_r": Score("windows", _RATES, pearson),
    "snr_db": Score("recordings", ("snr_db",), _mean),
    "macc": Score("recordings", ("macc",), _mean),
    "macc_chance": Score("recordings", ("macc_chance",), _mean),
    "beat_f1": Score("recordings", ("beat_f1",), _mean),
    "beat_jitter_ms": Score("recordings", ("beat_jitter_ms",), _mean),
    "sdnn_mae_ms": Score("recordings", ("sdnn_ms", "sdnn_true_ms"), _mean_error),
    "rmssd_mae_ms": Score("recordings", ("rmssd_ms", "rmssd_true_ms"), _mean_error),
    "coverage": Score("recordings", ("coverage",), _mean),
    "quality": Score("recordings", ("quality",), _mean),
    "withheld": Score("recordings", ("withheld",), _mean),
}


def pulse_summary(scores: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """Score each method over all recordings and within each value of the labels in ``GROUPS``.

    ``scores`` and ``windows`` are those of a `PulseEvaluation`.

    Returns
    -------
    DataFrame
        ``group, method, score, people, n, value, ci_low, ci_high``. The 95 % interval is a
        bootstrap over people with all their rows (NaN with fewer than two people); ``n`` is the
        number of rows, of recordings or windows, that have the value.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for group, select in _groups(scores):
        for method in dict.fromkeys(scores["method"]):
            tables = {
                "recordings": select(scores[scores["method"] == method]),
                "windows": select(windows[windows["method"] == method]),
            }
            recordings = tables["recordings"]
            tables["reported"] = recordings[recordings["withheld"] == 0]
            for name, score in SCORES.items():
                rows.append({"group": group, "method": method, **_scored(name, score, tables)})
    return pd.DataFrame(rows)


RANKED = (  # scores in the ranking; the methods are sorted by the first that all of them have
    *("window_mae_bpm", "hr_mae_bpm", "hr_mae_given_bpm", "withheld"),
    *("beat_jitter_ms", "rmssd_mae_ms"),
)


def pulse_ranking(
    summary: pd.DataFrame, failures: pd.DataFrame, origins: pd.DataFrame
) -> pd.DataFrame:
    """Rank methods by the mean absolute error of their heart rates, the smallest first.

    The error is that of windows of 30 s, or of recordings if not all methods have windows.

    Returns
    -------
    DataFrame
        ``rank, method, checkpoint, trained_on, licence, recordings, failed``, then the scores in
        ``RANKED``. ``failed`` recordings could not be read and are not in the scores.
    """
    own = summary[summary["group"] == "all"]
    table = own.pivot_table(index="method", columns="score", values="value", sort=False)
    table = table.reindex(index=own["method"].unique(), columns=list(RANKED))
    complete = [name for name in RANKED[:2] if table[name].notna().all()]
    table = table.sort_values((complete or list(RANKED[1:2]))[0], kind="stable").reset_index()
    counts = own[own["score"] == "coverage"].set_index("method")["n"]
    table.insert(1, "recordings", table["method"].map(counts).astype(int))
    table.insert(2, "failed", [int((failures["method"] == m).sum()) for m in table["method"]])
    table = origins.merge(table, on="method", how="right")
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def _groups(
    scores: pd.DataFrame,
) -> list[tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]]:
    """Name each group, with a function that selects its rows of a table."""
    groups: list[tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = [("all", lambda t: t)]
    for label in (LABEL + name for name in GROUPS if LABEL + name in scores):
        for value in sorted(scores[label].dropna().unique(), key=str):

            def rows_of(
                table: pd.DataFrame, label: str = label, value: Any = value
            ) -> pd.DataFrame:
                return table[table[label] == value]

            text = f"{value:g}" if isinstance(value, float) else value
            groups.append((f"{label.removeprefix(LABEL)} = {text}", rows_of))
    return groups


def _scored(name: str, score: Score, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    table = tables[score.rows]
    values = table[list(score.columns)].to_numpy(float)
    finite = np.isfinite(values).all(axis=1)
    values, who = values[finite], people(table)[finite].to_numpy()
    low, high = clustered_ci(values, who, score.statistic)
    value = score.statistic(*values.T) if len(values) else float("nan")
    return {
        "score": name,
        "people": len(np.unique(who)),
        "n": len(values),
        "value": value,
        "ci_low": low,
        "ci_high": high,
    }
