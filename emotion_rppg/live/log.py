"""Store the wave and the markers of a live session while they come; a crash loses two seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from emotion_rppg.errors import InputError
from emotion_rppg.formats.event_tables import append_events
from emotion_rppg.live import LiveReading
from emotion_rppg.recordings import Event


def events_path(path: Path) -> Path:
    """Return NAME_events.csv, the table of events beside a file NAME."""
    return path.with_name(f"{path.stem}_events.csv")


def check_new(*paths: Path) -> None:
    """Refuse to replace the files of an earlier recording.

    Raises
    ------
    InputError
        One of the files is there already.
    """
    for there in paths:
        if there.exists():
            raise InputError(
                f"{there} is there already, and recordings are never overwritten: choose another "
                "--out, or move it"
            )


def check_wave(path: Path) -> None:
    """Refuse a wave's file of another format, or one that is there already."""
    if path.suffix.lower() != ".csv":
        raise InputError(f"--out {path}: end the name with .csv; it is written line by line")
    check_new(path, events_path(path))


class LiveLog:
    """Append the settled wave to ``path``, time_s, rppg, quality, and markers to its events."""

    def __init__(self, path: Path) -> None:
        check_wave(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.path.write_text("time_s,rppg,quality\n", encoding="utf-8")

    def add(self, reading: LiveReading, events: Iterable[Event] = ()) -> None:
        """Write what is new in a reading, and the events that arrived meanwhile."""
        wave = reading.settled
        quality = [0.0] * len(wave) if wave.quality is None else wave.quality.tolist()
        rows = zip(wave.times_s.tolist(), wave.samples.tolist(), quality, strict=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(
                f"{at:.6f},{'' if math.isnan(value) else f'{value:.6g}'},{sure:.3f}\n"
                for at, value, sure in rows
            )
        self.add_events(events)

    def add_events(self, events: Iterable[Event]) -> None:
        """Write events, in seconds on the clock of the wave."""
        events = list(events)
        if events:
            append_events(events_path(self.path), events)
