"""Resample face crops to an even grid, and overlap-add a network's wave over chunks of them.

Both process a stream: less than two chunks of crops are held, however long the video.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from emotion_rppg.video.face_tracking import WIDEN, FaceFrame, crop

CHUNK_S = 10.0  # length of a network's overlapping chunks: about twelve beats, a few MB
# of a chunk that the next one reads again: 60 frames; a sample of PhysNet's wave depends on 56
OVERLAP = 0.2
LONGEST = 1.5  # chunks that are read in one forward pass
LONGEST_HOLE_S = 0.5  # between frames; a longer hole is not bridged
SHORTEST_FRAMES = 16  # of a network's input


def standardise(wave: np.ndarray) -> np.ndarray:
    """Scale a wave (n,) to mean 0 and standard deviation 1; a constant one to 0."""
    centred = wave - wave.mean()
    spread = centred.std()
    return centred / spread if spread > 1e-12 else centred


def face_crop(frame: FaceFrame, size: int, *, width: float = WIDEN) -> np.ndarray | None:
    """Crop the face to uint8 (size, size, 3), ``width`` face boxes wide; None without a face."""
    return None if frame.box is None else crop(frame, size, width=width)


def face_crops(
    frames: Iterator[FaceFrame], *, size: int, rate_hz: float
) -> tuple[float, Iterator[np.ndarray | None]]:
    """Crop the face of a track and resample it to an even grid.

    Returns the time of the first frame in seconds, and an iterator of crops (size, size, 3), None
    where there is no face.
    """
    timed = ((frame.time_s, face_crop(frame, size)) for frame in frames)
    return crops_at_times(timed, rate_hz=rate_hz)


def crops_at_times(
    timed: Iterable[tuple[float, np.ndarray | None]], *, rate_hz: float
) -> tuple[float, Iterator[np.ndarray | None]]:
    """Resample crops, each with its time in seconds, to an even grid; returns as `face_crops`."""
    rest = iter(timed)
    first = next(rest)
    return first[0], resample_crops(itertools.chain([first], rest), rate_hz)


def resample_crops(
    timed: Iterable[tuple[float, np.ndarray | None]], rate_hz: float
) -> Iterator[np.ndarray | None]:
    """Yield crops, each with its time in seconds, on an even grid; see `EvenGrid`."""
    even = EvenGrid(rate_hz)
    for time_s, image in timed:
        yield from even.add(time_s, image)
    yield even.last()


class EvenGrid:
    """Resample a stream of crops to an even grid that starts with the first, by linear blending."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz, self.n = rate_hz, 0
        self.start_s = math.nan
        self.before: tuple[float, np.ndarray | None] | None = None

    def begin(self, start_s: float, before_s: float) -> int:
        """Begin a grid from ``start_s`` on with the first crop after ``before_s``, in seconds.

        Returns the number of points of the grid before it, which are never returned by `add`.
        """
        self.start_s, self.before = start_s, (before_s, None)
        self.n = max(math.ceil((before_s - start_s) * self.rate_hz - 1e-9), 0)
        return self.n

    @property
    def last_s(self) -> float:
        """Time of the last crop added, s."""
        return -math.inf if self.before is None else self.before[0]

    def add(self, later: float, image: np.ndarray | None) -> list[np.ndarray | None]:
        """Add the crop at time ``later`` (s); return the crops of the grid that it completes."""
        if self.before is None:
            self.start_s, self.before = later, (later, image)
        (time, before), found = self.before, []
        while (at := self.start_s + self.n / self.rate_hz) < later:
            share = (at - time) / (later - time)
            found.append(_blend(before, image, share, later - time))
            self.n += 1
        self.before = later, image
        return found

    def last(self) -> np.ndarray | None:
        """Return the last crop of the grid, after all were added."""
        image = None if self.before is None else self.before[1]
        return None if image is None else image.astype(np.float32)


