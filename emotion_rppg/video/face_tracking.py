"""Track one face through a video; compute its mean skin colour and its crop in each frame.

A box that jitters causes a false pulse. The box of a frame is therefore a weighted mean of the
detections up to one second before *and after* it (frames are yielded with that delay), and regions
are averaged with fractional pixels at their borders, never rounded.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.video.detectors import DetectedFace, Detector, as_detector
from emotion_rppg.video.face_history import (
    SMOOTH_S,
    CachedDetections,
    FaceFinder,
    FaceHistory,
    RecordedHistory,
    cached_detections,
    detections_key,
)
from emotion_rppg.video.face_motion import FollowedFace, Reference, between
from emotion_rppg.video.frames import Frame, opencv, read_frames

log = logging.getLogger(__name__)

DETECT_S = 0.5  # between detections while a face is detected: 10–20 ms each
SEARCH_S = 0.2  # while none is detected, so that the start and end of a loss are known this well
CERTAIN_S = 2.0  # while the face does not move or is followed with certainty
MOST_MOVE = 0.7  # in face sizes: how far a tracked face may move between two detections
WIDEN = 1.65  # width of a crop in face sizes; docs/networks.md compares others
CELLS = 32  # a side of the grid over the face's box on which skin is weighted
MOST_EXACT = (2**31 - 1) // 255  # pixels whose sum 32-bit integers hold

NO_FACE = "want one that is lit, turned to the camera and at least a twentieth as wide as the frame"


@dataclass(frozen=True, eq=False)
class FaceFrame:
    """One frame of a face track.

    ``box`` is (x, y, w, h) in pixels with fractions, None where no face was detected. ``landmarks``
    (5, 2) are eyes, nose and mouth corners; None where the box is a given region, all skin.
    ``turn`` are the quarter turns of ``numpy.rot90`` after which the face is upright: not 0 for a
    face that lies on its side.
    """

    time_s: float
    image: np.ndarray
    box: tuple[float, float, float, float] | None
    landmarks: np.ndarray | None = None
    turn: int = 0


def track_face(
    video: Video | str | Path,
    *,
    region: str = "face",
    face: int | None = None,
    detector: FaceFinder = None,
    cache: Cache | None = None,
) -> Iterator[FaceFrame]:
    """Track one face through a video; yield a `FaceFrame` for each frame, in order.

    The detector runs every 0.5 s, every 2 s while the face does not move or is followed by optical
    flow (:mod:`~emotion_rppg.video.face_motion`), and every 0.2 s while there is no face. Tracking
    starts with the largest face of the first detection that has any. From then on it selects the
    face whose centre is nearest, if that moved by less than 0.7 face sizes. A face farther away
    counts as the same person only when it is alone in the frame and no detection has shown two. A
    frame has a box when the detection nearest to it in time has the face; one detection between two
    without a face is rejected. Boxes and landmarks are Hann-weighted means (1 s to either side) of
    the detections of the same uninterrupted stretch. Those weights have zeros at 1, 1.5, 2 … Hz, so
    little noise of the detector reaches the band of the heart rate. Up to one second of frames is
    held in memory, whatever the duration of the video.

    Parameters
    ----------
    region : str
        ``"face"``; ``"full"``: the whole frame is skin; ``"x,y,w,h"``: this rectangle in pixels is
        skin. ``video.region``, if set, replaces ``"face"``.
    face : int, optional
        Track the N-th largest face (1: the largest) of the first detection that has so many.
    detector : path or function, optional
        A YuNet ONNX file, or a function from an RGB image to a list of
        :class:`~emotion_rppg.video.detectors.DetectedFace` or of ``(x, y, w, h)``. Default:
        CenterFace.
    cache : Cache, optional
        Stores the detections, so that the face of the same video is not detected again: 16 kB a
        minute. Not with a detector that is a function, whose code may change.

    Raises
    ------
    InputError
        A region outside of the frame, an unreadable video; after the last frame: no face in any
        frame.
    """
    video = video if isinstance(video, Video) else Video(Path(video))
    if region == "face" and video.region is not None:
        region = video.region
    if isinstance(face, str):
        raise InputError(
            f"face={face!r}: want a number from 1, the largest; estimate_people returns the waves "
            "of all"
        )
    if face is not None and face < 1:
        raise InputError(f"face={face}: faces are counted from 1, the largest")
    if region != "face":
        return _track_region(read_frames(video), region)
    key = None if cache is None else detections_key(video, face or 1, detector)
    if cache is not None and (stored := cached_detections(cache, key)) is not None:
        return _track(read_frames(video), stored, SMOOTH_S)
    history = RecordedHistory()
    tracker = _Tracker(as_detector(detector), face or 1, history)
    frames = _track(read_frames(video), tracker, SMOOTH_S)
    return _store(_require_a_face(video.path, tracker, frames), history, cache, key)


def track_face_live(
    frames: Iterable[Frame], *, delay_s: float, region: str = "face", detector: FaceFinder = None
) -> Iterator[FaceFrame]:
    """Track one face in frames that still arrive; yield each ``delay_s`` seconds after it came.

    The box is smoothed over detections up to ``delay_s`` later. Frames without any face raise no
    error.
    """
    if region != "face":
        return _track_region(frames, region)
    return _track(frames, _Tracker(as_detector(detector), 1, FaceHistory()), delay_s)


def read_trace(
    video: Video | str | Path,
    *,
    region: str = "face",
    face: int | None = None,
    detector: FaceFinder = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read frame times in seconds (n,) and the mean RGB of the skin (n, 3), 0–255.

    Colours are NaN where no face was detected. Parameters and errors as in :func:`track_face`.
    """
    times, colours = [], []
    for frame in track_face(video, region=region, face=face, detector=detector):
        times.append(frame.time_s)
        colours.append(skin_mean(frame))
    return np.array(times), np.array(colours)


