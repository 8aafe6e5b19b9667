"""Decode a video as a stream of upright RGB frames with the time each was really shown.

Rates in a container are promises: webcams drop frames in low light, phones vary theirs. So each
frame carries its own presentation time, and nothing after this file may count frames for seconds.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Video
from emotion_rppg.video.deinterlace import is_interlaced, woven

log = logging.getLogger(__name__)

DEBIAN_PACKAGES = {"libGL": "libgl1", "libgthread": "libglib2.0-0", "libglib": "libglib2.0-0"}
TRUNCATED = 0.95  # containers miscount by a few frames; fewer than this share means a torn file


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: ``image`` uint8 RGB (h, w, 3), upright; ``time_s`` from the stretch's start."""

    index: int
    time_s: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoFacts:
    """What the container says; only reading every frame would prove it.

    ``width`` and ``height`` are those of the upright picture; ``rotation`` is how the camera was
    held, in degrees (already undone in frames). ``frames`` and ``duration_s`` are None where the
    container gives no count.
    """

    width: int
    height: int
    rate_hz: float
    frames: int | None
    duration_s: float | None
    rotation: int


def opencv() -> ModuleType:
    """The module cv2, its decoder told to keep quiet; a missing system library is explained."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's AV_LOG_QUIET
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # both are read once, when cv2 loads
    try:
        import cv2
    except ImportError as error:
        for library, package in DEBIAN_PACKAGES.items():
            if library in str(error):
                raise InputError(
                    f"OpenCV cannot start because {library} is missing from this system: "
                    f"run 'apt-get install {package}' (Debian, Ubuntu)"
                ) from error
        raise
    return cv2


def describe(path: str | Path) -> VideoFacts:
    """Size, rate, length and rotation of a video file, from its header and first frame.

    Raises
    ------
    InputError
        No such file, a folder, an empty file, or nothing that can be decoded.
    """
    cv2 = opencv()
    capture = _open(Path(path))
    try:
        ok, image = capture.read()
        if not ok:
            raise InputError(_not_a_video(Path(path)))
        rate, frames = capture.get(cv2.CAP_PROP_FPS), _promised(capture)
        return VideoFacts(
            width=image.shape[1],
            height=image.shape[0],
            rate_hz=float(rate),
            frames=frames,
            duration_s=frames / rate if frames and rate > 0 else None,
            rotation=int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360,
        )
    finally:
        capture.release()


def read_frames(video: Video | str | Path) -> Iterator[Frame]:
    """Frames of the stretch ``start_s <= time < end_s``, one at a time.

    Memory does not grow with length. Times are the container's presentation times, relative to
    ``video.start_s`` and strictly increasing, or those of ``video.times``; where the container has
    none (raw streams) they are index / rate, with a logged warning. A torn file gives the frames
    before the tear, with a logged warning.

    Yields
    ------
    Frame
        uint8 RGB, upright whatever way the camera was held.

    Raises
    ------
    InputError
        No such file, not a video, or fewer than two frames in the stretch.
    """
    video = video if isinstance(video, Video) else Video(Path(video))
    with _frames(video) as frames:
        first, second = next(frames, None), next(frames, None)
        if first is None or second is None:
            raise InputError(_too_few(video, 0 if first is None else 1))
        yield first
        yield second
        del first, second  # else they would live as long as the stream
        yield from frames


@contextmanager
def _frames(video: Video) -> Iterator[Iterator[Frame]]:
    """The frames of a file, which is closed afterwards, or of a data set's own pictures."""
    if video.frames is not None:
        yield _given(video)
        return
    capture = _open(video.path)
    try:
        yield _stretch(capture, video)
    finally:
        capture.release()


def _given(video: Video) -> Iterator[Frame]:
    assert video.frames is not None
    end = math.inf if video.end_s is None else video.end_s
    index, last = 0, -math.inf
    for time_s, picture in video.frames():
        if not last < time_s < math.inf:
            raise InputError(
                f"{video.path}: a picture of {time_s:g} s follows one of {last:g} s: want times "
                "that increase"
            )
        last = time_s
        if time_s >= end - 1e-6:
            return
        if time_s >= video.start_s - 1e-6:
            yield Frame(index, time_s - video.start_s, picture)
            index += 1


