"""Read WFDB records of PhysioNet: a header (.hea) and files of samples (.dat or .mat) beside it.

The header gives the rate, names, gains and units. The format is that of the WFDB applications guide
(https://physionet.org/physiotools/wag); the library ``wfdb`` decodes the samples. A header may name
only files of its own folder, and each must be as long as the header says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channels import Contents, make_channel, missing_library
from emotion_rppg.formats.safe_io import MB, as_input_error, check_file
from emotion_rppg.signals import Signal

WFDB_SAMPLES = (".dat", ".mat")
WFDB_ENDINGS = (".hea", *WFDB_SAMPLES)  # the user may give any file of a record
_MAX_HEADER_BYTES = 1 * MB
_MAX_DATA_BYTES = 10_000 * MB
_MAX_CHANNELS, _MAX_SEGMENTS = 1024, 10_000
# bytes per sample of the uncompressed formats
_SAMPLE_BYTES = {"8": 1, "80": 1, "16": 2, "61": 2, "160": 2, "24": 3, "32": 4, "212": 1.5}
_SAMPLE_BYTES |= {"310": 4 / 3, "311": 4 / 3}
_NO_UNIT = "NU"
_MAX_FILL = 100  # samples in gaps, per sample present


def wfdb_contents(path: Path) -> Contents:
    """List the channels of a record, of which the header or a file of samples is given.

    Raises
    ------
    InputError
        No header beside the samples, one without a sampling frequency, or files that are missing
        or shorter than the header says.
    """
    header_path = _header_of(path)
    record = _read_header(header_path)
    _check_record(header_path, record)
    first = record if not _is_multi(record) else _first_segment(header_path, record)
    length = None if record.sig_len is None else int(record.sig_len)
    channels = []
    for k, name in enumerate(_unique(first.sig_name)):
        per_frame = first.samps_per_frame[k] or 1
        unit = "" if first.units[k] in (None, _NO_UNIT) else first.units[k]
        samples = None if length is None else length * per_frame
        channels.append(make_channel(name, record.fs * per_frame, unit=unit, samples=samples))
    return Contents("WFDB", tuple(channels), partial(_read_samples, header_path))


def _header_of(path: Path) -> Path:
    """Return the header of a record of which a file is given."""
    header_path = path.with_suffix(".hea")
    if path.suffix.lower() == ".hea" or header_path.is_file():
        return path if path.suffix.lower() == ".hea" else header_path
    for other in sorted(path.parent.glob("*.hea"))[:_MAX_SEGMENTS]:
        if other.stat().st_size <= _MAX_HEADER_BYTES and path.name in _words(other):
            return other
    raise InputError(
        f"{path} has no header {header_path.name} beside it, which gives rate and channels of a "
        "WFDB record: copy the .hea file too; for a table of samples use CSV"
    )


def parts_of_records(paths: Iterable[Path]) -> set[Path]:
    """Return the files that are found through a header: samples, and segments of a record."""
    parts = {path for path in paths if path.name.lower().endswith(WFDB_SAMPLES)}
    for path in paths:
        if path.suffix.lower() == ".hea":
            parts |= {path.with_name(f"{name}.hea") for name in _segments(path)}
    return parts


def _segments(path: Path) -> list[str]:
    """Return the names of the segments that a header joins, none for any other header."""
    if path.stat().st_size > _MAX_HEADER_BYTES:
        return []
    lines = path.read_text("ascii", "ignore").splitlines()
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    joined = bool(words) and "/" in words[0][0]
    return [word[0] for word in words[1:] if "/" not in word[0]] if joined else []


def _words(path: Path) -> set[str]:
    return {line.split(" ")[0] for line in path.read_text("ascii", "ignore").splitlines()}


def _read_header(path: Path) -> Any:
    """Parse a header by ``wfdb``; refuse one whose rate would have to be assumed."""
    check_file(path, _MAX_HEADER_BYTES)
    try:
        import wfdb
    except ImportError as error:
        raise missing_library(path, "WFDB records", "wfdb", error) from error
    text = path.read_text("ascii", "ignore")
    lines = [line.strip() for line in text.splitlines()]
    line, *rest = [line for line in lines if line and not line.startswith("#")] or [""]
    for name in (entry.split()[0] for entry in rest):
        _beside(path, name)
    if len(line.split()) < 3:
        raise InputError(
            f"{path} starts with {line[:60]!r}: want a record line with a name, the number of "
            "signals and the sampling frequency, as in 'rec 2 250 75000'; add the frequency (Hz)"
        )
    with as_input_error(path, "a WFDB header"):
        return wfdb.rdheader(str(path.absolute().with_suffix("")))


def _is_multi(record: Any) -> bool:
    return getattr(record, "seg_name", None) is not None


def _check_record(path: Path, record: Any) -> None:
    """Check counts, rate and files of a record before samples are read."""
    if not (record.fs and math.isfinite(record.fs) and 0 < record.fs <= 1e6):
        raise InputError(f"{path}: a sampling frequency of {record.fs!r} Hz: correct the header")
    if _is_multi(record):
        segments = [name for name in record.seg_name if name != "~"]
        if not 0 < len(segments) <= _MAX_SEGMENTS:
            raise InputError(f"{path} has {len(segments)} segments: want 1 to {_MAX_SEGMENTS}")
        for name in dict.fromkeys(segments):
            segment_path = _beside(path, f"{name}.hea")
            segment = _read_header(segment_path)
            if _is_multi(segment):
                raise InputError(f"{path}: the segment {name} has segments of its own")
            if segment.n_sig and segment.sig_len:
                _check_files(segment_path, segment)
        _check_gaps(path, record)
        return
    if not record.n_sig or not getattr(record, "file_name", None):
        raise InputError(f"{path} describes no signal: copy the record again")
    _check_files(path, record)


def _check_gaps(path: Path, record: Any) -> None:
    """Refuse a record that consists almost only of gaps, or whose length differs from its sum."""
    lengths = [int(n or 0) for n in record.seg_len]
    present = sum(n for name, n in zip(record.seg_name, lengths, strict=True) if name != "~")
    if sum(lengths) > _MAX_FILL * present + 10**6 or sum(lengths) != (record.sig_len or 0):
        raise InputError(
            f"{path}: its segments have {sum(lengths)} samples, {present} of them in files, and "
            f"the record line says {record.sig_len}: copy the record again"
        )


def _check_files(path: Path, record: Any) -> None:
    """Refuse files outside of the folder, and files shorter than the header says."""
    if not 0 < record.n_sig <= _MAX_CHANNELS or record.n_sig != len(record.file_name):
        raise InputError(
            f"{path} announces {record.n_sig} signals and describes {len(record.file_name)}: want "
            f"the same number, at most {_MAX_CHANNELS}"
        )
    if any((n or 1) > 1000 or (n or 1) < 1 for n in record.samps_per_frame):
        raise InputError(f"{path}: want 1 to 1000 samples of a signal per frame: copy it again")
    if any(abs(offset or 0) > _MAX_DATA_BYTES for offset in [*record.byte_offset, *record.skew]):
        raise InputError(f"{path}: an offset beyond the file's end: copy the record again")
    for name in dict.fromkeys(record.file_name):
        if name == "~":
            continue
        file = check_file(_beside(path, name), _MAX_DATA_BYTES)
        inside = [k for k, n in enumerate(record.file_name) if n == name]
        width = _SAMPLE_BYTES.get(str(record.fmt[inside[0]]))
        per_frame = sum(record.samps_per_frame[k] or 1 for k in inside)
        if width is None or record.sig_len is None:
            continue
        wanted = int(record.sig_len) * per_frame * width
        size = file.stat().st_size - (record.byte_offset[inside[0]] or 0)
        if size < math.floor(wanted):
            raise InputError(
                f"{file} is cut off: {size} of {math.ceil(wanted)} bytes that {path.name} "
                "announces: copy the record again"
            )


def _beside(path: Path, name: str) -> Path:
    """Return a file of the header's folder; refuse a name that leads out of it."""
    if not name or Path(name).name != name or any(c in name for c in ":\\/\0"):
        raise InputError(f"{path} refers to {name!r} outside of its folder and was not read")
    return path.parent / name


