"""Join what other programs measured (OpenFace, py-feat, LibreFace …) to a feature table, by time.

Each window gets the mean and standard deviation of every column of the file over its seconds, as a
source of its own: columns ``joined_SOURCE_…``, ``joined_SOURCE_quality`` (share of the window with
values) and ``joined_SOURCE_reason``. A window of which less than half has values is withheld, as of
any sensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.family import PULSE
from emotion_rppg.features.outside import (
    MEAN,
    QUALITY,
    REASON,
    SD,
    is_source_name,
    plain_name,
)
from emotion_rppg.features.sensors import LEAST_USABLE, SENSORS
from emotion_rppg.formats.face_trackers import RECORDING, Frames, read_frames
from emotion_rppg.recordings import Recording
from emotion_rppg.windows import OK, OUTSIDE

if TYPE_CHECKING:
    import pandas as pd

_Recording = tuple[str, ...]  # dataset, subject, session, trial
_SHOWN = 4
_MAIN = ("subject", "session", "trial")


@dataclass(frozen=True, eq=False)
class Outside:
    """One or more files of one program, read and checked, and the name of their source.

    Parameters
    ----------
    name : str
        As in ``sources=`` and in the columns ``joined_NAME_…``.
    files : list of Frames
    folder : Path or None
        The folder that they were found in; None for a single file.
    """

    name: str
    files: Sequence[Frames]
    folder: Path | None


def read_outside(
    path: str | Path, *, name: str | None = None, rate_hz: float | None = None
) -> Outside:
    """Read a CSV file, or all CSV files in a folder, before they are joined to a table.

    Parameters
    ----------
    name : str, optional
        Name of the source; default: the program that wrote the files (``openface``, ``pyfeat``,
        ``libreface``), else the name of the file.
    rate_hz : float, optional
        Frames per second of the video, for files with frame numbers and no times (py-feat).

    Raises
    ------
    InputError
        All faults of the files, in one message.
    """
    path = Path(path)
    paths = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    if not paths:
        raise InputError(f"{path} has no CSV file")
    files, faults = [], []
    for each in paths:
        try:
            files.append(read_frames(each, rate_hz=rate_hz))
        except InputError as error:
            faults.append(str(error))
    programs = {file.source for file in files}
    own = name or (
        plain_name(path.stem).replace("_", "") if len(programs) > 1 else min(programs or [""])
    )
    if not faults and not is_source_name(own):
        faults.append(f"the source's name is {own!r}: want lower-case letters and digits")
    if own in (PULSE, "ppg", *KINDS, *SENSORS):
        faults.append(f"the source's name {own!r} is that of a signal: give another (NAME=FILE)")
    if faults:
        raise InputError("; ".join(faults))
    return Outside(own, files, path if path.is_dir() else None)


def join_outside(table: pd.DataFrame, outside: Outside) -> pd.DataFrame:
    """Add the columns of a source to a feature table: one mean and SD a column and window.

    A row belongs to a recording by the columns ``subject``, ``session`` and ``trial`` of the file
    (those that it has). Without them the file's name says which: ``SUBJECT/TRIAL``,
    ``SUBJECT/SESSION/TRIAL``, ``SUBJECT_TRIAL``, ``SUBJECT_SESSION_TRIAL``, ``SUBJECT`` or
    ``TRIAL``, where that names one recording; a table of one recording needs no name. Times are on
    the clock of ``start_s``: in a recording from a video, seconds from its first frame.

    Raises
    ------
    InputError
        A file belongs to no recording or to several, two files to one; no time of the files lies
        in a window; the table has the columns already: all in one message.
    """
    import pandas as pd

    missing = [c for c in (*_MAIN[::2], "start_s", "duration_s") if c not in table]
    if missing:
        raise InputError(f"the table has no column {', '.join(missing)} to join by")
    prefix = f"{OUTSIDE}{outside.name}"
    faults = []
    if any(str(column).startswith(prefix + "_") for column in table):
        faults.append(f"the table has columns {prefix}_… already: give the source another name")
    keys = _recordings_of(table)
    frames, more = _assigned(outside, list(dict.fromkeys(keys)))
    faults += more
    inside = any(
        _covers(part.times_s, table[[other == key for other in keys]])
        for key, part in frames.items()
    )
    if frames and not inside:
        faults.append(_other_clock(outside, frames, table))
    if faults:
        raise InputError(f"{outside.name}: {'; '.join(faults)}")
    names = list(dict.fromkeys(c for file in outside.files for c in file.values))
    rows = [
        _window(frames.get(key), float(start), float(duration), names)
        for key, start, duration in zip(keys, table["start_s"], table["duration_s"], strict=True)
    ]
    joined = pd.DataFrame(rows, index=table.index).add_prefix(f"{prefix}_")
    out = pd.concat([table, joined], axis=1)
    out.attrs = dict(table.attrs)
    return out


def check_recordings(outside: Outside, recordings: Sequence[Recording]) -> None:
    """Refuse files that belong to none of these recordings, before these are read.

    Raises
    ------
    InputError
        A file belongs to no recording or to several, or two files to one: all in one message.
    """
    keys = [(r.dataset, str(r.subject), str(r.session), str(r.trial)) for r in recordings]
    _, faults = _assigned(outside, list(dict.fromkeys(keys)))
    if faults:
        raise InputError(f"{outside.name}: {'; '.join(faults)}")


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of one recording, in order of time."""

    times_s: np.ndarray
    values: pd.DataFrame

    @property
    def rate_hz(self) -> float:
        """Rows per second: one over the median difference of times."""
        steps = np.diff(self.times_s)
        return 1.0 / float(np.median(steps)) if len(steps) else 0.0


