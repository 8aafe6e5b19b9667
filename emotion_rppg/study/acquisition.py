"""How a recording becomes a pulse wave, and the name that a wave is kept under."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.pulse import canonical
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.signals import Signal
from emotion_rppg.windows import LABEL, SCALE

if TYPE_CHECKING:
    from emotion_rppg.pulse.estimate import Preview

_log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Reading:
    """How a recording becomes a pulse wave: what of an `Extraction` concerns it, and the device."""

    method: str | Path | Callable[..., np.ndarray] = "pos"
    source: str = "auto"
    region: str = "face"
    face: int | None = None
    weights: str | Path | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", canonical(self.method))
        object.__setattr__(self, "source", self.source.lower())

    @classmethod
    def of(cls, extraction: Extraction, device: str = "auto") -> Reading:
        """The part of an extraction that makes the wave."""
        return cls(
            method=extraction.method,
            source=extraction.source,
            region=extraction.region,
            face=extraction.face,
            weights=extraction.weights,
            device=device,
        )

    def kind(self, recording: Recording) -> str:
        """Which of the recording's views of the heart is read: its video if it has one."""
        has = (["rppg"] if recording.video is not None else []) + list(recording.signals)
        if self.source == "auto":
            for kind in KINDS:
                if kind in has:
                    return kind
            raise InputError(
                f"{recording.name} has neither a video nor a pulse ({', '.join(sorted(KINDS))})"
            )
        if self.source not in KINDS:
            raise InputError(f"unknown source {self.source!r}; known: auto, {', '.join(KINDS)}")
        if self.source not in has:
            raise InputError(
                f"{recording.name} has no {self.source}; it has: {', '.join(has) or 'nothing'}"
            )
        return self.source

    def is_camera(self, recording: Recording) -> bool:
        """Tell whether the wave comes from the recording's video, not from a signal."""
        return recording.video is not None and self.kind(recording) == "rppg"

    def wave(
        self, recording: Recording, progress: Progress | None = None, preview: Preview | None = None
    ) -> Signal:
        """The pulse wave, with a quality for each sample where the wave is a pulse."""
        kind = self.kind(recording)
        if self.is_camera(recording) and recording.video is not None:
            from emotion_rppg.pulse.estimate import estimate

            return estimate(
                recording.video,
                self.method,
                device=self.device,
                region=self.region,
                face=self.face,
                weights=self.weights,
                progress=progress,
                preview=preview,
            )
        signal = recording.read(kind)
        if not KINDS[kind].pulse_wave or signal.quality is not None:
            return signal
        from emotion_rppg.signal_quality import per_sample

        return replace(signal, quality=per_sample(signal))

    def facts(self, recording: Recording) -> dict[str, object]:
        """Identity columns: who, what, and which trained network looked at whom before."""
        kind = self.kind(recording)
        camera = self.is_camera(recording)
        network, trained_on = _provenance(self.method, self.weights) if camera else ("", "")
        known: dict[str, object] = {
            "dataset": recording.dataset,
            "subject": recording.subject,
            "session": recording.session,
            "trial": recording.trial,
            "source": kind,
            "method": method_name(self.method) if camera else "",
            "network": network,
            "trained_on": trained_on,
            "reader": recording.reader,
        }
        known |= {LABEL + name: value for name, value in recording.labels.items()}
        known |= {SCALE + name: f"{a:g}..{b:g}" for name, (a, b) in recording.scales.items()}
        return known


def method_name(method: str | Path | Callable[..., np.ndarray]) -> str:
    """What the column ``method`` calls it."""
    if callable(method):
        return getattr(method, "__name__", type(method).__name__)
    return Path(method).name if Path(method).is_dir() else str(method)


def _provenance(method: object, weights: object) -> tuple[str, str]:
    """Name of the network's folder and whom it was trained on; empty for a classic method."""
    for given in (weights, method):
        if isinstance(given, str | Path) and Path(given).is_dir():
            config = read_config(given)
            people_seen = config.get("trained_on", "unknown")
            text = people_seen if isinstance(people_seen, str) else json.dumps(people_seen)
            return Path(given).resolve().name, text
    return "", ""


def as_recordings(
    given: Iterable[Recording] | str | Path | Video,
    *,
    channel: str | None = None,
    kind: str | None = None,
) -> list[Recording]:
    """A data set, a list of recordings, a folder, a video or a signal file: as recordings.

    ``channel`` names the column or channel to read, of signal files with several; ``kind`` says
    what it holds (a name of ``KINDS``), where its name does not tell.
    """
    from emotion_rppg.datasets.folder import Folder, recording_of

    if channel is not None and not isinstance(given, str | Path):
        raise InputError(f"channel {channel!r} is of a signal file: give the path of one")
    picked = {"channel": channel, "kind": kind if kind in KINDS else None}

    if isinstance(given, Video):
        return [Recording(given.path.parent.name, given.path.stem, video=given)]
    if isinstance(given, str | Path):
        where = Folder(given, **picked) if Path(given).is_dir() else [recording_of(given, **picked)]
        return list(where)
    return list(given)


def view(recording: Recording, reading: Reading) -> list[Any]:
    """What of the recording is read, and how; an error where there is nothing to read."""
    kind = reading.kind(recording)
    folders = {
        name: Path(given)
        for name, given in (("method", reading.method), ("weights", reading.weights))
        if isinstance(given, str) and Path(given).is_dir()
    }  # a network counts by its files
    seen = recording.video if reading.is_camera(recording) else recording.signals[kind]
    return [kind, seen, replace(reading, **folders)]  # type: ignore[arg-type]


def wave_key(recording: Recording, reading: Reading) -> str | None:
    """Fingerprint of a camera's wave; None for a contact signal, which is quick to read again."""
    if not reading.is_camera(recording):
        return None
    return fingerprint("wave", view(recording, reading))


def kept_wave(recording: Recording, reading: Reading, store: Cache | None) -> Signal | None:
    """The recording's camera wave, if it is kept."""
    try:
        kept = None if store is None else store.get(wave_key(recording, reading))
    except InputError:
        return None
    return kept if isinstance(kept, Signal) else None


def waves(
    recordings: Iterable[Recording] | str | Path | Video,
    *,
    method: str | Path | Callable[..., np.ndarray] = "pos",
    source: str = "auto",
    region: str = "face",
    face: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    cache: Cache | str | Path | None = None,
    channel: str | None = None,
) -> Iterator[tuple[Recording, Signal]]:
    """Each recording with the wave that `extract` reads from it; unreadable ones are left out.

    Parameters are those of `extract`; a camera wave that its ``cache`` has is not read again.
    """
    reading = Reading(
        method=method, source=source, region=region, face=face, weights=weights, device=device
    )
    store = Cache(cache) if isinstance(cache, str | Path) else cache
    for recording in as_recordings(recordings, channel=channel, kind=reading.source):
        try:
            wave = kept_wave(recording, reading, store)
            yield recording, reading.wave(recording) if wave is None else wave
        except InputError as error:
            _log.warning("%s: %s", recording.name, error)
