"""Signals in files of any known form: one table from a file's ending to what opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from emotion_rppg.datasets.bids import ENDING as PHYSIO
from emotion_rppg.datasets.bids import kinds_in_physio, read_physio
from emotion_rppg.datasets.csvs import kinds_in, read_signal
from emotion_rppg.datasets.e4 import is_e4, read_session
from emotion_rppg.datasets.safely import read_edf
from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal

Reader = Callable[[], Signal]
# beginnings of channel names, lower case; of several channels of a kind the first is read
EDF_LABELS = {"bvp": ("pleth", "plet", "ppg", "bvp", "pulse"), "ecg": ("ecg", "ekg")}
_MOST_CHANNELS = 4096


def signals_in(path: str | Path) -> Mapping[str, Reader]:
    """Kind of signal to what reads it; only headers are read now.

    Raises
    ------
    InputError
        Not a file of signals, or one whose header says nothing that is known.
    """
    path = Path(path)
    return opener(path)(path)


def opener(path: Path) -> Callable[[Path], Mapping[str, Reader]]:
    """What opens a file or folder, told by its name alone."""
    if path.is_dir():
        return _in_e4
    for ending, opens in OPENERS.items():
        if path.name.lower().endswith(ending):
            return opens
    raise InputError(f"{path} is no signal file that is known: want one of {', '.join(OPENERS)}")


def is_signal_file(path: Path) -> bool:
    """Whether the name is one of a signal file; or an E4 session's folder."""
    return is_e4(path) if path.is_dir() else path.name.lower().endswith(tuple(OPENERS))


def _in_csv(path: Path) -> Mapping[str, Reader]:
    return {kind: partial(read_signal, path, kind) for kind in kinds_in(path)}


def _in_physio(path: Path) -> Mapping[str, Reader]:
    return {kind: partial(read_physio, path, kind) for kind in kinds_in_physio(path)}


def _in_e4(path: Path) -> Mapping[str, Reader]:
    return read_session(path).signals


def _in_edf(path: Path) -> Mapping[str, Reader]:
    out: dict[str, Reader] = {}
    for label in edf_labels(path):
        for kind, names in EDF_LABELS.items():
            if kind not in out and label.lower().startswith(names):
                out[kind] = partial(read_edf_channel, path, label, kind)
    if not out:
        raise InputError(
            f"{path} has no pulse or ECG by name; its channels: {', '.join(edf_labels(path))}"
        )
    return out


def edf_labels(path: Path) -> list[str]:
    """Names of an EDF or BDF file's channels, from its header (Kemp et al. 1992)."""
    try:
        with path.open("rb") as file:
            head = file.read(256)
            count = int(head[252:256])
            labels = file.read(16 * count)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} has no EDF or BDF header ({error}): copy it again") from error
    if not 0 < count <= _MOST_CHANNELS or len(labels) < 16 * count:
        raise InputError(f"{path} has a broken EDF or BDF header: copy it again")
    return [labels[16 * k : 16 * k + 16].decode("latin1").strip() for k in range(count)]


def read_edf_channel(path: Path, label: str, kind: str) -> Signal:
    """One channel, its clock from the file's beginning."""
    return read_edf(path, {label: kind})[label]


OPENERS: dict[str, Callable[[Path], Mapping[str, Reader]]] = {
    ".csv": _in_csv,
    PHYSIO: _in_physio,
    ".zip": _in_e4,
    ".edf": _in_edf,
    ".bdf": _in_edf,
}
