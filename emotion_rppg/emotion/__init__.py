"""Stage three: heads that turn features and beat sequences into arousal, valence, emotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from emotion_rppg.emotion.deep.estimator import (
    MultiTaskHead,
    MultiTaskRegressor,
    SequenceHead,
    SequenceRegressor,
)
from emotion_rppg.emotion.dummies import SubjectPrior
from emotion_rppg.emotion.ensemble import Average
from emotion_rppg.emotion.wrappers import Calibrated, EqualPriors, OnFeatures

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "DUMMIES",
    "DUMMIES_REGRESSION",
    "HEADS",
    "HEADS_REGRESSION",
    "WITH_ENCODER",
    "heads_for",
    "own_classes",
]

# Unfitted scikit-learn estimators of the array that inputs.matrix makes; inputs.fitted_to tells a
# clone how wide its features are. Every class weighs the same ("balanced"): scores are balanced
# ones, and the rarer class is mostly the one asked for; probabilities therefore speak of classes
# equally frequent. Heads whose fit takes ``groups`` keep people apart in their inner splits; ask
# sklearn.utils.validation.has_fit_parameter(head, "groups").
HEADS = {
    "logistic": OnFeatures(LogisticRegression(class_weight="balanced", max_iter=2000)),
    "lda": EqualPriors(OnFeatures(LinearDiscriminantAnalysis())),
    "svm": Calibrated(OnFeatures(SVC(class_weight="balanced"))),
    "svm_poly": Calibrated(
        OnFeatures(SVC(kernel="poly", degree=2, coef0=1.0, C=0.1, class_weight="balanced"))
    ),
    "knn": EqualPriors(OnFeatures(KNeighborsClassifier(15, algorithm="brute"))),
    "forest": OnFeatures(
        RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced", random_state=0)
    ),
    "boosting": OnFeatures(
        HistGradientBoostingClassifier(
            max_bins=63,  # with weights, finding their borders takes most of the time
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=8,
            min_samples_leaf=10,
            l2_regularization=1.0,
            class_weight="balanced",
            early_stopping=False,
            random_state=0,
        )
    ),
    "mlp": SequenceHead(reads="features"),
    "lstm": SequenceHead(),
    "cnn": SequenceHead(cell="conv", layers=2),
}

# The same for the coding "as_is" of numbers, under names of their own where they are not the same.
HEADS_REGRESSION = {
    "ridge": OnFeatures(Ridge(alpha=1.0)),
    "svr": OnFeatures(SVR()),
    "forest": OnFeatures(RandomForestRegressor(200, min_samples_leaf=5, random_state=0)),
    "knn": OnFeatures(KNeighborsRegressor(15, algorithm="brute")),
    "boosting": OnFeatures(
        HistGradientBoostingRegressor(
            max_bins=63,
            max_iter=60,
            max_leaf_nodes=8,
            min_samples_leaf=10,
            early_stopping=False,
            random_state=0,
        )
    ),
    "mlp": SequenceRegressor(reads="features"),
    "lstm": SequenceRegressor(),
    "cnn": SequenceRegressor(cell="conv", layers=2),
}

# Made of others: late fusion, the mean of a linear head, trees, and a network of beats; and one
# network for all the targets that are asked for together.
_LATE = ("forest", "lstm")
HEADS["average"] = Average([(name, HEADS[name]) for name in ("logistic", *_LATE)])
HEADS["multitask"] = MultiTaskHead()
HEADS_REGRESSION["average"] = Average([(n, HEADS_REGRESSION[n]) for n in ("ridge", *_LATE)])
HEADS_REGRESSION["multitask"] = MultiTaskRegressor()

# What any head must beat. "majority" always says the commonest class, with the classes' shares as
# probabilities; "stratified" draws classes with those shares; "subject_prior" knows who a person is
# and nothing else.
DUMMIES = {
    "majority": DummyClassifier(strategy="prior"),
    "stratified": DummyClassifier(strategy="stratified", random_state=0),
    "subject_prior": SubjectPrior(),
}
DUMMIES_REGRESSION = {"mean": DummyRegressor(strategy="mean")}
WITH_ENCODER = "with an encoder's folder (--encoder DIR) also lstm_pretrained"


def heads_for(*, numbers: bool, encoder: str | Path | None = None) -> dict[str, Any]:
    """The heads for classes, or for ``numbers``.

    With an encoder's folder (``train encoder``) there is ``lstm_pretrained`` beside them: the head
    ``lstm``, whose training begins with that encoder.
    """
    heads = HEADS_REGRESSION if numbers else HEADS
    if encoder is None:
        return heads
    kind = SequenceRegressor if numbers else SequenceHead
    return {**heads, "lstm_pretrained": kind(encoder=str(encoder))}


def own_classes() -> dict[str, type[Any]]:
    """Classes that the heads of the tables are made of and scikit-learn does not have, by name."""
    heads: list[Any] = [*HEADS.values(), *HEADS_REGRESSION.values()]
    parts = [part for head in heads for part in (head, *head.get_params().values())]
    classes = {type(part) for part in parts if isinstance(part, BaseEstimator)}
    own = {each for each in classes if not each.__module__.startswith("sklearn.")}
    return {each.__name__: each for each in sorted(own, key=lambda each: each.__name__)}
