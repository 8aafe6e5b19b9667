"""Read XDF files of the lab streaming layer: several streams, each with its own clock and rate.

The format is https://github.com/sccn/xdf/wiki/Specifications. The library ``pyxdf`` decodes it,
maps the clocks of all computers to one and removes the jitter of time stamps. Before that the
lengths and counts of the file are checked here, so that a damaged file cannot ask for more memory
than it has bytes. Times count from the first sample of any stream.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channel_names import kind_by_name
from emotion_rppg.formats.channels import Channel, Contents, Marker, make_channel, missing_library
from emotion_rppg.formats.safe_io import MB, as_input_error, check_file
from emotion_rppg.runtime.quiet import log_silenced
from emotion_rppg.signals import Signal

_WHAT = "an XDF recording"
_MAGIC = b"XDF:"
_MAX_BYTES, _MAX_XML_BYTES = 4000 * MB, 10 * MB
_MAX_CHANNELS, _MAX_RATE_HZ = 10_000, 1e6
_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _FOOTER = 1, 2, 3, 4, 6
# bytes of a value; a text has at least the byte of its length
_VALUE_BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}
_TEXT = "string"
_MARKERS = ("markers", "marker", "event", "events", "trigger", "triggers", "stim")  # stream types
_MAX_FILL = 100  # samples on the even clock, per sample present
_BREAK_S = 1.0  # time stamps further apart begin a new segment with a clock of its own


@dataclass(frozen=True, eq=False)
class _Stream:
    """A stream with numbers: channels, times (s), samples (n, channels), nominal rate (Hz or 0)."""

    channels: tuple[Channel, ...]
    times_s: np.ndarray
    samples: np.ndarray
    rate_hz: float
    regular: bool
    segments: int


@dataclass(frozen=True, eq=False)
class _Recorded:
    streams: tuple[_Stream, ...]
    markers: tuple[Marker, ...]


def xdf_contents(path: Path) -> Contents:
    """List the channels of all streams: ``stream``, or ``stream/channel`` where it has several.

    Raises
    ------
    InputError
        Not an XDF file, a file that is cut off or damaged, or no sample in it.
    """
    recorded = _recorded(path)
    channels = tuple(channel for stream in recorded.streams for channel in stream.channels)
    return Contents("XDF", channels, partial(_read, path), recorded.markers)


def _read(path: Path, name: str) -> Signal:
    """Read one channel; a stream with breaks or without a rate is resampled to an even clock."""
    for stream in _recorded(path).streams:
        for k, channel in enumerate(stream.channels):
            if channel.name == name:
                return _as_signal(path, stream, name, stream.samples[:, k])
    raise InputError(f"{path} has no channel {name!r}")


def _as_signal(path: Path, stream: _Stream, name: str, samples: np.ndarray) -> Signal:
    if stream.regular and stream.segments == 1:
        return Signal(samples, stream.rate_hz, start_s=float(stream.times_s[0]))
    order = np.argsort(stream.times_s, kind="stable")
    span_s = float(np.ptp(stream.times_s))
    if not span_s * stream.rate_hz <= _MAX_FILL * len(samples) + 10**6:
        raise InputError(
            f"{path}: {len(samples)} samples of {name} are spread over {span_s:.3g} s: its time "
            "stamps are damaged; record it again"
        )
    try:
        rate_hz = stream.rate_hz if stream.regular else None
        return Signal.from_times(stream.times_s[order], samples[order], rate_hz=rate_hz)
    except InputError as error:
        raise InputError(f"{path}: {name}: {error}") from error


def _recorded(path: Path) -> _Recorded:
    stat = check_file(path, _MAX_BYTES).stat()
    return _load(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _load(path: Path, changed_ns: int, size: int) -> _Recorded:
    """Load all streams; time and size are arguments so that a changed file is read again."""
    try:
        import pyxdf
    except ImportError as error:
        raise missing_library(path, "XDF recordings", "pyxdf", error) from error
    _check_chunks(path, size)
    with as_input_error(path, _WHAT), log_silenced("pyxdf"):
        raw, _ = pyxdf.load_xdf(
            str(path),
            jitter_break_threshold_seconds=_BREAK_S,
            jitter_break_threshold_samples=1,
        )
    filled = [stream for stream in raw if len(stream["time_stamps"])]
    starts = [float(np.min(stream["time_stamps"])) for stream in filled]
    if not filled or not np.isfinite(starts).all():
        raise InputError(f"{path} has no stream with a sample: nothing was recorded")
    origin_s = min(starts)
    numbers = [s for s in filled if isinstance(s["time_series"], np.ndarray)]
    texts = [s for s in filled if not isinstance(s["time_series"], np.ndarray)]
    names = _stream_names(numbers)
    with as_input_error(path, _WHAT):
        streams = [_stream(s, name, origin_s) for s, name in zip(numbers, names, strict=True)]
        coded = [s for s in numbers if _is_of_markers(s)]
        markers = sorted(m for s in (*texts, *coded) for m in _markers(s, origin_s))
    return _Recorded(tuple(streams), tuple(markers))


def _field(stream: dict[str, Any], name: str) -> str:
    values = stream["info"].get(name) or [""]
    return str(values[0] or "").strip()


def _stream_names(streams: list[dict[str, Any]]) -> list[str]:
    """Name each stream; a name that several have is followed by its number."""
    out: list[str] = []
    for k, stream in enumerate(streams, 1):
        name = _field(stream, "name") or _field(stream, "type") or f"stream {k}"
        out.append(name if name not in out else f"{name} ({k})")
    return out


def _stream(stream: dict[str, Any], name: str, origin_s: float) -> _Stream:
    """Describe a stream whose samples are numbers."""
    samples = np.asarray(stream["time_series"], dtype=float)
    times = np.asarray(stream["time_stamps"], dtype=float) - origin_s
    nominal_hz = float(_field(stream, "nominal_srate") or 0)
    effective_hz = float(stream["info"].get("effective_srate") or 0)
    regular = nominal_hz > 0 and len(times) > 1
    rate_hz = effective_hz if regular and 0 < effective_hz < math.inf else nominal_hz
    if not regular:
        steps = np.diff(np.unique(times))
        rate_hz = float(1 / np.median(steps)) if len(steps) else 0.0
    kind = kind_by_name(_field(stream, "type")) or kind_by_name(name)
    described = _described(stream, samples.shape[1])
    taken: set[str] = set()
    channels = []
    for k, (label, unit) in enumerate(described, 1):
        label = label if label and label not in taken else f"{label or 'channel'} {k}"
        taken.add(label)
        full = name if len(described) == 1 else f"{name}/{label}"
        own = kind_by_name(label) or kind
        channels.append(
            make_channel(full, rate_hz or None, unit=unit, kind=own, samples=len(samples))
        )
    segments = len(stream["info"].get("segments") or [0])
    return _Stream(tuple(channels), times, samples, rate_hz, regular, segments)


def _described(stream: dict[str, Any], count: int) -> list[tuple[str, str]]:
    """Return label and unit of each channel as the header describes them, or empty texts."""
    found: list[tuple[str, str]] = []
    description = (stream["info"].get("desc") or [None])[0]
    groups = description.get("channels") if isinstance(description, dict) else None
    group = groups[0] if groups else None
    entries = group.get("channel") if isinstance(group, dict) else None
    for entry in entries or []:
        fields = entry if isinstance(entry, dict) else {}
        label, unit = ((fields.get(key) or [""])[0] or "" for key in ("label", "unit"))
        found.append((str(label).strip(), str(unit).strip()))
    return found if len(found) == count else [("", "")] * count


def _is_of_markers(stream: dict[str, Any]) -> bool:
    """Return whether a stream of numbers has events: codes at uneven times, of the type Markers."""
    named = _field(stream, "type").lower() in _MARKERS
    return named and not float(_field(stream, "nominal_srate") or 0)


def _text_of(value: Any) -> str:
    """Return the text of a marker; a code that is a whole number has no decimals."""
    is_whole = isinstance(value, int | float | np.number) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def marker_text(values: Iterable[Any]) -> str:
    """Write the values of a marker, one for each channel, as one text of 200 characters at most."""
    return " ".join(map(_text_of, values)).strip()[:200]


def _markers(stream: dict[str, Any], origin_s: float) -> list[Marker]:
    times = np.asarray(stream["time_stamps"], dtype=float) - origin_s
    texts = [marker_text(row) for row in stream["time_series"]]
    return [Marker(float(t), text) for t, text in zip(times, texts, strict=True)]


def _check_chunks(path: Path, size: int) -> None:
    """Refuse a file whose chunks, counts or headers do not fit together.

    Raises
    ------
    InputError
        Anything that would let a reader allocate more than the file's size, or expand XML.
    """
    streams: dict[int, tuple[int, str]] = {}
    with as_input_error(path, _WHAT), path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise InputError(f"{path} does not begin like an XDF file: copy it again")
        while file.tell() < size:
            length = _length(path, file)
            begin = file.tell()
            if length < 2 or begin + length > size:
                raise InputError(
                    f"{path} is cut off or damaged at byte {begin}: a chunk of {length} bytes, "
                    f"{size - begin} are present; copy it again"
                )
            (tag,) = struct.unpack("<H", file.read(2))
            _check_chunk(path, file, tag, length - 2, streams)
            file.seek(begin + length)


def _length(path: Path, file: IO[bytes]) -> int:
    """Read a whole number of 1, 4 or 8 bytes, which are announced by one byte."""
    width = file.read(1)
    if width not in (b"\x01", b"\x04", b"\x08"):
        raise InputError(f"{path} is damaged at byte {file.tell()}: no length of a chunk")
    raw = file.read(width[0])
    if len(raw) < width[0]:
        raise InputError(f"{path} is cut off at byte {file.tell()}: copy it again")
    return int.from_bytes(raw, "little")


def _check_chunk(
    path: Path, file: IO[bytes], tag: int, length: int, streams: dict[int, tuple[int, str]]
) -> None:
    """Check one chunk: its stream, its XML, or the number of its samples."""
    if tag == _FILE_HEADER:
        _check_xml(path, file.read(min(length, _MAX_XML_BYTES + 1)))
    if tag not in (_STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _FOOTER):
        return
    if length < 4:
        raise InputError(f"{path} is damaged: a chunk without a stream")
    (stream,) = struct.unpack("<I", file.read(4))
    if tag == _STREAM_HEADER:
        root = _check_xml(path, file.read(min(length - 4, _MAX_XML_BYTES + 1)))
        streams[stream] = _stream_layout(path, root)
    elif stream not in streams:
        raise InputError(f"{path} is damaged: samples of a stream {stream} without a header")
    elif tag == _FOOTER:
        _check_xml(path, file.read(min(length - 4, _MAX_XML_BYTES + 1)))
    elif tag == _CLOCK_OFFSET and length != 20:
        raise InputError(f"{path} is damaged: a clock offset of {length} bytes, want 20")
    elif tag == _SAMPLES:
        channels, kind = streams[stream]
        begin = file.tell()
        count = _length(path, file)
        least = 1 + channels * _VALUE_BYTES.get(kind, 1)
        if count * least > length - 4 - (file.tell() - begin):
            raise InputError(
                f"{path} is damaged: a chunk of {length} bytes announces {count} samples"
            )


def _check_xml(path: Path, raw: bytes) -> ElementTree.Element:
    """Parse a header; refuse a document type, which could define entities, and a huge one."""
    if len(raw) > _MAX_XML_BYTES or b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise InputError(
            f"{path}: a header is too long or declares a document type, and was not read"
        )
    return ElementTree.fromstring(raw.decode("utf-8", "replace"))


def _stream_layout(path: Path, root: ElementTree.Element) -> tuple[int, str]:
    """Return number of channels and type of the values from a stream's header."""
    channels = int(root.findtext("channel_count") or 0)
    kind = (root.findtext("channel_format") or "").strip()
    rate_hz = float(root.findtext("nominal_srate") or 0)
    fits = 0 < channels <= _MAX_CHANNELS and 0 <= rate_hz <= _MAX_RATE_HZ
    if not fits or kind not in (*_VALUE_BYTES, _TEXT):
        raise InputError(
            f"{path}: a stream of {channels} channels of {kind or 'no type'!r} at {rate_hz:g} Hz: "
            f"want 1 to {_MAX_CHANNELS} channels of {', '.join((*_VALUE_BYTES, _TEXT))}"
        )
    return channels, kind
