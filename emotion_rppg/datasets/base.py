"""Base class and shared functions of the readers of published data sets.

A reader subclasses `DatasetReader`, which finds the folder and lists the recordings. It reads
columns by name (`read_columns`) or a file that several recordings share (`load_cached`), and builds
signals from samples and their times (`signal_from_times`), which checks unit, rate and length.
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
from emotion_rppg.formats.safe_io import GB, check_file
from emotion_rppg.formats.text_tables import number
from emotion_rppg.recordings import Card, DatasetNotFound, Recording
from emotion_rppg.runtime.tables import AS_WRITTEN
from emotion_rppg.signals import SHORTEST_STEP_S, Signal


class DatasetReader(ABC):
    """Base class of a reader: lists recordings in a fixed order, without opening their signals.

    A subclass defines

    - ``card``: the facts about the data set;
    - ``expected``: a glob pattern that matches at least one file;
    - ``inside``: folders within the root that may contain the files, "." by default;
    - ``recordings()``: yields the recordings and opens only files of labels.

    Raises
    ------
    DatasetNotFound
        No such folder, no expected file in it, or no recording.
    """

    card: ClassVar[Card]
    expected: ClassVar[str]
    inside: ClassVar[Sequence[str]] = (".",)

    def __init__(self, root: str | Path) -> None:
        if not Path(root).is_dir():
            raise DatasetNotFound(
                f"{str(root)!r} does not exist: want the folder of {self.card.title}"
            )
        folders = [Path(root) / name for name in self.inside]
        matching = [folder for folder in folders if next(folder.glob(self.expected), None)]
        if not matching:
            raise DatasetNotFound(
                f"no {self.card.name} files under {str(root)!r}: expected {self.expected}; "
                f"get them from {self.card.url} ({self.card.access}) and unpack them there"
            )
        self.root = matching[0]
        self._recordings = [replace(r, reader=self.card.name) for r in self.recordings()]
        if not self._recordings:
            raise DatasetNotFound(
                f"{str(self.root)!r} has files of {self.card.title}, but no recording: "
                "unpack all of its archives there"
            )

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def __len__(self) -> int:
        return len(self._recordings)

    def list_sessions(self) -> list[Recording]:
        """List the recordings with events, which `features --events` reads."""
        return [replace(r, reader=self.card.name) for r in self.sessions()]

    def sessions(self) -> Iterator[Recording]:
        """Yield the recordings with events; by default the recordings themselves.

        A data set whose recordings are cut out of longer sessions yields the whole sessions, each
        with its parts as events, so that an event has the seconds before it.
        """
        yield from self

    @abstractmethod
    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings of the folder, in a fixed order."""


def files_by_number(
    root: Path, pattern: str, name_of: Callable[[Path], str]
) -> list[tuple[int, Path]]:
    """List the paths that match a pattern, sorted by the number in their names: 2 before 10.

    ``name_of`` returns the part of a path that must be a number.
    """
    out = []
    for path in root.glob(pattern):
        text = name_of(path)
        if not text.isdecimal():
            raise InputError(
                f"{path} is not named as expected: {text!r} is not a number (want {pattern})"
            )
        out.append((int(text), path))
    return sorted(out)


