"""A displacement is measured from fine structure; a rhythm that it explains is no pulse."""

import numpy as np
import pytest

from emotion_rppg.pulse import evidence
from emotion_rppg.pulse.displacement import Displacement, explained_change
from emotion_rppg.pulse.evidence import FrameEvidence
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import FaceFrame

RATE_HZ, SECONDS, SIDE = 15.0, 20.0, 64
TIMES = np.arange(round(RATE_HZ * SECONDS)) / RATE_HZ
WAVE = np.sin(2 * np.pi * 1.3 * TIMES)
BLOOD = np.array([0.33, 0.77, 0.53])
LIT = np.array([0.55, 0.9, 0.8])  # slope of the colours of shaded skin: nearly that of blood


def skin(x: float, y: float, *, blood: float = 0.0, slope: float = 0.3) -> np.ndarray:
    """Image a crop of skin, brighter on the right, with pores, shifted by parts of its width."""
    at_y, at_x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    at_x, at_y = at_x - x, at_y - y
    pores = 0.05 * np.sin(28 * at_x) * np.cos(24 * at_y)
    shade = slope * (at_x - 0.5)
    colours = np.array([180.0, 130.0, 110.0]) * np.exp((shade + pores)[..., None] * LIT)
    noise = np.random.default_rng(round(1e6 * (x + y + 2))).normal(0, 0.5, (SIDE, SIDE, 3))
    return np.clip(colours * (1 - blood * BLOOD) + noise + 0.5, 0, 255).astype(np.uint8)


def verdict(shift: np.ndarray, blood: np.ndarray) -> bool:
    """Tell whether most of WAVE is contradicted by skin that moves and pulses like this."""
    found = FrameEvidence()
    for time_s, x, b in zip(TIMES, shift, blood, strict=True):
        found.add(FaceFrame(time_s, skin(x, 0.3 * x, blood=b), (0.0, 0.0, SIDE, SIDE)))
    return bool(found.contradicts(Signal(WAVE, RATE_HZ, kind="rppg")).mean() > 0.5)


def test_a_known_displacement_is_measured_and_a_change_of_brightness_is_none() -> None:
    track, found = Displacement(), []
    for k, brightness in ((0, 1.0), (0, 1.0), (1, 1.0), (-1, 1.0), (0, 1.05)):
        image = skin(0.004 * k, -0.002 * k).mean(axis=2) * brightness
        found.append(track.add(image.reshape(32, 2, 32, 2).mean(axis=(1, 3))))
    assert found[2] == pytest.approx((0.004, -0.002), abs=8e-4)
    assert found[3][0] < -0.003
    assert found[4] == pytest.approx((0.0, 0.0), abs=8e-4)
    track.lose()
    assert track.add(np.ones((32, 32))) == (0.0, 0.0)


def test_the_change_by_a_shift_is_that_of_the_shifted_image() -> None:
    weights = np.zeros((16, 16))
    weights[4:12, 4:12] = 1

    def cells(x: float) -> np.ndarray:
        return skin(x, 0.0)[..., 1].reshape(16, 4, 16, 4).mean(axis=(1, 3))

    before, after = ((weights * cells(x)).sum() for x in (0.0, 0.02))
    expected = explained_change((0.02, 0.0), cells(0.0), weights)
    assert expected == pytest.approx(after / before - 1, rel=0.2)


def test_skin_that_shakes_has_the_rhythm_of_the_hand_and_no_pulse(monkeypatch) -> None:
    still = np.zeros(len(TIMES))
    shaken = -0.02 * WAVE  # the brighter side moves away: darker, as more blood is
    assert verdict(shaken, still)
    monkeypatch.setattr(evidence, "EXPLAINED", (np.inf, np.inf))
    assert not verdict(shaken, still)  # colour and zones alone do not show it


@pytest.mark.parametrize("size", [0.0, 0.001])  # 0.001: heads move with each beat by less
def test_a_pulse_in_skin_that_moves_with_each_beat_is_not_contradicted(size) -> None:
    assert not verdict(-size * WAVE, 0.005 * WAVE)


@pytest.mark.parametrize("slope", [0.05, 0.15])
def test_a_pulse_in_smooth_skin_moves_the_steps_of_the_scale_and_is_no_motion(slope) -> None:
    """Without noise and pores, the contours between two grey levels move with each beat."""
    found = FrameEvidence()
    shade = slope * (np.mgrid[0:SIDE, 0:SIDE][1] / SIDE - 0.5)
    colours = np.array([180.0, 130.0, 110.0]) * np.exp(shade[..., None] * LIT)
    for time_s, beat in zip(TIMES, WAVE, strict=True):
        image = np.rint(colours * (1 - 0.006 * beat * BLOOD)).astype(np.uint8)
        found.add(FaceFrame(time_s, image, (0.0, 0.0, SIDE, SIDE)))
    assert not found.contradicts(Signal(WAVE, RATE_HZ, kind="rppg")).any()


def test_a_pulse_in_skin_that_shakes_at_another_rate_is_not_contradicted() -> None:
    assert not verdict(0.01 * np.sin(2 * np.pi * 0.7 * TIMES), 0.005 * WAVE)
