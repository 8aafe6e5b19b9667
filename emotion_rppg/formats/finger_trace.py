"""Read the colours of a finger on a phone's camera: a table ``time, R, G, B`` with a row a frame.

Less light is more blood, so the sign is changed. Which colour shows the pulse depends on the phone:
its lamp saturates or empties the others. The colour is chosen by the measured quality of its pulse.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channels import Channel, Contents
from emotion_rppg.formats.signal_csv import read_column
from emotion_rppg.formats.text_files import is_workbook, open_text
from emotion_rppg.signal_quality import judge
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)
_COLOURS = ({"r", "g", "b"}, {"red", "green", "blue"})
_TIMES = {"time": None, "time_ms": "time_ms", "time [ms]": "time_ms", "time_s": "time_s"}
_MIN_FPS, _MAX_FPS = 4.0, 300.0  # of a phone's camera; they tell seconds from milliseconds
_MAX_LINE = 10_000


def is_finger_trace(path: Path) -> bool:
    """Return whether a table has exactly a time and three colours."""
    return _header(path) is not None


def _header(path: Path) -> list[str] | None:
    if is_workbook(path):
        return None
    with open_text(path) as file:
        first = file.readline(_MAX_LINE).strip("\r\n")
    names = [name.strip().strip('"') for name in first.split(",")]
    lower = [name.lower() for name in names]
    return names if len(names) == 4 and lower[0] in _TIMES and set(lower[1:]) in _COLOURS else None


def finger_contents(path: Path) -> Contents:
    """List the three colours; the one with the best pulse is read, and the note says why.

    Raises
    ------
    InputError
        Times that are neither seconds nor milliseconds between the frames of a camera.
    """
    stat = path.stat()
    signals = _colours(path, stat.st_mtime_ns, stat.st_size)
    quality = {name: _quality(signal) for name, signal in signals.items()}
    best = max(quality, key=lambda name: quality[name])
    listed = ", ".join(f"{name} {value:.2f}" for name, value in quality.items())
    channels = tuple(
        Channel(name, signal.rate_hz, kind="rppg", duration_s=signal.duration_s)
        for name, signal in signals.items()
    )
    return Contents(
        "finger on a camera",
        channels,
        partial(_read, path),
        note=f"the colour {best} has the best pulse (quality {listed}); less light is more blood",
        preferred=best,
    )


def _read(path: Path, name: str) -> Signal:
    stat = path.stat()
    return _colours(path, stat.st_mtime_ns, stat.st_size)[name]


@lru_cache(maxsize=2)
def _colours(path: Path, changed_ns: int, size: int) -> dict[str, Signal]:
    """Read all colours; time and size are arguments so that a changed file is read again."""
    names = _header(path)
    if names is None:
        raise InputError(f"{path} is no table of a time and the colours R, G and B")
    clock = _TIMES[names[0].lower()] or _clock_by_step(path, names)
    out = {}
    for name in names[1:]:
        header = [clock, *names[1:]]
        signal = read_column(
            path, name, header=header, delimiter=",", skip=1, rate_hz=None, kind="rppg"
        )
        out[name] = replace(signal, samples=-signal.samples)
    return out


def _clock_by_step(path: Path, names: list[str]) -> str:
    """Tell seconds from milliseconds by the time between two frames."""
    with open_text(path) as file:
        file.readline(_MAX_LINE)
        cells = [file.readline(_MAX_LINE).split(",")[0] for _ in range(200)]
    try:
        times = [float(cell) for cell in cells if cell.strip()]
    except ValueError as error:
        raise InputError(f"{path}: a time is no number: {error}") from error
    if len(times) < 2:
        raise InputError(f"{path} has {len(times)} rows: want at least two frames")
    step = float(np.median(np.diff(times)))
    for clock, seconds in (("time_ms", 1e-3), ("time_s", 1.0)):
        if _MIN_FPS <= 1 / max(step * seconds, 1e-12) <= _MAX_FPS:
            return clock
    raise InputError(
        f"{path}: {names[0]} increases by {step:g} a row, which is no time between two frames in "
        "seconds or milliseconds: name the column time_s or time_ms"
    )


def _quality(signal: Signal) -> float:
    """Measure the quality of the pulse, 0–1; 0 for a colour that does not change."""
    finite = signal.samples[np.isfinite(signal.samples)]
    return judge(signal).quality if len(finite) and np.ptp(finite) > 0 else 0.0
