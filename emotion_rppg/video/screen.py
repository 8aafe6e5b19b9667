"""Show pictures at their onsets while a video is recorded, and say when each was shown.

The table of stimuli is a table of events (`formats.event_tables`): ``onset`` and ``duration`` in
seconds, ``trial_type``, and in ``value`` a picture, relative to the table. The window is OpenCV's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.event_tables import read_event_table
from emotion_rppg.recordings import Event
from emotion_rppg.video.frames import opencv

WINDOW = "emotion-rppg"
BLANK = np.full((480, 640, 3), 127, np.uint8)  # between pictures


def read_stimuli(path: Path) -> list[tuple[Event, np.ndarray]]:
    """Read a table of stimuli and all of its pictures, in the order of their onsets.

    Raises
    ------
    InputError
        A row without a duration, a picture that cannot be read, or two at once; all are listed.
    """
    events = sorted(read_event_table(path), key=lambda event: event.onset_s)
    if not events:
        raise InputError(f"{path} has no stimulus: want a row for each, with onset and duration")
    cv2, faults, out, end_s = opencv(), [], [], 0.0
    for event in events:
        where = f"the stimulus at {event.onset_s:g} s"
        picture = cv2.imread(str(path.parent / event.value)) if event.value else None
        if picture is None:
            faults.append(f"{where}: no picture {event.value!r} (column value) beside the table")
        else:
            out.append((event, picture))
        if not event.duration_s > 0:
            faults.append(f"{where}: no duration")
        if event.onset_s < end_s:
            faults.append(f"{where} begins before {end_s:g} s, the end of the one before, or 0 s")
        end_s = event.onset_s + (0.0 if math.isnan(event.duration_s) else event.duration_s)
    if faults:
        raise InputError(f"{path}: {'; '.join(faults)}")
    return out


class Screen:
    """Show stimuli in a window; `update` is called often, for example after each frame."""

    def __init__(
        self,
        stimuli: Sequence[tuple[Event, np.ndarray]],
        *,
        show: Callable[[np.ndarray], object] | None = None,
    ) -> None:
        self._waiting = list(stimuli)
        self._window: _Window | None = None
        if show is None:
            self._window = _Window()
            show = self._window.show
        self._show = show
        self._until_s = -math.inf
        self.end_s = max(event.onset_s + event.duration_s for event, _ in stimuli)
        self._show(BLANK)

    def update(self, now_s: Callable[[], float]) -> Event | None:
        """Change the picture if it is time; return the stimulus that has just appeared.

        ``now_s`` reads the clock of the video; the onset is its reading after the window was drawn.
        """
        time_s = now_s()
        if self._waiting and time_s >= self._waiting[0][0].onset_s:
            event, picture = self._waiting.pop(0)
            self._show(picture)
            onset_s = now_s()
            self._until_s = event.onset_s + event.duration_s
            return replace(event, onset_s=onset_s)
        if time_s >= self._until_s > -math.inf:
            self._show(BLANK)
            self._until_s = -math.inf
        return None

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()


class _Window:
    """A window over the whole screen."""

    def __init__(self) -> None:
        cv2: Any = opencv()
        try:
            cv2.namedWindow(WINDOW, cv2.WINDOW_NORMAL)
            cv2.setWindowProperty(WINDOW, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
        except cv2.error as error:
            raise InputError(
                "--screen: OpenCV cannot open a window here (no display, or opencv-python-headless "
                "in place of opencv-python)"
            ) from error

    def show(self, picture: np.ndarray) -> None:
        """Draw a picture (h, w, 3), BGR."""
        cv2: Any = opencv()
        cv2.imshow(WINDOW, picture)
        cv2.waitKey(1)

    def close(self) -> None:
        """Remove the window from the screen."""
        cv2: Any = opencv()
        cv2.destroyWindow(WINDOW)


def seconds_since(start_s: float) -> Callable[[], float]:
    """Return a clock that counts seconds from a reading of ``time.monotonic``."""
    return lambda: time.monotonic() - start_s
