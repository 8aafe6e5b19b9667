"""Shared parts of the readers of published data sets: listing a folder, columns and their clocks.

A reader names the place of its files (`Listed`), reads columns by name (`read_columns`) or a file
that several recordings share (`kept`), and puts samples on their clock while checking unit, rate
and length (`on_clock`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import GB, checked
from emotion_rppg.formats.text_tables import number
from emotion_rppg.recordings import Card, DatasetNotFound, Recording
from emotion_rppg.runtime.tables import AS_WRITTEN
from emotion_rppg.signals import SHORTEST_STEP_S, Signal


class Listed(ABC):
    """Base class of a reader: lists recordings in a fixed order, without opening their signals.

    A subclass has a ``card``; ``expected``, a glob that matches at least one file; ``inside``,
    folders within the root that may hold the files; and ``recordings()``, which opens only labels.
    """

    card: ClassVar[Card]
    expected: ClassVar[str]
    inside: ClassVar[Sequence[str]] = (".",)

    def __init__(self, root: str | Path) -> None:
        if not Path(root).is_dir():
            raise DatasetNotFound(
                f"{str(root)!r} does not exist: want the folder of {self.card.title}"
            )
        places = [Path(root) / name for name in self.inside]
        found = [place for place in places if next(place.glob(self.expected), None)]
        if not found:
            raise DatasetNotFound(
                f"no {self.card.name} files under {str(root)!r}: expected {self.expected}; "
                f"get them from {self.card.url} ({self.card.access}) and unpack them there"
            )
        self.root = found[0]
        self._recordings = [replace(r, reader=self.card.name) for r in self.recordings()]
        if not self._recordings:
            raise DatasetNotFound(
                f"{str(self.root)!r} holds files of {self.card.title}, but not one recording: "
                "unpack all of its archives there"
            )

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def __len__(self) -> int:
        return len(self._recordings)

    @abstractmethod
    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings of the folder, in a fixed order."""


def numbered(root: Path, pattern: str, name_of: Callable[[Path], str]) -> list[tuple[int, Path]]:
    """List the files of a pattern by the number in their names: 2 before 10."""
    out = []
    for path in root.glob(pattern):
        text = name_of(path)
        if not text.isdecimal():
            raise InputError(f"{path} is not named as expected: {text!r} is no number ({pattern})")
        out.append((int(text), path))
    return sorted(out)


def kept(load: Callable[[Path], Any], path: Path) -> Any:
    """Return ``load(path)``, cached for the next recordings that read the same file."""
    stat = checked(path, 3 * GB).stat()
    return _kept(load, path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _kept(load: Callable[[Path], Any], path: Path, changed_ns: int, size: int) -> Any:
    return load(path)


def read_columns(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read columns of a CSV by name, as floats; skip lines that begin with #.

    Raises
    ------
    InputError
        A missing file, a missing column, or a cell that is not a number.
    """
    table = kept(_table, path)
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InputError(
            f"{path} lacks the columns {', '.join(missing)}; it has: "
            f"{', '.join(map(str, table.columns[:12]))}"
        )
    out = {}
    for name in names:
        try:
            out[name] = table[name].to_numpy(dtype=float)
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: column {name} has cells that are not numbers") from error
    return out


def _table(path: Path) -> Any:
    import pandas as pd

    try:
        table = pd.read_csv(path, comment="#", low_memory=False, **AS_WRITTEN)
    except (ValueError, OSError) as error:
        said = str(error).strip().splitlines()[0]
        raise InputError(f"{path} cannot be read as a CSV ({said}): download it again") from error
    return table.rename(columns=lambda name: str(name).strip())


def on_clock(
    path: Path,
    times_s: np.ndarray,
    values: np.ndarray,
    kind: str,
    *,
    rate_hz: float,
    span_s: tuple[float, float] | None = None,
) -> Signal:
    """Build a signal from samples and their times (s); check its rate and length.

    Parameters
    ----------
    times_s : array (n,)
        Seconds on the recording's clock.
    rate_hz : float
        The documented rate; a difference of more than a fifth means that the unit of time, the
        device or the column is not the expected one.
    span_s : (start, end), optional
        The wanted stretch; a file that lacks more than a second at either end is cut off.
    """
    steps = np.diff(times_s) if np.isfinite(times_s).all() else np.zeros(0)
    forward = steps[steps >= SHORTEST_STEP_S]
    if (steps < 0).any() or not len(forward):
        raise InputError(f"{path}: the times of {kind} are no clock: want increasing seconds")
    step = float(np.median(forward))
    rate = 1 / step if (1 / step) / rate_hz > 1.2 else (len(times_s) - 1) / np.ptp(times_s)
    if not 0.5 < rate / rate_hz < 1.2:
        raise InputError(
            f"{path}: {kind} has {rate:.4g} samples a second, the documents say {rate_hz:g}: "
            "another unit of time, device or version of the set?"
        )
    if not np.isfinite(values).any():
        raise InputError(f"{path}: {kind} is empty: the sensor failed, exclude the recording")
    wave = Signal.from_times(times_s, values, rate_hz=rate_hz, kind=kind)
    return wave if span_s is None else cover(path, wave, *span_s)


def frame_seconds(path: Path, stamps_s: np.ndarray) -> np.ndarray:
    """Return frame times (s) from the first frame, for ``Video(times=…)``; check their rate."""
    if not np.isfinite(stamps_s).all():
        raise InputError(
            f"{path}: the time of frame {int((~np.isfinite(stamps_s)).argmax())} is none"
        )
    seconds: np.ndarray = stamps_s - stamps_s[0]
    if len(seconds) < 2 or not 5 < (len(seconds) - 1) / max(seconds[-1], 1e-9) < 130:
        raise InputError(
            f"{path} tells {len(seconds)} frames in {seconds[-1]:.4g} s: is it of the film beside "
            "it, and its time in the unit that the documents say?"
        )
    return seconds


def film_lasts(seconds: np.ndarray) -> float:
    """Return the length (s) of a video with frames at these times; the last lasts a usual step."""
    return float(seconds[-1] - seconds[0]) * len(seconds) / (len(seconds) - 1)


def cover(path: Path, wave: Signal, start_s: float, end_s: float) -> Signal:
    """Crop a signal to start and end (s); at most one second may be missing at either end."""
    if wave.start_s > start_s + 1 or wave.end_s < end_s - 1:
        raise InputError(
            f"{path}: {wave.kind} lasts from {wave.start_s:.1f} to {wave.end_s:.1f} s, want "
            f"{start_s:.1f} to {end_s:.1f} s: the file is cut off, or not of this recording"
        )
    return wave.crop(start_s, end_s)


def rated(path: Path, wave: Signal, scale: tuple[float, float]) -> Signal:
    """Check that a continuous rating lies within its scale; clip rounding errors."""
    seen = wave.samples[np.isfinite(wave.samples)]
    low, high = scale
    if seen.size and (seen.min() < low - 1e-6 or seen.max() > high + 1e-6):
        raise InputError(
            f"{path}: {wave.kind} goes from {seen.min():g} to {seen.max():g}, its scale is "
            f"{low:g}–{high:g}: are the columns swapped, or the values not converted?"
        )
    return replace(wave, samples=np.clip(wave.samples, low, high))


def labels(
    values: dict[str, Any], scales: dict[str, tuple[float, float]], where: str
) -> dict[str, float | str]:
    """Convert the available ratings to numbers within their scales; skip empty cells."""
    given = {
        name: value
        for name, value in values.items()
        if value not in (None, "") and value == value  # NaN is not itself
    }
    return {name: number(str(value), where, name, *scales[name]) for name, value in given.items()}
