"""Smooth the box of one face over its detections; store the detections for a later reading."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from emotion_rppg.recordings import Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.video.detectors import DetectedFace, network_file
from emotion_rppg.video.frames import Frame

SMOOTH_S = 1.0  # half the width of the Hann weights; twice DETECT_S or more, so they sum evenly

_DETECTIONS = "detections"  # name of the array in the cache
_ROW = 18  # of a stored detection: time, linked, turn, is there a face; box and landmarks

FaceFinder = str | Path | Callable[[np.ndarray], Iterable[object]] | None


class FaceHistory:
    """Detections of one face in the last seconds; between them its box is smoothed.

    ``uneven``: the times between detections vary, and each detection is weighted by the time about
    it.
    """

    def __init__(self, *, uneven: bool = False) -> None:
        # time, the face's 14 numbers or None, and whether it continues the detection before
        self._entries: deque[tuple[float, np.ndarray | None, bool]] = deque()
        self._turns: dict[float, int] = {}  # of the lying faces, by time
        self._uneven = uneven

    def add(self, time_s: float, face: DetectedFace | None, *, linked: bool) -> None:
        """Add a detection, None where there is no face; ``linked``: it continues the one before."""
        numbers = np.r_[face.box, face.landmarks.ravel()] if face else None
        self._entries.append((time_s, numbers, linked))
        if face and face.turn:
            self._turns[time_s] = face.turn

    @property
    def is_detected(self) -> bool:
        """Whether the last detection has the face."""
        return bool(self._entries) and self._entries[-1][1] is not None

    def nearest_s(self, time_s: float) -> float:
        """Return the time of the detection nearest to a time in seconds."""
        return min((entry[0] for entry in self._entries), key=lambda at: abs(at - time_s))

    def at(self, time_s: float) -> DetectedFace | None:
        """Return the smoothed face at a time in seconds, None if it was not detected then."""
        while len(self._entries) > 2 and self._entries[1][0] < time_s - SMOOTH_S:
            self._turns.pop(self._entries[0][0], None)
            self._entries.popleft()
            self._entries[0] = (*self._entries[0][:2], False)
        times, numbers, linked = zip(*self._entries, strict=True)
        distance = (np.array(times) - time_s) / SMOOTH_S
        nearest = first = last = int(np.abs(distance).argmin())
        if numbers[first] is None:
            return None
        while linked[first]:
            first -= 1
        while last + 1 < len(linked) and linked[last + 1]:
            last += 1
        if first == last and len(times) > 1:
            return None
        distance = distance[first : last + 1]
        weights = np.cos(np.pi / 2 * np.clip(distance, -1, 1)) ** 2
        if self._uneven and len(distance) > 1:
            weights = weights * np.gradient(distance)
        if weights.sum() < 1e-6:  # frames more than a second apart
            weights = (np.abs(distance) == np.abs(distance).min()).astype(float)
        smooth = weights @ np.array(numbers[first : last + 1]) / weights.sum()
        turn = self._turns.get(times[nearest], 0)
        return DetectedFace(smooth[:4], smooth[4:].reshape(5, 2), turn=turn)


class RecordedHistory(FaceHistory):
    """History that keeps all detections for the cache, 144 bytes each."""

    def __init__(self) -> None:
        super().__init__()
        # in one block of memory: many small arrays would fragment the memory that frames use
        self._rows = array("d")

    def add(self, time_s: float, face: DetectedFace | None, *, linked: bool) -> None:
        """Add a detection, None where there is no face; ``linked``: it continues the one before."""
        super().add(time_s, face, linked=linked)
        numbers = np.zeros(14) if face is None else np.r_[face.box, face.landmarks.ravel()]
        turn = 0 if face is None else face.turn
        self._rows.extend((time_s, linked, turn, face is not None, *numbers))

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Return all detections for the cache."""
        return {_DETECTIONS: np.reshape(self._rows, (-1, _ROW))}


class CachedDetections:
    """Face of a video whose detections (n, 18) are stored; each counts from its own time on."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows, self._next = rows, 0
        self._history = FaceHistory()

    def update(self, frame: Frame) -> None:
        """Add the detections up to the time of a frame."""
        while self._next < len(self._rows) and self._rows[self._next, 0] <= frame.time_s:
            time_s, linked, turn, found = self._rows[self._next, :4]
            box, landmarks = self._rows[self._next, 4:8], self._rows[self._next, 8:].reshape(5, 2)
            face = DetectedFace(box, landmarks, turn=int(turn)) if found else None
            self._history.add(float(time_s), face, linked=bool(linked))
            self._next += 1

    def at(self, time_s: float) -> DetectedFace | None:
        """Return the smoothed face at a time in seconds, None if it was not detected then."""
        return self._history.at(time_s)


def detections_key(video: Video, rank: int, detector: FaceFinder) -> str | None:
    """Compute the cache key of the detections of a video; None with a function as detector."""
    if callable(detector):
        return None
    network = network_file() if detector is None else Path(detector)
    return fingerprint("face detections", video, rank, network)


def cached_detections(cache: Cache, key: str | None) -> CachedDetections | None:
    """Read the detections of a video from the cache; None if absent."""
    stored = cache.get(key)
    rows = stored.get(_DETECTIONS) if isinstance(stored, dict) else None
    if rows is None or rows.ndim != 2 or rows.shape[1] != _ROW or not len(rows):
        return None
    return CachedDetections(rows)
