"""Read or estimate the pulse wave of a recording, and compute its cache key."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import EVERYBODY, Extraction
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.pulse import DEFAULT_METHOD, canonical
from emotion_rppg.pulse.person_wave import PersonWave
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.windows import LABEL, PARTICIPANT, SCALE

if TYPE_CHECKING:
    from emotion_rppg.pulse.estimate import Preview

_log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
_CLOCK = "clock_of_people"  # rate and start of cached waves


@dataclass(frozen=True)
class Reading:
    """Options for reading a pulse wave: some of those of an `Extraction`, and the device."""

    method: str | Path | Callable[..., np.ndarray] = DEFAULT_METHOD
    source: str = "auto"
    region: str = "face"
    face: int | str | None = None
    weights: str | Path | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", canonical(self.method))
        object.__setattr__(self, "source", self.source.lower())
        if self.face == EVERYBODY and self.region != "face":
            raise InputError(
                f"face {EVERYBODY!r} detects the faces of the whole frame, and region "
                f"{self.region!r} was given, too: omit one of the two"
            )

    @classmethod
    def of(cls, extraction: Extraction, device: str = "auto") -> Reading:
        """Take the options that concern the wave from an extraction."""
        return cls(
            method=extraction.method,
            source=extraction.source,
            region=extraction.region,
            face=extraction.face,
            weights=extraction.weights,
            device=device,
        )

    def kind(self, recording: Recording) -> str:
        """Choose the kind of signal to read; with ``"auto"`` the first of ``KINDS`` available.

        Raises
        ------
        InputError
            The source is unknown, or the recording does not have it.
        """
        available = (["rppg"] if recording.video is not None else []) + list(recording.signals)
        if self.source == "auto":
            for kind in KINDS:
                if kind in available:
                    return kind
            raise InputError(
                f"{recording.name} has neither a video nor a pulse signal "
                f"({', '.join(sorted(KINDS))})"
            )
        if self.source not in KINDS:
            raise InputError(f"unknown source {self.source!r}; known: auto, {', '.join(KINDS)}")
        if self.source not in available:
            raise InputError(
                f"{recording.name} has no {self.source}; it has: "
                f"{', '.join(available) or 'nothing'}"
            )
        return self.source

    def available(self, recording: Recording) -> bool:
        """Tell whether the recording has a pulse signal to read; an unknown source is an error."""
        try:
            self.kind(recording)
        except InputError:
            if self.source not in ("auto", *KINDS):
                raise
            return False
        return True

    def is_camera(self, recording: Recording) -> bool:
        """Tell whether the wave is estimated from the video, not read from a signal."""
        return recording.video is not None and self.kind(recording) == "rppg"

    def wave(
        self,
        recording: Recording,
        progress: Progress | None = None,
        preview: Preview | None = None,
        *,
        cache: Cache | None = None,
    ) -> Signal:
        """Read or estimate the wave; a pulse wave has a quality for each sample.

        The ``cache`` stores where the face is in a video.
        """
        kind = self.kind(recording)
        if self.is_camera(recording) and recording.video is not None:
            from emotion_rppg.pulse.estimate import estimate

            return estimate(
                recording.video,
                self.method,
                device=self.device,
                region=self.region,
                face=None if self.face is None else int(self.face),
                weights=self.weights,
                progress=progress,
                preview=preview,
                cache=cache,
            )
        return _with_sample_quality(recording.read(kind), kind)

    def pulse(
        self,
        recording: Recording,
        progress: Progress | None = None,
        preview: Preview | None = None,
        *,
        cache: Cache | None = None,
    ) -> Pulse:
        """Read or estimate what features are computed from: the wave, or beats without a wave."""
        if self.is_camera(recording):
            return self.wave(recording, progress, preview, cache=cache)
        kind = self.kind(recording)
        pulse = recording.read_pulse(kind)
        return pulse if isinstance(pulse, Beats) else _with_sample_quality(pulse, kind)

    def reads_people(self, recording: Recording) -> bool:
        """Tell whether a recording has one wave for each person in its video."""
        return self.face == EVERYBODY and self.is_camera(recording)

    def waves(
        self,
        recording: Recording,
        progress: Progress | None = None,
        *,
        cache: Cache | None = None,
    ) -> list[Signal]:
        """Read or estimate the wave, or with ``face="all"`` that of every person in the video."""
        if not self.reads_people(recording):
            return [self.wave(recording, progress, cache=cache)]
        from emotion_rppg.pulse.people import estimate_people

        assert recording.video is not None
        people = estimate_people(
            recording.video,
            self.method,
            device=self.device,
            weights=self.weights,
            progress=progress,
        )
        return list(people)

    def pulses(
        self,
        recording: Recording,
        progress: Progress | None = None,
        preview: Preview | None = None,
        *,
        cache: Cache | None = None,
    ) -> Sequence[Pulse]:
        """Read or estimate `pulse`, or with ``face="all"`` the waves of all people in the video."""
        if self.reads_people(recording):
            return self.waves(recording, progress)
        return [self.pulse(recording, progress, preview, cache=cache)]

    def facts(self, recording: Recording, *, pulse: bool = True) -> dict[str, object]:
        """Make the identity columns of a feature table, with labels and training provenance.

        Without a pulse (``pulse=False``) the columns on its source and method are empty.
        """
        kind = self.kind(recording) if pulse else ""
        camera = pulse and self.is_camera(recording)
        network, trained_on = network_of(self.method, self.weights) if camera else ("", "")
        columns: dict[str, object] = {
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
        columns |= {LABEL + name: value for name, value in recording.labels.items()}
        columns |= {SCALE + name: f"{a:g}..{b:g}" for name, (a, b) in recording.scales.items()}
        columns |= {PARTICIPANT + name: value for name, value in recording.participant.items()}
        return columns


def _with_sample_quality(signal: Signal, kind: str) -> Signal:
    """Add the quality of each sample to a pulse wave that has none."""
    if not KINDS[kind].pulse_wave or signal.quality is not None:
        return signal
    from emotion_rppg.signal_quality import sample_quality

    return replace(signal, quality=sample_quality(signal))


def method_name(method: str | Path | Callable[..., np.ndarray]) -> str:
    """Name a method as in the column ``method``."""
    if callable(method):
        return getattr(method, "__name__", type(method).__name__)
    return Path(method).name if Path(method).is_dir() else str(method)


def network_of(method: object, weights: object) -> tuple[str, str]:
    """Look up the network's name and training people; both empty for a classical method.

    The name is that of the network's folder, or ``"bundled"``.
    """
    from emotion_rppg.pulse.inference.trained_network import BUNDLED, BUNDLED_NAME

    for given in (weights, method):
        if not isinstance(given, str | Path):
            continue
        bundled = None if Path(given).is_dir() else BUNDLED.get(str(given))
        folder = Path(given) if bundled is None else bundled
        if folder.is_dir():
            trained_on = read_config(folder).get("trained_on", "unknown")
            text = trained_on if isinstance(trained_on, str) else json.dumps(trained_on)
            return BUNDLED_NAME if bundled else folder.resolve().name, text
    return "", ""


def as_recordings(
    given: Iterable[Recording] | str | Path | Video,
    *,
    channel: str | None = None,
    kind: str | None = None,
) -> list[Recording]:
    """List the recordings of a data set, a list, a folder, a video or a signal file.

    ``channel`` names the column or channel to read of signal files with several; ``kind`` (a name
    in ``KINDS``) says what it contains if its name does not.
    """
    from emotion_rppg.datasets.folder import Folder, recording_of

    if channel is not None and not isinstance(given, str | Path):
        raise InputError(
            f"channel {channel!r} applies to a signal file: give the path of one, or no channel"
        )
    column = {"channel": channel, "kind": kind if kind in KINDS else None}

    if isinstance(given, Video):
        return [Recording(given.path.parent.name, given.path.stem, video=given)]
    if isinstance(given, str | Path):
        if Path(given).is_dir():
            return list(Folder(given, **column))
        return [recording_of(given, **column)]
    return list(given)


def wave_inputs(recording: Recording, reading: Reading) -> list[Any]:
    """List what a wave depends on, for its cache key: signal kind, video or signal, options.

    Raises
    ------
    InputError
        The recording does not have the signal.
    """
    kind = reading.kind(recording)
    folders = {
        name: Path(value)
        for name, value in (("method", reading.method), ("weights", reading.weights))
        if isinstance(value, str) and Path(value).is_dir()
    }  # as a Path, a network is identified by its files
    origin = recording.video if reading.is_camera(recording) else recording.signals[kind]
    return [kind, origin, replace(reading, **folders)]  # type: ignore[arg-type]


def wave_key(recording: Recording, reading: Reading) -> str | None:
    """Compute the cache key of a camera wave; None for a contact signal, which is quick to read."""
    if not reading.is_camera(recording):
        return None
    return fingerprint("wave", wave_inputs(recording, reading))


def cached_waves(
    recording: Recording, reading: Reading, store: Cache | None
) -> list[Signal] | None:
    """Read the camera waves of a recording, one for each person, from the cache; None if absent."""
    try:
        cached = None if store is None else store.get(wave_key(recording, reading))
    except InputError:
        return None
    if isinstance(cached, Signal):
        return [cached]
    if not isinstance(cached, dict) or not {_CLOCK, "places"} <= cached.keys():
        return None
    rate_hz, start_s = cached[_CLOCK]
    rows = zip(cached["samples"], cached["quality"], cached["places"], strict=True)
    return [
        PersonWave(
            samples,
            float(rate_hz),
            kind="rppg",
            start_s=float(start_s),
            quality=quality,
            face_x=float(x),
            face_y=float(y),
            face_height=float(height),
            seen_s=(float(first), float(last)),
        )
        for samples, quality, (x, y, height, first, last) in rows
    ]


def cacheable(
    recording: Recording, reading: Reading, waves: list[Signal]
) -> Signal | dict[str, np.ndarray]:
    """Convert the waves of a recording for the cache; those of people have one clock."""
    if not reading.reads_people(recording):
        return waves[0]
    return {
        _CLOCK: np.array([waves[0].rate_hz, waves[0].start_s]),
        "samples": np.array([wave.samples for wave in waves]),
        "quality": np.array([wave.quality for wave in waves]),
        "places": np.array([_place(wave) for wave in waves if isinstance(wave, PersonWave)]),
    }


def _place(wave: PersonWave) -> tuple[float, ...]:
    return (wave.face_x, wave.face_y, wave.face_height, *wave.seen_s)


def of_person(recording: Recording, reading: Reading, person: int) -> Recording:
    """Name the recording of one person in a video: trial ``1`` becomes ``1 person 2``."""
    if not reading.reads_people(recording):
        return recording
    return replace(recording, trial=f"{recording.trial} person {person}")


def waves(
    recordings: Iterable[Recording] | str | Path | Video,
    *,
    method: str | Path | Callable[..., np.ndarray] = DEFAULT_METHOD,
    source: str = "auto",
    region: str = "face",
    face: int | str | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    cache: Cache | str | Path | None = None,
    channel: str | None = None,
) -> Iterator[tuple[Recording, Signal]]:
    """Iterate over recordings and the waves that `extract` uses; unreadable ones are skipped.

    A warning names each skipped recording, and counts those with intervals in place of a wave. The
    parameters are those of `extract`; a camera wave in the ``cache`` is not estimated again. With
    ``face="all"`` there is one pair for each person, with the recording's trial ``1`` named
    ``1 person 2``.
    """
    reading = Reading(
        method=method, source=source, region=region, face=face, weights=weights, device=device
    )
    store = Cache(cache) if isinstance(cache, str | Path) else cache
    without = 0
    for recording in as_recordings(recordings, channel=channel, kind=reading.source):
        try:
            if KINDS[reading.kind(recording)].detect is None:
                without += 1
                continue
            found = cached_waves(recording, reading, store)
            found = found or reading.waves(recording, cache=store)
        except InputError as error:
            _log.warning("%s: %s", recording.name, error)
            continue
        for person, wave in enumerate(found, 1):
            yield of_person(recording, reading, person), wave
    if without:
        _log.warning("%d recordings have intervals between beats and no wave", without)
