"""Respiration features: planted breaths, and the RSA of beats that follow them."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.features import respiration
from emotion_rppg.features.sensors import SensorWindows
from emotion_rppg.features.trust import withhold_sensor
from emotion_rppg.signals import Beats, Signal

SPAN = (0.0, 120.0)


def belt(per_min: float, rate_hz: float, *, jitter: float = 0.0, seed: int = 0) -> Signal:
    """Make a belt's signal whose inspiration takes two fifths of each breath."""
    rng = np.random.default_rng(seed)
    lengths = 60 / per_min * (1 + jitter * rng.standard_normal(200))
    starts = np.cumsum(np.r_[0.0, lengths])
    t = np.arange(round(SPAN[1] * rate_hz)) / rate_hz
    k = np.searchsorted(starts, t, side="right") - 1
    phase = (t - starts[k]) / lengths[k]
    rising = np.where(phase < 0.4, phase / 0.8, 0.5 + (phase - 0.4) / 1.2)
    wave = -np.cos(2 * np.pi * rising) + rng.normal(0, 0.02, len(t))
    return Signal(wave, rate_hz, kind="resp")


def hearts(per_min: float, swing_ms: float) -> Beats:
    """Make beats of 800 ms that are shortest in the middle of each inspiration."""
    times = [0.1]
    while times[-1] < SPAN[1]:
        phase = (times[-1] + 0.4) * per_min / 60
        times.append(times[-1] + 0.8 - swing_ms / 2000 * np.cos(2 * np.pi * (phase - 0.2)))
    return Beats(np.array(times[:-1]), span_s=SPAN)


def features(signal: Signal, beats: Beats | None = None) -> dict[str, float]:
    return dict(respiration.FAMILY([beats or Beats([], span_s=SPAN)], [signal]).iloc[0])


@pytest.mark.parametrize("rate_hz", [3.9, 10.0, 25.0, 700.0])
@pytest.mark.parametrize("per_min", [8.0, 15.0, 24.0])
def test_planted_breaths_are_counted_at_any_rate(per_min, rate_hz) -> None:
    row = features(belt(per_min, rate_hz))
    assert row["breath_rate_per_min"] == pytest.approx(per_min, abs=0.2)
    assert row["breath_interval_sd_s"] < 0.2
    assert row["breath_depth_cv"] < 0.1
    assert row["breath_rate_se_per_min"] < 0.5
    assert row["n_breaths"] == pytest.approx(2 * per_min, abs=2)


def test_irregular_breaths_have_their_irregularity() -> None:
    steady, irregular = (features(belt(15, 25, jitter=jitter)) for jitter in (0.02, 0.15))
    assert irregular["breath_interval_sd_s"] == pytest.approx(4 * 0.15, rel=0.35)
    assert steady["breath_interval_sd_s"] == pytest.approx(4 * 0.02, abs=0.08)


def test_the_depth_is_in_the_unit_of_the_belt() -> None:
    signal = belt(15, 25)
    deep = Signal(3 * signal.samples, 25, kind="resp")
    one, three = (features(s)["breath_depth_au"] for s in (signal, deep))
    assert one == pytest.approx(2.0, rel=0.15)
    assert three == pytest.approx(3 * one, rel=1e-3)


@pytest.mark.parametrize("swing_ms", [0.0, 40.0, 120.0])
def test_rsa_is_the_planted_difference_between_the_phases(swing_ms) -> None:
    row = features(belt(12, 25), hearts(12, swing_ms))
    assert row["breath_rsa_ms"] == pytest.approx(swing_ms, abs=0.15 * swing_ms + 2)


def test_without_beats_or_with_a_belt_upside_down_there_is_no_rsa() -> None:
    assert np.isnan(features(belt(12, 25))["breath_rsa_ms"])
    inverted = Signal(-belt(12, 25).samples, 25, kind="resp")
    upright = features(belt(12, 25), hearts(12, 120))["breath_rsa_ms"]
    assert features(inverted, hearts(12, 120))["breath_rsa_ms"] < 0.8 * upright


@pytest.mark.parametrize("colour", ["white", "brown"])
def test_noise_has_no_respiration(colour) -> None:
    rng = np.random.default_rng(1)
    for _ in range(8):
        noise = rng.normal(size=1500)
        signal = Signal(noise if colour == "white" else np.cumsum(noise), 25, kind="resp")
        table = respiration.FAMILY([Beats([], span_s=(0, 60))], [signal])
        kept = withhold_sensor(table, SensorWindows("resp", [signal], [60.0], [""]))
        assert kept["breath_rate_per_min"].isna().all()
        assert kept["resp_reason"][0].startswith("respiration withheld: ")


def test_a_gap_is_not_a_breath() -> None:
    signal = belt(15, 25)
    samples = signal.samples.copy()
    samples[25 * 50 : 25 * 70] = np.nan
    row = features(Signal(samples, 25, kind="resp"))
    assert row["breath_rate_per_min"] == pytest.approx(15, abs=0.3)
    assert row["breath_interval_sd_s"] < 0.2
    assert 20 <= row["n_breaths"] <= 25


def test_real_breaths_are_those_of_neurokit(real_data) -> None:
    import neurokit2

    path = real_data / "contact" / "neurokit" / "bio_resting_5min_100hz.csv"
    wave = pd.read_csv(path)["RSP"].to_numpy()
    _, info = neurokit2.rsp_process(wave, sampling_rate=100)
    expected = 60 / np.diff(info["RSP_Peaks"] / 100).mean()
    signal = Signal(wave, 100, kind="resp")
    row = dict(respiration.FAMILY([Beats([], span_s=(0, 300))], [signal]).iloc[0])
    assert row["breath_rate_per_min"] == pytest.approx(expected, abs=0.05)
