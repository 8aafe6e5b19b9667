"""Calibrate class probabilities on people who were not in the training of the head.

``PROBABILITIES`` names the options. The normalisation ``calibration`` is something else: it
subtracts each person's subject baseline from the features (`subject_baseline`).
"""

from __future__ import annotations

from typing import Any

from sklearn.base import clone, is_classifier

from emotion_rppg.emotion.ensemble import Average, CompositeHead
from emotion_rppg.emotion.wrappers import Calibrated, OnFeatures
from emotion_rppg.errors import InputError

PROBABILITIES = {
    "temperature": "temperature-scaled: one factor makes the probabilities less or more extreme "
    "and changes no decision; it is fitted in inner folds, on training people whom the head was "
    "not fitted on (Guo et al. 2017)",
    "own": "not calibrated: as each head computes them",
    "platt": "Platt-scaled: a sigmoid turns decision values into probabilities; it is fitted in "
    "inner folds, on training people whom the head was not fitted on (Platt 1999)",
}


class Platt(Calibrated):
    """Calibrate a classifier with Platt's sigmoid, each class with equal weight.

    As `Calibrated`, with a slope and an offset in place of the factor (Platt 1999). Both may change
    decisions: with a head that has learned nothing they may even reverse them, which shows as a
    score near chance.
    """

    _method = "sigmoid"


def with_probabilities(head: Any, probabilities: str, *, numbers: bool = False) -> Any:
    """Wrap a head so that its probabilities are those of an entry of `PROBABILITIES`.

    Parameters
    ----------
    head : scikit-learn estimator
        One without a parameter ``n_features`` is first wrapped in `OnFeatures`.
    numbers : bool
        Whether the target is a number (regression), which has no probabilities.

    Raises
    ------
    InputError
        Unknown name; an object that is no estimator; ``"platt"`` for a number.
    """
    if probabilities not in PROBABILITIES:
        known = ", ".join(PROBABILITIES)
        raise InputError(f"unknown probabilities {probabilities!r}; known: {known}")
    if not hasattr(head, "get_params") or isinstance(head, type):
        raise InputError(
            f"{head!r} is no scikit-learn estimator: give an object such as LogisticRegression()"
        )
    head = on_features(head)
    if probabilities == "platt" and numbers:
        raise InputError(
            f"probabilities={probabilities!r} needs classes, but the target is a number: omit "
            "probabilities, or choose a coding that makes classes ('midpoint')"
        )
    if probabilities == "own" or not is_classifier(head):
        return head
    return Platt(head) if probabilities == "platt" else _temperature_scaled(head)


def on_features(head: Any) -> Any:
    """Wrap a head in `OnFeatures`, unless it or a part of it has a parameter ``n_features``.

    A head with that parameter separates features and beat tokens itself.
    """
    if isinstance(head, CompositeHead):
        candidates = [(name, on_features(part)) for name, part in head.candidates]
        return clone(head).set_params(candidates=candidates)
    splits = any(name.rpartition("__")[2] == "n_features" for name in head.get_params())
    return head if splits else OnFeatures(head)


def _temperature_scaled(head: Any) -> Any:
    if "calibrate" in head.get_params(deep=False):  # uses people whom the head holds out anyway
        return clone(head).set_params(calibrate=True)
    if isinstance(head, Average):
        return Average([(name, _temperature_scaled(part)) for name, part in head.candidates])
    scored = hasattr(head, "predict_proba") or hasattr(head, "decision_function")
    return Calibrated(head) if scored and not isinstance(head, Calibrated) else head
