"""Capture frames of a running camera with the time each was taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.video.frames import Frame, opencv, read_frames, to_rgb

QUEUE_SIZE = 60  # frames that may wait; of more, the oldest is dropped
TIMEOUT_S = 5.0  # without a frame, after which the camera is given up


def camera_frames(number: int) -> Iterator[Frame]:
    """Yield the frames of camera ``number`` (0 is the first) until the caller stops.

    A separate thread captures them, so that their times are right however busy the caller is. A gap
    in ``Frame.index`` means dropped frames.

    Raises
    ------
    InputError
        No such camera, or no frame of it for five seconds.
    """
    cv2 = opencv()
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise InputError(
            f"camera {number} cannot be opened: want a camera that is plugged in, allowed and not "
            "in use elsewhere (0 is the first), or the path of a video file"
        )
    queue: Queue[Frame] = Queue(QUEUE_SIZE)
    stop = threading.Event()
    thread = threading.Thread(target=_capture, args=(capture, queue, stop), daemon=True)
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
        capture.release()


def _capture(capture: Any, queue: Queue[Frame], stop: threading.Event) -> None:
    """Put frames into the queue until ``stop`` is set; a full queue loses its oldest frame."""
    cv2 = opencv()
    start, index = time.monotonic(), 0
    while not stop.is_set():
        ok, image = capture.read()
        if not ok:
            time.sleep(0.01)
            continue
        frame = Frame(index, time.monotonic() - start, to_rgb(cv2, image))
        index += 1
        try:
            queue.put_nowait(frame)
        except Full:
            queue.get_nowait()
            queue.put_nowait(frame)


def replayed(path: Path, *, paced: bool = True) -> Iterator[Frame]:
    """Yield a file's frames at the rate of their times, or as fast as they are decoded."""
    start = time.monotonic()
    for frame in read_frames(path):
        if paced:
            time.sleep(max(0.0, frame.time_s - (time.monotonic() - start)))
        yield frame
