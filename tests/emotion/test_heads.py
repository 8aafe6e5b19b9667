"""Laws of every head: learns an easy task, finds nothing in noise, handles missing values."""

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import has_fit_parameter

from emotion_rppg.emotion import (
    DUMMIES,
    DUMMIES_REGRESSION,
    HEADS,
    HEADS_REGRESSION,
    unknown_head,
)
from emotion_rppg.emotion.calibration import Platt
from emotion_rppg.emotion.wrappers import Calibrated, temperature

FEATURES, CHANNELS = 6, 2
# Checks of scikit-learn that a head may fail, with the reason; at most two a head. None does.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {}

ALL = {**HEADS, **{f"{name} of a number": head for name, head in HEADS_REGRESSION.items()}}
READ_BEATS = ("lstm", "cnn", "average", "multitask")
every_head = pytest.mark.parametrize("name", HEADS)


def head(name, *, features=FEATURES, channels=CHANNELS):
    made = clone(HEADS[name])
    layout = {"n_features": features, "n_token_channels": channels}
    return made.set_params(
        **{k: layout[v] for k in made.get_params() if (v := k.rpartition("__")[2]) in layout}
    )


def sequences(n, rng, *, order=None, longest=60):
    """Intervals and confidences, NaN-padded and flattened; ``order`` +1 slows down, -1 speeds up.

    The values do not depend on the order: only a head that reads the sequence can tell it.
    """
    tokens = np.full((n, longest, CHANNELS), np.nan)
    for i in range(n):
        beats = rng.integers(longest * 2 // 3, longest + 1)
        intervals = rng.normal(800, 60, beats)
        if order is not None:
            intervals = np.sort(intervals)[:: order[i]]
        tokens[i, :beats] = np.column_stack([intervals, rng.uniform(0.5, 1, beats)])
    return tokens.reshape(n, -1)


def windows(n, rng, *, shift=0.0):
    """(X, y, people): the first two features differ by ``shift`` deviations between classes."""
    y = rng.integers(0, 2, n)
    features = rng.normal(size=(n, FEATURES)) * [1, 10, 1e3, 1, 1e-3, 1] + [0, 800, 0, 5, 0, 60]
    features[:, 0] += shift * (y - 0.5)
    features[:, 1] += 10 * shift * (y - 0.5)
    return np.hstack([features, sequences(n, rng, longest=20)]), y, np.arange(n) // 10


def fit(name, X, y, people, **layout):
    made = head(name, **layout)
    return made.fit(X, y, **({"groups": people} if has_fit_parameter(made, "groups") else {}))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_scikit_learns_own_checks(name):
    made = clone(ALL[name])
    quick = {"max_epochs": 8, "n_estimators": 20, "folds": 2}
    if name.startswith("average"):
        quick = {"max_epochs": 2, "n_estimators": 5}
    if name.startswith("boosting"):
        quick["max_iter"] = 10
    made.set_params(
        **{k: quick[v] for k in made.get_params() if (v := k.rpartition("__")[2]) in quick}
    )
    expected = EXPECTED_FAILURES.get(name, {})
    assert len(expected) <= 2
    results = check_estimator(made, expected_failed_checks=expected, on_skip=None, on_fail=None)
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not failed
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(expected)


@every_head
def test_learns_an_easy_task_despite_missing_values_and_tokens(name):
    rng = np.random.default_rng(1)
    X, y, people = windows(160, rng, shift=4)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 3] = np.nan  # a feature that no window was long enough for
    fitted = fit(name, X[:80], y[:80], people[:80])
    assert balanced_accuracy_score(y[80:], fitted.predict(X[80:])) > 0.85


@every_head
def test_stays_at_chance_on_noise(name):
    X, y, people = windows(700, np.random.default_rng(2))
    fitted = fit(name, X[:100], y[:100], people[:100])
    assert abs(balanced_accuracy_score(y[100:], fitted.predict(X[100:])) - 0.5) < 0.07


@pytest.mark.slow
@every_head
def test_a_rare_class_is_still_predicted(name):
    rng = np.random.default_rng(3)
    X, y, _ = windows(900, rng, shift=1)
    rare = np.flatnonzero((y == 0) | (rng.random(len(y)) < 0.15))
    X, y, people = X[rare], y[rare], np.arange(len(rare)) // 10
    fitted = fit(name, X[:200], y[:200], people[:200])
    recall = np.mean(fitted.predict(X[200:])[y[200:] == 1] == 1)
    assert recall > 0.45


@every_head
def test_probabilities_add_up_and_name_the_prediction(name):
    rng = np.random.default_rng(4)
    X, _, people = windows(90, rng)
    y = np.array(["calm", "happy", "tense"])[rng.integers(0, 3, 90)]
    fitted = fit(name, X, y, people)
    p = fitted.predict_proba(X)
    assert p.shape == (90, 3)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert fitted.classes_.tolist() == ["calm", "happy", "tense"]
    np.testing.assert_array_equal(fitted.classes_[p.argmax(axis=1)], fitted.predict(X))


