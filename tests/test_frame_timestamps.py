"""Frame times are recovered from jittery stamps; even and changing clocks are preserved."""

import numpy as np
import pytest

from emotion_rppg.frame_timestamps import frame_times
from emotion_rppg.signals import Signal

TAKEN = np.arange(1800) / 30


def stamped(taken: np.ndarray, seed: int = 0) -> np.ndarray:
    """Stamp frames late by up to a third of a frame, with several at once after busy moments."""
    late = taken + np.random.default_rng(seed).uniform(0, 0.011, len(taken))
    for busy in range(200, len(taken) - 20, 400):
        hold = late[busy] + 0.2
        few = late[busy : busy + 8]
        late[busy : busy + 8] = np.maximum(few, hold + 0.004 * np.arange(8))
    return np.maximum.accumulate(late + 1e-6 * np.arange(len(late)))


def error_ms(estimated: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return 1e3 * (estimated - truth - np.median(estimated - truth))


def test_times_of_late_stamps_are_recovered() -> None:
    before, after = (error_ms(t, TAKEN) for t in (stamped(TAKEN), frame_times(stamped(TAKEN))))
    assert np.abs(before).max() > 150
    assert np.abs(after).max() < 25
    assert after.std() < before.std() / 4


def test_the_median_delay_of_the_stamps_is_retained() -> None:
    stamps = stamped(TAKEN)
    assert np.median(frame_times(stamps) - stamps) == pytest.approx(0, abs=1e-6)


def test_lost_frames_leave_a_gap() -> None:
    taken = np.delete(TAKEN, np.arange(900, 930))
    estimated = frame_times(stamped(taken))
    assert np.diff(estimated).max() > 0.9
    assert error_ms(estimated, taken).std() < 10


@pytest.mark.parametrize("lost", [0.02, 0.05])
def test_occasional_lost_frames_do_not_change_the_estimated_rate(lost: float) -> None:
    draw = np.random.default_rng(1)
    taken = TAKEN[draw.uniform(size=len(TAKEN)) > lost]
    stamps = np.maximum.accumulate(taken + draw.exponential(0.006, len(taken)))
    before, after = (error_ms(t, taken) for t in (stamps, frame_times(stamps)))
    assert after.std() < 0.8 * before.std()


def test_times_of_stamps_in_pairs_are_recovered() -> None:
    stamps = np.repeat(TAKEN[1::2], 2) + 1e-4 * np.arange(len(TAKEN)) % 2e-4
    assert error_ms(frame_times(stamps), TAKEN).std() < 2


@pytest.mark.parametrize("stamps", [TAKEN, np.round(TAKEN, 3), np.sort(TAKEN[:50] ** 1.01)])
def test_even_and_short_clocks_are_unchanged(stamps: np.ndarray) -> None:
    np.testing.assert_array_equal(frame_times(stamps), stamps)


@pytest.mark.parametrize("slow_first", [True, False])
def test_a_change_of_the_camera_rate_is_followed(slow_first: bool) -> None:
    steps = np.repeat([1 / 24, 1 / 30] if slow_first else [1 / 30, 1 / 24], 900)
    taken = np.cumsum(steps)
    estimated = error_ms(frame_times(taken), taken)
    assert np.abs(estimated).max() < 60
    assert np.abs(estimated[:800]).max() < 5
    assert np.abs(estimated[1000:]).max() < 5


def test_estimated_times_increase() -> None:
    draw = np.random.default_rng(0)
    stamps = np.cumsum(draw.uniform(0.001, 0.08, 900))
    assert (np.diff(frame_times(stamps)) > 0).all()


def test_a_camera_wave_uses_the_estimated_frame_times() -> None:
    wave = np.sin(2 * np.pi * 1.2 * TAKEN)

    def residual(kind: str) -> float:
        signal = Signal.from_times(stamped(TAKEN), wave, kind=kind)
        t = signal.times_s
        pair = np.column_stack([np.sin(2 * np.pi * 1.2 * t), np.cos(2 * np.pi * 1.2 * t)])
        fit = np.linalg.lstsq(pair, signal.samples, rcond=None)[0]
        return float(np.std(signal.samples - pair @ fit))

    assert residual("rppg") < residual("bvp") / 3
