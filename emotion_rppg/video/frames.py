"""Decode a video to a stream of upright RGB frames with their presentation times.

The frame rate in a container is not reliable: webcams drop frames in low light, and phones vary
their rate. Each frame therefore has its own presentation time, and no later stage derives seconds
from a count of frames.
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recorded_times import ROUNDING_S, RecordedTimes
from emotion_rppg.recordings import Video
from emotion_rppg.runtime.threads import planned_threads
from emotion_rppg.video.deinterlace import deinterlaced_frames, is_interlaced

log = logging.getLogger(__name__)

DEBIAN_PACKAGES = {"libGL": "libgl1", "libgthread": "libglib2.0-0", "libglib": "libglib2.0-0"}
MAX_PIXELS = 67_108_864  # of a frame: 8192×8192; 8K video has 33 million
_PLAYLISTS = (
    b"#extm3u",
    b"ffconcat",
    b"rtsptext",
    b"v=0",
    b"[reference]",
    b"<?xml",
    b"<asx",
    b"<mpd",
)
TRUNCATED = 0.95  # containers miscount by a few frames; below this share the file is truncated


@dataclass(frozen=True, eq=False)
class Frame:
    """One video frame.

    ``image`` is uint8 RGB (h, w, 3), upright; ``time_s`` counts from ``Video.start_s``.
    """

    index: int
    time_s: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoFacts:
    """Facts of a video file as its container states them; they can differ from its frames.

    ``width`` and ``height`` are those of the upright frame in pixels; ``rotation`` is how the
    camera was held, in degrees (frames are already rotated back). ``frames`` and ``duration_s`` are
    None where the container states no number of frames.
    """

    width: int
    height: int
    rate_hz: float
    frames: int | None
    duration_s: float | None
    rotation: int


def opencv() -> ModuleType:
    """Import cv2 with the log output of its decoder switched off and a planned number of threads.

    Raises
    ------
    InputError
        A system library that OpenCV needs is missing.
    """
    is_loaded = "cv2" in sys.modules
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
    if not is_loaded and "OPENCV_FOR_THREADS_NUM" not in os.environ:
        cv2.setNumThreads(planned_threads())
    return cv2


def describe_video(path: str | Path) -> VideoFacts:
    """Read size, rate, duration and rotation of a video file from its header and first frame.

    Raises
    ------
    InputError
        No such file, a folder, an empty file, or a file that cannot be decoded.
    """
    cv2 = opencv()
    capture = _open(Path(path))
    try:
        ok, image = capture.read()
        if not ok:
            raise InputError(_not_a_video(Path(path)))
        rate, frames = capture.get(cv2.CAP_PROP_FPS), _stated_frame_count(capture)
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
    """Decode the frames with ``start_s <= time < end_s``, one at a time.

    Memory does not grow with the length of the video. Times are the container's presentation times,
    relative to ``video.start_s`` and strictly increasing, or those of ``video.times``, such as a
    recorder's table of frames. Where the
    container has none (raw streams), times are index / rate, with a logged warning. A truncated
    file yields the frames that can be decoded, with a logged warning.

    Yields
    ------
    Frame
        uint8 RGB, upright however the camera was held.

    Raises
    ------
    InputError
        No such file, not a video, or fewer than two frames between ``start_s`` and ``end_s``.
    """
    video = video if isinstance(video, Video) else Video(Path(video))
    with _frames(video) as frames:
        first, second = next(frames, None), next(frames, None)
        if first is None or second is None:
            raise InputError(_too_few(video, 0 if first is None else 1))
        yield first
        yield second
        del first, second  # else their memory would be held as long as the stream
        yield from frames


@contextmanager
def _frames(video: Video) -> Iterator[Iterator[Frame]]:
    """Open the frames of a video file, which is closed afterwards, or those of a data set."""
    if video.colours is not None:
        raise InputError(
            f"{video.path} has the mean colour of each frame and no pictures, which only "
            "`estimate` reads, by a classic method: want a video"
        )
    if video.frames is not None:
        yield _dataset_frames(video)
        return
    capture = _open(video.path)
    try:
        yield _decoded(capture, video)
    finally:
        capture.release()


def _dataset_frames(video: Video) -> Iterator[Frame]:
    """Yield the frames that a data set provides itself, between ``start_s`` and ``end_s``."""
    assert video.frames is not None
    end = math.inf if video.end_s is None else video.end_s
    index, last = 0, -math.inf
    for time_s, image in video.frames():
        if not last < time_s < math.inf:
            raise InputError(
                f"{video.path}: a frame at {time_s:g} s follows one at {last:g} s: want increasing "
                "times"
            )
        last = time_s
        if time_s >= end - 1e-6:
            return
        if time_s >= video.start_s - 1e-6:
            yield Frame(index, time_s - video.start_s, image)
            index += 1


def _is_playlist(path: Path) -> bool:
    """Return whether a file only refers to others, which FFmpeg would open whatever its name."""
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PLAYLISTS)


def _open(path: Path) -> Any:
    cv2 = opencv()
    if path.is_dir():
        raise InputError(f"{path} is a folder: want one video file, e.g. {path}/video.mp4")
    if not path.exists():
        raise InputError(f"{path}: no such file; want a video")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes): copy or download the video deinterlaced")
    if _is_playlist(path):
        raise InputError(f"{path} is a list of other files, not a video: give those themselves")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(_not_a_video(path))
    width, height = (
        int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if width * height > MAX_PIXELS:  # before a frame is decoded
        capture.release()
        raise InputError(
            f"{path} has frames of {width}×{height} pixels, more than {MAX_PIXELS / 1e6:.0f} "
            "million: make a smaller copy, e.g. ffmpeg -i IN -vf scale=1920:-2 OUT.mp4"
        )
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def _not_a_video(path: Path) -> str:
    return (
        f"{path} cannot be read as a video: want a file that FFmpeg decodes (mp4, mov, avi …); "
        "if it is one, it may be cut off or damaged: copy it deinterlaced"
    )


def _too_few(video: Video, found: int) -> str:
    if video.start_s > 0 or video.end_s is not None:
        end = "its end" if video.end_s is None else f"{video.end_s:g} s"
        return (
            f"{video.path} has {found} frame(s) between {video.start_s:g} s and {end}: "
            "want at least 2; compare start and end with the duration of the video"
        )
    if not found and video.frames is None:
        return _not_a_video(video.path)
    return (
        f"{video.path} has {found} frame(s): want at least 2 to read a pulse; is it a still image?"
    )


def _stated_frame_count(capture: Any) -> int | None:
    """Return the number of frames that the container states, None where it states none."""
    count = capture.get(opencv().CAP_PROP_FRAME_COUNT)
    return int(count) if math.isfinite(count) and count > 0 else None


def _decoded(capture: Any, video: Video) -> Iterator[Frame]:
    """Yield the frames of an open file between ``start_s`` and ``end_s``."""
    cv2 = opencv()
    end = math.inf if video.end_s is None else video.end_s
    index = 0
    deinterlaced: Iterator[np.ndarray] | None = None
    needs_deinterlacing = _needs_deinterlacing(video.path)
    clock = _clock(capture, video.path)
    if isinstance(video.times, RecordedTimes):
        clock = _recorded_times(clock, video.path, video.times())
    elif video.times is not None:
        clock = _dataset_times(clock, video.path, video.times())
    for number, time_s in enumerate(clock):
        if time_s >= end - 1e-6:
            return
        if time_s < video.start_s - 1e-6:
            continue  # decoded, since seeking is not exact, but not converted to RGB
        if deinterlaced is None:
            ok, image = capture.retrieve()
            if not ok:
                continue
            if needs_deinterlacing:
                height, width = image.shape[:2]
                deinterlaced = deinterlaced_frames(
                    video.path, skip=number, height=height, width=width
                )
        rgb = next(deinterlaced, None) if deinterlaced is not None else to_rgb(cv2, image)
        if rgb is None:
            return
        yield Frame(index, time_s - video.start_s, rgb)
        index += 1


def _needs_deinterlacing(path: Path) -> bool:
    """Tell whether OpenCV fails on this interlaced video: it returns the same frame twice."""
    capture = _open(path)
    try:
        first, second = (capture.read()[1] for _ in range(2))
    finally:
        capture.release()
    same = first is not None and second is not None and np.array_equal(first, second)
    return same and is_interlaced(path)


def _clock(capture: Any, path: Path) -> Iterator[float]:
    """Grab frame after frame and yield the time of each in seconds, strictly increasing."""
    cv2 = opencv()
    rate = capture.get(cv2.CAP_PROP_FPS)
    step = 1.0 / rate if math.isfinite(rate) and rate > 0 else None
    count, last, warned = 0, -math.inf, False
    while capture.grab():
        now = capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        if not math.isfinite(now) or now <= last:
            if step is None:
                raise InputError(
                    f"{path} has neither times nor a rate for its frames: copy it into a "
                    "container that has, e.g. ffmpeg -r RATE -i IN -c copy OUT.mp4"
                )
            now = last + step if count else 0.0
            if not warned:
                log.warning(
                    "%s: frame %d has no time of its own; using the rate of %g frames a second",
                    path,
                    count,
                    rate,
                )
                warned = True
        last, count = now, count + 1
        yield now
    stated = _stated_frame_count(capture)
    if stated and count < TRUNCATED * stated:
        log.warning("%s: only %d of %d frames can be decoded; is it cut off?", path, count, stated)


def _dataset_times(clock: Iterator[float], path: Path, times_s: np.ndarray) -> Iterator[float]:
    """Yield the data set's time of each frame in seconds, in place of the container's."""
    if times_s.ndim != 1 or not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
        raise InputError(
            f"{path}: the frame times of the data set do not increase: want one increasing time in "
            "seconds for each frame"
        )
    last = -math.inf
    for time, _ in zip(times_s, clock, strict=False):
        last = max(float(time), last + 1e-6)
        yield last
    if next(clock, None) is not None:
        log.warning(
            "%s has more frames than the %d with a time; the others are ignored", path, len(times_s)
        )


def _recorded_times(clock: Iterator[float], path: Path, times_s: np.ndarray) -> Iterator[float]:
    """Yield the recorder's time of each frame in place of the container's, which is rounded.

    A frame whose time is not in the table (another video of that name) has the container's time.
    """
    last, unknown = -math.inf, 0
    for rounded in clock:
        k = int(np.searchsorted(times_s, rounded))
        near = times_s[max(k - 1, 0) : k + 1]
        error = np.abs(near - rounded)
        is_known = bool(len(near)) and float(error.min()) <= ROUNDING_S
        unknown += not is_known
        last = max(float(near[error.argmin()]) if is_known else rounded, last + 1e-6)
        yield last
    if unknown:
        log.warning(
            "%s: %d frames are not in the table of frames beside it; they have the times in the "
            "video",
            path,
            unknown,
        )


def to_rgb(cv2: ModuleType, image: np.ndarray) -> np.ndarray:
    """Convert an image of OpenCV (grey, BGR or BGRA) to RGB (h, w, 3)."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    code = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}[channels]
    rgb: np.ndarray = cv2.cvtColor(image, code)
    return rgb
