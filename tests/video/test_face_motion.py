"""A face is followed exactly through shift, size and rotation, and not where that is in doubt."""

import numpy as np
import pytest

from emotion_rppg.video.detectors import TYPICAL_LANDMARKS, DetectedFace
from emotion_rppg.video.face_motion import Reference, between, face_patch, follow_face

BOX = np.array([170.0, 65.0, 110.0, 140.0])
FACE = DetectedFace(BOX, BOX[:2] + TYPICAL_LANDMARKS * BOX[2:])


def beside(pixels: float, *, turn: int = 0) -> DetectedFace:
    """Return the same face further right."""
    shift = np.array([pixels, 0])
    box = np.concatenate([BOX[:2] + shift, BOX[2:]])
    return DetectedFace(box, FACE.landmarks + shift, turn=turn)


def moved(image: np.ndarray, growth: float, degrees: float, shift: tuple[float, float]):
    """Grow and rotate an image about the face and shift it; return it and the moved landmarks."""
    import cv2

    matrix = cv2.getRotationMatrix2D((225.0, 135.0), -degrees, growth)
    matrix[:, 2] += shift
    later = cv2.warpAffine(image, matrix, (image.shape[1], image.shape[0]))
    return later, FACE.landmarks @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize(
    ("growth", "degrees", "shift"),
    [(1, 0, (0, 0)), (1, 0, (0.4, -0.3)), (1, 0, (14, 9)), (1.08, 0, (3, 0)), (0.94, 6, (-5, 4))],
)
def test_a_moved_face_is_followed_to_half_a_percent_of_its_width(
    astronaut: np.ndarray, growth: float, degrees: float, shift: tuple[float, float]
) -> None:
    later, landmarks = moved(astronaut, growth, degrees, shift)
    patch = face_patch(astronaut, FACE)
    assert patch is not None
    found = follow_face(patch, later, FACE)
    assert found is not None
    assert found.is_certain
    np.testing.assert_allclose(found.face.landmarks, landmarks, atol=0.005 * BOX[2])
    np.testing.assert_allclose(found.face.box[2:], growth * BOX[2:], rtol=0.002)


def test_a_face_is_not_followed_to_what_it_is_not(astronaut: np.ndarray) -> None:
    reference = Reference.of(astronaut, FACE)
    covered = astronaut.copy()
    covered[120:, :] = 90
    noise = np.random.default_rng(0).integers(0, 255, astronaut.shape).astype(np.uint8)
    for later in (covered, noise, astronaut[::-1].copy(), np.full_like(astronaut, 90)):
        found = reference.follow(later, FACE)
        assert found is None or not found.is_certain
    for change in ((1.2, 0, (0, 0)), (1, 15, (0, 0)), (1, 0, (70, 0))):
        assert reference.follow(moved(astronaut, *change)[0], FACE) is None


def test_a_plain_image_and_one_without_the_box_are_not_followed(astronaut: np.ndarray) -> None:
    plain = np.full_like(astronaut, 90)
    assert Reference.of(plain, FACE).follow(plain, FACE) is None
    outside = beside(900)
    assert Reference.of(astronaut, FACE).follow(astronaut, outside) is None
    assert Reference.of(astronaut, outside).follow(astronaut, FACE) is None


def test_a_detection_and_the_followed_face_are_averaged_only_if_they_are_near() -> None:
    near = beside(4)
    found = between(near, FACE)
    assert found is not None
    np.testing.assert_allclose(found.box, beside(2).box)
    np.testing.assert_allclose(found.landmarks, beside(2).landmarks)
    far = beside(40)
    lying = beside(0, turn=1)
    for detected, followed in ((far, FACE), (near, None), (None, FACE), (lying, FACE)):
        assert between(detected, followed) is detected
