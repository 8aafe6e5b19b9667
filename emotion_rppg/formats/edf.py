"""Read EDF and BDF files: channels of 16- or 24-bit samples in data records, an ASCII header.

The format is that of Kemp et al. (1992) and, for interrupted recordings, EDF+ (Kemp & Olivan 2003),
in which each record begins with its onset time and samples between two records are missing. The
patient's fields are not read.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError

_BLOCK, _MAX_CHANNELS = 256, 4096
_FIELD_BYTES = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # bytes of each field
_LABEL, _UNIT, _LOW, _HIGH, _DIGITAL_LOW, _DIGITAL_HIGH, _SAMPLES = 0, 2, 3, 4, 5, 6, 8
ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_ONSET = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15\d*(?:\.\d*)?)?\x14")
_ANNOTATION = re.compile(
    rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?((?:\x14[^\x00\x14\x15]*)+)\x14\x00"
)
_MAX_FILL = 100  # samples filled in, per sample present; more means that the onsets are wrong


@dataclass(frozen=True)
class Channel:
    """A channel: name, position and number of its samples in a record, rate (Hz), ranges, unit."""

    label: str
    first: int
    samples: int
    rate_hz: float
    digital: tuple[float, float]
    physical: tuple[float, float]
    unit: str = ""


@dataclass(frozen=True)
class Header:
    """A file header: number, length (s) and layout of the data records."""

    path: Path
    header_bytes: int
    sample_bytes: int
    records: int
    record_s: float
    interrupted: bool
    channels: tuple[Channel, ...]

    @property
    def record_bytes(self) -> int:
        return self.sample_bytes * sum(channel.samples for channel in self.channels)

    @property
    def signals(self) -> list[Channel]:
        """Channels with samples, without annotation channels."""
        return [c for c in self.channels if c.label not in ANNOTATIONS]


def read_header(path: Path) -> Header:
    """Read the header and compare it with the file's size.

    Raises
    ------
    InputError
        No EDF or BDF header, or a file that is shorter than the header requires.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_BLOCK)
            count = int(head[252:256])
            rest = file.read(_BLOCK * max(0, min(count, _MAX_CHANNELS)))
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise InputError(f"{path} has no EDF or BDF header ({error}): copy it again") from error
    if not 0 < count <= _MAX_CHANNELS or len(rest) < _BLOCK * count:
        raise InputError(f"{path} has a broken EDF or BDF header: copy it again")
    sample_bytes = 3 if head[:1] == b"\xff" else 2
    try:
        record_s = _number(head[244:252])
        channels = _channels(rest, count, record_s)
        records = int(_number(head[236:244]))
    except ValueError as error:
        raise InputError(f"{path}: a field of its EDF or BDF header is wrong: {error}") from error
    header_bytes = _BLOCK * (1 + count)
    header = Header(
        path, header_bytes, sample_bytes, records, record_s, head[192:197][3:] == b"+D", channels
    )
    return _with_record_count(header, size - header_bytes)


def _channels(rest: bytes, count: int, record_s: float) -> tuple[Channel, ...]:
    fields: list[list[bytes]] = []
    position = 0
    for size in _FIELD_BYTES:
        fields.append([rest[position + k * size : position + (k + 1) * size] for k in range(count)])
        position += size * count
    out: list[Channel] = []
    first = 0
    for k in range(count):
        samples = int(_number(fields[_SAMPLES][k]))
        if samples < 0:
            raise ValueError(f"{samples} samples per record")
        label = fields[_LABEL][k].decode("latin1").strip("\0 ")
        low, high, digital_low, digital_high = (
            _number(fields[name][k]) for name in (_LOW, _HIGH, _DIGITAL_LOW, _DIGITAL_HIGH)
        )
        rate = samples / record_s if record_s > 0 else 0.0
        ranges = (digital_low, digital_high), (low, high)
        unit = fields[_UNIT][k].decode("latin1").strip("\0 ")
        out.append(Channel(label, first, samples, rate, *ranges, unit))
        first += samples
    return tuple(out)


