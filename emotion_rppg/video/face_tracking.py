"""Follow one face through a video; its skin's mean colour and its picture, frame by frame.

A box that trembles is itself a false pulse. So the box of a frame is a weighted mean of the
detections up to a second before *and after* it (frames wait that long before they are given
out), and regions are averaged with fractional pixels at their borders, never rounded.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Video
from emotion_rppg.video.detectors import Detector, Face, as_detector
from emotion_rppg.video.frames import Frame, opencv, read_frames

log = logging.getLogger(__name__)

EVERY_S = 0.5  # between detections while a face is seen: 10–20 ms each, a frame's worth
SEARCH_S = 0.2  # while none is seen, so that the borders of a loss are known this well
SPREAD_S = 1.0  # half the width of the Hann weights; twice EVERY_S or more, so they sum evenly
REACH = 0.7  # in face sizes: how far a followed face may move between two detections
WIDEN = 1.65  # crop() shows this much more than the face: small cells are noisy ones
CELLS = 32  # skin is weighed on a grid of so many cells a side over the face's box

FaceFinder = str | Path | Callable[[np.ndarray], Iterable[object]] | None


@dataclass(frozen=True, eq=False)
class FaceFrame:
    """One frame and where the skin is in it.

    ``box`` (x, y, w, h) in pixels with fractions, None where no face was seen. ``landmarks``
    (5, 2): eyes, nose, mouth corners; None where the whole box is skin (a given region).
    """

    time_s: float
    image: np.ndarray
    box: tuple[float, float, float, float] | None
    landmarks: np.ndarray | None = None


def track_face(
    video: Video | str | Path,
    *,
    region: str = "face",
    face: int | None = None,
    detector: FaceFinder = None,
) -> Iterator[FaceFrame]:
    """One Look for each frame of the video, in order.

    Faces are looked for every 0.5 s, every 0.2 s while none is seen. The one followed is the
    largest of the first detection that has any; from then on the one whose centre is nearest,
    if it moved by less than 0.7 face sizes. A face farther off is taken for the same person only
    when it is alone in the picture and nobody else was ever seen. A frame counts as seen when
    the detection nearest to it in time found the face; one detection between two empty ones is
    taken for a mistake. Boxes and landmarks are Hann-weighted means (1 s to either side) of the
    detections of the same uninterrupted stretch; those weights have zeros at 1, 1.5, 2 … Hz, so
    the detector's noise hardly reaches the band of the heart. Up to one second of frames is held
    in memory, whatever the video's length.

    Parameters
    ----------
    region : str
        ``"face"``; ``"full"``: the picture is all skin; ``"x,y,w,h"``: so is this rectangle, in
        pixels. ``video.region``, if set, takes the place of ``"face"``.
    face : int, optional
        Follow the N-th largest (1: the largest) of the first detection that has so many faces.
    detector : path or function, optional
        A YuNet ONNX file, or a function from an RGB picture to a list of
        :class:`~emotion_rppg.video.detectors.Face` or of ``(x, y, w, h)``. Default: CenterFace.

    Raises
    ------
    InputError
        A region outside of the picture, an unreadable video; after the last frame: no face in
        any of them.
    """
    video = video if isinstance(video, Video) else Video(Path(video))
    if region == "face" and video.region is not None:
        region = video.region
    if face is not None and face < 1:
        raise InputError(f"face={face}: faces are counted from 1, the largest")
    if region != "face":
        return _fixed(read_frames(video), region)
    tracker = _Tracker(as_detector(detector), face or 1)
    return _all_or_error(video.path, tracker, _followed(read_frames(video), tracker, SPREAD_S))


def track_face_live(
    frames: Iterable[Frame], *, delay_s: float, region: str = "face", detector: FaceFinder = None
) -> Iterator[FaceFrame]:
    """The same for frames that still come: one Look each, ``delay_s`` after its frame.

    The box is smoothed by what was seen up to ``delay_s`` later; never a face is no error.
    """
    if region != "face":
        return _fixed(frames, region)
    return _followed(frames, _Tracker(as_detector(detector), 1), delay_s)


def read_trace(
    video: Video | str | Path,
    *,
    region: str = "face",
    face: int | None = None,
    detector: FaceFinder = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds (n,) and the skin's mean RGB (n, 3), 0–255, NaN where no face was seen.

    Parameters and errors as in :func:`track_face`.
    """
    times, colours = [], []
    for look in track_face(video, region=region, face=face, detector=detector):
        times.append(look.time_s)
        colours.append(skin_mean(look))
    return np.array(times), np.array(colours)


def skin_mean(look: FaceFrame) -> np.ndarray:
    """Mean RGB (3,), 0–255, of forehead and cheeks, or of the whole box if it is a region.

    NaN without a box. The weights come from the landmarks alone, never from colours, which the
    pulse itself would move.
    """
    if look.box is None:
        return np.full(3, np.nan)
    if look.landmarks is None:
        return _cells(look.image, look.box, 1)[0, 0]
    return skin_mean_of(face_cells(look, CELLS), look)