def skin_mean(frame: FaceFrame) -> np.ndarray:
    """Compute the mean RGB (3,), 0–255, of forehead and cheeks, or of a whole given region.

    NaN without a box. The weights depend on the landmarks alone, not on colours, which change with
    the pulse.
    """
    if frame.box is None:
        return np.full(3, np.nan)
    if frame.landmarks is None:
        return _cells(frame.image, frame.box, 1)[0, 0]
    return skin_mean_of(face_cells(frame, CELLS), frame)


def face_cells(frame: FaceFrame, size: int) -> np.ndarray:
    """Compute the mean colours (size, size, 3), 0–255, of equal cells of a frame's box."""
    assert frame.box is not None
    return _cells(frame.image, frame.box, size)


def skin_of(frame: FaceFrame, size: int) -> np.ndarray:
    """Compute the skin weight (size, size), 0–1, of each of these cells; 1 in a given region."""
    return np.ones((size, size)) if frame.landmarks is None else _skin_weights(frame, size)


def skin_mean_of(cells: np.ndarray, frame: FaceFrame) -> np.ndarray:
    """Compute the mean RGB (3,), 0–255, of the skin in a frame's `face_cells`."""
    weights = skin_of(frame, len(cells))
    mean: np.ndarray = np.einsum("ij,ijk->k", weights, cells) / max(weights.sum(), 1e-9)
    return mean


def crop(frame: FaceFrame, size: int, *, width: float = WIDEN) -> np.ndarray:
    """Crop the face to a square, uint8 (size, size, 3), by area-weighted means.

    The square is ``width`` times as wide as the face's box (mean of its sides). Where it leaves the
    frame, border pixels are repeated. A lying face is rotated upright. A given region is cropped as
    it is. Black without a box.
    """
    if frame.box is None:
        return np.zeros((size, size, 3), np.uint8)
    x, y, w, h = frame.box
    if frame.landmarks is not None:
        side = width * (w + h) / 2
        x, y, w, h = x + (w - side) / 2, y + (h - side) / 2, side, side
    square = np.rint(_cells(frame.image, (x, y, w, h), size)).astype(np.uint8)
    return np.ascontiguousarray(np.rot90(square, frame.turn)) if frame.turn else square


