"""Simulated pulse shapes are measured; a low sampling rate supports only coarse features."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.features import morphology
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.morphology import COARSE, COLUMNS, FINE, PER_BEAT, per_beat, table
from emotion_rppg.signals import Beats, Signal

PERIOD_S, SPREAD_S = 1.0, 0.08  # of a Gaussian pulse, whose widths and area are known
PEAKS = 0.5 + PERIOD_S * np.arange(60)


def gaussian(
    rate_hz: float = 250, *, heights: np.ndarray | float = 1.0, kind: str = "bvp"
) -> Signal:
    t = np.arange(round(60 * rate_hz)) / rate_hz
    shapes = np.exp(-0.5 * ((t[:, None] - PEAKS) / SPREAD_S) ** 2)
    return Signal(shapes @ (np.ones(60) * heights), rate_hz, kind=kind)


def reflected(rate_hz: float = 250, *, late: float = 0.4, kind: str = "bvp") -> Signal:
    """A systolic wave and a reflected one 0.35 s later, ``late`` times as high."""
    first, second = gaussian(rate_hz), gaussian(rate_hz)
    shift = round(0.35 * rate_hz)
    wave = first.samples + late * np.roll(second.samples, shift)
    return Signal(wave, rate_hz, kind=kind)


def one(signal: Signal, beats: Beats | None = None) -> pd.Series:
    beats = Beats(PEAKS, span_s=(0, 60)) if beats is None else beats
    return table([beats], [signal]).iloc[0]


@pytest.mark.parametrize("rate_hz", [30, 64, 250, 1000])
def test_a_gaussian_pulse_has_its_height_widths_and_area(rate_hz: float) -> None:
    row = one(gaussian(rate_hz))
    assert row["pulse_amplitude_au"] == pytest.approx(1, rel=0.02)
    for percent in (25, 50, 75):
        width = 2e3 * SPREAD_S * np.sqrt(-2 * np.log(percent / 100))
        assert row[f"pulse_width_{percent}_ms"] == pytest.approx(width, rel=0.03)
    area = SPREAD_S * np.sqrt(2 * np.pi)
    assert row["pulse_area_au_s"] == pytest.approx(area, rel=0.05)
    assert row["pulse_area_rise_au_s"] == pytest.approx(area / 2, rel=0.1)
    assert row["pulse_fullness"] == pytest.approx(area / PERIOD_S, rel=0.05)
    # the steepest tangent of a Gaussian meets the ground two spreads before its top
    assert row["pulse_rise_ms"] == pytest.approx(2e3 * SPREAD_S, rel=0.04)
    total = row["pulse_rise_ms"] + row["pulse_decay_ms"]
    assert total == pytest.approx(1e3 * PERIOD_S, abs=4)


@pytest.mark.parametrize("late", [0.2, 0.4, 0.6])
def test_the_reflected_wave_has_its_height_and_time(late: float) -> None:
    row = one(reflected(late=late))
    assert row["reflection_index"] == pytest.approx(late, rel=0.05)
    assert row["reflection_time_ms"] == pytest.approx(350, abs=12)
    assert row["pulse_rise_ms"] < row["notch_time_ms"] < row["pulse_rise_ms"] + 350
    assert row["notch_height"] < 1.1 * late


def test_a_gaussians_second_derivative_has_its_published_extremes() -> None:
    row = one(gaussian())  # of (x² - 1) exp(-x²/2): -1 at the top, 2 exp(-3/2) beside it
    assert row["apg_b_a"] == pytest.approx(-1 / (2 * np.exp(-1.5)), rel=0.05)


def test_late_systole_shows_in_the_second_derivative() -> None:
    t = gaussian().times_s

    def heart(late: float) -> pd.Series:
        parts = ((0.0, 0.055, 1.0), (0.14, 0.06, late), (0.36, 0.07, 0.4))
        wave = sum(
            h * np.exp(-0.5 * ((t[:, None] - PEAKS - at) / w) ** 2).sum(axis=1)
            for at, w, h in parts
        )
        return one(Signal(wave, 250, kind="bvp"))

    young, old = heart(0.5), heart(0.9)
    assert young["augmentation_index"] < old["augmentation_index"]
    assert young["apg_d_a"] > old["apg_d_a"]
    assert young["apg_aging_index"] < old["apg_aging_index"]
    assert young["apg_e_a"] > 0


def test_pulse_amplitude_variability_equals_that_of_the_heights() -> None:
    heights = 1 + 0.2 * np.sin(np.arange(60))
    row = one(gaussian(heights=heights))
    inner = heights[1:-1]
    assert row["pulse_amplitude_cv"] == pytest.approx(inner.std(ddof=1) / inner.mean(), rel=0.05)
    near = np.sqrt(np.mean(np.diff(inner) ** 2)) / inner.mean()
    assert row["pulse_amplitude_cvsd"] == pytest.approx(near, rel=0.05)


def test_the_unit_of_the_sensor_scales_only_heights() -> None:
    small, large = reflected(), reflected()
    large = Signal(1000 * large.samples + 7, 250, kind="bvp")
    before, after = one(small), one(large)
    for name, column in COLUMNS.items():
        times = 1000 if column.unit.startswith("a.u.") else 1
        assert after[name] == pytest.approx(times * before[name], rel=1e-6, nan_ok=True), name


def test_a_slow_drift_changes_little() -> None:
    still = reflected()
    drift = Signal(still.samples + 0.5 * np.sin(still.times_s / 5), 250, kind="bvp")
    for name in ("pulse_amplitude_au", "pulse_width_50_ms", "reflection_index"):
        assert one(drift)[name] == pytest.approx(one(still)[name], rel=0.03), name


@pytest.mark.parametrize(
    ("rate_hz", "kind", "coarse", "fine"),
    [
        (15, "bvp", False, False),
        (30, "bvp", True, False),
        (30, "rppg", False, False),
        (64, "rppg", False, False),
        (64, "bvp", True, True),
        (250, "ecg", False, False),
    ],
)
def test_a_sampling_rate_supports_the_documented_features(
    rate_hz: float, kind: str, coarse: bool, fine: bool
) -> None:
    row = one(reflected(rate_hz, kind=kind))
    assert row[list(COARSE)].notna().all() == coarse
    assert row[list(COARSE)].isna().all() != coarse
    assert row[["notch_time_ms", "reflection_index", "apg_b_a"]].notna().all() == fine
    assert row[list(FINE)].isna().all() != fine


def test_second_derivatives_of_noise_are_withheld_and_the_coarse_shape_is_not() -> None:
    signal = reflected()
    noise = np.random.default_rng(0).normal(0, 0.5, len(signal))
    row = one(Signal(signal.samples + noise, 250, kind="bvp"))
    assert row[list(FINE)].isna().all()
    assert row["pulse_width_50_ms"] == pytest.approx(one(signal)["pulse_width_50_ms"], rel=0.1)


def test_beats_in_gaps_or_inserted_by_correction_have_no_pulse() -> None:
    signal = reflected()
    signal.samples[5000:6000] = np.nan  # 20–24 s
    beats = Beats(
        PEAKS,
        gaps=[(20.0, 24.0)],
        corrected=np.arange(60) == 40,
        span_s=(0, 60),
    )
    rows = per_beat(beats, signal)
    assert list(rows) == ["time_s", *PER_BEAT]
    assert len(rows) == 60
    measured = rows["pulse_amplitude_au"].notna().to_numpy()
    assert not measured[[19, 20, 21, 22, 23, 39, 40, 59]].any()
    assert measured[1:18].all()
    assert measured[26:38].all()
    assert table([beats], [signal])["n_pulses"].iloc[0] == measured.sum()


def test_pulses_of_a_long_recording_are_those_of_its_parts(monkeypatch) -> None:
    signal, beats = reflected(64), Beats(PEAKS, span_s=(0, 60))
    whole = per_beat(beats, signal)
    monkeypatch.setattr(morphology, "BLOCK", 20)
    pd.testing.assert_frame_equal(per_beat(beats, signal), whole, rtol=1e-3, atol=0.01)


def test_one_schema_without_waves_and_for_short_windows() -> None:
    beats = Beats(PEAKS, span_s=(0, 60))
    bare = table([beats])
    assert list(bare) == list(COLUMNS)
    assert bare.drop(columns="n_pulses").isna().all(axis=None)
    signal = reflected()
    short = one(signal.crop(0, 9), beats.crop(0, 9))
    assert short.drop("n_pulses").isna().all()
    assert list(table([])) == list(COLUMNS)


def test_a_real_finger_pulse_has_a_physiological_shape(real_data) -> None:
    data = pd.read_csv(real_data / "contact" / "neurokit" / "bio_resting_5min_100hz.csv")
    signal = Signal(data["PPG"].to_numpy(), 100, kind="bvp")
    beats = find_beats(signal)
    row = table([beats], [signal]).iloc[0]
    assert row["n_pulses"] > 0.95 * len(beats)
    assert 80 < row["pulse_rise_ms"] < 250
    assert row["pulse_rise_ms"] < row["notch_time_ms"] < 450
    assert row["apg_b_a"] == pytest.approx(-0.9, abs=0.3)
    assert 0 < row["notch_height"] < 0.8
    slower = Signal(signal.resample(30).samples, 30, kind="bvp")
    coarse = table([find_beats(slower)], [slower]).iloc[0]
    for name in ("pulse_rise_ms", "pulse_width_50_ms", "pulse_amplitude_au"):
        assert coarse[name] == pytest.approx(row[name], rel=0.02), name
