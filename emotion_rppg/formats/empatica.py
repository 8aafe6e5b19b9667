"""Read sessions of the Empatica E4 wristband: one CSV file per sensor.

A session is a folder, or the zip that the manufacturer's site provides, with BVP.csv and possibly
EDA.csv (µS), TEMP.csv (°C), ACC.csv (three axes, 1/64 g), HR.csv, IBI.csv and tags.csv. The first
two lines of a sensor's file are its start (Unix s, or a date and time in UTC) and rate (Hz). Each
file has its own clock; the times that these functions return count from the first sample of the
pulse.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.interval_clock import IntervalRows, beats_of_rows
from emotion_rppg.formats.missing_values import codes_to_nan, is_missing
from emotion_rppg.formats.safe_io import open_zip
from emotion_rppg.recordings import Event
from emotion_rppg.signals import Beats, Pulse, Signal

_log = logging.getLogger(__name__)
PULSE = "BVP.csv"
FILES = frozenset((PULSE, "ACC.csv", "EDA.csv", "HR.csv", "IBI.csv", "TEMP.csv", "tags.csv"))
SENSOR_FILES = {"eda": "EDA.csv", "temp": "TEMP.csv", "acc": "ACC.csv"}
TAG = "tag"  # name of the events of the button
FILE_OF = {"bvp": PULSE, **SENSOR_FILES}
ACC_COUNTS_PER_G = 64.0
_MIN_OTHER_FILES = 2  # with so many of the other files a folder is a session, even without a pulse
_MAX_BYTES = 1 << 30  # of one file in a zip: about three months of pulse
T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """One session of the wristband; times count from its first pulse sample.

    ``start_s`` is that sample's Unix time, ``tags_s`` the presses of the button, ``beats`` the
    beats that the wristband itself detected, or None without IBI.csv.
    """

    start_s: float
    signals: dict[str, Callable[[], Pulse]] = field(default_factory=dict)
    tags_s: tuple[float, ...] = ()
    beats: Beats | None = None


def is_e4(path: str | Path) -> bool:
    """Return whether a folder or zip is an E4 session; read only file names and two lines.

    A session with a damaged or missing BVP.csv is recognised by its other files, so that reading it
    raises an error instead of skipping it.
    """
    path = Path(path)
    if not (path.is_dir() or path.suffix.lower() == ".zip"):
        return False
    try:
        names = _names(path)
        if len(FILES & names.keys() - {PULSE}) >= _MIN_OTHER_FILES:
            return True
        return PULSE in names and bool(_clock(path, PULSE))
    except InputError:
        return False


def kinds_in_session(path: str | Path) -> list[str]:
    """List the kinds of signal of a session by its file names; the pulse is always listed."""
    names = _names(Path(path))
    return [kind for kind, name in FILE_OF.items() if name in names or name == PULSE]


def read_session(path: str | Path) -> Session:
    """Read a session's folder or zip; its waves are read lazily.

    A damaged or empty file other than the pulse is skipped with a warning.

    Raises
    ------
    InputError
        No BVP.csv, or one without a start and a rate.
    """
    path = Path(path)
    start_s, _ = _clock(path, PULSE)
    signals: dict[str, Callable[[], Pulse]] = {"bvp": partial(read_member, path, PULSE, "bvp")}
    names = _names(path)
    if "HR.csv" in names and _read_optional(lambda: _clock(path, "HR.csv")) is not None:
        signals["hr"] = partial(_read_on_pulse_clock, path, "HR.csv", "hr", start_s)
    for kind, name in SENSOR_FILES.items():
        if name in names and _read_optional(partial(_clock, path, name)) is not None:
            signals[kind] = partial(_read_on_pulse_clock, path, name, kind, start_s)
    tags = [name for name in names if name.startswith("tags") and name.endswith(".csv")]
    beats = _read_optional(lambda: _beats(path, start_s)) if "IBI.csv" in names else None
    if beats is not None:
        signals["rr"] = partial(_intervals, path, start_s)
    presses = _read_optional(lambda: _tags(path, tags[0], start_s)) if tags else None
    return Session(start_s, signals, presses or (), beats)


def read_kind(path: str | Path, kind: str) -> Signal:
    """Read one of ``FILE_OF`` of a session's folder or zip, on the clock of its pulse.

    Raises
    ------
    InputError
        No such file, or a damaged one; also a damaged BVP.csv, which has the clock.
    """
    path = Path(path)
    return _read_on_pulse_clock(path, FILE_OF[kind], kind, _clock(path, PULSE)[0])


def _read_optional(read: Callable[[], T]) -> T | None:
    """Read an optional file of a session; warn and return None if it is damaged."""
    try:
        return read()
    except InputError as error:
        _log.warning("%s; the session is read without it", error)
        return None


def read_member(path: Path, name: str, kind: str | None = None) -> Signal:
    """Read a sensor's file of the session as a signal that begins at 0 s."""
    return _parse(_text(path, name), path / name, kind)[0]