def face_cells(look: FaceFrame, size: int) -> np.ndarray:
    """Colours (size, size, 3), 0–255, of equal cells of a look's box, which it must have."""
    assert look.box is not None
    return _cells(look.image, look.box, size)


def skin_of(look: FaceFrame, size: int) -> np.ndarray:
    """How far each of such cells is skin, (size, size), 0–1; all of a given region is."""
    return np.ones((size, size)) if look.landmarks is None else _skin_weights(look, size)


def skin_mean_of(cells: np.ndarray, look: FaceFrame) -> np.ndarray:
    """Mean RGB (3,) of the skin in a look's `face_cells`."""
    weights = skin_of(look, len(cells))
    mean: np.ndarray = np.einsum("ij,ijk->k", weights, cells) / max(weights.sum(), 1e-9)
    return mean


def crop(look: FaceFrame, size: int) -> np.ndarray:
    """The face as a square picture, uint8 (size, size, 3), by area-weighted means.

    The square is 1.65 times as wide as the face's box (mean of its sides), borders repeated where
    it leaves the picture; a given region is taken as it is. Black without a box.
    """
    if look.box is None:
        return np.zeros((size, size, 3), np.uint8)
    x, y, w, h = look.box
    if look.landmarks is not None:
        side = WIDEN * (w + h) / 2
        x, y, w, h = x + (w - side) / 2, y + (h - side) / 2, side, side
    return np.rint(_cells(look.image, (x, y, w, h), size)).astype(np.uint8)


def _fixed(frames: Iterable[Frame], region: str) -> Iterator[FaceFrame]:
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
            f"region {region!r} is not known: want face, full or x,y,w,h in pixels"
        ) from None
    if not (x >= 0 and y >= 0 and w >= 1 and h >= 1 and x + w <= width and y + h <= height):
        raise InputError(
            f"region {region!r} (x,y,w,h) does not lie inside the picture of {width}×{height} "
            "pixels"
        )
    return x, y, w, h


def _all_or_error(path: Path, tracker: _Tracker, looks: Iterator[FaceFrame]) -> Iterator[FaceFrame]:
    count = seen = 0
    for look in looks:
        count, seen = count + 1, seen + (look.box is not None)
        yield look
    if not seen:
        raise InputError(tracker.explain(path, count))
    log.info("%s: a face in %d of %d frames", path, seen, count)


def _followed(frames: Iterable[Frame], tracker: _Tracker, delay_s: float) -> Iterator[FaceFrame]:
    waiting: deque[Frame] = deque()
    for frame in _and_then_none(frames):
        if frame is not None:
            tracker.see(frame)
            waiting.append(frame)
        while waiting and (frame is None or waiting[0].time_s <= frame.time_s - delay_s):
            ready = waiting.popleft()
            found = tracker.at(ready.time_s)
            if found is None:
                yield FaceFrame(ready.time_s, ready.image, None)
            else:
                x, y, w, h = found.box.tolist()
                yield FaceFrame(ready.time_s, ready.image, (x, y, w, h), found.landmarks)
            del ready


def _and_then_none(frames: Iterable[Frame]) -> Iterator[Frame | None]:
    yield from frames
    yield None


class _Tracker:
    """Detections of one person over the last seconds, and the smooth box between them."""

    def __init__(self, detector: Detector, wanted: int) -> None:
        self._detect, self._wanted = detector, wanted
        # time, the face's 14 numbers or None, and whether the one before is the same stretch
        self._history: deque[tuple[float, np.ndarray | None, bool]] = deque()
        self._next_s = -np.inf
        self._last: Face | None = None  # where the person was seen last
        self._most = 0  # faces in one picture

    def see(self, frame: Frame) -> None:
        """Look for the person if it is time to."""
        if frame.time_s < self._next_s:
            return
        found = self._choose(self._detect(frame.image))
        before = self._last if self._history and self._history[-1][1] is not None else None
        linked = bool(found and before and _distance(found, before) < REACH)
        numbers = np.r_[found.box, found.landmarks.ravel()] if found else None
        self._history.append((frame.time_s, numbers, linked))
        self._last = found or self._last
        # a frame comes a hair before its due time when the rate does not divide the step
        self._next_s = frame.time_s + (EVERY_S if found else SEARCH_S) - 1e-3

    def _choose(self, faces: Sequence[Face]) -> Face | None:
        found = sorted(faces, key=lambda face: -float(np.prod(face.box[2:])))
        self._most = max(self._most, len(found))
        if self._last is None:
            return found[self._wanted - 1] if len(found) >= self._wanted else None
        last = self._last
        if not found:
            return None
        nearest = min(found, key=lambda face: _distance(face, last))
        alone = len(found) == 1 and self._most == 1
        return nearest if alone or _distance(nearest, last) < REACH else None

    def at(self, time_s: float) -> Face | None:
        """The smoothed face at a time, None if it was not seen then."""
        while len(self._history) > 2 and self._history[1][0] < time_s - SPREAD_S:
            self._history.popleft()
            self._history[0] = (*self._history[0][:2], False)
        times, numbers, linked = zip(*self._history, strict=True)
        away = (np.array(times) - time_s) / SPREAD_S
        first = last = int(np.abs(away).argmin())
        if numbers[first] is None:
            return None
        while linked[first]:
            first -= 1
        while last + 1 < len(linked) and linked[last + 1]:
            last += 1
        if first == last and len(times) > 1:
            return None
        away = away[first : last + 1]
        weights = np.cos(np.pi / 2 * np.clip(away, -1, 1)) ** 2
        if weights.sum() < 1e-6:  # frames more than a second apart
            weights = (np.abs(away) == np.abs(away).min()).astype(float)
        smooth = weights @ np.array(numbers[first : last + 1]) / weights.sum()
        return Face(smooth[:4], smooth[4:].reshape(5, 2))

    def explain(self, path: Path, frames: int) -> str:
        if 0 < self._most < self._wanted:
            return (
                f"{path}: face {self._wanted} was asked for, at most {self._most} were seen at "
                "once: want a smaller number"
            )
        return (
            f"{path}: no face was found in {frames} frames: want one that is lit, turned to the "
            "camera and at least a tenth of the picture wide; for a video that is all skin "
            "choose region full, or x,y,w,h"
        )