def _track_region(frames: Iterable[Frame], region: str) -> Iterator[FaceFrame]:
    """Yield every frame with the same box, the given region."""
    box = None
    for frame in frames:
        if box is None:
            box = _rectangle(region, frame.image)
        yield FaceFrame(frame.time_s, frame.image, box)


def _rectangle(region: str, image: np.ndarray) -> tuple[float, float, float, float]:
    height, width = image.shape[:2]
    if region == "full":
        return 0.0, 0.0, float(width), float(height)
    try:
        x, y, w, h = (float(part) for part in region.split(","))
    except ValueError:
        raise InputError(
            f"unknown region {region!r}: want face, full or x,y,w,h in pixels"
        ) from None
    if not (x >= 0 and y >= 0 and w >= 1 and h >= 1 and x + w <= width and y + h <= height):
        raise InputError(
            f"region {region!r} (x,y,w,h) is not inside the frame of {width}×{height} pixels"
        )
    return x, y, w, h


def _require_a_face(
    path: Path, tracker: _Tracker, frames: Iterator[FaceFrame]
) -> Iterator[FaceFrame]:
    """Yield the same frames; raise InputError after the last if none has a face."""
    count = covered = 0
    for frame in frames:
        count, covered = count + 1, covered + (frame.box is not None)
        yield frame
    if not covered:
        raise InputError(tracker.explain(path, count))
    log.info("%s: a face in %d of %d frames", path, covered, count)


def _store(
    frames: Iterator[FaceFrame], history: RecordedHistory, cache: Cache | None, key: str | None
) -> Iterator[FaceFrame]:
    """Yield the same frames; store all detections after the last."""
    yield from frames
    if cache is not None:
        cache.put(key, history.as_arrays())


def _track(
    frames: Iterable[Frame], tracker: _Tracker | CachedDetections, delay_s: float
) -> Iterator[FaceFrame]:
    """Yield each frame with its smoothed box, ``delay_s`` after it was read."""
    waiting: deque[Frame] = deque()
    for frame in _with_end_marker(frames):
        if frame is not None:
            tracker.update(frame)
            waiting.append(frame)
        while waiting and (frame is None or waiting[0].time_s <= frame.time_s - delay_s):
            ready = waiting.popleft()
            found = tracker.at(ready.time_s)
            if found is None:
                yield FaceFrame(ready.time_s, ready.image, None)
            else:
                yield face_frame(ready, found)
            del ready


def face_frame(frame: Frame, face: DetectedFace) -> FaceFrame:
    """Make the `FaceFrame` of a frame and a face in it."""
    x, y, w, h = face.box.tolist()
    return FaceFrame(frame.time_s, frame.image, (x, y, w, h), face.landmarks, face.turn)


def _with_end_marker(frames: Iterable[Frame]) -> Iterator[Frame | None]:
    yield from frames
    yield None


