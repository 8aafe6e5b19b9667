"""EDA features: planted responses are counted and measured at any sampling rate."""

import numpy as np
import pytest

from emotion_rppg.features import eda
from emotion_rppg.signals import Beats, Signal

RISE_S, HALF_S = 1.5, 2.5  # of the planted responses, by their formula


def conductance(
    per_min: float, amplitude: float, *, rate_hz: float, duration_s: float = 120.0, seed: int = 0
) -> Signal:
    """Make skin conductance (µS): 2 µS that falls by 0.06 µS/min, with equal responses."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    onsets = np.arange(3.0, duration_s - 6.0, 60.0 / per_min) if per_min else []
    shape = sum((u := np.clip(t - onset, 0, None) / RISE_S) * np.exp(1 - u) for onset in onsets)
    noise = np.random.default_rng(seed).normal(0, 0.0005, len(t))
    return Signal(2.0 - 0.06 * t / 60 + amplitude * shape + noise, rate_hz, kind="eda")


def features(signal: Signal, span_s: tuple[float, float] | None = None) -> dict[str, float]:
    beats = Beats([], span_s=span_s or (signal.start_s, signal.end_s))
    return dict(eda.FAMILY([beats], [signal]).iloc[0])


@pytest.mark.parametrize("rate_hz", [4.0, 32.0, 700.0])
@pytest.mark.parametrize("per_min", [2.0, 6.0, 10.0])
def test_planted_responses_are_found_with_their_shape(per_min, rate_hz) -> None:
    signal = conductance(per_min, 0.2, rate_hz=rate_hz)
    planted = len(np.arange(3.0, 114.0, 60.0 / per_min))
    row = features(signal)
    assert row["eda_scr_per_min"] == planted / 2
    assert row["eda_scr_amplitude_us"] == pytest.approx(0.2, abs=0.03)  # ten a minute overlap
    assert row["eda_scr_sum_us_per_min"] == pytest.approx(0.1 * planted, rel=0.15)
    assert row["eda_scr_rise_s"] == pytest.approx(RISE_S, abs=0.45)
    assert row["eda_scr_recovery_s"] == pytest.approx(HALF_S, abs=0.6)
    assert row["eda_quality"] == 1.0


def test_the_tonic_level_and_its_slope_are_those_planted() -> None:
    row = features(conductance(0, 0, rate_hz=4.0))
    assert row["eda_tonic_us"] == pytest.approx(1.94, abs=0.005)
    assert row["eda_tonic_slope_us_per_min"] == pytest.approx(-0.06, abs=0.005)
    assert (row["eda_scr_per_min"], row["eda_scr_sum_us_per_min"]) == (0.0, 0.0)
    assert np.isnan([row["eda_scr_amplitude_us"], row["eda_scr_rise_s"]]).all()


def test_responses_below_a_hundredth_of_a_microsiemens_do_not_count() -> None:
    assert features(conductance(6, 0.007, rate_hz=8.0))["eda_scr_per_min"] == 0.0
    assert features(conductance(6, 0.02, rate_hz=8.0))["eda_scr_per_min"] > 4.0


def test_a_slow_rise_is_no_response() -> None:
    t = np.arange(480) / 4
    assert (
        features(Signal(2 + 0.3 * np.sin(2 * np.pi * t / 60), 4, kind="eda"))["eda_scr_per_min"]
        == 0.0
    )


def test_the_sympathetic_band_has_the_power_of_a_slow_wave() -> None:
    t = np.arange(4 * 150) / 4
    inside = features(Signal(2 + 0.1 * np.sin(2 * np.pi * 0.1 * t), 4, kind="eda"))
    outside = features(Signal(2 + 0.1 * np.sin(2 * np.pi * 0.6 * t), 4, kind="eda"))
    assert inside["eda_sympathetic_us2"] == pytest.approx(0.1**2 / 2, rel=0.1)
    assert inside["eda_sympathetic_nu"] > 0.95
    assert outside["eda_sympathetic_nu"] < 0.05


def test_each_column_needs_its_duration_of_usable_signal() -> None:
    signal = conductance(6, 0.2, rate_hz=4.0, duration_s=120)
    samples = signal.samples.copy()
    samples[: 4 * 40] = np.nan  # 80 s of 120 s are left
    holed = features(Signal(samples, 4, kind="eda"))
    assert holed["eda_quality"] == pytest.approx(2 / 3)
    assert holed["eda_scr_per_min"] == pytest.approx(6.0, abs=0.8)
    assert np.isnan(holed["eda_sympathetic_us2"])
    short = features(signal.crop(0, 12))
    assert np.isfinite(short["eda_tonic_us"])
    assert np.isnan(short["eda_scr_per_min"])
    assert np.isnan(features(signal.crop(0, 8))["eda_tonic_us"])


def test_any_wave_has_features() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(60)
    waves = [t * 0.01, -t * 0.01, np.ones(60), np.r_[np.ones(59), 2], np.sin(t / 9)]
    waves += [np.cumsum(rng.normal(0, s, 60)) for s in (1e-4, 1e-2, 1) for _ in range(5)]
    for wave in waves:
        found = eda.responses(2 + wave, 4.0)
        assert found.shape[1] == 3
        assert (found[:, 0] >= eda.LEAST_SCR_US).all()
