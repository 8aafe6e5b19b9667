"""Training clips: they differ by seed, repeat for one seed and contain the wave they return."""

import numpy as np
import pytest

from emotion_rppg.pulse.methods import pos
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import _screen_light, training_clip


@pytest.mark.slow
@pytest.mark.parametrize("varied", [False, True])
def test_clips_differ_by_seed_contain_their_wave_and_repeat(varied) -> None:
    made = [training_clip(k, frames=90, size=16, varied=varied) for k in range(12)]
    clips, truths = zip(*made, strict=True)
    again, _ = training_clip(3, frames=90, size=16, varied=varied)
    np.testing.assert_array_equal(clips[3], again)
    assert all(c.dtype == np.uint8 and c.shape == (90, 16, 16, 3) for c in clips)
    assert len({c.tobytes() for c in clips}) == 12
    for wave in truths:
        assert abs(wave.mean()) < 1e-9
        assert wave.std() == pytest.approx(1.0)
    inward = [c[:, 6:10, 6:10, 1].mean((1, 2)) for c in clips]
    r = [np.corrcoef(g, w)[0, 1] for g, w in zip(inward, truths, strict=True)]
    assert np.mean(r) < -0.05  # darker with more blood, despite all disturbances


@pytest.mark.slow
@pytest.mark.parametrize("varied", [False, True])
def test_pos_detects_the_pulse_of_most_clips(varied) -> None:
    found = []
    for k in range(16):
        clip, wave = training_clip(k, frames=160, size=32, varied=varied)
        colour = clip[:, 9:23, 9:23].astype(float).mean((1, 2))
        bands = [Signal(x, 30.0).bandpass(0.6, 4.0).samples for x in (pos(colour, 30.0), wave)]
        found.append(np.corrcoef(*bands)[0, 1])
    assert np.median(found) > 0.35
    assert np.quantile(found, 0.9) < 0.95  # and the task is not trivial


@pytest.mark.parametrize("rate_hz", [15.0, 60.0])
def test_clips_come_at_any_rate(rate_hz) -> None:
    clip, wave = training_clip(8, frames=50, size=16, rate_hz=rate_hz, varied=True)
    assert clip.shape == (50, 16, 16, 3)
    assert len(wave) == 50


@pytest.mark.slow
def test_clips_of_dark_skin_show_less_pulse() -> None:
    tones, slopes = [], []
    for k in range(600):
        clip, wave = training_clip(k, frames=60, size=12)
        skin = clip[:, 4:8, 4:8].astype(float).mean((1, 2))
        tones.append(skin[:, 0].mean() / skin[:, 2].mean())  # melanin leaves more red than blue
        slopes.append(-np.mean((skin[:, 1] / skin[:, 1].mean() - 1) * wave))
    by_tone = np.array(slopes)[np.argsort(tones)]
    light, dark = np.median(by_tone[:200]), np.median(by_tone[-200:])
    assert 0.002 < dark < 0.82 * light < 0.015


def test_the_light_of_a_screen_is_constant_within_a_scene() -> None:
    gain = _screen_light(np.random.default_rng(3), 900, 30.0)
    leaps = np.flatnonzero(np.abs(np.diff(gain, axis=0)).max(axis=1) > 0)
    assert 3 <= len(leaps) <= 90, "some scenes, each of many frames"
    assert gain.min() >= 0.8
    assert gain.max() <= 1.2
    assert gain.std() > 1e-3
