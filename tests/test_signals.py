"""Signals and beats retain their clock; no operation bridges missing samples."""

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Beats, Signal


def sine(hz: float, *, rate_hz: float = 30.0, duration_s: float = 20.0, **rest) -> Signal:
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    return Signal(np.sin(2 * np.pi * hz * t), rate_hz, **rest)


def test_crops_that_adjoin_share_no_sample_and_lose_none() -> None:
    signal = Signal(np.arange(300.0), 30, start_s=5.0, quality=np.linspace(0, 1, 300))
    a, b = signal.crop(5, 9.4), signal.crop(9.4, 15)
    np.testing.assert_array_equal(np.r_[a.samples, b.samples], signal.samples)
    np.testing.assert_array_equal(np.r_[a.quality, b.quality], signal.quality)
    assert b.start_s == pytest.approx(a.end_s)
    assert len(signal.crop(100, 200)) == 0


@pytest.mark.parametrize("rate_hz", [15.0, 29.97, 64.0, 256.0])
def test_resampling_preserves_the_wave_and_its_span(rate_hz: float) -> None:
    signal = sine(1.2, start_s=3.0)
    other = signal.resample(rate_hz)
    inner = other.crop(5, 20)
    truth = np.sin(2 * np.pi * 1.2 * (inner.times_s - 3.0))
    np.testing.assert_allclose(inner.samples, truth, atol=0.01)
    assert other.start_s == signal.start_s
    assert other.duration_s == pytest.approx(signal.duration_s, abs=1 / rate_hz)


def test_downsampling_prevents_aliasing() -> None:
    assert np.abs(sine(40.0, rate_hz=128).resample(30).crop(2, 18).samples).max() < 0.05


def test_missing_samples_stay_missing_after_resampling_and_filtering() -> None:
    signal = sine(1.2)
    signal.samples[200:300] = np.nan
    for other in (signal.resample(64), signal.bandpass(0.7, 4.0)):
        inside = (other.times_s > 200.6 / 30) & (other.times_s < 299 / 30)
        assert np.isnan(other.samples[inside]).all()
        assert other.coverage == pytest.approx(5 / 6, abs=0.01)


def test_a_band_pass_retains_the_pulse_without_delay() -> None:
    signal = sine(1.2)
    drift = Signal(signal.samples + 5 + np.arange(len(signal)) / 300, 30)
    clean = drift.bandpass(0.7, 4.0).crop(4, 16)
    np.testing.assert_allclose(clean.samples, signal.crop(4, 16).samples, atol=0.05)


@pytest.mark.parametrize("band", [(0, 4), (4, 0.7), (0.7, 15)])
def test_a_band_that_does_not_fit_is_refused(band: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="does not fit"):
        sine(1.2).bandpass(*band)


@pytest.mark.parametrize(
    ("samples", "rate_hz"), [(np.zeros((2, 3)), 30), (np.zeros(3), 0), (np.zeros(3), np.nan)]
)
def test_invalid_samples_and_rates_are_refused(samples: np.ndarray, rate_hz: float) -> None:
    with pytest.raises(InputError):
        Signal(samples, rate_hz)


def test_quality_has_one_value_per_sample() -> None:
    with pytest.raises(InputError, match="quality"):
        Signal(np.zeros(5), 30, quality=np.zeros(4))


def test_uneven_times_are_resampled_to_an_even_grid() -> None:
    draw = np.random.default_rng(0)
    t = np.sort(np.arange(0, 20, 1 / 30) + draw.uniform(-0.01, 0.01, 600))
    signal = Signal.from_times(t, np.sin(2 * np.pi * t), kind="bvp", rate_hz=30)
    inner = signal.crop(1, 19)
    np.testing.assert_allclose(inner.samples, np.sin(2 * np.pi * inner.times_s), atol=0.02)
    assert signal.kind == "bvp"


def test_repeated_times_are_averaged_and_gaps_stay_missing() -> None:
    t = np.r_[0, 0.1, 0.1, 0.2, 0.3, 2.0, 2.1, 2.2]
    signal = Signal.from_times(t, np.r_[0, 1, 3, 0, 0, 5, 5, 5], rate_hz=10)
    assert signal.samples[1] == pytest.approx(2)
    assert np.isnan(signal.samples[4:20]).all()
    assert np.isfinite(signal.samples[[3, 20, 21]]).all()


@pytest.mark.parametrize("times", [[1, 0.5, 2], [0, np.nan, 1], [1, 1, 1], [0]])
def test_invalid_times_are_refused(times: list[float]) -> None:
    with pytest.raises(InputError):
        Signal.from_times(np.array(times), np.zeros(len(times)))


def test_two_different_steps_have_a_rate() -> None:
    signal = Signal.from_times(np.array([0, 0.1, 0.5]), np.zeros(3))
    assert signal.rate_hz == pytest.approx(1 / 0.25)


def test_runs_are_the_segments_without_missing_samples() -> None:
    assert Signal(np.r_[np.nan, 1, 2, np.nan, np.nan, 3], 30).runs() == [(1, 3), (5, 6)]
    assert Signal(np.zeros(0), 30).runs() == []


def test_no_interval_bridges_a_gap() -> None:
    beats = Beats(np.r_[0, 0.8, 1.6, 5.0, 5.9, 6.7], gaps=[(2.0, 4.5)])
    np.testing.assert_allclose(beats.intervals_ms, [800, 800, 900, 800])
    np.testing.assert_allclose(beats.successive_ms, [0, -100], atol=1e-9)
    np.testing.assert_allclose(beats.interval_times_s, [0.8, 1.6, 5.9, 6.7])


def test_beats_far_apart_are_accepted_if_gaps_separate_them() -> None:
    beats = Beats([0, 30, 60, 90], gaps=[(1, 29), (31, 59), (61, 89)])
    assert len(beats.intervals_ms) == 0


def test_coverage_counts_overlapping_gaps_once() -> None:
    assert Beats([1, 9], gaps=[(2, 4), (3, 5)], span_s=(0, 10)).coverage == pytest.approx(0.7)
    assert Beats([]).coverage == 0


def test_cropped_beats_retain_clock_gaps_and_flags() -> None:
    beats = Beats(
        np.arange(10.0), np.linspace(0, 1, 10), [(3.5, 6.5)], corrected=np.arange(10) % 2 == 0
    )
    part = beats.crop(2, 6)
    np.testing.assert_array_equal(part.times_s, [2, 3, 4, 5])
    np.testing.assert_array_equal(part.corrected, [True, False, True, False])
    assert part.gaps == ((3.5, 6.0),)
    assert part.span_s == (2, 6)


@pytest.mark.parametrize(
    "times", [[0, 0.8, 0.8], [0.8, 0.7], [0, np.nan], [0, 800, 1600, 2400], [[0, 1]]]
)
def test_invalid_beat_times_are_refused(times: list[float]) -> None:
    with pytest.raises(InputError):
        Beats(times)


def test_an_unknown_quality_is_none_and_missing_values_count_as_zero() -> None:
    samples = np.sin(np.arange(90))
    assert Signal(samples, 30, quality=np.full(90, np.nan)).quality is None
    half = np.where(np.arange(90) < 45, 0.9, np.nan)
    quality = Signal(samples, 30, quality=half).quality
    assert quality is not None
    np.testing.assert_array_equal(quality, np.where(np.arange(90) < 45, 0.9, 0.0))