def _recordings_of(table: pd.DataFrame) -> list[_Recording]:
    """Name the recording of each row: dataset, subject, session, trial."""
    columns = [
        table[name].astype(str) if name in table else [default] * len(table)
        for name, default in zip(RECORDING, ("table", "", "1", ""), strict=True)
    ]
    return list(zip(*columns, strict=True))


def _assigned(
    outside: Outside, recordings: Sequence[_Recording]
) -> tuple[dict[_Recording, _Part], list[str]]:
    """Find the recording of each row of the files; return the parts and all faults."""
    parts: dict[_Recording, _Part] = {}
    faults = []
    names = _names_of(recordings)
    for file in outside.files:
        for about, rows in _rows_by_recording(file):
            named = f"{file.path.name}{f' ({about})' if about else ''}"
            if about:
                found = [r for r in recordings if about.items() <= _as_dict(r).items()]
            else:
                found = _by_name(file.path, outside.folder, names, recordings)
            if len(found) != 1:
                faults.append(_not_one(named, found))
            elif found[0] in parts:
                faults.append(f"{named}: a second file of {_shown(found[0])}")
            else:
                order = np.argsort(file.times_s[rows], kind="stable")
                rows = rows[order]
                rows = rows[np.isfinite(file.times_s[rows])]
                parts[found[0]] = _Part(file.times_s[rows], file.values.iloc[rows])
    return parts, faults[:_SHOWN] + (
        [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    )


def _rows_by_recording(file: Frames) -> list[tuple[dict[str, str], np.ndarray]]:
    """List the recordings that a file names, with the numbers of their rows."""
    if not len(file.recordings.columns):
        return [({}, np.arange(len(file.times_s)))]
    columns = list(file.recordings.columns)
    groups = file.recordings.groupby(columns, sort=False).indices
    return [
        (
            dict(zip(columns, key if isinstance(key, tuple) else (key,), strict=True)),
            np.asarray(rows),
        )
        for key, rows in groups.items()
    ]


def _as_dict(recording: _Recording) -> dict[str, str]:
    return dict(zip(RECORDING, recording, strict=True))


def _names_of(recordings: Sequence[_Recording]) -> Mapping[str, _Recording]:
    """Map each file name that means exactly one recording to it."""
    names = [
        (name, recording)
        for recording in recordings
        for _, subject, session, trial in [recording]
        for name in {
            subject,
            trial,
            f"{subject}_{trial}",
            f"{subject}_{session}_{trial}",
            f"{subject}/{trial}",
            f"{subject}/{session}/{trial}",
        }
    ]
    count = Counter(name for name, _ in names)
    return {name: recording for name, recording in names if count[name] == 1}


def _by_name(
    path: Path,
    folder: Path | None,
    names: Mapping[str, _Recording],
    recordings: Sequence[_Recording],
) -> list[_Recording]:
    inside = path.relative_to(folder).with_suffix("").as_posix() if folder else path.stem
    for name in (inside, path.stem):
        if name in names:
            return [names[name]]
    return list(recordings) if folder is None and len(recordings) == 1 else []


def _not_one(named: str, found: Sequence[_Recording]) -> str:
    if found:
        return f"{named} belongs to {len(found)} recordings of the table: name its trial as well"
    return (
        f"{named} belongs to no recording of the table: name it SUBJECT_TRIAL.csv or "
        "SUBJECT/TRIAL.csv, or give it the columns subject, session and trial"
    )


def _shown(recording: _Recording) -> str:
    return "/".join(recording[1:])


def _covers(times_s: np.ndarray, rows: pd.DataFrame) -> bool:
    """Tell whether any time lies in any window."""
    starts = rows["start_s"].to_numpy(float)
    ends = starts + rows["duration_s"].to_numpy(float)
    return any(((times_s >= a) & (times_s < b)).any() for a, b in zip(starts, ends, strict=True))


def _other_clock(outside: Outside, frames: Mapping[_Recording, _Part], table: pd.DataFrame) -> str:
    times = np.concatenate([part.times_s for part in frames.values()])
    ends = table["start_s"].astype(float) + table["duration_s"].astype(float)
    span = f"{times.min():.1f} to {times.max():.1f} s" if len(times) else "none"
    return (
        f"none of its times ({span}) lies in a window of its recording (windows: "
        f"{table['start_s'].astype(float).min():.1f} to {ends.max():.1f} s): give times on the "
        "clock of start_s"
    )


def _window(
    part: _Part | None, start_s: float, duration_s: float, names: Sequence[str]
) -> dict[str, Any]:
    """Compute the columns of one window, without their prefix."""
    stems = {name: plain_name(name) for name in names}
    row: dict[str, Any] = {}
    for stem in stems.values():
        row |= {f"{stem}{MEAN}": float("nan"), f"{stem}{SD}": float("nan")}
    share, reason = 0.0, "no file of this recording"
    if part is not None:
        inside = (part.times_s >= start_s) & (part.times_s < start_s + duration_s)
        values = part.values[inside].to_numpy(float)
        measured = np.isfinite(values).any(axis=1)
        wanted = max(duration_s * part.rate_hz, 1.0)
        share = min(1.0, round(float(measured.sum()) / wanted, 6)) if part.rate_hz else 0.0
        reason = _reason(share, inside.sum() / wanted, measured.any())
        if reason == OK:
            row |= _moments(values[measured], [stems[name] for name in part.values])
    return {**row, QUALITY.strip("_"): share, REASON.strip("_"): reason}


def _reason(share: float, present: float, any_measured: bool) -> str:
    if share >= LEAST_USABLE - 1e-6:
        return OK
    what = "no face found" if any_measured or present >= LEAST_USABLE else "no rows in the window"
    return f"{what}: {share:.0%} of the window has values, at least {LEAST_USABLE:.0%} is wanted"


def _moments(values: np.ndarray, stems: Sequence[str]) -> dict[str, float]:
    """Mean and standard deviation of each column over its measured rows."""
    out = {}
    for stem, column in zip(stems, values.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) >= 2:
            out[f"{stem}{MEAN}"] = float(known.mean())
            out[f"{stem}{SD}"] = float(known.std(ddof=1))
    return out
