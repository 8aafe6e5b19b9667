"""Tables of heads: classifiers, regressors, and the dummies that they must beat.

A head is an unfitted scikit-learn estimator of the array that `design_matrix.matrix` returns.
`design_matrix.fitted_to` clones it and sets its ``n_features``. A head whose ``fit`` takes
``groups`` keeps the windows of one person on one side of its inner splits
(``sklearn.utils.validation.has_fit_parameter(head, "groups")``).
"""

from __future__ import annotations

from collections.abc import Iterable
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
from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# Classifiers. All weigh classes equally ("balanced"), because the scores are balanced and the rarer
# class is mostly the one of interest: probabilities refer to equally frequent classes.
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
            max_bins=63,  # with weights, most of the time goes into finding bin borders
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

# Regressors, for numeric labels with the coding "as_is". A name in both tables is one algorithm.
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

# Late fusion (mean of a linear head, a forest and a network on beats), and one network for all
# requested targets.
_FUSED = ("forest", "lstm")
HEADS["average"] = Average([(name, HEADS[name]) for name in ("logistic", *_FUSED)])
HEADS["multitask"] = MultiTaskHead()
HEADS_REGRESSION["average"] = Average([(n, HEADS_REGRESSION[n]) for n in ("ridge", *_FUSED)])
HEADS_REGRESSION["multitask"] = MultiTaskRegressor()

# Dummies, which any head must beat. "majority" predicts the most frequent training class, with the
# class shares as probabilities; "stratified" draws classes with those shares; "subject_prior" uses
# the identity of the person and nothing else.
DUMMIES = {
    "majority": DummyClassifier(strategy="prior"),
    "stratified": DummyClassifier(strategy="stratified", random_state=0),
    "subject_prior": SubjectPrior(),
}
DUMMIES_REGRESSION = {"mean": DummyRegressor(strategy="mean")}
WITH_ENCODER = "with an encoder's folder (--encoder DIR) also lstm_pretrained"


def heads_for(*, numbers: bool, encoder: str | Path | None = None) -> dict[str, Any]:
    """Return the heads for classes, or for ``numbers``, by name.

    An ``encoder`` folder (``emotion-rppg train encoder``) adds ``lstm_pretrained``: the head
    ``lstm``, whose training begins with the weights of that encoder.
    """
    heads = HEADS_REGRESSION if numbers else HEADS
    if encoder is None:
        return heads
    kind = SequenceRegressor if numbers else SequenceHead
    return {**heads, "lstm_pretrained": kind(encoder=str(encoder))}


def unknown_head(name: str, known: Iterable[str], *, numbers: bool) -> InputError:
    """Explain that no head has this name, or that the head is for the other kind of target."""
    listed = f"known: {', '.join(known)}; {WITH_ENCODER}"
    if name not in {**HEADS, **HEADS_REGRESSION, **DUMMIES, **DUMMIES_REGRESSION}:
        return InputError(f"unknown head {name!r}; {listed}")
    if numbers:
        return InputError(
            f"the head {name!r} predicts classes, and with the coding as_is the target is a "
            f"number: choose a head for numbers, or another coding, such as midpoint; {listed}"
        )
    return InputError(
        f"the head {name!r} predicts numbers, and the target has classes: choose a head for "
        f"classes, or --coding as_is; {listed}"
    )


def own_classes() -> dict[str, type[Any]]:
    """Return the classes of the tables' heads that scikit-learn does not define, by name."""
    heads: list[Any] = [*HEADS.values(), *HEADS_REGRESSION.values()]
    parts = [part for head in heads for part in (head, *head.get_params().values())]
    classes = {type(part) for part in parts if isinstance(part, BaseEstimator)}
    own = {cls for cls in classes if not cls.__module__.startswith("sklearn.")}
    return {cls.__name__: cls for cls in sorted(own, key=lambda cls: cls.__name__)}
