"""Rules that find unusable samples of signals without beats, and the reasons that they give."""

import numpy as np
import pytest

from emotion_rppg.features.sensors import SENSORS, Judged, cut_sensor, judge
from emotion_rppg.signals import UNITS, Signal

RATES_HZ = {"eda": 4.0, "resp": 32.0, "temp": 4.0, "acc": 32.0}
LONG_S = 120.0


def usual(kind: str, rate_hz: float | None = None) -> Signal:
    """Make two minutes of a signal that no rule finds unusable."""
    rate_hz = rate_hz or RATES_HZ[kind]
    t = np.arange(round(LONG_S * rate_hz)) / rate_hz
    noise = np.random.default_rng(0).normal(0, 1e-3, len(t))
    samples = {
        "eda": 2 + 0.1 * np.sin(2 * np.pi * 0.1 * t),
        "resp": np.sin(2 * np.pi * 0.25 * t),
        "temp": 33 + 0.01 * t / 60,
        "acc": 1 + 0.1 * np.sin(2 * np.pi * 2 * t),
    }
    return Signal(samples[kind] + noise, rate_hz, kind=kind, start_s=5.0)


def damaged(kind: str, value: float, first_s: float, stop_s: float) -> Signal:
    signal = usual(kind)
    samples = signal.samples.copy()
    samples[round(first_s * signal.rate_hz) : round(stop_s * signal.rate_hz)] = value
    return Signal(samples, signal.rate_hz, kind=kind, start_s=signal.start_s)


def test_every_kind_without_beats_has_rules_and_a_unit() -> None:
    assert {kind: sensor.unit for kind, sensor in SENSORS.items()} == UNITS


@pytest.mark.parametrize("kind", SENSORS)
def test_a_usual_signal_is_usable_at_any_rate(kind) -> None:
    for rate_hz in (RATES_HZ[kind], 64.0, 700.0):
        assert judge(usual(kind, rate_hz)).signal.coverage == 1.0


@pytest.mark.parametrize(
    ("kind", "value", "seconds", "fault", "around_s"),
    [
        ("eda", 0.01, 70, "electrode off", 5),
        ("eda", 90.0, 70, "out of the range of skin conductance", 5),
        ("eda", 2.0, 70, "flat", 5),
        ("resp", 0.5, 70, "flat", 0),
        ("resp", 3.0, 70, "flat", 0),
        ("resp", 3.0, 5, "saturated", 0),
        ("temp", 12.0, 70, "out of the range of skin temperature", 0),
        ("temp", 92.0, 70, "out of the range of skin temperature", 0),
        ("acc", 0.0, 70, "no gravity", 0),
        ("acc", 1.03, 70, "flat", 0),
    ],
)
def test_a_fault_is_removed_and_named(kind, value, seconds, fault, around_s) -> None:
    judged = judge(damaged(kind, value, 20, 20 + seconds))
    at = judged.signal.times_s - 5.0
    outside = (at < 19.4 - around_s) | (at > 20.6 + seconds + around_s)
    assert np.isnan(judged.signal.samples[(at >= 20) & (at < 20 + seconds - 0.01)]).all()
    assert np.isfinite(judged.signal.samples[outside]).all()
    assert judged.faults[fault].any()
    if seconds < 60:
        return
    first, last = cut_sensor(kind, judged, [(25.0, 60.0), (5.0, 15.0 - around_s)]).reasons
    assert first.startswith(f"{fault}: ")
    assert "at least 50% is wanted" in first
    assert last == ""


@pytest.mark.parametrize(("kind", "step"), [("eda", 20.0), ("temp", 8.0)])
def test_a_jump_is_removed(kind, step) -> None:
    signal = usual(kind)
    samples = signal.samples + np.where(np.arange(len(signal)) > 200, step, 0)
    judged = judge(Signal(samples, signal.rate_hz, kind=kind))
    assert judged.faults["jumps"][200:202].all()
    assert judged.signal.coverage > 0.85


def test_acceleration_in_counts_is_refused_as_a_whole() -> None:
    signal = usual("acc")
    judged = judge(Signal(64 * signal.samples, signal.rate_hz, kind="acc"))
    assert judged.signal.coverage == 0.0
    assert cut_sensor("acc", judged, [(0, 60)]).reasons[0].startswith("not in g: 0%")


def test_missing_samples_and_slow_signals_have_their_reason() -> None:
    holed = damaged("eda", np.nan, 0, 100)
    assert cut_sensor("eda", judge(holed), [(5, 60)]).reasons[0].startswith("missing samples: 0%")
    assert cut_sensor("eda", judge(holed), [(300, 60)]).reasons[0].startswith("missing samples")
    slow = judge(Signal(np.ones(50), 1.0, kind="resp"))
    (reason,) = cut_sensor("resp", slow, [(0, 50)]).reasons
    assert reason == "sampled too slowly: 1 samples a second, at least 3 are wanted"


def test_a_fault_does_not_extend_over_the_ends() -> None:
    judged = judge(damaged("eda", 0.0, 0, 1))
    assert isinstance(judged, Judged)
    assert np.isnan(judged.signal.samples[:24]).all()
    assert np.isfinite(judged.signal.samples[26:]).all()


def test_a_lost_contact_is_removed_and_a_large_response_stays() -> None:
    signal = usual("eda")
    t = signal.times_s - 60
    response = np.where(t > 0, np.exp(-t / 3) - np.exp(-t / 0.75), 0)
    large = Signal(signal.samples + 1.5 * response / response.max(), 4.0, kind="eda")
    assert judge(large).signal.coverage == 1.0
    samples = signal.samples.copy()
    samples[200:202] -= 0.4
    judged = judge(Signal(samples, 4.0, kind="eda"))
    assert np.isnan(judged.signal.samples[180:220]).all()
    assert judged.signal.coverage > 0.85
