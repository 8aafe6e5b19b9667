"""Send live numbers to the lab streaming layer (LSL), and receive markers from it.

Four streams leave: the wave, its beats, the heart rate, and the reason where it is withheld. Every
sample has the time at which the camera took its frames, as LSL's ``local_clock``; the time at which
it was computed or sent does not matter. Library: ``pylsl``, in the extra ``lsl``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from emotion_rppg._version import __version__
from emotion_rppg.errors import InputError
from emotion_rppg.formats.xdf import marker_text
from emotion_rppg.live import LiveReading
from emotion_rppg.recordings import Event
from emotion_rppg.video.live_capture import FrameClock

IRREGULAR = 0.0  # LSL's rate of a stream without one
RESOLVE_S = 5.0  # to wait for a stream of markers
_BRACKETS = 9  # readings of both clocks, of which the closest pair counts
_EXTRA = "pip install 'emotion-rppg[lsl]'"


@dataclass(frozen=True)
class StreamFacts:
    """What an LSL stream says of itself: ``channels`` are labels and units, ``rate_hz`` in Hz.

    ``rate_hz`` is `IRREGULAR` where samples are not evenly spaced; ``is_text``: a sample is a text.
    """

    name: str
    type: str
    channels: tuple[tuple[str, str], ...]
    rate_hz: float
    source_id: str
    description: tuple[tuple[str, str], ...] = ()
    is_text: bool = False


class Outlet(Protocol):
    """What is needed of ``pylsl.StreamOutlet``."""

    def push_sample(self, x: list[Any], timestamp: float) -> object:
        """Send one value for each channel, with its time on LSL's clock, s."""


class Inlet(Protocol):
    """What is needed of ``pylsl.StreamInlet``."""

    def pull_chunk(self) -> tuple[Sequence[Sequence[Any]], Sequence[float]]:
        """Return all waiting samples and their times on LSL's clock of this computer, s."""


def import_pylsl() -> ModuleType:
    """Import pylsl.

    Raises
    ------
    InputError
        It, or the LSL library that it calls, is not installed.
    """
    try:
        import pylsl
    except ImportError as error:
        raise InputError(f"the lab streaming layer needs pylsl: {_EXTRA}") from error
    except RuntimeError as error:  # pylsl is there, the library is not
        raise InputError(
            "pylsl finds no LSL library: its wheels for Windows, macOS and Linux with glibc 2.35 "
            "(Ubuntu 22.04, Debian 12) contain it; elsewhere install liblsl (conda install "
            "-c conda-forge liblsl, or a package of github.com/sccn/liblsl/releases)"
        ) from error
    return pylsl


def clock_offset_s() -> float:
    """Measure LSL's ``local_clock`` minus ``time.monotonic``, s: 0 on Linux."""
    pylsl = import_pylsl()
    pairs = []
    for _ in range(_BRACKETS):
        before = time.monotonic()
        now = pylsl.local_clock()
        after = time.monotonic()
        pairs.append((after - before, now - (before + after) / 2))
    return float(min(pairs)[1])


def open_outlet(facts: StreamFacts) -> Outlet:
    """Announce a stream on the network."""
    pylsl = import_pylsl()
    info = pylsl.StreamInfo(
        facts.name,
        facts.type,
        len(facts.channels),
        facts.rate_hz,
        pylsl.cf_string if facts.is_text else pylsl.cf_float32,
        facts.source_id,
    )
    root = info.desc()
    root.append_child_value("manufacturer", "emotion_rppg")
    for key, value in facts.description:
        root.append_child_value(key, value)
    channels = root.append_child("channels")
    for label, unit in facts.channels:
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("unit", unit), ("type", facts.type)):
            channel.append_child_value(key, value)
    outlet: Outlet = pylsl.StreamOutlet(info)
    return outlet


def open_inlet(name: str) -> Inlet:
    """Connect to the stream of that name; its times are corrected to the clock of this computer.

    Raises
    ------
    InputError
        No stream of that name answers within five seconds, or several do; the message lists those
        that do.
    """
    pylsl = import_pylsl()
    found = pylsl.resolve_byprop("name", name, timeout=RESOLVE_S)
    if len(found) != 1:
        others = sorted({info.name() for info in pylsl.resolve_streams(1.0)})
        what = f"{len(found)} streams are" if found else "no stream is"
        raise InputError(
            f"--lsl-markers {name}: {what} called so on this network; streams: "
            f"{', '.join(others) or 'none'}. Start the program that sends the markers first"
        )
    flags = pylsl.proc_clocksync | pylsl.proc_monotonize
    inlet = pylsl.StreamInlet(found[0], processing_flags=flags)
    inlet.open_stream(timeout=RESOLVE_S)
    return _Pulling(inlet)


@dataclass(frozen=True, eq=False)
class _Pulling:
    inlet: Any

    def pull_chunk(self) -> tuple[Sequence[Sequence[Any]], Sequence[float]]:
        samples, times = self.inlet.pull_chunk(timeout=0.0)
        return samples or [], times or []