def _read_on_pulse_clock(path: Path, name: str, kind: str, origin_s: float) -> Signal:
    """Read a sensor's file on the pulse's clock; the heart rate starts 10 s after the pulse."""
    text = _text(path, name)
    (signal, start_s) = _parse(text, path / name, kind)
    return replace(signal, start_s=start_s - origin_s)


def _beats(path: Path, origin_s: float) -> Beats | None:
    """Read IBI.csv: the time (s) of each beat from the file's start, and the interval before it."""
    text = _text(path, "IBI.csv")
    if not text.strip():
        raise InputError(f"{path / 'IBI.csv'} is empty")
    where = path / "IBI.csv"
    head, _, rest = text.partition("\n")
    try:
        start_s = _unix_s(head.split(",")[0])
        rows = np.loadtxt(rest.splitlines(), delimiter=",", ndmin=2) if rest.strip() else None
    except ValueError as error:
        raise InputError(
            f"{where}: {error}: want a time and an interval in seconds per line"
        ) from None
    if rows is None:
        return None  # the wristband detected no interval
    complete = rows.shape[1] == 2 and np.isfinite(start_s) and np.isfinite(rows).all()
    if not complete or np.any(np.diff(rows[:, 0]) <= 0) or np.any(rows[:, 1] <= 0):
        raise InputError(f"{where}: want two columns, an increasing time and its interval")
    clocks = (rows[:, 0],)
    intervals = IntervalRows(rows[:, 1], unit_ms=1e3, clocks=clocks, optical=True, certain=True)
    return beats_of_rows(intervals, where).shifted(start_s - origin_s)


def _intervals(path: Path, origin_s: float) -> Beats:
    """Read IBI.csv for a feature table, s: the time before the first beat is a gap."""
    beats = _beats(path, origin_s)
    if beats is None:
        raise InputError(f"{path / 'IBI.csv'}: the wristband detected no interval")
    first, last = beats.span_s or (0.0, 0.0)
    if first <= 0:
        return beats
    return replace(beats, gaps=[(0.0, first), *beats.gaps], span_s=(0.0, last))


def _tags(path: Path, name: str, origin_s: float) -> tuple[float, ...]:
    try:
        lines = _text(path, name).splitlines()
        return tuple(_unix_s(line) - origin_s for line in lines if line.strip())
    except ValueError as error:
        raise InputError(
            f"{path / name}: {error}: want one Unix time, or date and time in UTC, per line"
        ) from None


def presses(path: str | Path) -> tuple[Event, ...]:
    """Read the presses of the button of a session, events of the kind ``tag``."""
    return tuple(Event(time_s, TAG) for time_s in read_session(path).tags_s)


def e4_acceleration(axes: np.ndarray, rate_hz: float, *, start_s: float = 0.0) -> Signal:
    """Convert the three axes of a wristband, (n, 3), to the magnitude in g.

    Data sets hold them in g or in the counts of the device, 64 per g. At rest the magnitude is 1 g,
    so its median shows the unit.
    """
    signal = Signal.from_axes(axes, rate_hz, start_s=start_s)
    finite = signal.samples[np.isfinite(signal.samples)]
    counts = len(finite) > 0 and float(np.median(finite)) > ACC_COUNTS_PER_G / 8
    return replace(signal, samples=signal.samples / (ACC_COUNTS_PER_G if counts else 1.0))


def _names(path: Path) -> dict[str, str]:
    """Map the session's file names to their paths, which in a zip may be one folder down."""
    if path.is_dir():
        return {p.name: p.name for p in path.iterdir() if p.is_file()}
    with open_zip(path) as archive:
        members = archive.names
    members = [name for name in members if not name.startswith("__MACOSX")]
    pulse_files = sorted(
        (n for n in members if n.split("/")[-1] == PULSE), key=lambda n: n.count("/")
    )
    if not pulse_files:
        return {}
    if len(pulse_files) > 1 and pulse_files[0].count("/") == pulse_files[1].count("/"):
        raise InputError(f"{path} has {len(pulse_files)} sessions: unpack each to its own folder")
    root = pulse_files[0].removesuffix(PULSE)
    session_files = [name for name in members if name.rpartition("/")[0] == root.rstrip("/")]
    return {name.split("/")[-1]: name for name in session_files}


