"""Write XDF files for tests: streams with their clock offsets, from the public specification."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Stream:
    """A stream: its name and type, samples (n, channels) or texts, times (s) and nominal rate."""

    name: str
    kind: str
    samples: np.ndarray | Sequence[str]
    times_s: np.ndarray
    rate_hz: float = 0.0
    labels: tuple[tuple[str, str], ...] = ()
    offset_s: float = 0.0

    @property
    def texts(self) -> bool:
        return not isinstance(self.samples, np.ndarray)


def number(value: int) -> bytes:
    return b"\x04" + struct.pack("<I", value)


def chunk(tag: int, content: bytes) -> bytes:
    return number(len(content) + 2) + struct.pack("<H", tag) + content


def header(stream: Stream) -> str:
    channels = 1 if stream.texts else stream.samples.shape[1]
    described = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit></channel>"
        for label, unit in stream.labels
    )
    fields = {
        "name": stream.name,
        "type": stream.kind,
        "channel_count": channels,
        "nominal_srate": stream.rate_hz,
        "channel_format": "string" if stream.texts else "double64",
        "created_at": 0,
        "desc": f"<channels>{described}</channels>" if described else "",
    }
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    return f'<?xml version="1.0"?><info>{inside}</info>'


def samples(stream: Stream) -> bytes:
    rows = []
    for time, row in zip(stream.times_s, stream.samples, strict=True):
        if stream.texts:
            value = number(len(row.encode())) + row.encode()
        else:
            value = row.astype("<f8").tobytes()
        rows.append(b"\x08" + struct.pack("<d", time) + value)
    return number(len(rows)) + b"".join(rows)


def write_xdf(path: Path, streams: Sequence[Stream]) -> Path:
    """Write the streams, each with a clock offset at its first and last sample."""
    out = b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    for k, stream in enumerate(streams, 1):
        identity = struct.pack("<I", k)
        out += chunk(2, identity + header(stream).encode())
        out += chunk(3, identity + samples(stream))
        for time in (stream.times_s[0], stream.times_s[-1]):
            out += chunk(4, identity + struct.pack("<dd", time, stream.offset_s))
        out += chunk(6, identity + b"<info><sample_count>1</sample_count></info>")
    path.write_bytes(out)
    return path
