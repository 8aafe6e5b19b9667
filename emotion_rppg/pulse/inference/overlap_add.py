"""A face's pictures on an even grid, and a network's wave over them in overlapping chunks.

Both take pictures as they come and hold a chunk and a half of them, however long the video.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from emotion_rppg.video.face_tracking import FaceFrame, crop

CHUNK_S = 10.0  # of a network's overlapping chunks: a dozen beats, and a few MB
LONGEST_HOLE_S = 0.5  # between frames; a longer hole is not bridged
SHORTEST_FRAMES = 16  # that a network is given


def standard(wave: np.ndarray) -> np.ndarray:
    centred = wave - wave.mean()
    spread = centred.std()
    return centred / spread if spread > 1e-12 else centred


def picture_of(look: FaceFrame, size: int) -> np.ndarray | None:
    return None if look.box is None else crop(look, size)


def pictures_at(
    looks: Iterator[FaceFrame], *, size: int, rate_hz: float
) -> tuple[float, Iterator[np.ndarray | None]]:
    """Time of the first frame, and faces (size, size, 3) on an even grid; None: not seen."""
    timed = ((look.time_s, picture_of(look, size)) for look in looks)
    return crops_at_times(timed, rate_hz=rate_hz)


def crops_at_times(
    timed: Iterable[tuple[float, np.ndarray | None]], *, rate_hz: float
) -> tuple[float, Iterator[np.ndarray | None]]:
    """The same for pictures that are cut already, each with its time."""
    rest = iter(timed)
    first = next(rest)
    return first[0], at_rate(itertools.chain([first], rest), rate_hz)


def at_rate(
    timed: Iterable[tuple[float, np.ndarray | None]], rate_hz: float
) -> Iterator[np.ndarray | None]:
    """All pictures on an even grid; see `Even`."""
    even = Even(rate_hz)
    for time_s, picture in timed:
        yield from even.add(time_s, picture)
    yield even.last()


class Even:
    """Pictures blended linearly in time onto an even grid that starts with the first."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz, self.n = rate_hz, 0
        self.start_s = math.nan
        self.before: tuple[float, np.ndarray | None] | None = None

    def add(self, later: float, picture: np.ndarray | None) -> list[np.ndarray | None]:
        """Those before this one that it completes."""
        if self.before is None:
            self.start_s, self.before = later, (later, picture)
        (time, before), found = self.before, []
        while (at := self.start_s + self.n / self.rate_hz) < later:
            share = (at - time) / (later - time)
            found.append(_blend(before, picture, share, later - time))
            self.n += 1
        self.before = later, picture
        return found

    def last(self) -> np.ndarray | None:
        """The one that no other follows."""
        picture = None if self.before is None else self.before[1]
        return None if picture is None else picture.astype(np.float32)


def _blend(
    before: np.ndarray | None, after: np.ndarray | None, share: float, apart_s: float
) -> np.ndarray | None:
    """``share`` of the second picture; None where the nearer one is missing or both far."""
    nearest = after if share > 0.5 else before
    if nearest is None or apart_s > LONGEST_HOLE_S:
        return None
    if before is None or after is None:
        return nearest.astype(np.float32)
    return ((1 - share) * before + share * after).astype(np.float32)


def overlap_add(
    pictures: Iterable[np.ndarray | None],
    network: Callable[[np.ndarray], np.ndarray],
    *,
    chunk: int,
) -> np.ndarray:
    """A network's wave over any number of pictures, (n,); see `OverlapAdd`."""
    added = OverlapAdd(network, chunk)
    for picture in pictures:
        added.add(picture)
    return added.finish()


class OverlapAdd:
    """A network's wave over pictures as they come, a chunk and a half of which are held.

    Chunks overlap by half; their standardised waves are weighted by a Hann window, added, and
    divided by the weights' sum. The last chunk of a stretch is longer, up to its end; a stretch
    of less than a chunk and a half is one plain forward pass. NaN where there is no picture, or
    too short a stretch.
    """

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], chunk: int) -> None:
        self.network, self.chunk = network, chunk
        self.parts: list[np.ndarray] = []
        self.run = _Run(network, chunk)

    def add(self, picture: np.ndarray | None) -> None:
        """The next picture, or None where there is none."""
        if picture is None:
            self.parts += [self.run.finish(), np.array([np.nan])]
            self.run = _Run(self.network, self.chunk)
        else:
            self.run.add(picture)

    def so_far(self) -> np.ndarray:
        """Of the chunks that were read."""
        return np.concatenate([*self.parts, self.run.mixed()])

    def finish(self) -> np.ndarray:
        """Of all pictures."""
        return np.concatenate([*self.parts, self.run.finish()])


class _Run:
    """Overlap-add of one uninterrupted stretch."""

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], chunk: int) -> None:
        self.network, self.chunk = network, chunk
        self.held: list[np.ndarray] = []  # the newest pictures, less than a chunk and a half
        self.n = 0
        self.read: list[tuple[int, np.ndarray]] = []  # first picture and wave of each chunk

    def add(self, picture: np.ndarray) -> None:
        self.held.append(picture)
        self.n += 1
        half = self.chunk // 2
        if len(self.held) == self.chunk + half:
            self._read(self.chunk)
            del self.held[:half]

    def _read(self, frames: int) -> None:
        wave = self.network(np.stack(self.held[:frames]))
        self.read.append((self.n - len(self.held), standard(wave)))

    def finish(self) -> np.ndarray:
        if self.n < min(self.chunk, SHORTEST_FRAMES):
            return np.full(self.n, np.nan)
        self._read(len(self.held))
        return self.mixed()

    def mixed(self) -> np.ndarray:
        """The chunks that were read, added."""
        if not self.read:
            return np.empty(0)
        n = self.read[-1][0] + len(self.read[-1][1])
        total, weights = np.zeros(n), np.zeros(n)
        for start, wave in self.read:
            # half a sample off a Hann window's zeros, so that every sample has a weight
            weight = np.sin(np.pi * (np.arange(len(wave)) + 0.5) / len(wave)) ** 2
            total[start : start + len(wave)] += weight * wave
            weights[start : start + len(wave)] += weight
        return standard(total / weights)