def _number(field: bytes) -> float:
    text = field.decode("latin1").strip("\0 ")
    value = float(text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def _with_record_count(header: Header, size: int) -> Header:
    """Return the header with the number of records in the file, where the header has none."""
    if not header.record_bytes:
        raise InputError(f"{header.path} has a broken EDF or BDF header: no samples in a record")
    available = size // header.record_bytes
    if header.records < 0:
        return Header(**{**vars(header), "records": available})
    if available < header.records:
        raise InputError(
            f"{header.path} is cut off: {available} of {header.records} records are present; copy "
            "it again"
        )
    return header


def read_channel(header: Header, channel: Channel) -> np.ndarray:
    """Read a channel's samples in physical units on an even grid, (n,); NaN in interruptions."""
    if header.record_s <= 0 or not channel.samples or not header.records:
        raise InputError(f"{header.path}: {channel.label} has no samples or no rate: exclude it")
    digital_low, digital_high = channel.digital
    if digital_low == digital_high:
        raise InputError(
            f"{header.path}: {channel.label} has a digital range from {digital_low:g} to "
            f"{digital_high:g}: export it again"
        )
    digital = _samples(header, _bytes_of(header, channel))
    low, high = channel.physical
    rows = low + (digital - digital_low) * ((high - low) / (digital_high - digital_low))
    return _place_records(header, channel, rows) if header.interrupted else rows.ravel()


def _bytes_of(header: Header, channel: Channel) -> np.ndarray:
    """Read the channel's bytes, (records, bytes)."""
    shape = (header.records, header.record_bytes)
    table = np.memmap(header.path, np.uint8, "r", offset=header.header_bytes, shape=shape)
    first = header.sample_bytes * channel.first
    return np.ascontiguousarray(table[:, first : first + header.sample_bytes * channel.samples])


def _samples(header: Header, raw: np.ndarray) -> np.ndarray:
    """Decode little-endian integers of two or three bytes to floats, (records, samples)."""
    if header.sample_bytes == 2:
        return raw.view("<i2").astype(float)
    parts = raw.reshape(len(raw), -1, 3).astype(np.int32)
    value = parts[..., 0] | parts[..., 1] << 8 | parts[..., 2] << 16
    return np.where(value >= 1 << 23, value - (1 << 24), value).astype(float)


def _place_records(header: Header, channel: Channel, rows: np.ndarray) -> np.ndarray:
    """Place records at their onsets, with NaN between them."""
    onsets = _onsets(header)
    firsts = np.round((onsets - onsets[0]) * channel.rate_hz).astype(np.int64)
    total = int(firsts.max()) + channel.samples
    if firsts.min() < 0 or total > _MAX_FILL * rows.size + 10**6:
        raise InputError(
            f"{header.path}: the onsets of its records do not increase or leave too large a gap: "
            "copy it again"
        )
    out = np.full(total, np.nan)
    for first, row in zip(firsts, rows, strict=True):
        out[first : first + channel.samples] = row
    return out


def read_annotations(header: Header) -> list[tuple[float, float, str]]:
    """Read the annotations of an EDF+ or BDF+ file: onset (s), duration (s; 0: none) and text.

    Onsets count from the first record, as the samples do. The annotation that only times a record
    has no text and is not listed.
    """
    channels = [c for c in header.channels if c.label in ANNOTATIONS and c.samples]
    found: list[tuple[float, float, str]] = []
    origin_s: float | None = None
    for channel in channels:
        for row in _bytes_of(header, channel) if header.records else ():
            for onset, duration, texts in _ANNOTATION.findall(row.tobytes()):
                origin_s = float(onset) if origin_s is None else origin_s
                found += [
                    (float(onset) - origin_s, float(duration or 0), text.decode("utf-8", "replace"))
                    for text in texts.split(b"\x14")
                    if text.strip()
                ]
    return sorted(found)


def _onsets(header: Header) -> np.ndarray:
    """Read the onset (s) of each record from its first annotation."""
    annotations = next((c for c in header.channels if c.label in ANNOTATIONS), None)
    if annotations is None:
        raise InputError(
            f"{header.path} is marked as interrupted, but has no channel of annotations with the "
            "onsets of its records: export it again as EDF+C (continuous)"
        )
    matches = [_ONSET.match(row.tobytes()) for row in _bytes_of(header, annotations)]
    if not all(matches):
        raise InputError(
            f"{header.path} is marked as interrupted, but record {matches.index(None) + 1} has no "
            "onset: export it again as EDF+C (continuous)"
        )
    return np.array([float(match.group(1)) for match in matches if match])
