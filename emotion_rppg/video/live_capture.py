"""Frames of a camera that is running, with the time each was taken; none waits for the slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.video.frames import Frame, opencv, read_frames, to_rgb

HELD = 60  # frames that may wait; beyond it the oldest is dropped
PATIENCE_S = 5.0  # without a frame, after which the camera is taken for gone


def camera_frames(number: int) -> Iterator[Frame]:
    """Frames of camera ``number`` (0 is the first) until the caller stops.

    A thread of its own takes them, so that times are right however busy the caller is. A gap in
    ``Frame.index`` is frames that were dropped.

    Raises
    ------
    InputError
        No such camera, or none of its frames for five seconds.
    """
    cv2 = opencv()
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise InputError(
            f"camera {number} cannot be opened: want a camera that is plugged in, allowed and not "
            "in use elsewhere (0 is the first), or the path of a video file"
        )
    queue: Queue[Frame] = Queue(HELD)
    stop = threading.Event()
    thread = threading.Thread(target=_take, args=(capture, queue, stop), daemon=True)
    thread.start()
    try:
        while True:
            yield queue.get(timeout=PATIENCE_S)
    except Empty:
        raise InputError(
            f"camera {number} gave no frame for {PATIENCE_S:g} s: is it covered or unplugged?"
        ) from None
    finally:
        stop.set()
        thread.join(timeout=PATIENCE_S)
        capture.release()


def _take(capture: Any, queue: Queue[Frame], stop: threading.Event) -> None:
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
    """A file's frames at the pace at which they were taken, or as fast as they can be read."""
    start = time.monotonic()
    for frame in read_frames(path):
        if paced:
            time.sleep(max(0.0, frame.time_s - (time.monotonic() - start)))
        yield frame
