"""Read beat lists with labels, as Holter software and WFDB write them: a time and a letter each.

The letters are those of the WFDB library (and of AAMI EC57). Ectopic, paced and unclassifiable
beats stay beats, but their intervals are not normal-to-normal.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.interval_clock import check_pause, unit_of
from emotion_rppg.formats.safe_io import MB, check_file
from emotion_rppg.interval_timeline import possible, stretches
from emotion_rppg.signals import Beats

_log = logging.getLogger(__name__)
# beats of the sinus rhythm, with whatever conduction; "." is a normal beat in some WFDB files
NORMAL = frozenset("NLRB.")
# atrial, nodal, supraventricular and ventricular ectopic beats and escapes, fusions, paced beats
# ("/" and "P"), and beats of unknown class: none of them ends or begins a normal interval
ECTOPIC = frozenset("AaJSVrFejnE/fPQ?")
NO_BEAT = frozenset("X+~|!x[]\"s=TtpuD*@^(),`'")  # noise, rhythm changes, waves and comments
# after these the beats are unknown until the next one: unreadable, flutter, fibrillation
_UNKNOWN = frozenset("X![]|")
_MAX_BYTES = 100 * MB
_FEWEST = 3  # beats


def is_label(text: str) -> bool:
    """Return whether a cell is the label of a beat or of another event."""
    return len(text) == 1 and (text in NORMAL or text in ECTOPIC or text in NO_BEAT)


def beats_of_labels(times_s: np.ndarray, labels: Sequence[str], path: Path) -> Beats:
    """Make beats, s, of labelled times; ectopic ones are marked, unreadable stretches are gaps.

    Raises
    ------
    InputError
        Fewer than three beats, times that do not increase, or no interval of a heart.
    """
    known = np.array([label in NORMAL or label in ECTOPIC for label in labels], dtype=bool)
    times = times_s[known]
    if len(times) < _FEWEST or np.any(np.diff(times) <= 0):
        raise InputError(
            f"{path} has {len(times)} labelled beats"
            + (" whose times do not increase" if len(times) >= _FEWEST else "")
            + f": want at least {_FEWEST}, each with an increasing time and a label such as N or V"
        )
    check_pause(np.diff(times), path)
    intervals = 1e3 * np.diff(times)
    unusable = ~possible(intervals)
    lost = times_s[np.array([label in _UNKNOWN for label in labels], dtype=bool)]
    between = np.searchsorted(times, lost)
    inside = between[(between > 0) & (between < len(times))]
    unusable[inside - 1] = True
    if unusable.all():
        raise InputError(f"{path}: no two beats are 250–2500 ms apart: are the times in seconds?")
    ectopic = np.array([label in ECTOPIC for label in labels], dtype=bool)[known]
    return Beats(times, gaps=stretches(times, unusable), kind="rr", ectopic=ectopic)


def beats_of_list(times: np.ndarray, labels: Sequence[str], path: Path) -> Beats:
    """Make beats of a text file's labelled times, whose unit (s or ms) their steps show."""
    of_beats = [label not in NO_BEAT for label in labels]
    unit_ms = unit_of(np.diff(times[of_beats]), path)
    return beats_of_labels(times * unit_ms / 1e3, labels, path)


# notes that wfdb interprets; one of another kind, or a second rate, it would read without end
_NOTE = re.compile(rb"## (?!annotation type definitions|end of definitions)(time resolution: \d)?")


def _check_notes(path: Path) -> None:
    """Refuse a file with a note that only looks like a definition.

    Raises
    ------
    InputError
        As above: wfdb 4.3 does not return from such a file.
    """
    rates = _NOTE.findall(path.read_bytes())
    if len(rates) > 1 or b"" in rates:
        raise InputError(
            f"{path} has a note that begins with ## but is not a definition of WFDB: copy it again"
        )


def read_annotations(path: Path) -> Beats:
    """Read the beats of a WFDB annotation file, s, with the library wfdb.

    The sampling rate is in the header beside it (100.hea for 100.atr).

    Raises
    ------
    InputError
        wfdb is not installed, no header, or a file that is damaged or has no beats.
    """
    check_file(path, _MAX_BYTES)
    try:
        import wfdb
    except ImportError as error:
        raise InputError(
            f"{path}: reading WFDB annotations needs wfdb: pip install 'emotion-rppg[files]'"
        ) from error
    _check_notes(path)
    try:
        found = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
        rate_hz, samples, labels = found.fs, np.asarray(found.sample, float), list(found.symbol)
    except Exception as error:  # wfdb raises errors of many kinds for a damaged file
        raise InputError(
            f"{path} cannot be read as WFDB annotations ({type(error).__name__}: {error}): copy "
            "it again, with the .hea file of its record"
        ) from error
    if not rate_hz:
        raise InputError(
            f"{path}: the sampling rate is unknown: put the header {path.stem}.hea of its record "
            "beside it"
        )
    return beats_of_labels(samples / float(rate_hz), labels, path)
