"""ROC and precision–recall curves are means of people's curves, with scikit-learn's areas."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from emotion_rppg.evaluation.curves import GRID, curves_of_people


@pytest.fixture
def windows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    person = np.repeat(["a", "b", "c"], 60)
    positive = draw.uniform(size=180) < 0.35
    probability = np.round(np.clip(draw.normal(0.4 + 0.2 * positive, 0.2), 0, 1), 2)  # with ties
    positive[person == "c"] = True  # one class: no curve
    return positive, probability, person


def test_areas_are_those_of_scikit_learn(windows) -> None:
    positive, probability, person = windows
    curves = curves_of_people(*windows)
    assert curves.roc.shape == curves.precision.shape == (2, len(GRID))
    for k, name in enumerate("ab"):
        own = person == name
        truth, p = positive[own], probability[own]
        assert curves.auroc[k] == pytest.approx(roc_auc_score(truth, p))
        assert curves.average_precision[k] == pytest.approx(average_precision_score(truth, p))
        assert curves.share[k] == truth.mean()


def test_the_area_under_the_drawn_curve_is_the_stated_one(windows) -> None:
    curves = curves_of_people(*windows)
    area = np.trapezoid(curves.roc.mean(axis=0), GRID)
    assert area == pytest.approx(curves.auroc.mean(), abs=0.01)
    area = np.trapezoid(curves.precision.mean(axis=0), GRID)
    assert area == pytest.approx(curves.average_precision.mean(), abs=0.01)


def test_perfect_and_useless_predictions() -> None:
    positive = np.tile([True, False, False, False], 10)
    person = np.repeat(["a", "b"], 20)
    perfect = curves_of_people(positive, positive.astype(float), person)
    assert (perfect.roc == 1).all()
    assert (perfect.precision == 1).all()
    useless = curves_of_people(positive, np.full(40, 0.3), person)
    np.testing.assert_allclose(useless.roc, [GRID, GRID], atol=1e-9)
    np.testing.assert_allclose(useless.precision, 0.25)


def test_without_a_person_of_both_classes_there_is_no_curve() -> None:
    curves = curves_of_people(np.array([True, True]), np.array([0.2, 0.4]), np.array(["a", "b"]))
    assert curves.roc.shape == (0, len(GRID))
    assert not len(curves.auroc)
