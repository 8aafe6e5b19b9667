"""Read BIOPAC AcqKnowledge files (.acq), each channel at its own rate and in its unit.

The library ``bioread`` decodes headers and samples. It trusts the counts of a file: here every read
is counted and limited, and lengths are compared with the file before memory is allocated.
"""

from __future__ import annotations

import io
import math
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channels import Contents, Marker, make_channel, missing_library
from emotion_rppg.formats.safe_io import MB, as_input_error, check_file
from emotion_rppg.runtime.quiet import log_silenced
from emotion_rppg.signals import Signal

_WHAT = "a BIOPAC file"
_MAX_BYTES, _MAX_UNPACKED_BYTES = 4000 * MB, 8000 * MB
_MAX_READS = 200_000  # of headers; a file with more has a damaged count
_MAX_PATTERN = 10**6  # samples after which the order of the channels repeats


class _TooManyReads(Exception):
    """Report a file whose damaged counts would be read without end."""


class _LimitedFile(io.FileIO):
    """A file that refuses more reads, or bytes, than an intact file needs."""

    reads, requested = 0, 0

    def read(self, size: int | None = -1, /) -> bytes:
        end = self.seek(0, io.SEEK_CUR)
        raw = super().read(-1 if size is None or size < 0 else size) or b""
        self.reads += 1
        self.requested += len(raw)
        if self.reads > _MAX_READS or self.requested > 10 * MB + 20 * (end + len(raw)):
            raise _TooManyReads("its counts are damaged")
        return raw


def acq_contents(path: Path) -> Contents:
    """List the channels and event markers of a BIOPAC file.

    Raises
    ------
    InputError
        A damaged header, no channel, or samples that are not in the file.
    """
    data = _headers(path).datafile
    channels = [
        make_channel(name, float(c.samples_per_second), unit=c.units.strip(), samples=c.point_count)
        for name, c in zip(_names(data), data.channels, strict=True)
    ]
    markers = tuple(
        Marker(marker.sample_index / data.samples_per_second, str(marker.text))
        for marker in data.event_markers or []
    )
    return Contents("BIOPAC", tuple(channels), partial(_read, path), markers)


def _names(data: Any) -> list[str]:
    """Name the channels; one without a name or with a repeated one by its number."""
    out: list[str] = []
    for k, channel in enumerate(data.channels, 1):
        name = channel.name.strip() or f"channel {k}"
        out.append(name if name not in out else f"{name} ({k})")
    return out


def _headers(path: Path) -> Any:
    """Read and check the headers."""
    check_file(path, _MAX_BYTES)
    try:
        from bioread.reader import Reader
    except ImportError as error:
        raise missing_library(path, "BIOPAC files", "bioread", error) from error
    with as_input_error(path, _WHAT), log_silenced("bioread"), _LimitedFile(path) as file:
        reader = Reader.read_headers(file)
        if reader.datafile is None:
            raise InputError(f"{path} has no intact header of {_WHAT}: copy it again")
        _check(path, reader)
    return reader


def _check(path: Path, reader: Any) -> None:
    """Compare rates, counts and lengths with the file's size."""
    channels = reader.datafile.channels
    rates = [channel.samples_per_second for channel in channels]
    if not channels or not all(math.isfinite(r) and 0 < r <= 1e6 for r in rates):
        raise InputError(f"{path} has {len(channels)} channels with the rates {rates} Hz")
    dividers = [channel.frequency_divider for channel in channels]
    if min(dividers) < 1 or math.lcm(*map(int, dividers)) * len(channels) > _MAX_PATTERN:
        raise InputError(f"{path}: its channels divide the rate by {dividers}: copy it again")
    if min(channel.point_count for channel in channels) < 0:
        raise InputError(f"{path} announces a negative number of samples: copy it again")
    size = path.stat().st_size
    wanted = sum(channel.point_count * channel.sample_size for channel in channels)
    if reader.is_compressed:
        packed = reader.channel_compression_headers
        fits = len(packed) == len(channels) and wanted <= _MAX_UNPACKED_BYTES
        for header in packed:
            end = header.compressed_data_offset + header.compressed_data_len
            fits = fits and 0 <= header.compressed_data_offset <= end <= size
    else:
        fits = reader.data_start_offset + wanted <= size
    if not fits:
        raise InputError(
            f"{path} is cut off: {size} bytes are present, and its channels need {wanted} bytes "
            "and the headers: copy it again"
        )


def _read(path: Path, name: str) -> Signal:
    """Read one channel in its unit; 0 s is the start of the file."""
    reader = _headers(path)
    index = _names(reader.datafile).index(name)
    with as_input_error(path, _WHAT), log_silenced("bioread"), path.open("rb") as file:
        if reader.is_compressed:
            channel = reader.datafile.channels[index]
            channel.raw_data = _unpack(path, file, reader, index)
        else:
            channel = type(reader).read(file, [index]).datafile.channels[index]
        samples = np.asarray(channel.data, dtype=float)
    return Signal(samples, float(channel.samples_per_second))


def _unpack(path: Path, file: io.BufferedReader, reader: Any, index: int) -> np.ndarray:
    """Unpack the samples of one channel, no more than the header announces."""
    channel = reader.datafile.channels[index]
    header = reader.channel_compression_headers[index]
    wanted = channel.point_count * channel.sample_size
    file.seek(header.compressed_data_offset)
    unpack = zlib.decompressobj()
    raw = unpack.decompress(file.read(header.compressed_data_len), max(wanted, 1))
    if len(raw) < wanted:
        raise InputError(f"{path} is damaged: {len(raw)} of {wanted} bytes of {channel.name}")
    return np.frombuffer(raw[:wanted], channel.dtype)
