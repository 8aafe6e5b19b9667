"""Frames are put where the camera took them; a clock that is even, or changes, is left alone."""

import numpy as np
import pytest

from emotion_rppg.frame_timestamps import frame_times
from emotion_rppg.signals import Signal

TAKEN = np.arange(1800) / 30


def stamped(taken: np.ndarray, seed: int = 0) -> np.ndarray:
    """Late by up to a third of a frame, and now and then busy: several at once."""
    late = taken + np.random.default_rng(seed).uniform(0, 0.011, len(taken))
    for busy in range(200, len(taken) - 20, 400):
        hold = late[busy] + 0.2
        few = late[busy : busy + 8]
        late[busy : busy + 8] = np.maximum(few, hold + 0.004 * np.arange(8))
    return np.maximum.accumulate(late + 1e-6 * np.arange(len(late)))


def error_ms(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return 1e3 * (found - truth - np.median(found - truth))


def test_frames_stamped_late_are_put_back() -> None:
    before, after = (error_ms(t, TAKEN) for t in (stamped(TAKEN), frame_times(stamped(TAKEN))))
    assert np.abs(before).max() > 150
    assert np.abs(after).max() < 25
    assert after.std() < before.std() / 4


def test_as_late_on_the_whole_as_the_stamps() -> None:
    stamps = stamped(TAKEN)
    assert np.median(frame_times(stamps) - stamps) == pytest.approx(0, abs=1e-6)


def test_lost_frames_stay_lost() -> None:
    taken = np.delete(TAKEN, np.arange(900, 930))
    found = frame_times(stamped(taken))
    assert np.diff(found).max() > 0.9
    assert error_ms(found, taken).std() < 10


@pytest.mark.parametrize("lost", [0.02, 0.05])
def test_frames_lost_now_and_then_do_not_slow_the_camera(lost: float) -> None:
    draw = np.random.default_rng(1)
    taken = TAKEN[draw.uniform(size=len(TAKEN)) > lost]
    stamps = np.maximum.accumulate(taken + draw.exponential(0.006, len(taken)))
    before, after = (error_ms(t, taken) for t in (stamps, frame_times(stamps)))
    assert after.std() < 0.8 * before.std()


def test_stamps_in_pairs_are_told_apart() -> None:
    stamps = np.repeat(TAKEN[1::2], 2) + 1e-4 * np.arange(len(TAKEN)) % 2e-4
    assert error_ms(frame_times(stamps), TAKEN).std() < 2


@pytest.mark.parametrize("stamps", [TAKEN, np.round(TAKEN, 3), np.sort(TAKEN[:50] ** 1.01)])
def test_even_and_short_clocks_are_left_alone(stamps: np.ndarray) -> None:
    np.testing.assert_array_equal(frame_times(stamps), stamps)


@pytest.mark.parametrize("slow_first", [True, False])
def test_a_camera_that_changes_its_rate_is_followed(slow_first: bool) -> None:
    steps = np.repeat([1 / 24, 1 / 30] if slow_first else [1 / 30, 1 / 24], 900)
    taken = np.cumsum(steps)
    found = error_ms(frame_times(taken), taken)
    assert np.abs(found).max() < 60
    assert np.abs(found[:800]).max() < 5
    assert np.abs(found[1000:]).max() < 5


def test_times_still_increase() -> None:
    draw = np.random.default_rng(0)
    stamps = np.cumsum(draw.uniform(0.001, 0.08, 900))
    assert (np.diff(frame_times(stamps)) > 0).all()


def test_a_camera_wave_is_read_by_its_frames() -> None:
    wave = np.sin(2 * np.pi * 1.2 * TAKEN)

    def miss(kind: str) -> float:
        signal = Signal.from_times(stamped(TAKEN), wave, kind=kind)
        t = signal.times_s
        pair = np.column_stack([np.sin(2 * np.pi * 1.2 * t), np.cos(2 * np.pi * 1.2 * t)])
        fit = np.linalg.lstsq(pair, signal.samples, rcond=None)[0]
        return float(np.std(signal.samples - pair @ fit))

    assert miss("rppg") < miss("bvp") / 3
