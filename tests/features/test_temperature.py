"""Temperature features: planted level and slope."""

import numpy as np
import pytest

from emotion_rppg.features import temperature
from emotion_rppg.signals import Beats, Signal


def features(samples: np.ndarray, rate_hz: float = 4.0) -> dict[str, float]:
    signal = Signal(samples, rate_hz, kind="temp", start_s=40.0)
    return dict(temperature.FAMILY([Beats([], span_s=(40.0, signal.end_s))], [signal]).iloc[0])


@pytest.mark.parametrize("slope", [-0.3, 0.0, 0.12])
def test_level_and_slope_are_those_planted_also_with_a_gap(slope) -> None:
    t = np.arange(240) / 4
    values = 33.0 + slope * (t - t.mean()) / 60
    row = features(np.round(values / 0.02) * 0.02)  # the resolution of a wristband
    assert row["temp_mean_c"] == pytest.approx(33.0, abs=0.005)
    assert row["temp_slope_c_per_min"] == pytest.approx(slope, abs=0.01)
    values[:60] = np.nan
    holed = features(values)
    assert holed["temp_slope_c_per_min"] == pytest.approx(slope, abs=1e-6)
    assert holed["temp_quality"] == 0.75


def test_a_short_window_has_a_level_and_no_slope() -> None:
    row = features(np.full(60, 33.0))
    assert row["temp_mean_c"] == 33.0
    assert np.isnan(row["temp_slope_c_per_min"])
