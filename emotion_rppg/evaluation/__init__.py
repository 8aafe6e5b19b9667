"""Honest evaluation: whole people are held out, dummies stand beside, leaks are refused.

SPLITS: name -> ``(table, *, seed) -> (train rows, test rows)…``, on the table's identities alone.
"""

from __future__ import annotations

from importlib import import_module
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
    from emotion_rppg.evaluation.result import Evaluation, PulseEvaluation
    from emotion_rppg.evaluation.run import evaluate

SPLITS = {
    "loso": loso,
    "subject_folds": subject_folds,
    "datasets": datasets,
    "trials_within": trials_within,
    "sessions_within": sessions_within,
    "first_minutes": first_minutes,
    "leaky_windows": leaky_windows,
}


_HOME = {"evaluate": "run", "Evaluation": "result", "PulseEvaluation": "result"}
__all__ = ["SPLITS", "Evaluation", "PulseEvaluation", "evaluate"]


def __getattr__(name: str) -> Any:
    # on first use: a list of splits needs neither scikit-learn nor torch, which load slowly
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