class _Tracker:
    """Detect and select one person's face, and smooth its box over the last seconds.

    ``rank`` is the place by size, from 1, of the person's face in the first detection.
    """

    def __init__(self, detector: Detector, rank: int, history: FaceHistory) -> None:
        self._detect, self._rank, self._history = detector, rank, history
        self._due_s = -np.inf
        self._last_face: DetectedFace | None = None  # the last detection of the person
        self._most_faces = 0  # in one frame
        self._detected_s = -np.inf
        self._reference: Reference | None = None  # the last detection

    def update(self, frame: Frame) -> None:
        """Locate the face in a frame if that is due: follow it, or run the detector."""
        if frame.time_s < self._due_s:
            return
        followed = self._follow(frame)
        due = frame.time_s > self._detected_s + CERTAIN_S - 1e-3
        is_detection = due or followed is None or not followed.is_certain
        found = followed.face if followed else None
        if is_detection:
            found = between(self._choose(self._detect(frame.image)), found)
        before = self._last_face if self._history.is_detected else None
        linked = bool(found and before and continues(found, before))
        self._history.add(frame.time_s, found, linked=linked)
        if is_detection:
            self._detected_s = frame.time_s
            # a detection that the one before does not confirm may be false
            self._reference = Reference.of(frame.image, found) if found and linked else None
        self._last_face = found or self._last_face
        # a frame can come slightly before its due time where the rate does not divide the step
        self._due_s = frame.time_s + (DETECT_S if found else SEARCH_S) - 1e-3

    def _follow(self, frame: Frame) -> FollowedFace | None:
        """Return the face where it has moved to since its detection, None if it is not followed."""
        if self._reference is None or self._last_face is None or not self._history.is_detected:
            return None
        return self._reference.follow(frame.image, self._last_face)

    def _choose(self, faces: Sequence[DetectedFace]) -> DetectedFace | None:
        """Select the tracked person among the detected faces, None if not among them."""
        found = sorted(faces, key=lambda face: -float(np.prod(face.box[2:])))
        self._most_faces = max(self._most_faces, len(found))
        if self._last_face is None:
            return found[self._rank - 1] if len(found) >= self._rank else None
        last = self._last_face
        if not found:
            return None
        nearest = min(found, key=lambda face: distance_between(face, last))
        alone = len(found) == 1 and self._most_faces == 1
        return nearest if alone or distance_between(nearest, last) < MOST_MOVE else None

    def at(self, time_s: float) -> DetectedFace | None:
        """Return the smoothed face at a time in seconds, None if it was not detected then."""
        return self._history.at(time_s)

    def explain(self, path: Path, frames: int) -> str:
        """Return the error message for a video without the requested face."""
        if 0 < self._most_faces < self._rank:
            return (
                f"{path}: face {self._rank} was requested, but no frame has more than "
                f"{self._most_faces} face(s): want a smaller number"
            )
        return (
            f"{path}: no face was found in {frames} frames: {NO_FACE}; for a video that is all "
            "skin choose region full, or x,y,w,h"
        )


def continues(face: DetectedFace, before: DetectedFace) -> bool:
    """Tell whether a detection continues an earlier one: near it and lying on the same side."""
    return distance_between(face, before) < MOST_MOVE and face.turn == before.turn


def distance_between(a: DetectedFace, b: DetectedFace) -> float:
    """Compute the distance between two centres, in mean face sizes."""
    step = (a.box[:2] + a.box[2:] / 2) - (b.box[:2] + b.box[2:] / 2)
    return float(np.hypot(*step) / np.mean([a.box[2:], b.box[2:]]))


def _skin_weights(frame: FaceFrame, size: int) -> np.ndarray:
    """Weight each cell of the box, (size, size), 0–1: forehead and cheeks with soft borders."""
    assert frame.box is not None
    assert frame.landmarks is not None
    x, y, w, h = frame.box
    middle = (np.arange(size) + 0.5) / size
    height, width = frame.image.shape[:2]
    px, py = x + w * middle, (y + h * middle)[:, None]
    eyes, mouth = frame.landmarks[:2].mean(0), frame.landmarks[3:].mean(0)
    axes = np.stack([frame.landmarks[1] - frame.landmarks[0], mouth - eyes], axis=1)
    # across: eyes at ±0.5; down: eyes at 0, mouth at 1
    inverse = _inverse(axes)
    across, down = (row[0] * (px - eyes[0]) + row[1] * (py - eyes[1]) for row in inverse)
    forehead = _inside(across, -0.65, 0.65) * _inside(down, -0.8, -0.28)
    cheeks = _inside(np.abs(across), 0.2, 0.85) * _inside(down, 0.25, 0.8)
    in_frame = (px > 0) & (px < width) & (py > 0) & (py < height)
    return np.maximum(forehead, cheeks) * in_frame


