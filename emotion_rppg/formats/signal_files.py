"""Read signals of any supported file: one table from the file's ending to its reader."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids import ENDING as PHYSIO
from emotion_rppg.formats.bids import kinds_in_physio, read_physio, sidecar
from emotion_rppg.formats.channel_names import BEGINNINGS, chosen, kind_by_name, kind_of_choice
from emotion_rppg.formats.edf import read_header
from emotion_rppg.formats.empatica import is_e4, read_session
from emotion_rppg.formats.missing_values import without_codes
from emotion_rppg.formats.safe_io import read_edf
from emotion_rppg.formats.signal_csv import columns_in, kinds_in, read_signal
from emotion_rppg.formats.text_files import TEXTS, NoSignal
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)
Reader = Callable[[], Signal]
Opener = Callable[[Path], Mapping[str, Reader]]
SLOWEST_HZ = 10.0  # samples a second of a pulse wave; monitors write rates at 0.1 to 4


def signals_in(
    path: str | Path, *, channel: str | None = None, kind: str | None = None
) -> Mapping[str, Reader]:
    """Map each kind of signal of a file to a function that reads it; read only headers.

    Parameters
    ----------
    channel : str, optional
        Name of the one column or channel to read, of a file with several.
    kind : str, optional
        What that channel holds (``"rppg"``, ``"bvp"``, ``"ecg"``), where its name does not tell. Of
        another kind the column or channel of its own name is read.

    Raises
    ------
    InputError
        Not a signal file, a header without a signal's name, or no such channel.
    """
    path = Path(path)
    opens = opener(path)
    if channel is None and kind is not None and kind not in BEGINNINGS:
        channel = kind
    if channel is None:
        return opens(path)
    if opens not in _WITH_CHANNELS:
        raise InputError(
            f"{path} is of a form whose signals have fixed names: leave --channel {channel} out"
        )
    return _WITH_CHANNELS[opens](path, channel, kind)


def opener(path: Path) -> Opener:
    """Return the reader of a file or folder, by its name alone."""
    if path.is_dir():
        return _in_e4
    for ending, opens in OPENERS.items():
        if path.name.lower().endswith(ending):
            return opens
    raise InputError(f"{path} is no signal file that is known: want one of {', '.join(OPENERS)}")


def is_signal_file(path: Path) -> bool:
    """Tell whether this is the name of a signal file, or an E4 session's folder."""
    return is_e4(path) if path.is_dir() else path.name.lower().endswith(tuple(OPENERS))


def _in_csv(path: Path) -> Mapping[str, Reader]:
    return {kind: partial(read_signal, path, kind) for kind in kinds_in(path)}


def _in_csv_channel(path: Path, channel: str, kind: str | None) -> Mapping[str, Reader]:
    name = chosen(channel, columns_in(path), str(path))
    kind = kind_of_choice(name, kind, str(path))
    return {kind: partial(read_signal, path, kind, channel=name)}


def _in_physio(path: Path) -> Mapping[str, Reader]:
    return {kind: partial(read_physio, path, kind) for kind in kinds_in_physio(path)}


def _in_physio_channel(path: Path, channel: str, kind: str | None) -> Mapping[str, Reader]:
    name = chosen(channel, [str(c) for c in sidecar(path)["Columns"]], str(path))
    kind = kind_of_choice(name, kind, str(path))
    return {kind: partial(read_physio, path, kind, channel=name)}


def _in_e4(path: Path) -> Mapping[str, Reader]:
    return read_session(path).signals


def _in_edf(path: Path) -> Mapping[str, Reader]:
    """Find the first wave of each kind; slow channels are trends of a monitor, not waves."""
    channels = read_header(path).signals
    out: dict[str, Reader] = {}
    for kind in BEGINNINGS:
        named = [c for c in channels if kind_by_name(c.label) == kind]
        waves = [c.label for c in named if c.rate_hz >= SLOWEST_HZ]
        if waves:
            out[kind] = partial(read_edf_channel, path, waves[0], kind)
        if len(waves) > 1:
            _log.warning(
                "%s has the channels %s: %s is read; name another by --channel (channel=…)",
                path.name,
                ", ".join(waves),
                waves[0],
            )
    if not out:
        listed = ", ".join(f"{c.label} ({c.rate_hz:g} Hz)" for c in channels)
        raise NoSignal(
            f"{path} has no pulse or ECG by name with {SLOWEST_HZ:g} samples a second or more; "
            f"its channels: {listed or 'none'}: name one by --channel (channel=… in Python)"
        )
    return out


def _in_edf_channel(path: Path, channel: str, kind: str | None) -> Mapping[str, Reader]:
    header = read_header(path)
    name = chosen(channel, [c.label for c in header.signals], str(path))
    rate = next(c.rate_hz for c in header.signals if c.label == name)
    if rate < SLOWEST_HZ:
        raise InputError(
            f"{path}: the channel {name} has {rate:g} samples a second: too few for a pulse wave, "
            f"want {SLOWEST_HZ:g} or more"
        )
    kind = kind_of_choice(name, kind, str(path))
    return {kind: partial(read_edf_channel, path, name, kind)}


def read_edf_channel(path: Path, label: str, kind: str) -> Signal:
    """Read one channel; its clock is 0 s at the start of the file."""
    signal = read_edf(path, {label: kind})[label]
    return replace(signal, samples=without_codes(signal.samples, path.name))


OPENERS: dict[str, Opener] = {
    PHYSIO: _in_physio,
    **dict.fromkeys(TEXTS, _in_csv),
    ".zip": _in_e4,
    ".edf": _in_edf,
    ".bdf": _in_edf,
}
_WITH_CHANNELS: dict[Opener, Callable[[Path, str, str | None], Mapping[str, Reader]]] = {
    _in_physio: _in_physio_channel,
    _in_csv: _in_csv_channel,
    _in_edf: _in_edf_channel,
}
