"""Open recordings for correction: choose one of a path, read its pulse, serve its page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from emotion_rppg.app.beats.server import BeatsServer
from emotion_rppg.app.beats.session import Session
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.signals import Pulse, Signal
from emotion_rppg.study.acquisition import (
    Progress,
    Reading,
    as_recordings,
    cacheable,
    cached_waves,
    wave_key,
)

_LISTED = 8  # names in a message


def choose(found: Sequence[Recording], trial: str | None, path: Path) -> Recording:
    """Choose one of the recordings of a path by its name, ``subject/session/trial``.

    Raises
    ------
    InputError
        There are several and none is named, or none has the name; the message lists names.
    """
    names = {recording.name.partition("/")[2]: recording for recording in found}
    if trial is None and len(found) == 1:
        return found[0]
    if trial in names:
        return names[trial]
    first = ", ".join(list(names)[:_LISTED]) + (" …" if len(names) > _LISTED else "")
    none = "" if trial is None else f", none of which is {trial!r}"
    raise InputError(
        f"{path} holds {len(found)} recordings{none}: name one with --trial "
        f"SUBJECT/SESSION/TRIAL, or give its file; they are {first}"
    )


def read_pulse(
    recording: Recording,
    reading: Reading,
    *,
    person: int | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Pulse:
    """Read or estimate the pulse, or that of one person in a video; from the cache if there.

    Raises
    ------
    InputError
        The pulse cannot be read, or the video has fewer people.
    """
    pulses: Sequence[Pulse] | None = cached_waves(recording, reading, cache)
    if pulses is None:
        pulses = reading.pulses(recording, progress, cache=cache)
        if cache is not None and reading.is_camera(recording):
            waves = [pulse for pulse in pulses if isinstance(pulse, Signal)]
            cache.put(wave_key(recording, reading), cacheable(recording, reading, waves))
    number = person or 1
    if number > len(pulses):
        raise InputError(
            f"person {number} of {len(pulses)} in the video: give a number up to {len(pulses)}"
        )
    return pulses[number - 1]


class OpenPages(ExitStack):
    """Servers of the pages of several recordings, started one after another; end with the block."""

    def __init__(self) -> None:
        super().__init__()
        self._servers: dict[tuple[Path, str], BeatsServer] = {}

    def address_of(self, path: str, by: str, method: Any) -> str:
        """Open the page of a recording on this machine; return its address.

        The page of a recording that is open already stays open, with its edits.

        Raises
        ------
        InputError
            No path or name is given, or the recording cannot be read.
        """
        given, by = path.strip().strip("\"'"), by.strip()
        missing = [what for what, text in (("path", given), ("name", by)) if not text]
        if missing:
            raise InputError(f"no {' and no '.join(missing)}: fill in both fields")
        file = Path(given).expanduser().resolve()
        key = (file, str(method))
        if key not in self._servers:
            reading = Reading(method=method)
            recording = choose(as_recordings(file), None, file)
            session = Session(recording, reading, read_pulse(recording, reading), by=by)
            self._servers[key] = self.enter_context(BeatsServer(session))
        self._servers[key].session.name(by)
        return self._servers[key].address