def _inverse(axes: np.ndarray) -> np.ndarray:
    """Invert a matrix (2, 2); the pseudo-inverse, which takes ten times as long, if singular."""
    (a, b), (c, d) = axes.tolist()
    determinant = a * d - b * c
    if abs(determinant) <= 1e-9 * (a * a + b * b + c * c + d * d):
        return np.asarray(np.linalg.pinv(axes))
    return np.array([[d, -b], [-c, a]]) / determinant


def _inside(value: np.ndarray, low: float, high: float, *, soft: float = 0.1) -> np.ndarray:
    """Weight values between two limits by 1, outside by 0, with smooth edges ``soft`` wide."""
    rise = np.minimum(value - low, high - value) / soft + 0.5
    rise = np.minimum(np.maximum(rise, 0.0), 1.0)
    return rise * rise * (3 - 2 * rise)


def _cells(image: np.ndarray, box: tuple[float, float, float, float], size: int) -> np.ndarray:
    """Average size × size equal cells of a box, with fractions of pixels: float (size, size, 3).

    Sums over rectangles are differences of the integral image, which is exactly linear between
    pixels. Cells outside of the image repeat its border.
    """
    x, y, w, h = box
    low_y, high_y, top, bottom = _edges(y, h, size, image.shape[0])
    low_x, high_x, left, right = _edges(x, w, size, image.shape[1])
    part, cv2 = image[top:bottom, left:right], opencv()
    depth = cv2.CV_32S if part.shape[0] * part.shape[1] <= MOST_EXACT else cv2.CV_64F
    integral = cv2.integral(part, sdepth=depth)
    sums = _sums(_sums(integral, low_y, high_y, 0), low_x, high_x, 1)
    mean: np.ndarray = sums / ((high_y - low_y)[:, None] * (high_x - low_x))[:, :, None]
    return mean


def _edges(
    start: float, extent: float, cells: int, length: int
) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Compute low and high edge of each cell, counted from pixel ``first``, then the pixels used.

    Returns ``(low, high, first, stop)``.
    """
    edges = start + extent * np.arange(cells + 1) / cells
    if edges[0] >= 0 and edges[-1] <= length and extent >= 1e-6 * cells:
        first, stop = math.floor(edges[0]), math.ceil(edges[-1])
        return edges[:-1] - first, edges[1:] - first, first, stop
    low, high = np.clip(edges[:-1], 0, length), np.clip(edges[1:], 0, length)
    outside = high - low < 1e-6
    low = np.where(outside, np.clip(np.floor(low), 0, length - 1), low)
    high = np.where(outside, low + 1, high)
    first, stop = int(np.floor(low.min())), int(np.ceil(high.max()))
    return low - first, high - first, first, stop


def _sums(integral: np.ndarray, low: np.ndarray, high: np.ndarray, axis: int) -> np.ndarray:
    """Subtract the integral at the low edge of each cell from that at its high edge."""
    if np.array_equal(low[1:], high[:-1]):  # each cell begins where the one before ends
        return np.diff(_between(integral, np.append(low, high[-1]), axis), axis=axis)
    return _between(integral, high, axis) - _between(integral, low, axis)


def _between(values: np.ndarray, where: np.ndarray, axis: int) -> np.ndarray:
    """Interpolate values (rows, columns, 3) linearly at fractional indices of rows or columns."""
    below = np.minimum(where.astype(int), values.shape[axis] - 2)
    part = (where - below)[:, None] if axis else (where - below)[:, None, None]
    at = (slice(None),) * axis
    return np.asarray((1 - part) * values[(*at, below)] + part * values[(*at, below + 1)])
