"""Read and write the file of corrected beats: ``RECORDING.ext.beats.json`` beside the recording.

It has the detected beats and the list of edits of each wave of the recording (an ECG and a PPG, the
camera wave of each method and face). The recording itself is never written to. The file may come
from anybody, so everything in it is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg._version import __version__
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.edits import Edit, is_text
from emotion_rppg.formats.safe_io import MB, load_json
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.atomic_files import write_json
from emotion_rppg.runtime.provenance import identity
from emotion_rppg.study.acquisition import Reading, method_name, network_of

ENDING = ".beats.json"
FORMAT, VERSION = "emotion_rppg beats", 1
MOST_BYTES, MOST_WAVES, MOST_EDITS, MOST_BEATS = 100 * MB, 1000, 200_000, 2_000_000
SAME_S = 0.002  # largest difference of a beat's time between two runs of one detection
_MOST_CHARACTERS = 1000  # of a name
_DIGITS = 4  # of the stored times, s
_TEXT, _NUMBER, _NONE = (str,), (int, float), (type(None),)
_WAVE_TYPES: dict[str, tuple[type, ...]] = {
    "kind": _TEXT,
    "method": _TEXT,
    "network": _TEXT,
    "region": _TEXT,
    "face": (int, *_NONE),
    "person": (int, *_NONE),
    "channel": (*_TEXT, *_NONE),
    "start_s": (*_NUMBER, *_NONE),
    "end_s": (*_NUMBER, *_NONE),
}


@dataclass(frozen=True)
class WaveIdentity:
    """Which wave of a recording: its kind, and how it was read or estimated.

    A contact signal has the channel that was chosen by name. A camera wave has its method, network,
    region and face, or the person with ``face="all"``. ``start_s`` and ``end_s`` are the segment of
    the file, None for its start and end.
    """

    kind: str
    method: str = ""
    network: str = ""
    region: str = ""
    face: int | None = None
    person: int | None = None
    channel: str | None = None
    start_s: float | None = None
    end_s: float | None = None

    @classmethod
    def of(cls, recording: Recording, reading: Reading, person: int | None = None) -> WaveIdentity:
        """Identify the wave that ``reading`` reads of a recording."""
        kind = reading.kind(recording)
        if reading.is_camera(recording) and recording.video is not None:
            everybody = reading.reads_people(recording)
            video = recording.video
            return cls(
                kind,
                method=method_name(reading.method),
                network=network_of(reading.method, reading.weights)[0],
                region=(video.region if reading.region == "face" else None) or reading.region,
                face=None if everybody else int(reading.face or 1),
                person=(person or 1) if everybody else None,
                start_s=video.start_s or None,
                end_s=video.end_s,
            )
        origin = recording.origins.get(kind)
        if origin is None:
            return cls(kind)
        return cls(kind, channel=origin.channel, start_s=origin.start_s or None, end_s=origin.end_s)

    def __str__(self) -> str:
        parts = [self.kind, self.method, self.region if self.region not in ("", "face") else ""]
        parts += [f"face {self.face}" if self.face not in (None, 1) else ""]
        parts += [f"person {self.person}" if self.person is not None else ""]
        parts += [f"channel {self.channel}" if self.channel is not None else ""]
        if self.start_s is not None or self.end_s is not None:
            end = "end" if self.end_s is None else f"{self.end_s:g} s"
            parts += [f"{self.start_s or 0:g} s – {end}"]
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, eq=False)
class WaveEdits:
    """The detected beats of one wave, s, and the edits of them."""

    wave: WaveIdentity
    rate_hz: float | None
    samples: int | None
    detected_s: np.ndarray
    edits: tuple[Edit, ...] = ()

    def same_detection(self, times_s: np.ndarray) -> bool:
        """Tell whether beats are those that the edits were made on: equal within 2 ms.

        Not by the hash, because the last digit of a time may differ between computers.
        """
        mine = self.detected_s
        return mine.shape == times_s.shape and bool(np.all(np.abs(mine - times_s) <= SAME_S))

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON."""
        times = [round(float(t), _DIGITS) for t in self.detected_s]
        return {
            "wave": {f.name: getattr(self.wave, f.name) for f in fields(WaveIdentity)},
            "rate_hz": self.rate_hz,
            "samples": self.samples,
            "detected": {"times_s": times, "sha256": _digest(times)},
            "edits": [_plain(edit) for edit in self.edits],
        }


