"""Choose which channel of a recorder's file to read.

A module of one format returns the `Contents` of a file: its channels with name, unit and rate, and
a function that reads one. Everything else is the same for all formats and is done here: the wave of
each kind is chosen by name and rate, units are converted, and a requested channel is found.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channel_names import (
    NAME_PREFIXES,
    OTHER_NAMES,
    find_channel,
    kind_by_name,
    kind_of_choice,
)
from emotion_rppg.formats.missing_values import codes_to_nan
from emotion_rppg.formats.text_files import NoSignal
from emotion_rppg.formats.units import convert, is_unit_of
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)
Reader = Callable[[], Signal]
MIN_WAVE_HZ = 10.0  # minimum rate of a pulse wave; monitors write heart rates at 0.1 to 4 Hz
# minimum rates of the other kinds; slower ones are numbers derived from the wave
_MIN_HZ = {"eda": 1.0, "resp": 2.0, "temp": 0.1, "acc": 5.0}


@dataclass(frozen=True)
class Channel:
    """A channel: name, rate (Hz; None if its samples have no even clock), unit, kind, duration."""

    name: str
    rate_hz: float | None
    unit: str = ""
    kind: str | None = None
    duration_s: float | None = None

    @property
    def is_wave(self) -> bool:
        """Return whether the kind is known, and rate and unit are those of its waves."""
        if self.kind is None or self.rate_hz is None or not is_unit_of(self.kind, self.unit):
            return False
        return self.rate_hz >= _MIN_HZ.get(self.kind, MIN_WAVE_HZ)


class Marker(NamedTuple):
    """Something that happened: time (s, on the clock of the signals), text and duration (s)."""

    time_s: float
    text: str
    duration_s: float = 0.0


@dataclass(frozen=True)
class Contents:
    """A file: its format, its channels, the function that reads one by name, and its markers.

    ``note`` is a sentence
    on how the channels were chosen or timed. ``preferred`` is the channel to read of several of one
    kind, if it is not the first.
    """

    format: str
    channels: tuple[Channel, ...]
    read: Callable[[str], Signal]
    markers: tuple[Marker, ...] = ()
    note: str = ""
    preferred: str = ""

    def channel(self, name: str) -> Channel:
        return next(channel for channel in self.channels if channel.name == name)


@dataclass(frozen=True)
class Container:
    """Opener of a format with named channels: maps each kind to the reader of its wave."""

    contents: Callable[[Path], Contents] = field()

    def __call__(self, path: Path) -> Mapping[str, Reader]:
        contents = self.contents(path)
        waves = waves_by_kind(contents, path, warn=True)
        if not waves:
            raise NoSignal(no_wave_message(path, contents))
        if not waves.keys() & NAME_PREFIXES.keys():
            _log.warning("%s", no_wave_message(path, contents))
        return {kind: self._reader(path, kind, found) for kind, found in waves.items()}

    def _reader(self, path: Path, kind: str, waves: list[Channel]) -> Reader:
        names = axes_of(waves) if kind == "acc" else None
        if names:
            return partial(read_acceleration, self.contents, path, *names)
        return partial(read_channel, self.contents, path, waves[0].name, kind)

    def channel(self, path: Path, name: str, kind: str | None) -> Mapping[str, Reader]:
        """Map the kind of the requested channel, or of a kind of that name, to its reader."""
        contents = self.contents(path)
        names = [channel.name for channel in contents.channels]
        if kind == name and name not in names:
            waves = waves_by_kind(contents, path).get(name)
            if waves:
                return {name: self._reader(path, name, waves)}
        chosen = contents.channel(find_channel(name, names, str(path)))
        kind = kind or chosen.kind or kind_of_choice(chosen.name, None, str(path))
        least_hz = _MIN_HZ.get(kind, MIN_WAVE_HZ if kind in NAME_PREFIXES else 0.0)
        if chosen.rate_hz is not None and chosen.rate_hz < least_hz:
            raise InputError(
                f"{path}: the channel {chosen.name} has {chosen.rate_hz:g} samples per second: too "
                f"few for {_NOUNS.get(kind, kind)}, want at least {least_hz:g}"
            )
        return {kind: partial(read_channel, self.contents, path, chosen.name, kind)}


_X_AXIS = re.compile(r"(?<![a-z])x(?![a-z])")  # as a word of its own, or after _
_NOUNS = {"rppg": "a pulse wave", "bvp": "a pulse wave", "ecg": "an ECG", "eda": "an EDA"}


def waves_by_kind(
    contents: Contents, path: Path, *, warn: bool = False
) -> dict[str, list[Channel]]:
    """List the channels of each kind that are waves; the first is the one that is read."""
    out: dict[str, list[Channel]] = {}
    for kind in (*NAME_PREFIXES, *OTHER_NAMES):
        waves = [c for c in contents.channels if c.kind == kind and c.is_wave]
        waves.sort(key=lambda wave: wave.name != contents.preferred)  # stable
        if waves:
            out[kind] = waves
        if not (len(waves) > 1 and warn and kind in NAME_PREFIXES):
            continue
        if waves[0].name == contents.preferred:
            _log.warning("%s: %s", path.name, contents.note)
        else:
            _log.warning(
                "%s has the channels %s: %s is read; choose another with --channel (channel=…)",
                path.name,
                ", ".join(wave.name for wave in waves),
                waves[0].name,
            )
    return out


def no_wave_message(path: Path, contents: Contents) -> str:
    """Say which channels a file without a pulse wave or ECG has."""
    available = ", ".join(
        c.name + ("" if c.rate_hz is None else f" ({c.rate_hz:g} Hz)") for c in contents.channels
    )
    return (
        f"{path} has no channel named as a pulse or ECG with at least {MIN_WAVE_HZ:g} samples "
        f"per second; its channels: {available or 'none'}: choose one with --channel "
        "(channel=… in Python)"
    )


def read_channel(
    open_contents: Callable[[Path], Contents], path: Path, name: str, kind: str | None
) -> Signal:
    """Read one channel of a file as a signal of a kind, in the unit of that kind."""
    contents = open_contents(path)
    signal = contents.read(name)
    where = f"{path}: the channel {name}"
    samples = convert(signal.samples, kind, contents.channel(name).unit, where)
    return replace(signal, samples=codes_to_nan(samples, path.name), kind=kind)


def axes_of(channels: list[Channel]) -> list[str] | None:
    """Return the names of the x, y and z axes of acceleration; None if the first is no x axis."""
    names = {c.name.lower(): c.name for c in channels}
    first = channels[0].name.lower()
    if not _X_AXIS.search(first):
        return None
    axes = [_X_AXIS.sub(axis, first) for axis in "xyz"]
    return [names[axis] for axis in axes] if all(axis in names for axis in axes) else None


def read_acceleration(open_contents: Callable[[Path], Contents], path: Path, *names: str) -> Signal:
    """Read three axes of acceleration as its magnitude, g."""
    axes = [read_channel(open_contents, path, name, "acc") for name in names]
    n = min(map(len, axes))
    samples = np.sqrt(np.sum([np.square(axis.samples[:n]) for axis in axes], axis=0))
    return replace(axes[0], samples=samples)


def make_channel(
    name: str,
    rate_hz: float | None,
    *,
    unit: str = "",
    kind: str | None = None,
    samples: int | None = None,
) -> Channel:
    """Describe a channel; its kind is detected from its name where the file does not state it."""
    kind = kind or kind_by_name(name)
    kind = kind if is_unit_of(kind, unit) else None
    duration_s = samples / rate_hz if samples is not None and rate_hz else None
    return Channel(name, rate_hz, unit, kind, duration_s)


def missing_library(path: Path, what: str, library: str, error: ImportError) -> InputError:
    """Say which library reads a format and how to install it."""
    problem = InputError(
        f"{path}: reading {what} needs {library}: pip install 'emotion-rppg[files]'"
    )
    problem.__cause__ = error
    return problem