@pytest.mark.slow
@every_head
def test_same_data_same_head_whatever_ran_before(name):
    X, y, people = windows(60, np.random.default_rng(5), shift=1)
    first = fit(name, X, y, people).predict_proba(X)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 — the global state is what must not matter
    np.testing.assert_array_equal(fit(name, X, y, people).predict_proba(X), first)


@pytest.mark.slow
@every_head
def test_fitting_leaves_the_global_state_as_it_was(name):
    X, y, people = windows(60, np.random.default_rng(5), shift=1)
    torch.manual_seed(7)
    before, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        fit(name, X, y, people).predict(X)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
@every_head
def test_without_tokens_all_columns_are_features(name):
    X, y, people = windows(160, np.random.default_rng(6), shift=4)
    fitted = fit(name, X[:80, :FEATURES], y[:80], people[:80], features=None, channels=0)
    predicted = fitted.predict(X[80:, :FEATURES])
    assert balanced_accuracy_score(y[80:], predicted) > 0.85


@pytest.mark.parametrize("name", [n for n in HEADS if n not in READ_BEATS])
def test_a_head_on_features_ignores_the_tokens(name):
    X, y, people = windows(60, np.random.default_rng(7), shift=1)
    other = X.copy()
    other[:, FEATURES:] = 1e6
    np.testing.assert_array_equal(
        fit(name, X, y, people).predict_proba(X), fit(name, other, y, people).predict_proba(other)
    )


@pytest.mark.slow
def test_only_heads_that_read_beats_learn_their_order():
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, 240)
    tokens = sequences(240, rng, order=2 * y - 1)
    values = tokens.reshape(240, -1, CHANNELS)[:, :, 0]
    features = np.column_stack(
        [np.nanmean(values, axis=1), np.nanstd(values, axis=1), np.isfinite(values).sum(axis=1)]
    )
    X, people = np.hstack([features, tokens]), np.arange(240) // 10
    score = {}
    for name in ("lstm", "cnn", "logistic", "mlp"):
        fitted = fit(name, X[:120], y[:120], people[:120], features=3)
        score[name] = balanced_accuracy_score(y[120:], fitted.predict(X[120:]))
    assert min(score["lstm"], score["cnn"]) > 0.85
    assert max(score["logistic"], score["mlp"]) < 0.65


@pytest.mark.slow
def test_a_window_without_a_beat_still_gets_a_prediction():
    X, y, people = windows(60, np.random.default_rng(9), shift=4)
    for name in ("lstm", "cnn"):
        X[:5, FEATURES:] = np.nan
        assert np.isfinite(fit(name, X, y, people).predict_proba(X)).all()
    X[:, FEATURES:] = np.nan
    assert np.isfinite(fit("lstm", X, y, people).predict_proba(X)).all()


def test_columns_that_are_no_whole_tokens_are_refused():
    X, y, _ = windows(30, np.random.default_rng(10))
    with pytest.raises(ValueError, match="complete tokens"):
        head("lstm").fit(X[:, :-1], y)


@pytest.mark.parametrize("name", [n for n in HEADS if has_fit_parameter(HEADS[n], "groups")])
def test_inner_splits_are_group_disjoint(name, monkeypatch):
    """With groups, no person is on both sides of any inner split of a head."""
    import sklearn.model_selection as selection

    overlaps = []

    def spy(self, X, y=None, groups=None):
        for train, test in original(self, X, y, groups):
            overlaps.append(set(people[train]) & set(people[test]))
            yield train, test

    original = selection.StratifiedGroupKFold.split
    monkeypatch.setattr(selection.StratifiedGroupKFold, "split", spy)
    X, y, people = windows(60, np.random.default_rng(11))
    fit(name, X, y, people)
    assert overlaps
    assert not any(overlaps)


def test_calibration_changes_no_decision():
    """On noise an unconstrained calibration would; the order of decisions must stay."""
    X, y, people = windows(100, np.random.default_rng(12))
    fitted = fit("svm", X, y, people)
    decision = fitted.estimator_.calibrated_classifiers_[0].estimator.decision_function(X)
    np.testing.assert_array_equal(fitted.predict(X), (decision > 0).astype(int))
    high = fitted.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(np.argsort(high), np.argsort(decision))
    assert high.std() > 0


def test_calibration_is_one_factor_fitted_on_held_out_people():
    """scikit-learn's temperature equals that of `temperature`, which the networks use."""
    X, y, people = windows(120, np.random.default_rng(17), shift=1)
    calibrated = Calibrated(head("logistic"))
    own = clone(head("logistic")).fit(X, y)
    splits = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, people)
    held_out = np.empty((len(y), 2))
    for train, test in splits:
        held_out[test] = clone(own).fit(X[train], y[train]).predict_proba(X[test])
    powers = own.predict_proba(X) ** temperature(np.log(held_out), y)
    expected = powers / powers.sum(axis=1, keepdims=True)
    named = np.array(["high", "low"])[y], np.array([7, 3])[y]
    for labels, order in ((y, [0, 1]), (named[0], [0, 1]), (named[1], [1, 0])):
        fitted = clone(calibrated).fit(X, labels, groups=people)
        np.testing.assert_allclose(fitted.predict_proba(X)[:, order], expected, atol=1e-5)
        assert set(fitted.predict(X)) == set(labels)
    assert fitted.estimator_.cv is None, "a model must not contain the rows of the folds"


