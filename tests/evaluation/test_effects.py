"""Effect sizes are those of the people: inside people where they have both classes."""

import numpy as np
import pytest

from emotion_rppg.evaluation.effects import (
    correlations_of_people,
    effect,
    means_of_people,
)


def test_d_z_is_the_mean_difference_in_units_of_its_spread() -> None:
    first = np.array([60.0, 70.0, 80.0, 90.0])
    found = effect(first, first + np.array([1.0, 2.0, 3.0, 4.0]))
    assert (found.kind, found.people) == ("d_z", 4)
    assert found.difference == pytest.approx(2.5)
    assert found.size == pytest.approx(2.5 / np.std([1, 2, 3, 4], ddof=1))
    assert found.difference_ci[0] < 2.5 < found.difference_ci[1]
    assert found.size_ci[0] < found.size < found.size_ci[1]


def test_people_with_one_class_do_not_count_inside_people() -> None:
    first = np.array([60.0, 70.0, 80.0, 90.0, 500.0, np.nan])
    second = np.array([61.0, 72.0, 83.0, 92.0, np.nan, 10.0])
    found = effect(first, second)
    assert (found.kind, found.people, found.difference) == ("d_z", 4, pytest.approx(2.0))


def test_hedges_g_of_two_groups_is_the_published_formula() -> None:
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0, 7.0])
    nan = np.full(5, np.nan)
    found = effect(np.r_[a, nan], np.r_[nan[:4], b])
    pooled = np.sqrt((3 * a.var(ddof=1) + 4 * b.var(ddof=1)) / 7)
    assert (found.kind, found.people) == ("Hedges' g", 9)
    assert found.size == pytest.approx((5 - 2.5) / pooled * (1 - 3 / 27))
    assert found.difference_ci[0] < 2.5 < found.difference_ci[1]


def test_too_few_people_have_no_effect() -> None:
    nan = float("nan")
    for first, second in (
        ([60.0, 70.0, 80.0], [61.0, 72.0, 84.0]),
        ([60.0, 70.0, nan, nan], [nan, nan, 3.0, 4.0]),
        ([60.0, 70.0, nan], [61.0, nan, 80.0]),
    ):
        found = effect(np.array(first), np.array(second))
        assert found.kind == ""
        assert np.isnan([found.difference, found.size, *found.size_ci]).all()


def test_equal_differences_have_no_standardised_size() -> None:
    first = np.array([60.0, 70.0, 80.0, 90.0])
    found = effect(first, first + 2)
    assert found.difference == 2
    assert np.isnan(found.size)


@pytest.mark.slow
@pytest.mark.parametrize("people", [5, 15])
def test_the_intervals_contain_the_truth_in_about_95_of_100_studies(people) -> None:
    """A percentile bootstrap of five people would contain it in 80."""
    draw = np.random.default_rng(people)
    size = difference = 0
    for study in range(300):
        first = draw.normal(70, 8, people)
        found = effect(first, first + draw.normal(2, 4, people), seed=study)
        size += found.size_ci[0] < 0.5 < found.size_ci[1]
        difference += found.difference_ci[0] < 2 < found.difference_ci[1]
    assert 270 <= size <= 298
    assert 270 <= difference <= 298


@pytest.mark.slow
def test_the_interval_of_two_groups_contains_the_truth_too() -> None:
    draw = np.random.default_rng(2)
    size = difference = 0
    for study in range(300):
        a, b, nan = draw.normal(0, 1, 6), draw.normal(1, 1, 8), np.full(8, np.nan)
        found = effect(np.r_[a, nan], np.r_[nan[:6], b], seed=study)
        size += found.size_ci[0] < 1 < found.size_ci[1]
        difference += found.difference_ci[0] < 1 < found.difference_ci[1]
    assert 270 <= size <= 298
    assert 270 <= difference <= 298


def test_means_are_of_the_windows_with_a_value_and_a_class() -> None:
    nan = float("nan")
    means = means_of_people(
        np.array([60.0, 62.0, nan, 80.0, 70.0, 90.0]),
        np.array([0.0, 0.0, 0.0, 1.0, 0.0, nan]),
        np.array(["a", "a", "a", "a", "b", "b"]),
    )
    assert means.loc["a"].tolist() == [61.0, 80.0]
    assert means.loc["b", 0.0] == 70.0
    assert np.isnan(means.loc["b", 1.0])


def test_correlations_are_inside_people() -> None:
    """Between the two people the feature falls as the rating rises; inside each it rises."""
    ratings = np.array([1.0, 2.0, 3.0, 4.0, 7.0, 8.0, 9.0, 10.0, 5.0, 6.0])
    values = np.array([90.0, 91.0, 92.0, 93.0, 60.0, 61.0, 62.0, 63.0, 1.0, 2.0])
    person = np.array(["a"] * 4 + ["b"] * 4 + ["c"] * 2)
    np.testing.assert_allclose(correlations_of_people(values, ratings, person), [1, 1])
