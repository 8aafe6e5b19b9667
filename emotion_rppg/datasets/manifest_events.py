"""Events of trials that a manifest cuts out of longer files: on the clock of each trial."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from emotion_rppg.errors import InputError
from emotion_rppg.formats.event_tables import read_event_table
from emotion_rppg.formats.events import events_of
from emotion_rppg.recordings import Event, Recording

_log = logging.getLogger(__name__)
EventReader = Callable[[], tuple[Event, ...]]


def events_of_trial(
    paths: Sequence[Path], table: Path | None, start_s: float | None, end_s: float | None
) -> EventReader | tuple[()]:
    """Return the reader of a trial's events: those of a table, or of the trial's files.

    ``start_s`` and ``end_s`` are the trial's part of the files; 0 s is then the trial's start.
    """
    readers = [read for path in paths if (read := events_of(path))]
    if table is not None:
        readers = [partial(read_event_table, table)]
    if not readers:
        return ()
    return partial(_events_of_part, readers, start_s or 0.0, math.inf if end_s is None else end_s)


def _events_of_part(
    readers: Sequence[EventReader], start_s: float, end_s: float
) -> tuple[Event, ...]:
    """Read the events of a trial's part of its files; all of them if it is the whole of them."""
    events = [event for read in readers for event in read()]
    distinct = {repr(event): event for event in events}.values()  # two files may share a table
    if start_s <= 0 and math.isinf(end_s):
        return tuple(distinct)
    return tuple(e.shifted(-start_s) for e in distinct if start_s <= e.onset_s < end_s)


def warn_of_events_between(recordings: Sequence[Recording], manifest: str) -> None:
    """Warn of events of a file that lie in none of the trials that are cut out of it."""
    spans: dict[str, list[tuple[float, float]]] = {}
    readers: dict[str, EventReader] = {}
    for recording in recordings:
        events = recording.events
        if not isinstance(events, partial) or events.func is not _events_of_part:
            continue
        several, start_s, end_s = events.args
        for read in several:
            spans.setdefault(str(read.args[0]), []).append((start_s, end_s))
            readers[str(read.args[0])] = read
    for name, trials in spans.items():
        if not any(start_s <= 0 and math.isinf(end_s) for start_s, end_s in trials):
            _warn_of_file(name, readers[name], trials, manifest)


def _warn_of_file(
    name: str, read: EventReader, trials: Sequence[tuple[float, float]], manifest: str
) -> None:
    try:
        events = read()
    except InputError:
        return  # raised again when the events are needed
    outside = [e for e in events if not any(a <= e.onset_s < b for a, b in trials)]
    if outside:
        _log.warning(
            "%s: %d of %d events lie in no trial of %s, the first, %r, at %g s",
            name,
            len(outside),
            len(events),
            manifest,
            outside[0].name,
            outside[0].onset_s,
        )
