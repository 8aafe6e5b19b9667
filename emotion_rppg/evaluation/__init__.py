"""Honest evaluation: whole people are held out, dummies stand beside, leaks are refused.

SPLITS: name -> `Split`, ``(table, *, seed) -> (train rows, test rows)…`` on the table's identities
alone, with its unit and its description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emotion_rppg.evaluation.splits import SPLITS, Split

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SPLITS", "Split", "evaluate"]


def evaluate(
    table: pd.DataFrame, *, target: Any, heads: Any = "all", **options: Any
) -> pd.DataFrame:
    """Score heads on people they never saw; see :func:`emotion_rppg.evaluation.run.evaluate`."""
    # scikit-learn and torch take seconds to import; a list of splits needs neither
    from emotion_rppg.evaluation.run import evaluate as run

    return run(table, target=target, heads=heads, **options)
