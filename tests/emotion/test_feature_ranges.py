"""Feature ranges reject windows of another sensor and rarely those of new people."""

import json

import numpy as np
import pytest

from emotion_rppg.emotion.feature_ranges import INSIDE, MIN_WINDOWS, Ranges

NAMES = ("hr_bpm", "rmssd_ms", "pulse_amplitude_au", "pulse_width_50_ms")


def windows(people: int, each: int = 20, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features with differences between people, skewed like amplitudes and variability."""
    draw = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    baseline, scatter = draw.normal(size=(people, 4))[person], draw.normal(size=(len(person), 4))
    logs = np.log([70, 40, 50, 260]) + (baseline + scatter) * [0.1, 0.4, 0.5, 0.1]
    return np.exp(logs), person


@pytest.mark.parametrize("people", [2, 5, 30])
def test_people_like_those_of_the_training_are_rarely_rejected(people):
    ranges = Ranges.of(*windows(people))
    new, _ = windows(200, seed=1)
    share = np.mean(ranges.distances(new) > ranges.limit)
    assert share < (0.4 if people == 2 else 0.15 if people == 5 else 3 * (1 - INSIDE))


def test_another_sensor_is_rejected_with_its_worst_features():
    X, person = windows(30)
    ranges = Ranges.of(X, person)
    finger = np.array([[65.0, 30, 1.6, 130]])
    (reason,) = ranges.reasons(finger, NAMES)
    assert reason.startswith("unlike the windows the model was trained on")
    low, high = np.quantile(X[:, 2], [0.01, 0.99])
    assert f"pulse_amplitude_au 1.6 (trained on {low:.3g} to {high:.3g})" in reason
    assert "hr_bpm" not in reason
    assert ranges.reasons(X[:1], NAMES) == [""]


def test_missing_values_and_constant_features_add_no_distance():
    X, person = windows(20)
    X[:, 0] = 70.0
    ranges = Ranges.of(X, person)
    odd = np.array([[500.0, 40, 50, 260], [np.nan] * 4])
    assert np.isnan(ranges.units(odd)[1]).all()
    assert ranges.units(odd)[0, 0] == 0
    assert ranges.distances(odd).max() < ranges.limit


def test_one_absurd_value_is_bounded_and_zero_is_below_a_positive_range():
    X, person = windows(20)
    ranges = Ranges.of(X, person)
    units = ranges.units(np.array([[70.0, 0.0, 1e12, 260]]))
    assert units[0, 1] == -5
    assert units[0, 2] == 5


def test_one_person_is_enough_and_too_few_windows_give_no_ranges():
    X, person = windows(1)
    ranges = Ranges.of(X, person)
    assert np.mean(ranges.distances(X) > ranges.limit) < 0.1
    assert Ranges.of(X[: MIN_WINDOWS - 1], person[: MIN_WINDOWS - 1]) is None


def test_ranges_survive_json():
    ranges = Ranges.of(*windows(5))
    again = Ranges.from_dict(json.loads(json.dumps(ranges.to_dict())))
    X, _ = windows(3, seed=2)
    np.testing.assert_array_equal(again.distances(X), ranges.distances(X))
    assert again.limit == ranges.limit
    with pytest.raises(ValueError, match="different length"):
        Ranges.from_dict({**ranges.to_dict(), "low": [1.0]})
