"""Read what other programs measured in a video: CSV files of OpenFace, py-feat, LibreFace, others.

A file has one row per video frame. ``TRACKERS`` are the programs whose files are recognised by
their columns; of any other file all columns with numbers are read.

References
----------
Baltrusaitis et al. 2018, OpenFace 2.0, IEEE FG, 59–66. Cheong et al. 2023, Py-Feat, Affective
Science 4, 781–796. Chang et al. 2024, LibreFace, IEEE/CVF WACV, 8205–8215.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, check_file

if TYPE_CHECKING:
    import pandas as pd

RECORDING = ("dataset", "subject", "session", "trial")  # columns that name the recording of a row
TIMES_S = {"time_s": 1.0, "timestamp": 1.0, "time": 1.0, "frame_time_in_ms": 1e-3}  # to seconds
FRAME = ("frame", "frame_idx")
_NOT_FEATURES = (*RECORDING, *TIMES_S, *FRAME, "face_id", "confidence", "success")
_LIMIT = 4000 * MB


@dataclass(frozen=True)
class Tracker:
    """A program whose files are recognised by their columns.

    Parameters
    ----------
    name : str
        The source's name in a table.
    known_by : function
        Names of the columns -> whether the file is of this program.
    features : str
        Regular expression of the columns that are features.
    success : str
        Column that is 1 where the program found the face; empty: where features have values.
    """

    name: str
    known_by: Callable[[set[str]], bool]
    features: str
    success: str = ""


_EMOTIONS = "anger|disgust|fear|happiness|sadness|surprise|neutral"
TRACKERS = (
    Tracker(
        "openface",
        lambda names: {"timestamp", "confidence", "success"} <= names,
        r"AU\d+_[rc]|gaze_angle_[xy]|pose_R[xyz]",
        success="success",
    ),
    Tracker(
        "libreface",
        lambda names: "frame_time_in_ms" in names,
        r"au_\d+(_intensity)?|pitch|yaw|roll",
    ),
    Tracker(
        "pyfeat",
        lambda names: "frame" in names and any(re.fullmatch(r"AU\d+", name) for name in names),
        rf"AU\d+|{_EMOTIONS}|Pitch|Roll|Yaw",
    ),
)


@dataclass(frozen=True, eq=False)
class Frames:
    """One file: the recording, time and values of each row.

    Attributes
    ----------
    path : Path
    source : str
        Name of the program, or of the file.
    times_s : (n,)
    values : DataFrame (n, columns)
        Numbers; NaN where the program found no face.
    recordings : DataFrame (n, 0 to 4)
        Those of `RECORDING` that the file has, as text.
    """

    path: Path
    source: str
    times_s: np.ndarray
    values: pd.DataFrame
    recordings: pd.DataFrame


def read_frames(path: str | Path, *, rate_hz: float | None = None) -> Frames:
    """Read one CSV file with a row per video frame.

    Parameters
    ----------
    rate_hz : float, optional
        Frames per second of the video, for files with frame numbers and no times: frame 0 is at
        0 s.

    Raises
    ------
    InputError
        All faults of the file, in one message: no times, several rows of one time, no column with
        numbers, text among the numbers.
    """
    path = check_file(Path(path), _LIMIT)
    if rate_hz is not None and not rate_hz > 0:
        raise InputError(f"the frame rate is {rate_hz:g}: want frames per second, above zero")
    table = _read_csv(path)
    tracker = next((t for t in TRACKERS if t.known_by(set(table))), None)
    faults = []
    times_s = _times(table, rate_hz)
    if isinstance(times_s, str):
        faults.append(times_s)
    names = _feature_names(table, tracker)
    if not names:
        faults.append("it has no column with numbers that could be a feature")
    success = [tracker.success] if tracker is not None and tracker.success else []
    values = _numbers(table, [*names, *success])
    if isinstance(values, str):
        faults.append(values)
    recordings = table[[name for name in RECORDING if name in table]].astype(str)
    if not isinstance(times_s, str) and (several := _several_faces(recordings, times_s)):
        faults.append(several)
    if faults or isinstance(times_s, str) or isinstance(values, str):
        raise InputError(f"{path}: {'; '.join(faults)}")
    for name in success:
        values = values.where(values[name] == 1)[names]
    source = tracker.name if tracker is not None else re.sub("[^a-z0-9]", "", path.stem.lower())
    return Frames(path, source, times_s, values, recordings)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    text = dict.fromkeys(RECORDING, str)
    try:  # OpenFace writes a blank after each comma
        table = pd.read_csv(
            path,
            skipinitialspace=True,
            encoding="utf-8-sig",
            float_precision="round_trip",
            dtype=text,
            low_memory=False,
        )
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is not a CSV file that can be read: {error}") from error
    table.columns = [str(name).strip() for name in table.columns]
    if not len(table):
        raise InputError(f"{path} has no row")
    return table


def _times(table: pd.DataFrame, rate_hz: float | None) -> np.ndarray | str:
    """Return the time of each row, s, or a fault."""
    for name, factor in TIMES_S.items():
        if name in table:
            if table[name].dtype.kind not in "fiu":
                return f"its column {name!r} contains text where seconds are expected"
            return table[name].to_numpy(dtype=float) * factor
    frame = next((name for name in FRAME if name in table), None)
    if frame is None:
        return f"it has no time: want a column {', '.join(TIMES_S)} or {' or '.join(FRAME)}"
    if rate_hz is None:
        return (
            f"it has frame numbers ({frame!r}) and no times: give the frames per second of the "
            "video (rate_hz, --join-rate)"
        )
    if table[frame].dtype.kind not in "fiu":
        return f"its column {frame!r} contains text where frame numbers are expected"
    return table[frame].to_numpy(dtype=float) / rate_hz


def _feature_names(table: pd.DataFrame, tracker: Tracker | None) -> list[str]:
    names = [str(name) for name in table.columns]
    if tracker is not None:
        return [name for name in names if re.fullmatch(tracker.features, name)]
    numbers = [name for name in names if table[name].dtype.kind in "fiub"]
    return [name for name in numbers if name not in _NOT_FEATURES and "Unnamed" not in name]


def _numbers(table: pd.DataFrame, names: list[str]) -> pd.DataFrame | str:
    """Return the features as floats, infinities as NaN, or a fault."""
    text = [name for name in names if table[name].dtype.kind not in "fiub"]
    if text:
        return f"text where numbers are expected in {', '.join(text[:6])}"
    values = table[names].astype(float)
    return values.where(np.isfinite(values))


def _several_faces(recordings: pd.DataFrame, times_s: np.ndarray) -> str:
    """Describe repeated times of one recording: several faces in a frame; empty if there are none.

    Rows without a time (no face) may repeat.
    """
    rows = recordings.assign(_time=times_s)[np.isfinite(times_s)]
    again = rows.duplicated()
    if not again.any():
        return ""
    first = float(rows.loc[again, "_time"].iloc[0])
    return (
        f"{int(again.sum())} rows repeat the time of another row (first: {first:g} s), as files "
        "with several faces or several recordings do: keep the rows of one face, and name "
        f"the recording of each row ({', '.join(RECORDING[1:])}) or give one file per recording"
    )
