"""Probabilities that are calibrated on people the head had not seen.

PROBABILITIES names what a head's probabilities are. It has nothing to do with the normalisation
``calibration``, which takes people's own levels off their features.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import clone, is_classifier

from emotion_rppg.emotion.ensemble import Average, CompositeHead
from emotion_rppg.emotion.wrappers import Calibrated, OnFeatures
from emotion_rppg.errors import InputError

PROBABILITIES = {
    "temperature": "temperature-scaled: one factor, fitted in inner folds on training people whom "
    "the head had not seen, makes its probabilities less or more extreme and changes no decision "
    "(Guo et al. 2017)",
    "own": "as each head gives them",
    "platt": "Platt-scaled: a sigmoid, fitted in inner folds on training people whom the head had "
    "not seen, makes probabilities of what it says (Platt 1999)",
}


class Platt(Calibrated):
    """A classifier whose probabilities a sigmoid corrects, each class weighing the same.

    As `Calibrated`, with a slope and an offset in the place of the factor (Platt 1999).

    A sigmoid has an offset and a sign: on a head that has learned nothing it may turn decisions
    round, which a score near chance then shows.
    """

    _method = "sigmoid"


def with_probabilities(head: Any, probabilities: str, *, numbers: bool = False) -> Any:
    """The head on features, made to give the probabilities of that name in `PROBABILITIES`."""
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
            f"probabilities {probabilities!r} are asked for, and the target is a number: leave "
            "them out, or choose a coding that makes classes"
        )
    if probabilities == "own" or not is_classifier(head):
        return head
    return Platt(head) if probabilities == "platt" else _tempered(head)


def on_features(head: Any) -> Any:
    """The head, given features alone (imputed and scaled) unless it knows of beat tokens itself.

    One that knows has a parameter ``n_features`` somewhere inside.
    """
    if isinstance(head, CompositeHead):
        candidates = [(name, on_features(one)) for name, one in head.candidates]
        return clone(head).set_params(candidates=candidates)
    knows = any(name.rpartition("__")[2] == "n_features" for name in head.get_params())
    return head if knows else OnFeatures(head)


def _tempered(head: Any) -> Any:
    if "calibrate" in head.get_params(deep=False):  # by the people whom it holds out anyway
        return clone(head).set_params(calibrate=True)
    if isinstance(head, Average):
        return Average([(name, _tempered(one)) for name, one in head.candidates])
    says = hasattr(head, "predict_proba") or hasattr(head, "decision_function")
    return Calibrated(head) if says and not isinstance(head, Calibrated) else head
