"""Evaluate heads on held-out people, beside dummies and baselines; refuse what would leak.

SPLITS: name -> `Split`, ``(table, *, seed) -> (train rows, test rows)…`` from the table's
identities alone, with its unit and its description.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emotion_rppg.evaluation.splits import SPLITS, Split

if TYPE_CHECKING:
    from emotion_rppg.evaluation.result import Evaluation, PulseEvaluation
    from emotion_rppg.evaluation.run import evaluate

_HOME = {"evaluate": "run", "Evaluation": "result", "PulseEvaluation": "result"}
__all__ = ["SPLITS", "Evaluation", "PulseEvaluation", "Split", "evaluate"]


def __getattr__(name: str) -> Any:
    # imported on first use: a list of splits needs neither scikit-learn nor torch (slow to load)
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
