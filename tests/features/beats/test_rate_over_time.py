"""The heart rate over time: right where a single window is wrong, withheld in noise and gaps."""

from dataclasses import replace

import numpy as np
import pytest

from emotion_rppg import Signal
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.rate_over_time import heart_rate_over_time
from emotion_rppg.features.beats.rate_tracking import rate_path, rate_path_with_margin
from emotion_rppg.signal_quality import rates_of_windows

RATE_HZ = 30.0


def pulse(bpm: np.ndarray, *, noise: float = 0.0, seed: int = 0) -> Signal:
    """Generate a camera wave of a given rate at each sample, in noise."""
    phase = 2 * np.pi * np.cumsum(bpm) / 60 / RATE_HZ
    draw = np.random.default_rng(seed)
    wave = np.sin(phase) + 0.3 * np.sin(2 * phase - 1) + noise * draw.normal(size=len(bpm))
    return Signal(wave, RATE_HZ, kind="rppg")


def test_a_changing_rate_is_followed_and_trusted() -> None:
    bpm = np.linspace(60, 95, round(90 * RATE_HZ))
    found = heart_rate_over_time(pulse(bpm, noise=0.7))
    truth = np.interp(found.times_s, np.arange(len(bpm)) / RATE_HZ, bpm)
    trusted = np.isfinite(found.trusted())
    assert trusted.mean() > 0.9
    assert np.abs(found.hr_bpm - truth)[trusted].max() < 3


def test_context_wins_over_a_stronger_rhythm_of_a_few_seconds() -> None:
    """A motion of ten seconds has the highest peak of its windows; the heart rate has the path."""
    wave = pulse(np.full(round(60 * RATE_HZ), 70.0), noise=0.3)
    times = wave.times_s
    burst = 2.0 * np.sin(2 * np.pi * 2.0 * times) * ((times > 25) & (times < 35))
    wave = replace(wave, samples=wave.samples + burst)
    single = {round(middle): bpm for middle, bpm, _, _ in rates_of_windows(wave, 10, 1)}
    found = heart_rate_over_time(wave)
    assert single[30] == pytest.approx(120, abs=3)
    assert found.hr_bpm[np.abs(found.times_s - 30).argmin()] == pytest.approx(70, abs=3)


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_trusted_rate(seed: int) -> None:
    white = np.random.default_rng(seed).normal(size=round(60 * RATE_HZ))
    for samples in (white, np.cumsum(white)):
        found = heart_rate_over_time(Signal(samples, RATE_HZ, kind="rppg"))
        assert np.isfinite(found.trusted()).mean() < 0.1


def test_gaps_have_no_rates_and_contradicted_samples_no_trusted_ones() -> None:
    wave = pulse(np.full(round(60 * RATE_HZ), 70.0))
    samples, quality = wave.samples.copy(), np.ones(len(wave))
    samples[round(20 * RATE_HZ) : round(30 * RATE_HZ)] = np.nan
    quality[round(40 * RATE_HZ) :] = 0.0
    found = heart_rate_over_time(replace(wave, samples=samples, quality=quality, start_s=100.0))
    times = found.times_s - 100.0
    assert not ((times > 21) & (times < 29)).any()
    assert times.min() < 10
    assert times.max() > 50
    assert np.isfinite(found.trusted()[times < 39]).all()
    assert np.isnan(found.trusted()[times > 41]).all()


@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_a_wave_that_is_too_short_has_no_rates(seconds: float) -> None:
    found = heart_rate_over_time(pulse(np.full(round(seconds * RATE_HZ), 70.0)))
    assert len(found.times_s) == len(found.hr_bpm) == len(found.trusted()) == 0


def test_the_path_with_margin_is_the_path_and_its_margin_is_small_in_noise() -> None:
    clear = pulse(np.full(round(40 * RATE_HZ), 70.0), noise=0.3)
    noise = np.random.default_rng(1).normal(size=len(clear))
    margins = []
    for samples in (clear.samples, noise):
        times, path, margin = rate_path_with_margin(samples, RATE_HZ)
        np.testing.assert_array_equal((times, path), rate_path(samples, RATE_HZ))
        assert (margin >= 0).all()
        margins.append(np.median(margin))
    assert margins[0] > 1.5 * margins[1]


def test_an_ecg_is_refused() -> None:
    with pytest.raises(InputError, match=r"kind='ecg'.*rppg"):
        heart_rate_over_time(Signal(np.zeros(1000), 250.0, kind="ecg"))
