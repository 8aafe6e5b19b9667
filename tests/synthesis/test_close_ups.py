"""Close-ups: skin or the face fills the frame, and the pulse stays where it was."""

from __future__ import annotations

import numpy as np
import pytest

from emotion_rppg.synthesis.close_ups import close_up


def spread(frames: int, side: int) -> np.ndarray:
    """Make a clip whose red and green values are the pixel's column and row."""
    rows, columns = np.mgrid[0:side, 0:side]
    image = np.stack([columns, rows, np.full_like(rows, 9)], axis=-1).astype(np.uint8)
    return np.repeat(image[None], frames, axis=0)


@pytest.mark.parametrize("seed", range(12))
def test_one_window_about_the_middle_is_kept_in_all_frames(seed) -> None:
    out = close_up(np.random.default_rng(seed), spread(3, 64), 32)
    assert out.shape == (3, 32, 32, 3)
    assert out.dtype == np.uint8
    assert np.array_equal(out[0], out[2])
    columns, rows = out[0, :, :, 0].astype(int), out[0, :, :, 1].astype(int)
    for along in (columns[0], rows[:, 0]):
        assert (np.diff(along) >= 0).all()
        shown = along[-1] - along[0]
        assert 64 / 4 * 0.6 < shown < 64  # a part of the clip, at least about a quarter of its side
        assert 8 < along.mean() < 56


def test_windows_reach_from_skin_alone_to_the_complete_face() -> None:
    shown = [
        np.ptp(close_up(np.random.default_rng(seed), spread(1, 64), 32)[0, 0, :, 0].astype(int))
        for seed in range(60)
    ]
    assert min(shown) < 20
    assert max(shown) > 52
