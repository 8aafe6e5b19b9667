"""Read the intervals between heart beats from any supported file, as `Beats`.

`docs/intervals.md` lists the formats. A file is recognised by its ending, its name (rr, nn, ibi,
ppi), its header, or the name of a belt with values that vary as intervals do. Any other list is
read only on request (``--source rr``), because one column of numbers may as well be a wave.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.beat_labels import read_annotations
from emotion_rppg.formats.interval_clock import IntervalRows, beats_of_rows
from emotion_rppg.formats.interval_tables import (
    lists_intervals,
    names_intervals,
    read_interval_text,
)
from emotion_rppg.formats.safe_io import MB, as_input_error, check_file
from emotion_rppg.formats.text_files import NoSignal
from emotion_rppg.signals import Beats

RR = "rr"  # the kind of signal, as in KINDS
ANNOTATIONS = (".atr", ".qrs")
# endings that only interval files have
ENDINGS = (".rr", ".rri", ".ibi", ".nn", ".hrm", *ANNOTATIONS)
# words of devices and programs: such a file may have a wave, so its values must be intervals, too
_DEVICES = frozenset(("belt", "strap", "polar", "hrv", "elitehrv", "kubios", "holter", "heartrate"))
_WORDS = frozenset(("rr", "rri", "rrs", "nn", "nni", "ibi", "ibis", "ppi", "hrm"))


def read_intervals(path: str | Path, *, column: str | None = None) -> Beats:
    """Read the intervals of a file as beats, s; ``column`` names that of a table.

    Gaps are intervals that are impossible (below 250 or above 2500 ms), that the device flags, or
    that its clock shows to be missing. Ectopic beats are marked where the file labels them.

    Raises
    ------
    NoSignal
        Nothing in the file can be intervals.
    InputError
        A damaged file, or intervals that cannot be used; the message says why.
    """
    path = Path(path)
    if path.suffix.lower() in ANNOTATIONS:
        return read_annotations(path)
    if path.suffix.lower() == ".npy":
        return beats_of_rows(IntervalRows(_array(path)), path)
    return read_interval_text(path, column=column)


def has_intervals(path: Path) -> bool:
    """Return whether a file is named like a list of intervals, or has a header that says so."""
    try:
        if is_named(path) or names_intervals(path):
            return True
        return bool(_DEVICES & _words_in(path)) and lists_intervals(path)
    except InputError:  # not text
        return False


def is_named(path: Path) -> bool:
    """Return whether ending, file name or folder name say that a file has intervals."""
    if path.name.lower().endswith(ENDINGS):
        return True
    return bool(_WORDS & {*_words_in(path), path.parent.name.lower()})


def _words_in(path: Path) -> set[str]:
    return set(re.findall(r"[a-z]+", path.name.split(".")[0].lower()))


def _array(path: Path) -> np.ndarray:
    """Read a NumPy file of one dimension."""
    check_file(path, 100 * MB)
    with as_input_error(path, "a NumPy array"), path.open("rb") as file:
        values = np.lib.format.read_array(file, allow_pickle=False)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise NoSignal(f"{path} has shape {values.shape}: want one list of intervals")
    return np.asarray(values, dtype=float)
