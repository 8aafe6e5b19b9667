"""Clips of rendered heads: they repeat for one seed, contain their wave, and some have none."""

import numpy as np
import pytest

from emotion_rppg.pulse.methods import pos
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.head_clips import head_clip


def test_clips_differ_by_seed_and_repeat() -> None:
    made = [head_clip(k, frames=60, size=16) for k in range(6)]
    again, wave = head_clip(3, frames=60, size=16)
    np.testing.assert_array_equal(made[3][0], again)
    np.testing.assert_array_equal(made[3][1], wave)
    assert len({clip.tobytes() for clip, _ in made}) == 6
    for clip, wave in made:
        assert clip.dtype == np.uint8
        assert clip.shape == (60, 16, 16, 3)
        assert abs(wave.mean()) < 1e-9
        assert wave.std() == pytest.approx(1.0)


@pytest.mark.slow
def test_pos_detects_the_pulse_of_some_clips() -> None:
    found = []
    for k in range(24):
        clip, wave = head_clip(k, frames=160, size=32)
        colour = clip[:, 9:23, 9:23].astype(float).mean((1, 2))
        bands = [Signal(x, 30.0).bandpass(0.6, 4.0).samples for x in (pos(colour, 30.0), wave)]
        found.append(np.corrcoef(*bands)[0, 1])
    assert np.median(found) > 0.15
    assert np.quantile(found, 0.9) > 0.6


def test_a_clip_without_a_pulse_has_a_wave_of_zeros() -> None:
    clip, wave = head_clip(5, frames=40, size=16, pulse=False)
    assert clip.shape == (40, 16, 16, 3)
    assert not wave.any()


@pytest.mark.parametrize("rate_hz", [15.0, 60.0])
def test_clips_come_at_any_rate(rate_hz) -> None:
    clip, wave = head_clip(8, frames=50, size=16, rate_hz=rate_hz)
    assert clip.shape == (50, 16, 16, 3)
    assert len(wave) == 50
