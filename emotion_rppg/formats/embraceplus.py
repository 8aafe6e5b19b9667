"""Read recordings of the Empatica EmbracePlus: Avro files of some minutes each.

A file has a pulse, EDA, temperature and acceleration, each with its start (µs, UTC) and rate, the
peaks that the device detected in the pulse, and the presses of its button. A folder with the files
of one participant is one recording: they are joined in the order of their times, and the time
between two files is missing. Times count from the first sample of the pulse.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.avro_container import read_record
from emotion_rppg.formats.channels import Contents, Marker, make_channel
from emotion_rppg.signals import Beats, Signal

AVRO = ".avro"
_WHAT = "an EmbracePlus recording"
_NAME = re.compile(r"(.+)_\d{9,}\.avro$")  # participant and start, as the manufacturer names files
# channel -> sensor and field of the record, unit of the values; the pulse first
SENSORS = {
    "bvp": ("bvp", "values", ""),
    "eda": ("eda", "values", "µS"),
    "temperature": ("temperature", "values", "°C"),
    "acc_x": ("accelerometer", "x", "g"),
    "acc_y": ("accelerometer", "y", "g"),
    "acc_z": ("accelerometer", "z", "g"),
    "gyro_x": ("gyroscope", "x", ""),
    "gyro_y": ("gyroscope", "y", ""),
    "gyro_z": ("gyroscope", "z", ""),
    "steps": ("steps", "values", ""),
}
_SAME_RATE, _MAX_OVERLAP_S = 1e-4, 2.0
_MAX_SAMPLES = 2**28  # of a channel: the files of one folder may span 48 days at 64 Hz
_MAX_INTERVAL_S = 2.0  # between two peaks of the device; a longer one is a gap


@dataclass(frozen=True, eq=False)
class Part:
    """Samples (n,) of one channel in one file, with their start (Unix s) and rate."""

    start_s: float
    rate_hz: float
    samples: np.ndarray


@dataclass(frozen=True, eq=False)
class Recorded:
    """All files of a recording: parts of each channel, presses and peaks (Unix s)."""

    parts: dict[str, list[Part]]
    tags_s: tuple[float, ...]
    peaks_s: np.ndarray

    @property
    def origin_s(self) -> float:
        """Unix time of the first pulse sample, or of the first sample if there is no pulse."""
        return min(part.start_s for part in next(iter(self.parts.values())))


def is_embrace_folder(folder: Path) -> bool:
    """Return whether a folder has Avro files of one participant, by their names."""
    return len({_participant(name) for name in _avro_names(folder)}) == 1


def _avro_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.name.lower().endswith(AVRO))


def _participant(name: str) -> str:
    match = _NAME.match(name)
    return match.group(1) if match else name


def embrace_contents(path: Path) -> Contents:
    """List the channels of an Avro file, or of a folder with the files of one participant.

    Raises
    ------
    InputError
        A damaged file, one of another device, no samples, files of several participants, or files
        that overlap.
    """
    recorded = _recorded(path)
    channels = []
    for name, parts in recorded.parts.items():
        rate_hz = _joint_rate(parts)
        end_s = max(part.start_s + len(part.samples) / part.rate_hz for part in parts)
        samples = round((end_s - min(part.start_s for part in parts)) * rate_hz)
        unit = SENSORS[name][2]
        channels.append(make_channel(name, rate_hz, unit=unit, samples=samples))
    markers = tuple(Marker(tag - recorded.origin_s, "tag") for tag in recorded.tags_s)
    peaks = f"{len(recorded.peaks_s)} peaks detected by the device"
    return Contents("EmbracePlus", tuple(channels), partial(_read, path), markers, peaks)


def embrace_beats(path: Path) -> Beats | None:
    """Return the beats that the device detected in the pulse, or None if it detected fewer than 2.

    Peaks more than two seconds apart have a gap between them.
    """
    recorded = _recorded(path)
    times = np.unique(recorded.peaks_s) - recorded.origin_s
    if len(times) < 2:
        return None
    wide = np.flatnonzero(np.diff(times) > _MAX_INTERVAL_S)
    return Beats(times, gaps=[(times[k], times[k + 1]) for k in wide], kind="bvp")


def _recorded(path: Path) -> Recorded:
    files = [path / name for name in _avro_names(path)] if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} has no {AVRO} file: want an EmbracePlus file or a folder of them")
    if len({_participant(file.name) for file in files}) > 1:
        raise InputError(
            f"{path} has files of several participants ({files[0].name}, {files[-1].name}): put "
            "those of each in a folder of their own"
        )
    stats = [file.stat() if file.is_file() else None for file in files]
    changed = tuple((s.st_mtime_ns, s.st_size) if s else (0, 0) for s in stats)
    return _read_files(tuple(files), changed)


@lru_cache(maxsize=1)
def _read_files(files: tuple[Path, ...], changed: tuple[tuple[int, int], ...]) -> Recorded:
    """Read all files; ``changed`` (times and sizes) is an argument so that they are read again."""
    parts: dict[str, list[Part]] = {name: [] for name in SENSORS}
    tags: list[float] = []
    peaks: list[np.ndarray] = []
    people: set[tuple[str, str]] = set()
    for path in files:
        raw = _sensors(path, read_record(path, _WHAT), people)
        for name in SENSORS:
            part = _part(path, raw, name)
            if part is not None:
                parts[name].append(part)
        tags += (_numbers(path, raw, "tags", "tagsTimeMicros") / 1e6).tolist()
        peaks.append(_numbers(path, raw, "systolicPeaks", "peaksTimeNanos") / 1e9)
    if len(people) > 1:
        raise InputError(
            f"{files[0].parent} has files of several participants or devices "
            f"({', '.join(sorted(map(str, people))[:4])}): put those of each in a folder of its own"
        )
    found = {
        name: sorted(several, key=lambda p: p.start_s) for name, several in parts.items() if several
    }
    if not found:
        raise InputError(f"{files[0]} has no samples of any sensor: the device stored nothing")
    return Recorded(found, tuple(sorted(tags)), np.sort(np.concatenate(peaks)))


def _sensors(path: Path, record: dict[str, Any], people: set[tuple[str, str]]) -> dict[str, Any]:
    """Return the sensors of a record, and note its participant and device."""
    raw = record.get("rawData")
    if not isinstance(raw, dict) or not raw.keys() & {sensor for sensor, _, _ in SENSORS.values()}:
        raise InputError(
            f"{path} is an Avro file, but not of an EmbracePlus: want a field rawData with bvp, "
            f"eda or temperature; it has: {', '.join(map(str, record))[:200] or 'nothing'}"
        )
    enrollment = record.get("enrollment")
    participant = enrollment.get("participantID") if isinstance(enrollment, dict) else ""
    people.add((str(participant), str(record.get("deviceSn", ""))))
    return raw


def _part(path: Path, raw: dict[str, Any], name: str) -> Part | None:
    """Return the samples of a channel in its unit, or None if the sensor was off."""
    sensor, field, _ = SENSORS[name]
    fields = raw.get(sensor)
    values = _numbers(path, raw, sensor, field)
    if not isinstance(fields, dict) or not len(values):
        return None
    rate_hz, start_s = (_number(fields.get(key)) for key in ("samplingFrequency", "timestampStart"))
    if not (0 < rate_hz <= 1e4 and 1e14 < start_s < 1e17):
        raise InputError(
            f"{path}: {sensor} has {len(values)} samples with a rate of {rate_hz:g} Hz from "
            f"{start_s:g} µs: the device's clock was not set, or the file is damaged"
        )
    return Part(start_s / 1e6, rate_hz, values * _scale(fields.get("imuParams")))


def _scale(params: Any) -> float:
    """Return the physical value of one count of an inertial sensor; 1 for the others."""
    if not isinstance(params, dict):
        return 1.0
    factor = _number(params.get("conversionFactor"))
    low, high, digital_low, digital_high = (
        _number(params.get(key))
        for key in ("physicalMin", "physicalMax", "digitalMin", "digitalMax")
    )
    if factor > 0:
        return factor
    return (high - low) / (digital_high - digital_low) if digital_high > digital_low else 1.0


def _number(value: Any) -> float:
    out = float(value) if isinstance(value, int | float) else 0.0
    return out if math.isfinite(out) else 0.0


def _numbers(path: Path, raw: dict[str, Any], sensor: str, field: str) -> np.ndarray:
    values = raw.get(sensor)
    values = values.get(field) if isinstance(values, dict) else None
    try:
        return np.array(values if isinstance(values, list) else [], dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: {sensor}.{field} are not numbers: {error}") from error


def _joint_rate(parts: list[Part]) -> float:
    """Return the rate of the joined samples: that of the longest file."""
    return max(parts, key=lambda part: len(part.samples)).rate_hz


def _read(path: Path, name: str) -> Signal:
    """Read one channel of all files on one even clock, with NaN between files."""
    recorded = _recorded(path)
    parts, rate_hz = recorded.parts[name], _joint_rate(recorded.parts[name])
    start_s = parts[0].start_s
    if len(parts) == 1:
        return Signal(parts[0].samples, rate_hz, start_s=start_s - recorded.origin_s)
    _check_order(path, name, parts)
    if max(abs(part.rate_hz / rate_hz - 1) for part in parts) < _SAME_RATE:
        samples = _place(parts, rate_hz)
        return Signal(samples, rate_hz, start_s=start_s - recorded.origin_s)
    return _resample(parts, rate_hz, recorded.origin_s)


def _check_order(path: Path, name: str, parts: list[Part]) -> None:
    """Refuse files that overlap by more than their rates' inaccuracy, or lie months apart."""
    for before, after in pairwise(parts):
        overlap_s = before.start_s + len(before.samples) / before.rate_hz - after.start_s
        if overlap_s > _MAX_OVERLAP_S:
            raise InputError(
                f"{path}: two files overlap by {overlap_s:.0f} s of {name}: remove the copy of one"
            )
    span_s = parts[-1].start_s - parts[0].start_s
    if span_s * _joint_rate(parts) > _MAX_SAMPLES:
        raise InputError(
            f"{path}: its files are {span_s / 86400:.0f} days apart: give each month a folder"
        )


def _place(parts: list[Part], rate_hz: float) -> np.ndarray:
    """Place files of one rate at their starts, to the nearest sample."""
    firsts = [round((part.start_s - parts[0].start_s) * rate_hz) for part in parts]
    ends = [first + len(part.samples) for first, part in zip(firsts, parts, strict=True)]
    out = np.full(max(ends), np.nan)
    for first, end, part in zip(firsts, ends, parts, strict=True):
        out[first:end] = part.samples
    return out


def _resample(parts: list[Part], rate_hz: float, origin_s: float) -> Signal:
    """Interpolate files of different rates to one even clock."""
    times = np.concatenate(
        [part.start_s - origin_s + np.arange(len(part.samples)) / part.rate_hz for part in parts]
    )
    values = np.concatenate([part.samples for part in parts])
    later = np.r_[True, times[1:] > np.maximum.accumulate(times)[:-1]]
    return Signal.from_times(times[later], values[later], rate_hz=rate_hz)