def _distance(a: Face, b: Face) -> float:
    """From centre to centre, in mean face sizes."""
    step = (a.box[:2] + a.box[2:] / 2) - (b.box[:2] + b.box[2:] / 2)
    return float(np.hypot(*step) / np.mean([a.box[2:], b.box[2:]]))


def _skin_weights(look: FaceFrame, size: int) -> np.ndarray:
    """Weight of each cell of the box, (size, size), 0–1: forehead and cheeks, soft borders."""
    assert look.box is not None
    assert look.landmarks is not None
    x, y, w, h = look.box
    middle = (np.arange(size) + 0.5) / size
    height, width = look.image.shape[:2]
    px, py = np.meshgrid(x + w * middle, y + h * middle)
    eyes, mouth = look.landmarks[:2].mean(0), look.landmarks[3:].mean(0)
    axes = np.stack([look.landmarks[1] - look.landmarks[0], mouth - eyes], axis=1)
    # across: eyes at ±0.5; down: eyes at 0, mouth at 1
    across, down = np.einsum(
        "ij,jkl->ikl", np.linalg.pinv(axes), np.stack([px, py]) - eyes[:, None, None]
    )
    forehead = _inside(across, -0.65, 0.65) * _inside(down, -0.8, -0.28)
    cheeks = _inside(np.abs(across), 0.2, 0.85) * _inside(down, 0.25, 0.8)
    pictured = (px > 0) & (px < width) & (py > 0) & (py < height)
    return np.maximum(forehead, cheeks) * pictured


def _inside(value: np.ndarray, low: float, high: float, *, soft: float = 0.1) -> np.ndarray:
    """1 between two limits, 0 outside, with smooth flanks ``soft`` wide."""
    rise = np.minimum(value - low, high - value) / soft + 0.5
    rise = np.minimum(np.maximum(rise, 0.0), 1.0)
    return rise * rise * (3 - 2 * rise)


def _cells(image: np.ndarray, box: tuple[float, float, float, float], size: int) -> np.ndarray:
    """Means of size × size equal cells of a box, float (size, size, 3), fractions of pixels kept.

    Sums over rectangles are differences of the picture's integral, which between pixels is
    exactly linear. Cells outside of the picture repeat its border.
    """
    x, y, w, h = box
    low_y, high_y, top, bottom = _edges(y, h, size, image.shape[0])
    low_x, high_x, left, right = _edges(x, w, size, image.shape[1])
    cv2 = opencv()
    integral = cv2.integral(image[top:bottom, left:right], sdepth=cv2.CV_64F)
    rows = _between(integral, high_y) - _between(integral, low_y)
    columns = np.ascontiguousarray(rows.transpose(1, 0, 2))
    sums = (_between(columns, high_x) - _between(columns, low_x)).transpose(1, 0, 2)
    mean: np.ndarray = sums / ((high_y - low_y)[:, None] * (high_x - low_x))[:, :, None]
    return mean


def _edges(
    start: float, extent: float, cells: int, length: int
) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Low and high edge of each cell, counted from pixel ``first``; ``first`` and ``stop``."""
    edges = start + extent * np.arange(cells + 1) / cells
    low, high = np.clip(edges[:-1], 0, length), np.clip(edges[1:], 0, length)
    outside = high - low < 1e-6
    low = np.where(outside, np.clip(np.floor(low), 0, length - 1), low)
    high = np.where(outside, low + 1, high)
    first, stop = int(np.floor(low.min())), int(np.ceil(high.max()))
    return low - first, high - first, first, stop


def _between(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Values along the first axis at fractional indices, linearly."""
    below = np.minimum(where.astype(int), len(values) - 2)
    part = (where - below)[:, None, None]
    return (1 - part) * values[below] + part * values[below + 1]
