"""Honest evaluation: whole people are held out, dummies stand beside, leaks are refused.

SPLITS: name -> ``(table, *, seed) -> (train rows, test rows)…``, on the table's identities alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emotion_rppg.evaluation.splits import (
    datasets,
    first_minutes,
    leaky_windows,
    loso,
    sessions_within,
    subject_folds,
    trials_within,
)

if TYPE_CHECKING:
    import pandas as pd

SPLITS = {
    "loso": loso,
    "subject_folds": subject_folds,
    "datasets": datasets,
    "trials_within": trials_within,
    "sessions_within": sessions_within,
    "first_minutes": first_minutes,
    "leaky_windows": leaky_windows,
}


def evaluate(
    table: pd.DataFrame, *, target: Any, heads: Any = "all", **options: Any
) -> pd.DataFrame:
    """Score heads on people they never saw; see :func:`emotion_rppg.evaluation.run.evaluate`."""
    # scikit-learn and torch take seconds to import; a list of splits needs neither
    from emotion_rppg.evaluation.run import evaluate as run

    return run(table, target=target, heads=heads, **options)
