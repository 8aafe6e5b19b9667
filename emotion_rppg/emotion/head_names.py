"""Name heads as people do: "logistic regression", for model cards and reports."""

from __future__ import annotations

from typing import Any

from emotion_rppg.emotion.design_matrix import token_groups

_NAMES = {
    "LogisticRegression": "logistic regression",
    "LinearDiscriminantAnalysis": "linear discriminant analysis",
    "SVC": "support vector machine",
    "SVR": "support vector regression",
    "KNeighborsClassifier": "nearest neighbours",
    "KNeighborsRegressor": "nearest neighbours",
    "RandomForestClassifier": "random forest",
    "RandomForestRegressor": "random forest",
    "HistGradientBoostingClassifier": "gradient-boosted trees",
    "HistGradientBoostingRegressor": "gradient-boosted trees",
    "Ridge": "ridge regression",
}
_CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "conv": "1D-CNN"}


def head_in_words(head: Any) -> str:
    """Name the algorithm of a head, without its wrappers; an unknown one by its class.

    Examples
    --------
    >>> from emotion_rppg.emotion import HEADS
    >>> head_in_words(HEADS["lda"]), head_in_words(HEADS["lstm"])
    ('linear discriminant analysis', 'LSTM on beats and features')
    >>> head_in_words(HEADS["average"])
    'mean of logistic regression, random forest and LSTM on beats and features'
    """
    if hasattr(head, "candidates"):
        *first, last = (head_in_words(part) for _, part in head.candidates)
        mean = type(head).__name__ == "Average"
        return f"{'mean' if mean else 'choice by inner folds'} of {', '.join(first)} and {last}"
    if hasattr(head, "reads") and hasattr(head, "cell"):
        if head.reads == "features":
            return "multilayer perceptron on features"
        groups = token_groups(head.channels.split(",")) if head.channels else []
        read = ", ".join(group.name for group in groups) or "beats"
        read = read if head.reads == "beats" else f"{read} and features"
        several = ", for several targets" if hasattr(head, "several_targets") else ""
        return f"{_CELLS.get(head.cell, head.cell)} on {read}{several}"
    name = type(head).__name__
    inner = None if name in _NAMES else getattr(head, "estimator", None)  # a forest has one, too
    return _NAMES.get(name, name) if inner is None else head_in_words(inner)
