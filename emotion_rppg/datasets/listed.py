"""What readers of published sets share: a folder that is listed at once, columns and their clocks.

A reader says where its files lie (`Listed`), reads columns by name (`read_columns`) or a file that
several recordings share (`kept`), and sets samples on their clock with checks of unit, rate and
extent (`on_clock`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from emotion_rppg.datasets.rows import number
from emotion_rppg.datasets.safely import GB, checked
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, DatasetNotFound, Recording
from emotion_rppg.signals import SHORTEST_STEP_S, Signal
from emotion_rppg.tables import AS_WRITTEN


class Listed(ABC):
    """Recordings in a fixed order; ``recordings()`` names them and opens labels alone.

    ``inside`` are folders under which the set may lie within its root, ``expected`` is a glob of
    files of which there is at least one.
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
        """What the folder holds, in a fixed order."""


def numbered(root: Path, pattern: str, name_of: Callable[[Path], str]) -> list[tuple[int, Path]]:
    """Files of a pattern in the order of the number in their names: 2 before 10."""
    out = []
    for path in root.glob(pattern):
        text = name_of(path)
        if not text.isdecimal():
            raise InputError(f"{path} is not named as expected: {text!r} is no number ({pattern})")
        out.append((int(text), path))
    return sorted(out)


def kept(load: Callable[[Path], Any], path: Path) -> Any:
    """What ``load(path)`` gives, kept while the next recordings of the same file are read."""
    stat = checked(path, 3 * GB).stat()
    return _kept(load, path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _kept(load: Callable[[Path], Any], path: Path, changed_ns: int, size: int) -> Any:
    return load(path)


def read_columns(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of a CSV by name, as floats; lines that begin with # are passed over.

    Raises
    ------
    InputError
        No such file, a column that is missing, or a cell that is no number.
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
            raise InputError(f"{path}: column {name} holds something else than numbers") from error
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
    """A signal on its true clock; its rate and extent are checked against what is known.

    Parameters
    ----------
    times_s : array (n,)
        Seconds on the recording's clock.
    rate_hz : float
        The rate that the set's documents give; another one (by a fifth) means that the unit of
        time, the device or the column is not what it should be.
    span_s : (start, end), optional
        The stretch wanted; a file that leaves out more than a second at either end is cut off.
    """
    steps = np.diff(times_s) if np.isfinite(times_s).all() else np.zeros(0)
    forward = steps[steps >= SHORTEST_STEP_S]
    if (steps < 0).any() or not len(forward):
        raise InputError(f"{path}: the times of {kind} are no clock: want seconds that increase")
    step = float(np.median(forward))
    rate = 1 / step if (1 / step) / rate_hz > 1.2 else (len(times_s) - 1) / np.ptp(times_s)
    if not 0.5 < rate / rate_hz < 1.2:
        raise InputError(
            f"{path}: {kind} has {rate:.4g} samples a second, the documents say {rate_hz:g}: "
            "another unit of time, device or version of the set?"
        )
    if not np.isfinite(values).any():
        raise InputError(f"{path}: {kind} is empty: the sensor failed, leave the recording out")
    wave = Signal.from_times(times_s, values, rate_hz=rate_hz, kind=kind)
    return wave if span_s is None else cover(path, wave, *span_s)


def frame_seconds(path: Path, stamps_s: np.ndarray) -> np.ndarray:
    """Seconds of a film's frames from the first, for ``Video(times=…)``; their rate is checked."""
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
    """How long frames at these seconds are seen, the last one for a usual step."""
    return float(seconds[-1] - seconds[0]) * len(seconds) / (len(seconds) - 1)


def cover(path: Path, wave: Signal, start_s: float, end_s: float) -> Signal:
    """The part of a signal from start to end, which must be there but for a second."""
    if wave.start_s > start_s + 1 or wave.end_s < end_s - 1:
        raise InputError(
            f"{path}: {wave.kind} lasts from {wave.start_s:.1f} to {wave.end_s:.1f} s, want "
            f"{start_s:.1f} to {end_s:.1f} s: the file is cut off, or not of this recording"
        )
    return wave.crop(start_s, end_s)


def rated(path: Path, wave: Signal, scale: tuple[float, float]) -> Signal:
    """A continuous rating within its scale, held between its samples."""
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
    """Those ratings that were given, as numbers within their scales; empty cells are left out."""
    given = {
        name: value
        for name, value in values.items()
        if value not in (None, "") and value == value  # NaN is not itself
    }
    return {name: number(str(value), where, name, *scales[name]) for name, value in given.items()}
