"""Stage three: heads that turn features and beat sequences into arousal, valence, emotion."""

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

from emotion_rppg.emotion.deep import SequenceHead, SequenceRegressor
from emotion_rppg.emotion.dummies import SubjectPrior
from emotion_rppg.emotion.linear import Calibrated, EqualPriors, OnFeatures

__all__ = ["DUMMIES", "DUMMIES_REGRESSION", "HEADS", "HEADS_REGRESSION"]

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
    "lstm": SequenceHead(),
}

# The same for the coding "as_is" of numbers, under names of their own where they are not the same.
HEADS_REGRESSION = {
    "ridge": OnFeatures(Ridge(alpha=1.0)),
    "svr": OnFeatures(SVR()),
    "forest": OnFeatures(RandomForestRegressor(200, min_samples_leaf=5, random_state=0)),
    "knn": OnFeatures(KNeighborsRegressor(15, algorithm="brute")),
    "boosting": OnFeatures(
        HistGradientBoostingRegressor(
            max_iter=60, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False, random_state=0
        )
    ),
    "lstm": SequenceRegressor(),
}

# What any head must beat. "majority" always says the commonest class, with the classes' shares as
# probabilities; "stratified" draws classes with those shares; "subject_prior" knows who a person is
# and nothing else.
DUMMIES = {
    "majority": DummyClassifier(strategy="prior"),
    "stratified": DummyClassifier(strategy="stratified", random_state=0),
    "subject_prior": SubjectPrior(),
}
DUMMIES_REGRESSION = {"mean": DummyRegressor(strategy="mean")}
