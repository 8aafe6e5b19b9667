"""Capture frames of a running camera with the time each was taken."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.video.frames import Frame, opencv, read_frames, to_rgb

QUEUE_SIZE = 60  # frames that may wait; of more, the oldest is dropped
TIMEOUT_S = 5.0  # without a frame, after which the camera is given up
LATEST_S = 1.0  # from the driver's stamp to the arrival; an older stamp is of another clock


@dataclass
class FrameClock:
    """Relate the times of live frames to the clock of the computer.

    ``start_s`` is the reading of ``time.monotonic`` at 0 s of the frames, ``start_unix_s`` that of
    ``time.time``; both are set when the frames start.
    """

    start_s: float = math.nan
    start_unix_s: float = math.nan

    def start(self) -> None:
        """Let 0 s be now."""
        self.start_s, self.start_unix_s = time.monotonic(), time.time()


def camera_frames(number: int, *, clock: FrameClock | None = None) -> Iterator[Frame]:
    """Yield the frames of camera ``number`` (0 is the first) until the caller stops.

    A separate thread captures them, so that their times are right however busy the caller is. A gap
    in ``Frame.index`` means dropped frames.

    Parameters
    ----------
    clock : FrameClock, optional
        Is started with the capture.

    Raises
    ------
    InputError
        No such camera, or no frame of it for five seconds.
    """
    capture = open_camera(number)
    try:
        yield from captured_frames(capture, number, clock=clock)
    finally:
        capture.release()


def open_camera(
    number: int, *, size: tuple[int, int] | None = None, rate_hz: float | None = None
) -> Any:
    """Open a camera of OpenCV; release it after use.

    ``size`` (width, height) in pixels and ``rate_hz`` are wishes: a driver takes the nearest.

    Raises
    ------
    InputError
        No such camera, or it may not be used.
    """
    cv2 = opencv()
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise InputError(
            f"camera {number} cannot be opened: want a camera that is plugged in, allowed and not "
            "in use elsewhere (0 is the first), or the path of a video file"
        )
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    if rate_hz is not None:
        capture.set(cv2.CAP_PROP_FPS, rate_hz)
    return capture


def captured_frames(
    capture: Any, number: int, *, clock: FrameClock | None = None
) -> Generator[Frame, None, None]:
    """Yield the frames of an open camera, which stays open; see `camera_frames`."""
    clock = clock or FrameClock()
    clock.start()
    queue: Queue[Frame] = Queue(QUEUE_SIZE)
    stop = threading.Event()
    thread = threading.Thread(
        target=_capture, args=(capture, queue, stop, clock.start_s), daemon=True
    )
    thread.start()
    try:
        while True:
            yield queue.get(timeout=TIMEOUT_S)
    except Empty:
        raise InputError(
            f"camera {number} gave no frame for {TIMEOUT_S:g} s: is it covered or unplugged?"
        ) from None
    finally:
        stop.set()
        thread.join(timeout=TIMEOUT_S)


def _capture(capture: Any, queue: Queue[Frame], stop: threading.Event, start_s: float) -> None:
    """Put frames into the queue until ``stop`` is set; a full queue loses its oldest frame."""
    cv2 = opencv()
    last_s, index = -math.inf, 0
    while not stop.is_set():
        ok, image = capture.read()
        if not ok:
            time.sleep(0.01)
            continue
        last_s = max(_taken_s(capture, time.monotonic()), last_s + 1e-6)
        frame = Frame(index, last_s - start_s, to_rgb(cv2, image))
        index += 1
        try:
            queue.put_nowait(frame)
        except Full:
            with suppress(Empty):  # the caller may have taken it meanwhile
                queue.get_nowait()
            queue.put_nowait(frame)


def _taken_s(capture: Any, arrived_s: float) -> float:
    """Return when the driver received the last frame, s of ``time.monotonic``.

    Drivers of Linux (V4L2) stamp frames on the same clock, without the jitter of a busy computer.
    Where there is no such stamp, it is the time of arrival.
    """
    stamp_s = float(capture.get(opencv().CAP_PROP_POS_MSEC)) / 1e3
    return stamp_s if 0 <= arrived_s - stamp_s <= LATEST_S else arrived_s


def replayed(
    path: Path, *, paced: bool = True, clock: FrameClock | None = None
) -> Generator[Frame, None, None]:
    """Yield a file's frames at the rate of their times, or as fast as they are decoded."""
    clock = clock or FrameClock()
    clock.start()
    for frame in read_frames(path):
        if paced:
            time.sleep(max(0.0, frame.time_s - (time.monotonic() - clock.start_s)))
        yield frame
