"""Scores equal those of scikit-learn; wave and beat errors equal the simulated errors."""

import numpy as np
import pytest
from sklearn import metrics as reference

from emotion_rppg import metrics
from emotion_rppg.signals import Beats


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("classes", [2, 3])
def test_class_scores_are_those_of_scikit_learn(draw, classes) -> None:
    truth, predicted = draw.integers(0, classes, 80), draw.integers(0, classes, 80)
    assert metrics.balanced_accuracy(truth, predicted) == pytest.approx(
        reference.balanced_accuracy_score(truth, predicted)
    )


def test_auroc_counts_ties_half(draw) -> None:
    truth, score = draw.integers(0, 2, 60), draw.integers(0, 5, 60) / 5
    assert metrics.auroc(truth, score) == pytest.approx(reference.roc_auc_score(truth, score))


def test_undefined_scores_are_nan() -> None:
    ones, score = np.ones(5), np.linspace(0, 1, 5)
    assert np.isnan(metrics.auroc(ones, score))
    assert np.isnan(metrics.pearson(ones, score))
    assert metrics.balanced_accuracy(ones, ones) == 1.0
    assert np.isnan(metrics.balanced_accuracy([], []))


def test_calibration_error_is_the_difference_of_predicted_and_true_probability() -> None:
    truth = np.array([1, 1, 1, 0] * 25)
    assert metrics.ece(truth, np.full(100, 0.75)) == pytest.approx(0.0)
    assert metrics.ece(truth, np.full(100, 0.95)) == pytest.approx(0.2)


def test_ccc_punishes_scale_and_shift_that_r_forgives(draw) -> None:
    truth = draw.normal(5, 1, 200)
    assert metrics.ccc(truth, truth) == pytest.approx(1.0)
    assert metrics.pearson(truth, 2 * truth + 3) == pytest.approx(1.0)
    assert metrics.ccc(truth, 2 * truth + 3) < 0.3
    assert metrics.rmse(truth, truth + 2) == pytest.approx(2.0)


def test_rate_errors_use_only_finite_pairs() -> None:
    errors = metrics.rate_errors([60, 70, np.nan, 100], [61, 68, 80, 100])
    assert errors.mae == pytest.approx(1.0)
    assert errors.rmse == pytest.approx(np.sqrt(5 / 3))
    assert errors.r > 0.99


def test_the_lag_of_a_late_wave_is_positive_and_an_inverted_wave_scores_below_zero() -> None:
    t = np.arange(600) / 30
    truth = np.sin(2 * np.pi * 0.31 * t) + 0.3 * np.sin(2 * np.pi * 0.77 * t)
    late = np.roll(truth, 6)
    r, lag = metrics.wave_correlation(late, truth, 30.0)
    assert r > 0.99
    assert lag == pytest.approx(0.2)
    assert metrics.wave_correlation(-truth, truth, 30.0, within_s=0.1)[0] < 0


def test_missing_samples_are_excluded_from_the_correlation() -> None:
    truth = np.sin(np.arange(600) / 5)
    incomplete = np.roll(truth, 3)
    incomplete[100:160] = np.nan
    r, lag = metrics.wave_correlation(incomplete, truth, 30.0)
    assert r > 0.99
    assert lag == pytest.approx(0.1)
    incomplete[20:] = np.nan
    assert np.isnan(metrics.wave_correlation(incomplete, truth, 30.0)[0])


def test_beats_in_gaps_of_the_truth_are_ignored_and_in_gaps_of_the_detection_missed() -> None:
    beats = np.arange(1, 61) * 0.8
    incomplete = beats[(beats < 16) | (beats > 32)]
    gap = [(16.5, 31.5)]
    assert metrics.beat_errors(Beats(beats), Beats(incomplete, gaps=gap)).f1 > 0.97
    assert metrics.beat_errors(Beats(incomplete, gaps=gap), Beats(beats)).f1 < 0.85


def test_beat_errors_subtract_the_delay_and_count_missed_and_extra_beats(draw) -> None:
    truth = np.cumsum(draw.normal(0.8, 0.03, 100))
    detected = truth + 0.22 + draw.normal(0, 0.004, 100)
    errors = metrics.beat_errors(Beats(detected), Beats(truth))
    assert errors.f1 == 1.0
    assert errors.jitter_ms == pytest.approx(4.0, abs=1.0)
    assert errors.offset_ms == pytest.approx(220, abs=2)
    fewer = metrics.beat_errors(Beats(np.delete(detected, [10, 20, 30])), Beats(truth))
    assert fewer.f1 == pytest.approx(2 * 97 / 197)
    extra = metrics.beat_errors(Beats(np.sort(np.r_[detected, detected[:50] + 0.4])), Beats(truth))
    assert extra.f1 == pytest.approx(2 * 100 / 250)
    assert metrics.beat_errors(Beats([]), Beats(truth)).f1 == 0.0