def test_with_too_few_people_probabilities_are_the_softmax_of_decisions():
    X, y, _ = windows(40, np.random.default_rng(18), shift=1)
    fitted = fit("svm", X, y, np.zeros(40))
    decision = fitted.estimator_.decision_function(X)
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], 1 / (1 + np.exp(-2 * decision)))
    # as a class that one person alone has: no head learns it without that person
    alone = np.zeros(40), np.repeat([0, 1, 2, 3], 10)
    alone[0][:5] = 1
    fitted = fit("svm", X, *alone)
    decision = fitted.estimator_.decision_function(X)
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], 1 / (1 + np.exp(-2 * decision)))


def test_a_model_with_the_factor_of_an_old_version_still_uses_it():
    """Models of version 0.1 may contain such a factor."""
    X, y, _ = windows(40, np.random.default_rng(19), shift=1)
    saved = fit("svm", X, y, np.zeros(40))
    decision, saved.factor_ = saved.estimator_.decision_function(X), 0.5
    np.testing.assert_allclose(saved.predict_proba(X)[:, 1], 1 / (1 + np.exp(-decision)))


def test_calibrated_probabilities_of_noise_are_near_chance():
    noise, y, people = windows(120, np.random.default_rng(13))
    easy, z, _ = windows(120, np.random.default_rng(13), shift=6)
    noise_probabilities = (
        fit("svm", noise[:60], y[:60], people[:60]).predict_proba(noise[60:]).max(axis=1)
    )
    easy_probabilities = (
        fit("svm", easy[:60], z[:60], people[:60]).predict_proba(easy[60:]).max(axis=1)
    )
    assert noise_probabilities.mean() < 0.65
    assert easy_probabilities.mean() > 0.85


@pytest.mark.slow
def test_calibration_copes_with_a_class_of_one_row():
    X, y, people = windows(30, np.random.default_rng(14))
    y[:] = 0
    y[7] = 1
    for name in HEADS:
        assert np.isfinite(fit(name, X, y, people).predict_proba(X)).all()


@pytest.mark.slow
def test_regression_heads_learn_a_number():
    rng = np.random.default_rng(15)
    X, _, people = windows(200, rng)
    y = 5 + 2 * X[:, 0] + 0.1 * rng.normal(size=200)
    for name, unfitted in HEADS_REGRESSION.items():
        layout = {"n_features": FEATURES, "n_token_channels": CHANNELS}
        made = clone(unfitted)
        made.set_params(
            **{k: layout[v] for k in made.get_params() if (v := k.rpartition("__")[2]) in layout}
        )
        groups = {"groups": people[:120]} if has_fit_parameter(made, "groups") else {}
        assert made.fit(X[:120], y[:120], **groups).score(X[120:], y[120:]) > 0.5, name


@pytest.mark.slow
def test_scikit_learns_own_checks_of_platts_sigmoid():
    results = check_estimator(Platt(HEADS["logistic"], folds=2), on_skip=None, on_fail=None)
    assert not [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]


def test_the_tables_contain_classifiers_regressors_and_dummies():
    assert all(is_classifier(h) for h in [*HEADS.values(), *DUMMIES.values()])
    assert all(is_regressor(h) for h in [*HEADS_REGRESSION.values(), *DUMMIES_REGRESSION.values()])
    assert {"logistic", "svm", "forest", "lstm", "lda", "knn", "boosting", "svm_poly"} <= set(HEADS)
    assert set(DUMMIES) == {"majority", "stratified", "subject_prior"}


@pytest.mark.parametrize("name", DUMMIES)
def test_a_dummy_ignores_features_and_missing_values(name):
    X, y, _ = windows(60, np.random.default_rng(16), shift=4)
    fitted = clone(DUMMIES[name]).fit(X, y)
    np.testing.assert_array_equal(
        fitted.predict_proba(X), fitted.predict_proba(np.full_like(X, np.nan))
    )


def test_a_head_for_the_other_kind_of_target_is_named_as_such():
    message = str(unknown_head("logistic", HEADS_REGRESSION, numbers=True))
    assert (
        "'logistic' predicts classes, and with the coding as_is the target is a number" in message
    )
    assert "known: ridge" in message
    message = str(unknown_head("ridge", HEADS, numbers=False))
    assert "'ridge' predicts numbers, and the target has classes" in message
    assert str(unknown_head("tree", HEADS, numbers=False)).startswith("unknown head 'tree'; known:")
