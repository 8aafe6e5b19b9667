"""Read the markers of the app Polar Sensor Logger, which writes them into a log of their own.

The log is `MARKER.txt`, or `NAME_MARKER.txt` for waves `NAME_PPG.txt`, in the folder of the waves:
phone times at which the user began and ended a marker. The clock of a wave is that of the sensor;
its first line has the phone time of the first samples.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channels import Marker
from emotion_rppg.formats.safe_io import MB, check_file

PHONE, SENSOR = "Phone timestamp", "sensor timestamp [ns]"
LOG, START, STOP = "MARKER.txt", "MARKER_START", "MARKER_STOP"
NAME = "marker"


def polar_markers(path: Path) -> tuple[Marker, ...]:
    """Read the markers beside a wave of Polar Sensor Logger; none for any other file.

    The phone's times of samples vary by some tens of milliseconds, and so does the clock of the
    markers. A marker without an end has the duration 0.

    Raises
    ------
    InputError
        A line without a time, or a word that is neither a start nor a stop.
    """
    log = _log_of(path)
    if log is None:
        return ()
    origin = _first_phone_time(path)
    lines = check_file(log, MB).read_text(encoding="utf-8-sig", errors="replace").splitlines()[1:]
    found: list[Marker] = []
    began: datetime | None = None
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        time, word = _moment(line, f"{log}, line {number}")
        if word == START:
            found += [] if began is None else [_marker(origin, began, began)]
            began = time
        elif began is not None:
            found.append(_marker(origin, began, time))
            began = None
    return tuple(found) + (() if began is None else (_marker(origin, began, began),))


def has_polar_markers(path: Path) -> bool:
    """Tell whether a log of markers is beside a wave of Polar Sensor Logger."""
    return _log_of(path) is not None


def _log_of(path: Path) -> Path | None:
    """Find the log of the markers of a wave."""
    if path.suffix.lower() != ".txt" or not path.is_file() or not _is_wave(path):
        return None
    prefix = path.stem.rpartition("_")[0]
    names = ([f"{prefix}_{LOG}"] if prefix else []) + [LOG]
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def _is_wave(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            head = file.readline(1000)
    except OSError:
        return False
    return head.startswith(PHONE) and SENSOR in head


def _first_phone_time(path: Path) -> datetime:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        file.readline()
        line = file.readline(1000)
    return _time(line.split(";")[0], f"{path}, line 2")


def _moment(line: str, where: str) -> tuple[datetime, str]:
    cells = [cell.strip() for cell in line.split(";")]
    if len(cells) < 2 or cells[1] not in (START, STOP):
        raise InputError(f"{where}: {line.strip()[:60]!r}, want a time and {START} or {STOP}")
    return _time(cells[0], where), cells[1]


def _time(text: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{where}: {text.strip()[:40]!r} is no date and time") from None


def _marker(origin: datetime, began: datetime, ended: datetime) -> Marker:
    try:
        onset_s, duration_s = began - origin, ended - began
    except TypeError:
        raise InputError("one of the phone times has a time zone and another has none") from None
    return Marker(onset_s.total_seconds(), NAME, duration_s.total_seconds())
