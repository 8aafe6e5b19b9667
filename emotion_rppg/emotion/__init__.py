"""Stage three: heads that turn features and beat sequences into arousal, valence, emotion."""

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC, SVR

from emotion_rppg.emotion.deep import SequenceHead, SequenceRegressor
from emotion_rppg.emotion.linear import Calibrated, OnFeatures

__all__ = ["DUMMIES", "DUMMIES_REGRESSION", "HEADS", "HEADS_REGRESSION"]

# Unfitted scikit-learn estimators of the array that inputs.matrix makes; inputs.fitted_to tells a
# clone how wide its features are. Every class weighs the same ("balanced"): scores are balanced
# ones, and the rarer class is mostly the one asked for; probabilities therefore speak of classes
# equally frequent. Heads whose fit takes ``groups`` keep people apart in their inner splits; ask
# sklearn.utils.validation.has_fit_parameter(head, "groups").
HEADS = {
    "logistic": OnFeatures(LogisticRegression(class_weight="balanced", max_iter=2000)),
    "svm": Calibrated(OnFeatures(SVC(class_weight="balanced"))),
    "forest": OnFeatures(
        RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced", random_state=0)
    ),
    "lstm": SequenceHead(),
}

# The same for the coding "as_is" of numbers, under names of their own where they are not the same.
HEADS_REGRESSION = {
    "ridge": OnFeatures(Ridge(alpha=1.0)),
    "svr": OnFeatures(SVR()),
    "forest": OnFeatures(RandomForestRegressor(200, min_samples_leaf=5, random_state=0)),
    "lstm": SequenceRegressor(),
}

# What any head must beat. "majority" always says the commonest class, with the classes' shares as
# probabilities; "stratified" draws classes with those shares.
DUMMIES = {
    "majority": DummyClassifier(strategy="prior"),
    "stratified": DummyClassifier(strategy="stratified", random_state=0),
}
DUMMIES_REGRESSION = {"mean": DummyRegressor(strategy="mean")}