def _open(path: Path) -> Any:
    cv2 = opencv()
    if path.is_dir():
        raise InputError(f"{path} is a folder: want one video file, e.g. {path}/video.mp4")
    if not path.exists():
        raise InputError(f"{path}: no such file; want a video")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes): copy or download the video again")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(_not_a_video(path))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def _not_a_video(path: Path) -> str:
    return (
        f"{path} cannot be read as a video: want a file that FFmpeg decodes (mp4, mov, avi …); "
        "if it is one, it may be cut off or damaged: copy it again"
    )


def _too_few(video: Video, found: int) -> str:
    if video.start_s > 0 or video.end_s is not None:
        end = "its end" if video.end_s is None else f"{video.end_s:g} s"
        return (
            f"{video.path} has {found} frame(s) between {video.start_s:g} s and {end}: "
            "want at least 2; check the stretch against the video's length"
        )
    if not found and video.frames is None:
        return _not_a_video(video.path)
    return f"{video.path} has {found} frame(s): want at least 2 to see a pulse; is it a picture?"


def _promised(capture: Any) -> int | None:
    """How many frames the container claims to hold; None when it does not say."""
    count = capture.get(opencv().CAP_PROP_FRAME_COUNT)
    return int(count) if math.isfinite(count) and count > 0 else None


def _stretch(capture: Any, video: Video) -> Iterator[Frame]:
    cv2 = opencv()
    end = math.inf if video.end_s is None else video.end_s
    index = 0
    again: Iterator[np.ndarray] | None = None
    stuck = _stuck(video.path)
    clock = _clock(capture, video.path)
    if video.times is not None:
        clock = _told(clock, video.path, video.times())
    for number, time_s in enumerate(clock):
        if time_s >= end - 1e-6:
            return
        if time_s < video.start_s - 1e-6:
            continue  # decoded, since seeking is not exact, but never turned into a picture
        if again is None:
            ok, image = capture.retrieve()
            if not ok:
                continue
            if stuck:
                height, width = image.shape[:2]
                again = woven(video.path, skip=number, height=height, width=width)
        picture = next(again, None) if again is not None else to_rgb(cv2, image)
        if picture is None:
            return
        yield Frame(index, time_s - video.start_s, picture)
        index += 1


def _stuck(path: Path) -> bool:
    """Whether OpenCV cannot turn this film's pictures into RGB: it then repeats its memory."""
    capture = _open(path)
    try:
        first, second = (capture.read()[1] for _ in range(2))
    finally:
        capture.release()
    same = first is not None and second is not None and np.array_equal(first, second)
    return same and is_interlaced(path)


def _clock(capture: Any, path: Path) -> Iterator[float]:
    """Grab frame after frame; give the time of each in seconds, strictly increasing."""
    cv2 = opencv()
    rate = capture.get(cv2.CAP_PROP_FPS)
    step = 1.0 / rate if math.isfinite(rate) and rate > 0 else None
    count, last, warned = 0, -math.inf, False
    while capture.grab():
        now = capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        if not math.isfinite(now) or now <= last:
            if step is None:
                raise InputError(
                    f"{path} has neither times nor a rate for its frames: "
                    "rewrap it in a container that has, e.g. ffmpeg -r RATE -i IN -c copy OUT.mp4"
                )
            now = last + step if count else 0.0
            if not warned:
                log.warning(
                    "%s: frame %d has no time of its own; using its rate of %g frames a second",
                    path,
                    count,
                    rate,
                )
                warned = True
        last, count = now, count + 1
        yield now
    promised = _promised(capture)
    if promised and count < TRUNCATED * promised:
        log.warning(
            "%s: only %d of %d frames can be decoded; is it cut off?", path, count, promised
        )


def _told(clock: Iterator[float], path: Path, times_s: np.ndarray) -> Iterator[float]:
    """Times that the data set tells, a frame each, in place of the container's."""
    if times_s.ndim != 1 or not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
        raise InputError(
            f"{path}: the times that come with it do not increase: want a second for each frame"
        )
    last = -math.inf
    for time, _ in zip(times_s, clock, strict=False):
        last = max(float(time), last + 1e-6)
        yield last
    if next(clock, None) is not None:
        log.warning("%s has more than the %d frames with a time, left out", path, len(times_s))


def to_rgb(cv2: ModuleType, image: np.ndarray) -> np.ndarray:
    channels = 1 if image.ndim == 2 else image.shape[2]
    code = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}[channels]
    rgb: np.ndarray = cv2.cvtColor(image, code)
    return rgb
