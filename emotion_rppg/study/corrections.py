"""Use the corrected beats beside a recording in place of the detected ones, and say so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.correction import Corrected, correct_beats, list_failed
from emotion_rppg.features.trust import beats_of, wave_of
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.study.acquisition import Reading
from emotion_rppg.study.beats_file import (
    BeatsFile,
    WaveEdits,
    WaveIdentity,
    beats_path,
    file_of,
    read_beats_file,
)
from emotion_rppg.windows import EDITED_BEATS, EDITED_BY, EDITED_NOISE_S

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PulseBeats:
    """The beats of a pulse, s, after a person's corrections if there are any (``corrected``).

    ``wave`` is missing where noise is marked; None for beats without a wave.
    """

    beats: Beats
    wave: Signal | None
    corrected: Corrected | None = None


def edits_path(recording: Recording, reading: Reading) -> Path | None:
    """Return the file of corrected beats of a recording; None if there is none."""
    file = file_of(recording, reading)
    path = None if file is None else beats_path(file)
    return path if path is not None and path.is_file() else None


def stored_edits(
    recording: Recording, reading: Reading, person: int | None = None
) -> tuple[BeatsFile | None, WaveEdits | None]:
    """Read the file of corrected beats of a recording, and the edits of the wave in it.

    Both are None without a file; the edits alone where it is of other waves only.

    Raises
    ------
    InputError
        The file is damaged, or the recording is not the one that was corrected.
    """
    path = edits_path(recording, reading)
    if path is None:
        return None, None
    content = read_beats_file(path)
    file = file_of(recording, reading)
    if file is not None and not content.is_of(file):
        raise InputError(
            f"{path} has the corrected beats of another recording than the present {file.name}: "
            "restore the recording, move the file away, or ignore it (--no-edits, edits=False)"
        )
    return content, content.of(WaveIdentity.of(recording, reading, person))


def beats_with_edits(
    recording: Recording,
    pulse: Pulse,
    reading: Reading,
    *,
    edits: bool = True,
    person: int | None = None,
) -> PulseBeats:
    """Detect the beats of a pulse, s, and apply the corrections beside the recording.

    Parameters
    ----------
    edits : bool
        False: the corrections are ignored.
    person : int, optional
        Number of the person with ``face="all"``.

    Raises
    ------
    InputError
        The corrections are damaged, are of another recording, or no longer apply to the beats.
    """
    beats, wave = beats_of(pulse), wave_of(pulse)
    stored = stored_edits(recording, reading, person)[1] if edits else None
    if stored is None or not stored.edits:
        return PulseBeats(beats, wave)
    corrected = correct_beats(beats, stored.edits, wave=wave)
    anew = not stored.same_detection(beats.times_s)
    if corrected.failed:
        path = edits_path(recording, reading)
        why = "the beats were detected anew since they were corrected; " if anew else ""
        raise InputError(
            f"{recording.name}: {why}{list_failed(corrected.failed)}. Check the beats with "
            f"`emotion-rppg beats` and save them again ({path}), or ignore the corrections "
            "(--no-edits, edits=False)"
        )
    if anew:
        _log.warning(
            "%s: the beats were detected anew since they were corrected; all %d edits still apply",
            recording.name,
            len(stored.edits),
        )
    return PulseBeats(corrected.beats, corrected.without_noise(wave), corrected)


def with_edit_columns(windows: pd.DataFrame, corrected: Corrected | None) -> pd.DataFrame:
    """Add what a person changed in each window, if anything was corrected in the recording.

    Columns: ``edited_beats`` (added, moved or deleted), ``edited_noise_s`` (marked as noise, s) and
    ``edited_by`` (names, separated by ``;``).
    """
    if corrected is None:
        return windows
    ends = windows["start_s"] + windows["duration_s"]
    spans = list(zip(windows["start_s"], ends, strict=True))
    return windows.assign(
        **{
            EDITED_BEATS: [float(corrected.changed_beats(a, b)) for a, b in spans],
            EDITED_NOISE_S: [round(corrected.noise_s(a, b), 3) for a, b in spans],
            EDITED_BY: ["; ".join(corrected.authors(a, b)) for a, b in spans],
        }
    )


def summary_of_edits(
    table: pd.DataFrame, recordings: Sequence[Recording], reading: Reading
) -> list[str]:
    """Say which windows of a table have corrected beats, and which corrections are of other waves.

    The lines are for the end of a verb's output.
    """
    lines = []
    text = edits_in_words(table)
    lines += [text] if text else []
    unused = [
        path
        for recording in recordings
        if reading.available(recording) and (path := edits_path(recording, reading)) is not None
        if not _has_edits(recording, reading)
    ]
    if unused:
        lines.append(
            f"{unused[0].name} has corrections of other waves than the one that was read"
            + (f" (and {len(unused) - 1} more such files)" if len(unused) > 1 else "")
        )
    return lines


def _has_edits(recording: Recording, reading: Reading) -> bool:
    """Tell whether the file beside a recording is about the wave that is read, or is damaged."""
    try:
        content, _ = stored_edits(recording, reading)
    except InputError:
        return True  # reported when the recording was read
    wave = WaveIdentity.of(recording, reading)
    if content is None or not reading.reads_people(recording):
        return content is None or content.of(wave) is not None
    return any(one.wave.person is not None for one in content.waves)


def edits_in_words(table: pd.DataFrame) -> str:
    """Count the windows and beats of a table that a person corrected; empty if none."""
    if EDITED_BEATS not in table:
        return ""
    beats = table[EDITED_BEATS].fillna(0).astype(float)
    noise = table[EDITED_NOISE_S].fillna(0).astype(float)
    windows = int(((beats > 0) | (noise > 0)).sum())
    names = {
        name
        for text in table[EDITED_BY].fillna("").astype(str)
        for name in text.split("; ")
        if name
    }
    if not windows:
        return ""
    keys = [c for c in ("dataset", "subject", "session", "trial") if c in table]
    whole = table[(beats > 0) | (noise > 0)]
    recordings = len(whole[keys].drop_duplicates()) if keys else 1
    number = int(beats.sum())
    return (
        f"beats corrected by hand in {windows} of {len(table)} windows, {recordings} "
        f"recording{'' if recordings == 1 else 's'} ({number} beat{'' if number == 1 else 's'} "
        f"added, moved or deleted, {noise.sum():.0f} s of noise, counted once in each window), by "
        f"{', '.join(sorted(names))}"
    )