def frame_numbers(name: str, source: str) -> StreamFacts:
    """Describe a stream with the number of each frame of a video at the time of the frame."""
    host = f"emotion_rppg:{socket.gethostname()}:{Path(source).name}:{name}"
    about = (("version", __version__), ("source", Path(source).name))
    channels = (("frame", "index"),)
    return StreamFacts(f"{name}_frames", "Video", channels, IRREGULAR, f"{host}:frames", about)


@dataclass(frozen=True)
class LslClock:
    """Convert times of frames, s, to LSL's ``local_clock`` and back.

    ``ahead_s`` is what `clock_offset_s` measured.
    """

    frames: FrameClock
    ahead_s: float

    def to_lsl(self, time_s: float) -> float:
        """Return LSL's time of a frame's time."""
        return time_s + self.frames.start_s + self.ahead_s

    def from_lsl(self, lsl_s: float) -> float:
        """Return the time among the frames of a time of LSL."""
        return lsl_s - self.frames.start_s - self.ahead_s


class LslOutlets:
    """Send `LiveReading` after reading to four streams: NAME_wave, _beats, _heart_rate, _reason.

    Parameters
    ----------
    name : str
        How the names of the streams begin.
    clock : LslClock
        The clock of the frames, which is started before the first reading.
    method, source : str
        Pulse method, and the camera's number or the file, for the description of the streams.
    is_regular : bool
        The method resamples to an even rate (all networks do): the wave has a nominal rate.
    open_stream : function
        Opens a stream; another one stands in for LSL in tests.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: LslClock,
        method: str,
        source: str,
        is_regular: bool,
        open_stream: Callable[[StreamFacts], Outlet] = open_outlet,
    ) -> None:
        self.name, self.clock = name, clock
        self.method, self.source = Path(method).name, Path(source).name
        self._is_regular, self._open_stream = is_regular, open_stream
        self._outlets: dict[str, Outlet] = {}

    def push(self, reading: LiveReading) -> None:
        """Send what is new in a reading; the first one opens the streams."""
        if not self._outlets:
            facts = self._facts(reading.settled.rate_hz if self._is_regular else IRREGULAR)
            self._outlets = {key: self._open_stream(stream) for key, stream in facts.items()}
        wave = reading.settled
        quality = [0.0] * len(wave) if wave.quality is None else wave.quality.tolist()
        for at, *values in zip(wave.times_s.tolist(), wave.samples.tolist(), quality, strict=True):
            self._push("wave", at, values)
        for beat in reading.beats:
            self._push("beats", beat.time_s, [beat.interval_ms, beat.confidence])
        rate = float("nan") if reading.hr_bpm is None else reading.hr_bpm
        numbers = [rate, reading.quality, float(reading.rmssd_ms), reading.face]
        self._push("heart_rate", reading.time_s, numbers)
        self._push("reason", reading.time_s, [reading.reason or "ok"])

    def _push(self, key: str, time_s: float, values: list[Any]) -> None:
        self._outlets[key].push_sample(values, self.clock.to_lsl(time_s))

    def _facts(self, rate_hz: float) -> dict[str, StreamFacts]:
        streams: dict[str, tuple[str, tuple[tuple[str, str], ...], float]] = {
            "wave": ("PPG", (("rppg", "arbitrary"), ("quality", "0-1")), rate_hz),
            "beats": ("Beats", (("interval", "ms"), ("confidence", "0-1")), IRREGULAR),
            "heart_rate": (
                "HeartRate",
                (("hr", "bpm"), ("quality", "0-1"), ("rmssd", "ms"), ("face", "0-1")),
                IRREGULAR,
            ),
            "reason": ("Markers", (("reason", "text"),), IRREGULAR),
        }
        about = (
            ("method", self.method),
            ("version", __version__),
            ("source", self.source),
            ("time_stamps", "when the camera took the frame"),
        )
        host = f"emotion_rppg:{socket.gethostname()}:{self.source}:{self.name}"
        return {
            key: StreamFacts(
                f"{self.name}_{key}", kind, channels, hz, f"{host}:{key}", about, key == "reason"
            )
            for key, (kind, channels, hz) in streams.items()
        }


class LslMarkers:
    """Receive markers as events on the clock of the frames."""

    def __init__(
        self,
        name: str,
        *,
        clock: LslClock,
        open_stream: Callable[[str], Inlet] = open_inlet,
    ) -> None:
        self._inlet, self._clock = open_stream(name), clock

    def read(self) -> list[Event]:
        """Return the markers that arrived since the last call, in the order of their times."""
        samples, times = self._inlet.pull_chunk()
        events = [
            Event(self._clock.from_lsl(float(at)), marker_text(row) or "marker")
            for row, at in zip(samples, times, strict=True)
        ]
        return sorted(events, key=lambda event: event.onset_s)
