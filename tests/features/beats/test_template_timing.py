"""Beats are timed by their whole shape; denoising removes noise, not heart rate variability."""

import numpy as np
import pytest

from emotion_rppg.features.beats.template_timing import beat_times

N = 90
AT = 0.7 + 0.8 * np.arange(N)
BREATH = 0.03 * np.sin(2 * np.pi * 0.22 * np.arange(N))


def camera(beats: np.ndarray, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Wave and clock: one pulse per beat, and white noise relative to its height."""
    clock = np.arange(0, beats[-1] + 1, 1 / 50)
    since = clock[:, None] - beats
    wave = np.exp(-0.5 * (since / 0.1) ** 2).sum(axis=1)
    return wave - wave.mean() + np.random.default_rng(seed).normal(0, noise, len(clock)), clock


def spread_ms(found: np.ndarray, truth: np.ndarray) -> float:
    return 1e3 * float(np.std((found - truth)[2:-2]))


def test_approximate_times_become_exact() -> None:
    truth = AT + BREATH
    about = truth + np.random.default_rng(0).uniform(-0.05, 0.05, N)
    found = beat_times(*camera(truth, 0.0), np.sort(about)).times_s
    assert spread_ms(found, truth) < 2


@pytest.mark.parametrize("seed", range(3))
def test_noise_of_a_steady_heart_is_removed(seed: int) -> None:
    found = beat_times(*camera(AT, 0.5, seed), AT).times_s
    error = spread_ms(found, AT)
    best = 1e3 * 0.5 / np.sqrt(50 * np.sqrt(np.pi) / (2 * 0.1))  # of one beat by itself
    assert error < 0.7 * best


@pytest.mark.parametrize("seed", range(3))
def test_breathing_is_not_removed_as_noise(seed: int) -> None:
    truth = AT + BREATH
    found = beat_times(*camera(truth, 0.3, seed), AT).times_s
    ratio = np.std(np.diff(found, 2)) / np.std(np.diff(truth, 2))
    assert ratio == pytest.approx(1, abs=0.2)


def test_in_a_clean_wave_an_irregular_heart_stays_irregular() -> None:
    draw = np.random.default_rng(0)
    truth = AT + draw.normal(0, 0.02, N)
    clock = np.arange(0, truth[-1] + 1, 1 / 50)
    shapes = np.exp(-0.5 * ((clock[:, None] - truth) / 0.1) ** 2)
    wave = shapes @ (1 + 0.1 * draw.normal(size=N))  # heights vary as well
    assert spread_ms(beat_times(wave - wave.mean(), clock, AT)[0], truth) < 6


def test_an_outlier_does_not_move_other_beats() -> None:
    late = (AT + BREATH).copy()
    late[45] += 0.1
    found, whole = (beat_times(*camera(beats, 0.1), AT)[0] for beats in (late, AT + BREATH))
    others = np.r_[10:43, 48:80]
    assert 1e3 * np.abs(found - whole)[others].max() < 6


@pytest.mark.parametrize("n", [0, 1, 3, 5, 16, 17])
def test_few_beats_are_accepted(n: int) -> None:
    found = beat_times(*camera(AT[:20], 0.1), AT[:n]).times_s
    assert found.shape == (n,)
    assert np.isfinite(found).all()


def test_a_flat_wave_moves_no_beat() -> None:
    clock = np.arange(0, 80, 0.02)
    np.testing.assert_allclose(beat_times(np.zeros(len(clock)), clock, AT)[0], AT, atol=1e-6)


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("swing_s", [0.0, 0.03, 0.08])
def test_the_standard_error_equals_the_true_scatter(noise: float, swing_s: float) -> None:
    truth = AT + swing_s / 0.03 * BREATH
    actual, estimated = [], []
    for seed in range(3):
        times, error, *_ = beat_times(*camera(truth, noise, seed), AT)
        actual.append((times - truth)[2:-2])
        estimated.append(error[2:-2])
    spread = np.sqrt(np.mean(np.square(np.array(actual) - np.median(actual))))
    assert np.sqrt(np.mean(np.square(estimated))) == pytest.approx(spread, rel=0.35)


def test_noisier_beats_have_larger_standard_errors() -> None:
    quiet, loud = (beat_times(*camera(AT + BREATH, noise), AT)[1] for noise in (0.1, 0.4))
    assert np.median(loud) > 2 * np.median(quiet)


@pytest.mark.parametrize("n", [0, 3])
def test_fewer_than_four_beats_have_no_standard_error(n: int) -> None:
    assert np.isnan(beat_times(*camera(AT[:20], 0.1), AT[:n])[1]).all()
