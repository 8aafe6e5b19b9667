"""Read signals of any supported file: the table OPENERS maps a file's ending to its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids import ENDING as PHYSIO
from emotion_rppg.formats.bids import kinds_in_physio, read_physio, sidecar
from emotion_rppg.formats.biopac import acq_contents
from emotion_rppg.formats.channel_names import NAME_PREFIXES, find_channel, kind_of_choice
from emotion_rppg.formats.channels import Container, Contents, Marker, make_channel
from emotion_rppg.formats.device_logs import find_log, log_contents
from emotion_rppg.formats.edf import read_annotations, read_header
from emotion_rppg.formats.embraceplus import AVRO, embrace_contents, is_embrace_folder
from emotion_rppg.formats.empatica import is_e4, read_session
from emotion_rppg.formats.finger_trace import finger_contents, is_finger_trace
from emotion_rppg.formats.rr_intervals import ENDINGS as RR_ENDINGS
from emotion_rppg.formats.rr_intervals import RR, has_intervals, is_named, read_intervals
from emotion_rppg.formats.safe_io import read_edf
from emotion_rppg.formats.signal_csv import columns_in, kinds_in, read_signal
from emotion_rppg.formats.text_files import TEXT_ENDINGS, NoSignal
from emotion_rppg.formats.wfdb_records import WFDB_ENDINGS, wfdb_contents
from emotion_rppg.formats.xdf import xdf_contents
from emotion_rppg.signals import Pulse, Signal

Reader = Callable[[], Pulse]
Opener = Callable[[Path], Mapping[str, Reader]]


def signals_in(
    path: str | Path, *, channel: str | None = None, kind: str | None = None
) -> Mapping[str, Reader]:
    """Map each kind of signal of a file to a function that reads it; open only headers.

    Parameters
    ----------
    channel : str, optional
        Name of the column or channel to read, if the file has several.
    kind : str, optional
        Kind of that channel (``"rppg"``, ``"bvp"``, ``"ecg"``), if its name does not show it.
        ``"rr"``: a text file is read as intervals. For any other kind the column or channel of that
        name is read.

    Raises
    ------
    InputError
        Not a signal file, a header without a signal's name, or no such channel.
    """
    path = Path(path)
    open_file = opener(path)
    if kind == RR:
        return _interval_signals(path, channel) if open_file in _OF_LISTS else open_file(path)
    if channel is None and kind is not None and kind not in NAME_PREFIXES:
        channel = kind
    if channel is None:
        return open_file(path)
    if isinstance(open_file, Container):
        return open_file.channel(path, channel, kind)
    if open_file not in _CHANNEL_OPENERS:
        raise InputError(
            f"{path} is of a format whose signals have fixed names: omit --channel {channel}"
        )
    return _CHANNEL_OPENERS[open_file](path, channel, kind)


def opener(path: Path) -> Opener:
    """Return the opener of a file or folder by its name, without opening it."""
    if path.is_dir():
        return _EMBRACE if is_embrace_folder(path) else _e4_signals
    for ending, open_file in OPENERS.items():
        if path.name.lower().endswith(ending):
            return open_file
    raise InputError(f"{path} is not a known signal file: want one of {', '.join(OPENERS)}")


def is_signal_file(path: Path) -> bool:
    """Return whether a path is named like a signal file, or is the folder of a session."""
    return is_session(path) if path.is_dir() else path.name.lower().endswith(tuple(OPENERS))


def is_session(path: Path) -> bool:
    """Return whether a folder or zip is one recording: of an E4 or an EmbracePlus wristband."""
    return is_e4(path) or is_embrace_folder(path)


_LOG, _FINGER = Container(log_contents), Container(finger_contents)


def of_known_layout(path: Path) -> Container | None:
    """Return the opener of a text file whose first lines are those of a known recorder."""
    if is_finger_trace(path):
        return _FINGER
    return _LOG if find_log(path) is not None else None


def _csv_signals(path: Path) -> Mapping[str, Reader]:
    known = of_known_layout(path)
    if known is not None:
        return known(path)
    return {kind: partial(read_signal, path, kind) for kind in kinds_in(path)}


def _text_signals(path: Path) -> Mapping[str, Reader]:
    """Map the waves of a table to their readers, or a list or table of intervals to ``rr``."""
    try:
        return _csv_signals(path)
    except InputError as error:
        if has_intervals(path):
            return _interval_signals(path)
        if isinstance(error, NoSignal):
            raise NoSignal(f"{error}; for a list of RR intervals add --source {RR}") from error
        raise


def may_be_intervals(path: Path) -> bool:
    """Return whether a file of a folder is read with ``--source rr``.

    A table of waves is not, nor is a text that is neither named as intervals nor a list of them.
    """
    open_file = opener(path)
    if open_file not in _OF_LISTS or is_named(path):
        return True
    try:
        return RR in open_file(path)
    except NoSignal:
        pass
    try:
        return len(read_intervals(path)) > 0
    except InputError:
        return False


def _array_signals(path: Path) -> Mapping[str, Reader]:
    if is_named(path):
        return _interval_signals(path)
    raise NoSignal(f"{path} is an array without a name: if it has intervals, add --source {RR}")


def _interval_signals(path: Path, column: str | None = None) -> Mapping[str, Reader]:
    return {RR: partial(read_intervals, path, column=column)}


def _csv_channel(path: Path, channel: str, kind: str | None) -> Mapping[str, Reader]:
    known = of_known_layout(path)
    if known is not None:
        return known.channel(path, channel, kind)
    name = find_channel(channel, columns_in(path), str(path))
    kind = kind_of_choice(name, kind, str(path))
    return {kind: partial(read_signal, path, kind, channel=name)}


def _physio_signals(path: Path) -> Mapping[str, Reader]:
    return {kind: partial(read_physio, path, kind) for kind in kinds_in_physio(path)}


def _physio_channel(path: Path, channel: str, kind: str | None) -> Mapping[str, Reader]:
    name = find_channel(channel, [str(c) for c in sidecar(path)["Columns"]], str(path))
    kind = kind_of_choice(name, kind, str(path))
    return {kind: partial(read_physio, path, kind, channel=name)}


def _e4_signals(path: Path) -> Mapping[str, Reader]:
    return read_session(path).signals


def edf_contents(path: Path) -> Contents:
    """List the channels of an EDF or BDF file."""
    header = read_header(path)
    channels = [
        make_channel(c.label, c.rate_hz, unit=c.unit, samples=c.samples * header.records)
        for c in header.signals
    ]
    notes = read_annotations(header)
    markers = tuple(Marker(onset, text[:200], duration) for onset, duration, text in notes)
    return Contents("EDF", tuple(channels), partial(_edf_channel, path), markers)


def _edf_channel(path: Path, label: str) -> Signal:
    """Read one channel of an EDF or BDF file; 0 s is the start of the file."""
    return read_edf(path, {label: None})[label]


_EMBRACE = Container(embrace_contents)
OPENERS: dict[str, Opener] = {
    PHYSIO: _physio_signals,
    **dict.fromkeys(TEXT_ENDINGS, _text_signals),
    **dict.fromkeys(RR_ENDINGS, _interval_signals),
    ".npy": _array_signals,
    ".zip": _e4_signals,
    ".edf": Container(edf_contents),
    ".bdf": Container(edf_contents),
    **dict.fromkeys(WFDB_ENDINGS, Container(wfdb_contents)),
    AVRO: _EMBRACE,
    ".xdf": Container(xdf_contents),
    ".acq": Container(acq_contents),
}
_CHANNEL_OPENERS: dict[Opener, Callable[[Path, str, str | None], Mapping[str, Reader]]] = {
    _physio_signals: _physio_channel,
    _text_signals: _csv_channel,
}
# openers of files that are read as intervals on request, whatever their name
_OF_LISTS = (_text_signals, _interval_signals, _array_signals)
