"""A track goes on with the face that it began with, not with whichever face is nearest."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.recordings import Video
from emotion_rppg.video.people_tracking import track_people

RATE, SIDE = 20, 40


def heads(count: int) -> np.ndarray:
    """Draw smooth random patterns of equal mean, uint8 (count, 40, 40, 3)."""
    import cv2

    draw = np.random.default_rng(3)
    coarse = draw.normal(0, 1, (count, 6, 6)).astype(np.float32)
    smooth = [cv2.resize(one - one.mean(), (SIDE, SIDE)) for one in coarse]
    return np.clip(128 + 40 * np.array(smooth), 0, 255).astype(np.uint8)[..., None].repeat(3, -1)


@pytest.mark.parametrize("step", [48, 28, -28])
def test_a_moving_camera_hands_no_track_to_the_neighbour(step: int) -> None:
    """Three heads are 60 pixels apart; the camera pans ``step`` pixels in half a second."""
    patterns, start = heads(3), 140

    def left_edges(k: int) -> list[int]:
        moved = step * min(max(k - 3 * RATE, 0), RATE) * 2 // RATE
        return [start + 60 * i + moved for i in range(3)]

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        for k in range(6 * RATE):
            image = np.full((120, 640, 3), 90, np.uint8)
            image[0, 0] = k
            for x, pattern in zip(left_edges(k), patterns, strict=True):
                image[40 : 40 + SIDE, x : x + SIDE] = pattern
            yield k / RATE, image

    def detector(image: np.ndarray) -> list[tuple[float, ...]]:
        return [(x, 40, SIDE, SIDE) for x in left_edges(int(image[0, 0, 0]))]

    whose: dict[int, set[int]] = {}
    for k, frame in enumerate(track_people(Video(Path("x"), frames=frames), detector=detector)):
        for number, face in frame.people.items():
            assert face.box is not None
            nearest = int(np.abs(np.array(left_edges(k)) - face.box[0]).argmin())
            whose.setdefault(number, set()).add(nearest)
    assert all(len(people) == 1 for people in whose.values()), whose
    assert set().union(*whose.values()) == {0, 1, 2}