def _first_segment(path: Path, record: Any) -> Any:
    """Return the header of the first segment that names the signals."""
    name = next(name for name in record.seg_name if name != "~")
    segment = _read_header(_beside(path, f"{name}.hea"))
    if not segment.n_sig or not segment.sig_name:
        raise InputError(f"{path}: its first segment {name} describes no signal")
    return segment


def _unique(names: list[str | None]) -> list[str]:
    """Name channels without a name by their number, and repeated ones with it."""
    out: list[str] = []
    for k, name in enumerate(names):
        text = (name or "").strip() or f"channel {k + 1}"
        out.append(text if text not in out else f"{text} ({k + 1})")
    return out


def _read_samples(path: Path, name: str) -> Signal:
    """Read one channel in physical units; invalid samples and gaps of segments are NaN."""
    record = _read_header(path)
    if not _is_multi(record):
        per_frame, samples = _read_segment(path, record, name)
        return Signal(samples, record.fs * per_frame)
    first = _first_segment(path, record)
    per_frame = first.samps_per_frame[_unique(first.sig_name).index(name)] or 1
    out = np.full(sum(record.seg_len) * per_frame, np.nan)
    start = 0
    for segment_name, length in zip(record.seg_name, record.seg_len, strict=True):
        if segment_name != "~" and length:
            segment_path = _beside(path, f"{segment_name}.hea")
            segment = _read_header(segment_path)
            if name in _unique(segment.sig_name):
                own_per_frame, samples = _read_segment(segment_path, segment, name)
                if own_per_frame != per_frame or segment.fs != record.fs:
                    raise InputError(f"{path}: the rate of {name} differs between its segments")
                part = samples[: length * per_frame]
                out[start : start + len(part)] = part
        start += length * per_frame
    return Signal(out, record.fs * per_frame)


def _read_segment(path: Path, record: Any, name: str) -> tuple[int, np.ndarray]:
    """Read one channel of a record without segments: samples per frame, and samples (n,)."""
    import wfdb

    index = _unique(record.sig_name).index(name)
    with as_input_error(path, "a WFDB record"):
        place = str(path.absolute().with_suffix(""))
        read = wfdb.rdrecord(place, channels=[index], smooth_frames=False)
        return record.samps_per_frame[index] or 1, np.asarray(read.e_p_signal[0], dtype=float)