@dataclass(frozen=True, eq=False)
class BeatsFile:
    """The content of a file of corrected beats: the identity of the recording, and its waves."""

    recording: Mapping[str, Any]
    waves: tuple[WaveEdits, ...] = ()

    def of(self, wave: WaveIdentity) -> WaveEdits | None:
        """Look up the edits of a wave; None if it has none."""
        return next((one for one in self.waves if one.wave == wave), None)

    def with_edits(self, edits: WaveEdits) -> BeatsFile:
        """Return the content with the edits of one wave replaced or added."""
        others = tuple(one for one in self.waves if one.wave != edits.wave)
        return replace(self, waves=(*others, edits))

    def is_of(self, recording: Path) -> bool:
        """Tell whether the edits were made on a recording with this content, whatever its name."""
        now = identity(recording)
        return all(self.recording.get(key) == now[key] for key in now if key not in _NAMES)


_NAMES = ("file", "folder")  # of `identity`; a recording may be renamed together with its edits


def beats_path(recording: str | Path) -> Path:
    """Name the file of corrected beats of a recording: ``walk.csv`` -> ``walk.csv.beats.json``.

    Examples
    --------
    >>> beats_path("study/walk.csv").name
    'walk.csv.beats.json'
    """
    recording = Path(recording)
    name = recording.name or recording.resolve().name
    return recording.with_name(name + ENDING) if recording.name else Path(f"{name}{ENDING}")


def file_of(recording: Recording, reading: Reading) -> Path | None:
    """Return the file (or folder of a session) from which the pulse is read; None if unknown."""
    if reading.is_camera(recording):
        return None if recording.video is None else recording.video.path
    origin = recording.origins.get(reading.kind(recording))
    return None if origin is None else origin.path


def write_beats_file(path: Path, content: BeatsFile) -> Path:
    """Write the file atomically: complete, or not at all."""
    write_json(
        path,
        {
            "format": FORMAT,
            "version": VERSION,
            "written_by": f"emotion_rppg {__version__}",
            "recording": dict(content.recording),
            "waves": [wave.to_dict() for wave in content.waves],
        },
    )
    return path


def read_beats_file(path: Path) -> BeatsFile:
    """Read and check a file of corrected beats.

    Raises
    ------
    InputError
        It is no such file, it is damaged, or a later version wrote it; the message names the place.
    """
    content = load_json(path, limit_bytes=MOST_BYTES)
    try:
        return _parsed(content)
    except InputError as error:
        raise InputError(
            f"{path} cannot be used as corrected beats: {error}. Restore it from a backup, or move "
            "it away to use the detected beats"
        ) from error


def _parsed(content: Any) -> BeatsFile:
    names = ("format", "version", "written_by", "recording", "waves")
    fields_of = _object(content, "the file", names)
    if fields_of["format"] != FORMAT:
        raise InputError(f"its format is {_short(fields_of['format'])}, want {FORMAT!r}")
    if fields_of["version"] != VERSION or isinstance(fields_of["version"], bool):
        raise InputError(
            f"its version is {_short(fields_of['version'])}, this program reads version {VERSION}"
        )
    recording = fields_of["recording"]
    if not isinstance(recording, dict) or not all(
        is_text(name, _MOST_CHARACTERS) and _is_fact(value) for name, value in recording.items()
    ):
        raise InputError(f"recording is {_short(recording)}, want names, sizes and hashes")
    waves = _list(fields_of["waves"], "waves", MOST_WAVES)
    parsed = tuple(_wave(one, f"waves[{k}]") for k, one in enumerate(waves))
    if len({one.wave for one in parsed}) < len(parsed):
        raise InputError("two of its waves are the same")
    return BeatsFile(recording, parsed)


def _is_fact(value: Any) -> bool:
    """Tell whether a value is a text, or a number of bytes or files."""
    return is_text(value, _MOST_CHARACTERS) or (isinstance(value, int) and _is_number(value))


