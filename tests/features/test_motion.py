"""Movement features: planted strength, active time and steps."""

import numpy as np
import pytest

from emotion_rppg.features import motion
from emotion_rppg.signals import Beats, Signal


def features(samples: np.ndarray, rate_hz: float = 32.0) -> dict[str, float]:
    signal = Signal(samples, rate_hz, kind="acc")
    return dict(motion.FAMILY([Beats([], span_s=(0, signal.end_s))], [signal]).iloc[0])


def walk(per_min: float, rate_hz: float, duration_s: float = 60.0) -> np.ndarray:
    """Make the magnitude (g) of walking: a bump per step, every second one higher, and noise."""
    rng = np.random.default_rng(0)
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    at = np.arange(0.3, duration_s, 60 / per_min)
    at = at + rng.normal(0, 0.02, len(at))
    heights = np.where(np.arange(len(at)) % 2, 0.35, 0.5)
    bumps = (heights * np.exp(-0.5 * ((t[:, None] - at) / 0.07) ** 2)).sum(axis=1)
    return 1.0 + bumps - bumps.mean() + rng.normal(0, 0.02, len(t))


@pytest.mark.parametrize("rate_hz", [20.0, 32.0, 100.0])
@pytest.mark.parametrize("per_min", [70.0, 110.0, 150.0])
def test_planted_steps_are_counted(per_min, rate_hz) -> None:
    row = features(walk(per_min, rate_hz), rate_hz)
    assert row["acc_steps_per_min"] == pytest.approx(per_min, abs=4)
    assert row["acc_active_share"] > 0.9


def test_rest_typing_and_single_movements_are_no_steps() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(60 * 32) / 32
    rest = 1.0 + rng.normal(0, 0.01, len(t))
    typing = rest + rng.normal(0, 0.05, len(t))
    gestures = rest + 0.6 * np.exp(-0.5 * ((t[:, None] - [5, 14, 31, 50]) / 0.15) ** 2).sum(axis=1)
    claps = rest + 0.6 * np.exp(-0.5 * ((t[:, None] - [10, 10.5, 11]) / 0.07) ** 2).sum(axis=1)
    for wave in (rest, typing, gestures, claps):
        assert features(wave)["acc_steps_per_min"] == 0.0
    assert features(rest)["acc_active_share"] == 0.0
    assert features(gestures)["acc_active_share"] == pytest.approx(4 / 60, abs=4 / 60)


def test_strength_is_the_root_mean_square_about_gravity_whatever_the_sensors_gain() -> None:
    t = np.arange(60 * 32) / 32
    wave = 0.2 * np.sin(2 * np.pi * t)
    for gravity in (0.96, 1.0, 1.05):
        assert features(gravity + wave)["acc_rms_g"] == pytest.approx(0.2 / np.sqrt(2), rel=0.01)


def test_axes_become_a_magnitude_that_does_not_depend_on_the_posture() -> None:
    angle = np.linspace(0, np.pi, 640)
    axes = np.column_stack([np.cos(angle), np.zeros(640), np.sin(angle)])
    assert features(Signal.from_axes(axes, 32).samples)["acc_rms_g"] == pytest.approx(0, abs=1e-9)


def test_steps_need_twenty_samples_a_second() -> None:
    row = features(walk(110, 12.0), 12.0)
    assert np.isnan(row["acc_steps_per_min"])
    assert np.isfinite(row["acc_rms_g"])
