"""Read the events of a recording: a table beside its file, and the markers in the file itself.

Markers are the presses of a wristband's button (Empatica E4 ``tags.csv``, EmbracePlus), the marker
streams of an XDF file on the clock of its signals, the event markers of a BIOPAC file, the
annotations of an EDF+ or BDF+ file, and the marker log of Polar Sensor Logger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channels import Container, Marker
from emotion_rppg.formats.empatica import is_e4, presses
from emotion_rppg.formats.event_tables import event_table_of, read_event_table
from emotion_rppg.formats.polar_markers import has_polar_markers, polar_markers
from emotion_rppg.formats.signal_files import is_signal_file, opener
from emotion_rppg.recordings import Event

Reader = Callable[[], tuple[Event, ...]]


def events_of(path: str | Path) -> Reader | tuple[()]:
    """Return a function that reads the events of a video, signal file or session's folder.

    Nothing is read but file names; () if the recording can have no event.
    """
    path = Path(path)
    return partial(read_events_of, path) if _has_markers(path) or _has_table(path) else ()


def read_events_of(path: Path) -> tuple[Event, ...]:
    """Read the events of a file: its own markers, and those of the table beside it.

    Raises
    ------
    InputError
        The file or the table cannot be read.
    """
    table = event_table_of(path)
    events = _markers(path) if _has_markers(path) else ()
    return events + (() if table is None else read_event_table(table))


def _has_table(path: Path) -> bool:
    try:
        return event_table_of(path) is not None
    except InputError:
        return True  # two tables: the error is raised when the events are read


def _has_markers(path: Path) -> bool:
    if not is_signal_file(path):
        return False
    return isinstance(opener(path), Container) or is_e4(path) or has_polar_markers(path)


def _markers(path: Path) -> tuple[Event, ...]:
    open_file = opener(path)
    if isinstance(open_file, Container):
        return _events(open_file.contents(path).markers)
    if has_polar_markers(path):
        return _events(polar_markers(path))
    return presses(path)


def _events(markers: tuple[Marker, ...]) -> tuple[Event, ...]:
    return tuple(Event(marker.time_s, marker.text, marker.duration_s) for marker in markers)
