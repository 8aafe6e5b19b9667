"""Read tables of events: BIDS ``_events.tsv``, or a plain table NAME_events.csv beside a recording.

A table has one row per event and a header. ``onset`` (s) is required; ``duration`` (s), the kind of
event (``trial_type``; or ``event``, ``name``), ``value`` and ratings of the event (``label_NAME``)
are optional; other columns are ignored. Onsets are on the clock of the signals: 0 s is the start of
the recording. Rules of the Brain Imaging Data Structure 1.10 (Gorgolewski et al. 2016, Sci Data 3,
160044): a missing value is ``n/a``, and a table in a higher folder applies to the recordings below.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids_names import DESCRIPTION, bids_entities
from emotion_rppg.formats.missing_values import is_missing
from emotion_rppg.formats.text_files import open_text
from emotion_rppg.recordings import Event
from emotion_rppg.windows import LABEL

ENDINGS = ("_events.tsv", "_events.csv", "_events.tsv.gz")
ONSETS, DURATIONS = ("onset", "onset_s"), ("duration", "duration_s")
NAMES = ("trial_type", "event", "event_type", "name", "type", "condition", "marker")
UNNAMED = "event"  # name of an event of which the table gives no kind
_UNIX_S = 3.2e8  # a larger time is a Unix time (1980 and later)


def append_events(path: Path, events: Iterable[Event]) -> None:
    """Append events to a table NAME_events.csv while they happen, so that a crash loses none.

    A new table begins with its header. Onsets and durations are in seconds.
    """
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(("onset", "duration", "trial_type", "value"))
        for event in events:
            lasted = "" if math.isnan(event.duration_s) else f"{event.duration_s:.6g}"
            writer.writerow((f"{event.onset_s:.6f}", lasted, event.name, event.value))


def is_event_table(path: Path) -> bool:
    """Return whether a file is named as a table of events and has a column of onsets."""
    if not path.name.lower().endswith(ENDINGS) or not path.is_file():
        return False
    try:
        with open_text(path) as file:
            header = [cell.strip().strip('"').lower() for cell in _cells(file.readline())]
    except InputError:
        return False
    return bool(set(ONSETS) & set(header))


def event_table_of(path: Path) -> Path | None:
    """Find the table of events that belongs to a video, a signal file or a session's folder.

    It is named ``NAME_events.tsv`` or ``.csv`` as the file NAME. The files of one BIDS recording
    share one, which has no ``recording-`` in its name and may be in a folder further up.

    Raises
    ------
    InputError
        There are two.
    """
    stem = _stem(path)
    beside = [path.with_name(stem + ending) for ending in ENDINGS]
    found = [table for table in beside if table.is_file()]
    if len(found) > 1:
        raise InputError(f"{found[0]} and {found[1].name} are of one recording: remove one of them")
    return found[0] if found else _bids_table_of(path)


def _stem(path: Path) -> str:
    """Return the name without its ending; that of a folder is whole."""
    name = path.name if path.is_dir() or path.suffix.lower() != ".gz" else path.stem
    return name if path.is_dir() else name.rpartition(".")[0] or name


def _bids_table_of(path: Path) -> Path | None:
    """Find the ``_events.tsv`` with most entities of a BIDS file's name, in the nearest folder."""
    own = bids_entities(path)
    if "sub" not in own:
        return None
    for folder in list(path.parents)[:5]:
        tables = {t: bids_entities(t) for t in sorted(folder.glob("*_events.tsv"))}
        fitting = {t: e for t, e in tables.items() if e.items() <= own.items()}
        if fitting:
            return max(fitting, key=lambda table: len(fitting[table]))
        if (folder / DESCRIPTION).is_file():
            return None
    return None


def read_event_table(path: str | Path) -> tuple[Event, ...]:
    """Read a table of events, in the order of its rows.

    Raises
    ------
    InputError
        No column of onsets, or cells that are not seconds; the message names the lines.
    """
    path = Path(path)
    with open_text(path) as file:
        lines = [(n, line) for n, line in enumerate(file.read().splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty: want a header with {ONSETS[0]} and a line per event")
    delimiter = _delimiter(lines[0][1])
    header = _split(path, *lines[0], delimiter)
    columns = {name.lower(): k for k, name in reversed(list(enumerate(header)))}
    if not set(ONSETS) & columns.keys():
        raise InputError(
            f"{path} has no column {ONSETS[0]} (s); its columns: {', '.join(header)[:200]}"
        )
    events, faults = [], []
    for number, line in lines[1:]:
        cells = _split(path, number, line, delimiter)
        row = {name: cells[k] for name, k in columns.items() if k < len(cells)}
        try:
            labels = {name: row.get(name.lower(), "") for name in header if name.startswith(LABEL)}
            events.append(_event(row, labels, decimal_comma=delimiter != ","))
        except ValueError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        more = f" (and {len(faults) - 3} more lines)" if len(faults) > 3 else ""
        raise InputError(f"{path}: {'; '.join(faults[:3])}{more}")
    return tuple(events)


def _split(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    """Split a line into cells, which may be in quotes."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error as error:
        raise InputError(f"{path}, line {number}: not a table ({error})") from error


def _delimiter(header: str) -> str:
    return max("\t;,", key=header.count)


def _cells(header: str) -> list[str]:
    return header.strip().split(_delimiter(header))


def _event(row: Mapping[str, str], labels: Mapping[str, str], *, decimal_comma: bool) -> Event:
    """Make the event of one row; a cell that is no number raises ValueError."""

    def seconds(names: Iterable[str]) -> float:
        name = next((name for name in names if name in row), "")
        text = row.get(name, "")
        if is_missing(text):
            return math.nan
        try:
            value = float(text.replace(",", ".") if decimal_comma else text)
        except ValueError:
            value = math.inf
        if math.isinf(value):
            raise ValueError(f"{name} is {text[:40]!r}, want seconds")
        return value

    onset_s, duration_s = seconds(ONSETS), seconds(DURATIONS)
    if math.isnan(onset_s):
        raise ValueError("no onset: give its seconds, or remove the line")
    if duration_s < 0:
        raise ValueError(f"a duration of {duration_s:g} s")
    value = row.get("value", "")
    value = "" if is_missing(value) else value
    named = [row[name] for name in NAMES if name in row and not is_missing(row[name])]
    name = named[0] if named else value or UNNAMED
    return Event(onset_s, name, duration_s, value, _labels(labels))


def _labels(cells: Mapping[str, str]) -> dict[str, float | str]:
    """Read ratings: numbers, or words; empty cells are skipped."""
    out: dict[str, float | str] = {}
    for column, text in cells.items():
        if is_missing(text):
            continue
        try:
            out[column.removeprefix(LABEL)] = float(text)
        except ValueError:
            out[column.removeprefix(LABEL)] = text
    return out


def on_clock(events: Iterable[Event], start_s: float) -> tuple[Event, ...]:
    """Move events to the clock of a signal that begins at ``start_s`` and counts Unix seconds.

    Onsets that are no Unix times then count from the start of the signal. Where the clock is not
    one of Unix times, nothing is moved.
    """
    events = tuple(events)
    if start_s < _UNIX_S or any(event.onset_s >= _UNIX_S for event in events):
        return events
    return tuple(event.shifted(start_s) for event in events)
