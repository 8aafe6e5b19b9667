"""Heads learn nothing from which values are missing or from the number of beats."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from emotion_rppg import evaluate, fit, load
from emotion_rppg.emotion import HEADS
from emotion_rppg.emotion.complete_cases import complete_cases, fit_complete_cases
from emotion_rppg.emotion.deep.estimator import SequenceHead
from emotion_rppg.emotion.design_matrix import Matrix, matrix
from emotion_rppg.errors import InputError
from emotion_rppg.features import hrv, sequences
from emotion_rppg.signals import Beats


def hearts(people: int, each: int, *, short: float, long: float, seed: int = 0) -> pd.DataFrame:
    """Windows of unrelated heart rhythms; the label depends only on the length of the window."""
    draw = np.random.default_rng(seed)
    beats, facts = [], []
    for person in range(people):
        for trial in range(each):
            length, level = long if trial % 2 else short, draw.uniform(0.65, 1.0)
            spread, depth = np.exp(draw.normal(-3.2, 0.5)), np.exp(draw.normal(-3.5, 0.5))
            at = np.arange(int(length / level) + 60)
            breath = depth * np.sin(2 * np.pi * draw.uniform(0.2, 0.3) * level * at)
            times = np.cumsum(level * (1 + spread * draw.normal(size=len(at)) + breath))
            beats.append(Beats(times[times < length], span_s=(0.0, length)))
            fact = {"dataset": "d", "subject": f"s{person}", "session": "1", "trial": str(trial)}
            fact |= {"start_s": 0.0, "duration_s": length, "source": "ecg", "scale_arousal": "1..9"}
            facts.append(fact | {"label_arousal": 8.0 if trial % 2 else 2.0})
    return pd.concat([pd.DataFrame(facts), hrv.table(beats), sequences.table(beats)], axis=1)


QUICK = [name for name in HEADS if name not in ("average", "multitask")]


@pytest.fixture(scope="module")
def unequal() -> pd.DataFrame:
    return hearts(10, 24, short=100.0, long=160.0, seed=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*QUICK, "beats alone"])
def test_windows_of_unequal_length_stay_at_chance(unequal, name):
    """Spectra need 120 s, entropies 100 beats, and there are more beats in 160 s than in 100."""
    missing = unequal["lf_ms2"].isna()
    assert (missing == (unequal["label_arousal"] < 5)).all()
    head = SequenceHead(reads="beats") if name == "beats alone" else clone(HEADS[name])
    head.set_params(**{k: 10 for k in head.get_params() if k == "max_epochs"})
    options = {"split": "subject_folds", "probabilities": "own"}
    scores = evaluate(unequal, target="arousal", heads={"head": head}, **options).scores
    assert abs(scores[scores["head"] == "head"]["balanced_accuracy"].mean() - 0.5) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logistic", "lda", "forest", "boosting", "knn", "mlp"])
def test_missing_values_of_one_class_stay_at_chance(name):
    """A noise feature is missing in 8 % of the windows, all of one class.

    That is below the share that excludes a column: only the selection of rows prevents learning it.
    """
    draw = np.random.default_rng(3)
    y = np.arange(1200) % 2
    X = draw.normal(size=(1200, 4))
    X[(y == 1) & (draw.random(1200) < 0.08), 0] = np.nan
    inputs, groups = Matrix(X, 4, 0, ("a", "b", "c", "d")), np.arange(1200) // 20
    fitted = fit_complete_cases(HEADS[name], inputs, np.arange(1200), y, groups=groups, seed=0)
    assert fitted.layout.names == inputs.names
    hole = draw.normal(size=(400, 4))
    hole[:, 0] = np.nan
    assert 0.1 < np.mean(fitted.predict(hole)) < 0.85
    if name in ("forest", "boosting"):  # which otherwise learn it, though it is the median of all
        learned = clone(HEADS[name]).fit(X, y)
        assert np.mean(learned.predict(hole)) > 0.95


def test_selected_columns_are_jointly_present_in_nine_of_ten_windows_of_every_class():
    y = np.repeat([0, 1], [80, 20])
    X = np.ones((100, 5))
    X[:6, 1] = np.nan  # 7.5 % of class 0
    X[6:12, 2] = np.nan  # as many others: together too many
    X[97:, 3] = np.nan  # 3 % of all, 15 % of class 1
    X[:, 4] = np.nan
    inputs = Matrix(X, 5, 0, tuple("abcde"))
    layout, complete = complete_cases(inputs, np.arange(100), [y])
    assert layout.names == ("a", "b")
    np.testing.assert_array_equal(complete, np.isfinite(X[:, 1]))
    rows = np.arange(12, 97)
    assert complete_cases(inputs, rows, [y[rows]])[0].names == ("a", "b", "c", "d")
    with pytest.raises(InputError, match="none of the 1 feature columns"):
        complete_cases(Matrix(X[:, 4:], 1, 0, ("e",)), np.arange(100), [y])


def test_for_numbers_a_column_must_be_present_in_both_halves():
    number = np.arange(100.0)
    X = np.ones((100, 2))
    X[92:, 1] = np.nan  # 8 % of all, 16 % of the upper half
    layout, _ = complete_cases(Matrix(X, 2, 0, ("a", "b")), np.arange(100), [number])
    assert layout.names == ("a",)


def test_an_empty_column_never_reaches_the_estimator():
    received = []

    class Spy(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            received.append(X)
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            received.append(X)
            return np.full(len(X), self.classes_[0])

    table = hearts(4, 6, short=60.0, long=60.0)
    assert table["lf_ms2"].isna().all()
    evaluate(table, target="arousal", heads={"spy": Spy()}, probabilities="own")
    assert received
    present = matrix(table.dropna(axis=1, how="all")).names
    assert max(X.shape[1] for X in received) <= len(present) < len(matrix(table).names)
    assert all(np.isfinite(X).all() for X in received)


# ---- any estimator -----------------------------------------------------------------------------

ANY = [
    GaussianNB(),
    LinearSVC(),
    SVC(),
    Perceptron(),
    RidgeClassifier(),
    KNeighborsClassifier(3),
    ExtraTreesClassifier(10, random_state=0),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(QuantileTransformer(n_quantiles=10), GaussianNB()),
]


@pytest.fixture(scope="module")
def easy() -> pd.DataFrame:
    table = hearts(6, 8, short=60.0, long=60.0, seed=1)
    for name in ("hr_bpm", "rmssd_ms", "sdnn_ms"):
        table[name] *= 1 + 2 * (table["label_arousal"] > 5)
    return table


@pytest.mark.slow
@pytest.mark.parametrize("probabilities", ["temperature", "own", "platt"])
@pytest.mark.parametrize("head", ANY, ids=lambda head: type(head).__name__)
def test_any_scikit_learn_classifier_is_a_head(easy, head, probabilities, tmp_path):
    options = {"target": "arousal", "probabilities": probabilities}
    scores = evaluate(easy, heads=[head], split="subject_folds", **options).scores
    own = scores[scores["head"] == type(head).__name__]
    assert own["balanced_accuracy"].mean() > 0.7
    model = fit(easy, head=head, **options)
    predictions = model.predict(easy)
    assert set(predictions["arousal"]) == {"low", "high"}
    if probabilities != "own" or hasattr(head, "predict_proba"):
        np.testing.assert_allclose(predictions[["arousal_p_low", "arousal_p_high"]].sum(axis=1), 1)
    else:
        assert predictions[["arousal_p_low", "arousal_p_high"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(load(model.save(tmp_path / "m")).predict(easy), predictions)


@pytest.mark.slow
def test_any_scikit_learn_regressor_is_a_head_for_numbers(easy):
    options = {"target": "arousal", "coding": "as_is"}
    assert np.isfinite(fit(easy, head=LinearRegression(), **options).predict(easy)["arousal"]).all()
    scores = evaluate(easy, heads=[LinearRegression()], **options).scores
    assert "LinearRegression" in set(scores["head"])


@pytest.mark.parametrize(
    ("head", "coding", "message"),
    [
        (KNeighborsClassifier(0), "midpoint", r"'KNeighborsClassifier' cannot be fitted: The"),
        (
            QuadraticDiscriminantAnalysis(reg_param=5.0),
            "midpoint",
            "'QuadraticDiscriminantAnalysis' cannot be fitted: ",
        ),
        (LinearRegression(), "midpoint", "'LinearRegression' predicts numbers and the target has"),
        (GaussianNB(), "as_is", "'GaussianNB' predicts classes and the target is a number"),
        (GaussianNB, "midpoint", "is no scikit-learn estimator"),
        (len, "midpoint", "is no scikit-learn estimator"),
    ],
)
def test_the_error_of_an_estimator_is_one_sentence_with_its_name(easy, head, coding, message):
    for work in (
        lambda: fit(easy, target="arousal", head=head, coding=coding),
        lambda: evaluate(easy, target="arousal", heads=[head], coding=coding),
    ):
        with pytest.raises(InputError, match=message) as caught:
            work()
        assert "\n" not in str(caught.value)