def _text(path: Path, name: str, size: int = _MAX_BYTES) -> str:
    """Read the first ``size`` characters of a session's file."""
    names = _names(path)
    if name not in names:
        raise InputError(f"no {name} in {str(path)!r}: the E4 session is incomplete, copy it again")
    try:
        if path.is_dir():
            with (path / name).open(encoding="utf-8-sig") as file:
                return file.read(size)
        with open_zip(path) as archive:
            return archive.read(names[name], limit_bytes=_MAX_BYTES).read(size).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path / name} cannot be read: {error}") from error


def _clock(path: Path, name: str) -> tuple[float, float]:
    return _checked_clock(_text(path, name, 200), path / name)


def read_e4(path: str | Path, kind: str | None = None) -> tuple[Signal, float]:
    """Read a sensor's file as a signal from 0 s; return it and its start (Unix s).

    Raises
    ------
    InputError
        No such file, or one without a start, a rate and numbers; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}: the E4 folder is incomplete, unpack it again")
    return _parse(_text(path.parent, path.name), path, kind)


def e4_clock(path: Path) -> tuple[float, float]:
    """Read start (Unix s) and rate (Hz) from the first two lines of a sensor's file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(200)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return _checked_clock(text, path)


def _parse(text: str, where: Path, kind: str | None) -> tuple[Signal, float]:
    start_s, rate_hz = _checked_clock(text, where)
    lines = text.splitlines()[2:]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f"{where} has no samples after start and rate: the recording failed")
    if kind == "acc":
        axes = _axes(lines, where) / ACC_COUNTS_PER_G
        return Signal.from_axes(axes, rate_hz, kind=kind), start_s
    samples = codes_to_nan(_numbers(lines, where), where.name)
    return Signal(samples, rate_hz, kind=kind), start_s


def _axes(lines: list[str], where: Path) -> np.ndarray:
    """Parse the three axes of each line of ACC.csv, (n, 3), in counts."""
    cells = [line.split(",") for line in lines]
    if any(len(row) != 3 for row in cells):
        row = next(k for k, row in enumerate(cells) if len(row) != 3)
        raise InputError(
            f"{where}, line {row + 3}: {len(cells[row])} cells, want three axes: the file is "
            "damaged, copy it again"
        )
    flat = _numbers([cell for row in cells for cell in row], where, per_line=3)
    return flat.reshape(-1, 3)


def _numbers(lines: list[str], where: Path, *, per_line: int = 1) -> np.ndarray:
    """Parse one number per line or cell, (n,); an empty one or n/a is a missing sample."""
    try:
        return np.array(lines, dtype=float)
    except ValueError:  # some line is not a plain number
        pass
    out = np.full(len(lines), np.nan)
    wanted = "one number per line" if per_line == 1 else f"{per_line} numbers per line"
    for row, line in enumerate(lines):
        if is_missing(line):
            continue
        try:
            out[row] = float(line)
        except ValueError as error:
            raise InputError(
                f"{where}, line {row // per_line + 3}: {line[:40]!r}, want {wanted} after start "
                "and rate: the file is damaged, copy it again"
            ) from error
    return out


def _checked_clock(text: str, where: Path) -> tuple[float, float]:
    start, rate = (line.split(",")[0] for line in (text + "\n\n").split("\n")[:2])
    try:
        start_s, rate_hz = _unix_s(start), float(rate)
    except ValueError as error:
        raise InputError(
            f"{where} does not begin with a start time and a rate ({error}): is it an E4 file?"
        ) from error
    if not (start_s > 1e8 and 0 < rate_hz <= 1000):
        raise InputError(
            f"{where} begins with {start_s:g} and {rate_hz:g}: want Unix seconds and a rate in Hz"
        )
    return start_s, rate_hz


def _unix_s(text: str) -> float:
    """Convert Unix seconds, or an ISO date and time in UTC, to Unix seconds.

    Raises
    ------
    ValueError
        Neither of the two.
    """
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