def load_cached(load: Callable[[Path], Any], path: Path) -> Any:
    """Return ``load(path)``, cached for further recordings that read the same file."""
    stat = check_file(path, 3 * GB).stat()
    return _load_cached(load, path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _load_cached(load: Callable[[Path], Any], path: Path, changed_ns: int, size: int) -> Any:
    return load(path)


def read_columns(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read columns of a CSV by name, as floats; skip lines that begin with #.

    Raises
    ------
    InputError
        A missing file, a missing column, or a cell that is not a number.
    """
    table = load_cached(_read_table, path)
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InputError(
            f"{path} does not have the columns {', '.join(missing)}; it has: "
            f"{', '.join(map(str, table.columns[:12]))}"
        )
    out = {}
    for name in names:
        try:
            out[name] = table[name].to_numpy(dtype=float)
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: column {name} has cells that are not numbers") from error
    return out


def _read_table(path: Path) -> Any:
    import pandas as pd

    try:
        table = pd.read_csv(path, comment="#", low_memory=False, **AS_WRITTEN)
    except (ValueError, OSError) as error:
        message = str(error).strip().splitlines()[0]
        raise InputError(
            f"{path} cannot be read as a CSV ({message}): download it again"
        ) from error
    return table.rename(columns=lambda name: str(name).strip())


def signal_from_times(
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
        The requested time span; at most one second may be missing at either end.

    Raises
    ------
    InputError
        Times that decrease or are not finite, another rate, no valid sample, or a missing part.
    """
    steps = np.diff(times_s) if np.isfinite(times_s).all() else np.zeros(0)
    positive = steps[steps >= SHORTEST_STEP_S]
    if (steps < 0).any() or not len(positive):
        raise InputError(f"{path}: the times of {kind} do not increase: want increasing seconds")
    step_s = float(np.median(positive))
    measured = 1 / step_s
    if measured / rate_hz <= 1.2:  # the mean rate, which gaps lower
        measured = (len(times_s) - 1) / np.ptp(times_s)
    if not 0.5 < measured / rate_hz < 1.2:
        raise InputError(
            f"{path}: {kind} has {measured:.4g} samples per second, the documents say {rate_hz:g}: "
            "is it another unit of time, device or version of the data set?"
        )
    if not np.isfinite(values).any():
        raise InputError(f"{path}: {kind} is empty: the sensor failed, exclude the recording")
    wave = Signal.from_times(times_s, values, rate_hz=rate_hz, kind=kind)
    return wave if span_s is None else crop_complete(path, wave, *span_s)


def frame_times_s(path: Path, stamps_s: np.ndarray) -> np.ndarray:
    """Convert timestamps (s) to seconds from the first frame, for ``Video(times=…)``.

    Raises
    ------
    InputError
        A timestamp that is not finite, or a rate outside 5–130 frames per second.
    """
    if not np.isfinite(stamps_s).all():
        frame = int((~np.isfinite(stamps_s)).argmax())
        raise InputError(f"{path}: frame {frame} has no time: download it again")
    times_s: np.ndarray = stamps_s - stamps_s[0]
    if len(times_s) < 2 or not 5 < (len(times_s) - 1) / max(times_s[-1], 1e-9) < 130:
        raise InputError(
            f"{path} has {len(times_s)} frames in {times_s[-1]:.4g} s, want 5 to 130 per second: "
            "does it belong to the video beside it, and are its times in the documented unit?"
        )
    return times_s


def video_duration_s(times_s: np.ndarray) -> float:
    """Return the length (s) of a video with frames at these times; the last has a mean step."""
    return float(times_s[-1] - times_s[0]) * len(times_s) / (len(times_s) - 1)


def crop_complete(path: Path, wave: Signal, start_s: float, end_s: float) -> Signal:
    """Crop a signal to start and end (s); at most one second may be missing at either end."""
    if wave.start_s > start_s + 1 or wave.end_s < end_s - 1:
        raise InputError(
            f"{path}: {wave.kind} lasts from {wave.start_s:.1f} to {wave.end_s:.1f} s, want "
            f"{start_s:.1f} to {end_s:.1f} s: the file is cut off, or of another recording"
        )
    return wave.crop(start_s, end_s)


def check_scale(path: Path, wave: Signal, scale: tuple[float, float]) -> Signal:
    """Check that a continuous rating lies within its scale; clip rounding errors."""
    ratings = wave.samples[np.isfinite(wave.samples)]
    low, high = scale
    if ratings.size and (ratings.min() < low - 1e-6 or ratings.max() > high + 1e-6):
        raise InputError(
            f"{path}: {wave.kind} goes from {ratings.min():g} to {ratings.max():g}, its scale is "
            f"{low:g}–{high:g}: are the columns swapped, or the values not converted?"
        )
    return replace(wave, samples=np.clip(wave.samples, low, high))


def parse_labels(
    values: dict[str, Any], scales: dict[str, tuple[float, float]], where: str
) -> dict[str, float | str]:
    """Convert the available ratings to numbers within their scales; skip empty cells.

    ``where`` is the place of the ratings, for messages.
    """
    available = {
        name: value
        for name, value in values.items()
        if value not in (None, "") and value == value  # NaN is not itself
    }
    return {
        name: number(str(value), where, name, *scales[name]) for name, value in available.items()
    }