def _blend(
    before: np.ndarray | None, after: np.ndarray | None, share: float, apart_s: float
) -> np.ndarray | None:
    """Blend two crops, ``share`` of the second; None if the nearer is missing or both far apart."""
    nearest = after if share > 0.5 else before
    if nearest is None or apart_s > LONGEST_HOLE_S:
        return None
    if before is None or after is None:
        return nearest.astype(np.float32)
    return ((1 - share) * before + share * after).astype(np.float32)


def overlap_add(
    crops: Iterable[np.ndarray | None],
    network: Callable[[np.ndarray], np.ndarray],
    *,
    chunk: int,
) -> np.ndarray:
    """Compute a network's wave (n,) of any number of crops; see `OverlapAdd`."""
    overlap_adder = OverlapAdd(network, chunk)
    for image in crops:
        overlap_adder.add(image)
    return overlap_adder.finish()


class OverlapAdd:
    """Compute a network's wave over a stream of crops; less than two chunks are held.

    Chunks overlap by a fifth, over which the standardised wave of one fades into that of the next.
    The last chunk of a stretch ends with it; a stretch of up to a chunk and a half is one forward
    pass. The wave is NaN where there is no crop, and in too short a stretch.
    """

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], chunk: int) -> None:
        self.network, self.chunk = network, chunk
        self.parts: list[np.ndarray] = []
        self.run = _Run(network, chunk)

    def add(self, image: np.ndarray | None) -> None:
        """Add the next crop, or None where there is none."""
        if image is None:
            self.parts += [self.run.finish(), np.array([np.nan])]
            self.run = _Run(self.network, self.chunk)
        else:
            self.run.add(image)

    def so_far(self) -> np.ndarray:
        """Return the wave of the chunks processed so far."""
        return np.concatenate([*self.parts, self.run.mixed()])

    def finish(self) -> np.ndarray:
        """Return the wave of all crops."""
        return np.concatenate([*self.parts, self.run.finish()])


class _Run:
    """Overlap-add one uninterrupted stretch."""

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], chunk: int) -> None:
        self.network, self.chunk = network, chunk
        self.overlap = round(OVERLAP * chunk)
        self.waiting: list[np.ndarray] = []  # the newest crops, less than two chunks
        self.n = 0
        self.chunks: list[tuple[int, np.ndarray]] = []  # first frame and wave of each chunk

    def add(self, image: np.ndarray) -> None:
        self.waiting.append(image)
        self.n += 1
        if len(self.waiting) == 2 * self.chunk - self.overlap:
            self._read(slice(0, self.chunk))
            del self.waiting[: self.chunk - self.overlap]

    def _read(self, part: slice) -> None:
        wave = self.network(np.stack(self.waiting[part]))
        self.chunks.append((self.n - len(self.waiting) + part.start, standardise(wave)))

    def finish(self) -> np.ndarray:
        if self.n < min(self.chunk, SHORTEST_FRAMES):
            return np.full(self.n, np.nan)
        waiting = len(self.waiting)
        if waiting <= LONGEST * self.chunk:
            self._read(slice(0, waiting))
        else:
            self._read(slice(0, self.chunk))
            self._read(slice(waiting - self.chunk, waiting))
        return self.mixed()

    def mixed(self) -> np.ndarray:
        """Return the overlap-added wave of the chunks processed so far."""
        if not self.chunks:
            return np.empty(0)
        n = self.chunks[-1][0] + len(self.chunks[-1][1])
        total, weights = np.zeros(n), np.zeros(n)
        for start, wave in self.chunks:
            weight = _fades(len(wave), self.overlap)
            total[start : start + len(wave)] += weight * wave
            weights[start : start + len(wave)] += weight
        return standardise(total / weights)


def _fades(n: int, overlap: int) -> np.ndarray:
    """Weights (n,) of a chunk: 1, and rising and falling over the overlap at its ends."""
    from_end = np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5  # no weight is 0
    return np.sin(np.pi / 2 * np.minimum(from_end / max(overlap, 1), 1)) ** 2