def _wave(content: Any, where: str) -> WaveEdits:
    names = ("wave", "rate_hz", "samples", "detected", "edits")
    values = _object(content, where, names)
    own = _object(values["wave"], f"{where}.wave", tuple(_WAVE_TYPES))
    for name, types in _WAVE_TYPES.items():
        number = isinstance(own[name], int | float)
        if not isinstance(own[name], types) or (number and not _is_number(own[name])):
            raise InputError(f"{where}.wave.{name} is {_short(own[name])}")
        if isinstance(own[name], str) and not is_text(own[name], _MOST_CHARACTERS):
            raise InputError(f"{where}.wave.{name} is {_short(own[name])}")
    rate, samples = values["rate_hz"], values["samples"]
    if rate is not None and not (_is_number(rate) and 0 < rate < 1e6):
        raise InputError(f"{where}.rate_hz is {_short(rate)}")
    if samples is not None and not (_is_number(samples) and samples == int(samples) >= 0):
        raise InputError(f"{where}.samples is {_short(samples)}")
    detected = _detected(values["detected"], f"{where}.detected")
    edits = _list(values["edits"], f"{where}.edits", MOST_EDITS)
    parsed = tuple(_edit(one, f"{where}.edits[{k}]") for k, one in enumerate(edits))
    return WaveEdits(WaveIdentity(**own), rate, samples, detected, parsed)


def _detected(content: Any, where: str) -> np.ndarray:
    values = _object(content, where, ("times_s", "sha256"))
    times = _list(values["times_s"], f"{where}.times_s", MOST_BEATS)
    wrong = next((t for t in times if not _is_number(t)), None)
    if wrong is not None or not all(_is_number(t) for t in times):
        raise InputError(f"{where}.times_s has {_short(wrong)}, want numbers of seconds")
    beats = np.array(times, dtype=float)
    if np.any(np.diff(beats) <= 0):
        raise InputError(f"{where}.times_s do not increase")
    if _digest([round(float(t), _DIGITS) for t in times]) != values["sha256"]:
        raise InputError(f"{where}.times_s were changed: they do not have the stored hash")
    return beats


def _edit(content: Any, where: str) -> Edit:
    names = tuple(f.name for f in fields(Edit))
    values = _object(content, where, names, optional=("to_s",))
    try:
        return Edit(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def rounded(edit: Edit) -> Edit:
    """Round the times of an edit to 0.1 ms, as they are stored."""
    to_s = None if edit.to_s is None else round(float(edit.to_s), _DIGITS)
    return replace(edit, time_s=round(float(edit.time_s), _DIGITS), to_s=to_s)


def _plain(edit: Edit) -> dict[str, Any]:
    """Convert an edit to JSON; times to 0.1 ms."""
    values = {f.name: getattr(rounded(edit), f.name) for f in fields(Edit)}
    return {name: value for name, value in values.items() if value is not None}


def _object(
    content: Any, where: str, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, Any]:
    """Check that JSON content is an object with these names and no others."""
    if not isinstance(content, dict):
        raise InputError(f"{where} is {_short(content)}, want an object")
    unknown = [_short(name) for name in content if name not in names]
    missing = [name for name in names if name not in content and name not in optional]
    if unknown or missing:
        faults = [f"unknown: {', '.join(unknown[:5])}"] if unknown else []
        faults += [f"missing: {', '.join(missing)}"] if missing else []
        raise InputError(f"{where} does not have the right names ({'; '.join(faults)})")
    return content


def _list(content: Any, where: str, most: int) -> list[Any]:
    if not isinstance(content, list):
        raise InputError(f"{where} is {_short(content)}, want a list")
    if len(content) > most:
        raise InputError(f"{where} has {len(content)} items, at most {most} are read")
    return content


def _is_number(value: Any) -> bool:
    """Tell whether a value is a finite number of plausible size."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _digest(times: Sequence[float]) -> str:
    """Compute the SHA-256 of times with four digits."""
    text = ",".join(f"{time:.{_DIGITS}f}" for time in times)
    return hashlib.sha256(text.encode()).hexdigest()
