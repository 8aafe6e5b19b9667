"""Compute the feature rows of one recording: read its signals, cut windows, withhold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction
from emotion_rppg.features.family import PULSE
from emotion_rppg.features.sensors import Judged, judge
from emotion_rppg.pulse.person_wave import PersonWave
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.study.acquisition import Progress, Reading
from emotion_rppg.study.corrections import PulseBeats, beats_with_edits, with_edit_columns
from emotion_rppg.study.event_rows import event_rows
from emotion_rppg.study.window_features import measure
from emotion_rppg.windows import (
    EVENT,
    FACE_PLACE,
    IDENTITY,
    LABEL,
    OF_EVENT,
    PARTICIPANT,
    PERSON,
    SCALE,
    cut,
)

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.pulse.estimate import Preview


def read_pulse(
    recording: Recording,
    reading: Reading,
    options: Extraction,
    *,
    cached: list[Signal] | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
) -> tuple[Sequence[Pulse], str]:
    """Read the pulses that the families need; none if none needs one, or with the reason.

    Raises
    ------
    InputError
        The pulse cannot be read, and no family of another signal is requested.
    """
    from emotion_rppg.features import needs_pulse

    if not needs_pulse(options.families):
        return [], ""
    others = sensors_of(options)
    if others and not reading.available(recording):
        wanted = "video or pulse signal" if reading.source == "auto" else reading.source
        return [], f"no pulse: the recording has no {wanted}"
    try:
        if cached is not None:
            return cached, ""
        return reading.pulses(recording, progress, preview, cache=cache), ""
    except InputError as error:
        if not others:
            raise
        return [], f"no pulse: {error}"


def sensors_of(options: Extraction) -> tuple[str, ...]:
    """Kinds of signal besides the pulse from which the families are computed."""
    from emotion_rppg.features import kinds_of

    return tuple(kind for kind in kinds_of(options.families) if kind != PULSE)


def features_of_all(
    recording: Recording,
    pulses: Sequence[Pulse],
    reading: Reading,
    options: Extraction,
    *,
    no_pulse: str = "",
) -> pd.DataFrame:
    """Compute the feature rows of a recording: of its pulse, or of every person in its video.

    Without a pulse, ``no_pulse`` is the reason.
    """
    import pandas as pd

    if not pulses or not reading.reads_people(recording):
        pulse = pulses[0] if pulses else None
        return features_of(recording, pulse, reading, options, no_pulse=no_pulse)
    rows = [
        features_of(recording, pulse, reading, options, person=number)
        for number, pulse in enumerate(pulses, 1)
    ]
    return pd.concat(rows, ignore_index=True)


def features_of(
    recording: Recording,
    pulse: Pulse | None,
    reading: Reading,
    options: Extraction,
    *,
    person: int | None = None,
    no_pulse: str = "",
) -> pd.DataFrame:
    """Compute the feature rows of a recording, without baseline and embeddings.

    The windows are those of the pulse, or without one those of the other signals; with
    ``options.events`` those about events.

    Parameters
    ----------
    pulse : Signal, Beats or None
        The pulse wave, or the beats of a device without a wave.
    person : int, optional
        Number of the wave's person in the video, for the column ``person``; a `PersonWave` gives
        ``face_x`` and ``face_y``, too.
    no_pulse : str
        Why there is no pulse, for the column ``reason``.

    Raises
    ------
    InputError
        Neither a pulse nor another signal of the families could be read.
    """
    import pandas as pd

    from emotion_rppg.features import check_families

    check_families(options.families)  # a worker process has only those of the package
    facts = reading.facts(recording, pulse=pulse is not None)
    if person is not None:
        facts[PERSON] = person
        if isinstance(pulse, PersonWave):
            facts |= {name: round(getattr(pulse, name), 3) for name in FACE_PLACE}
    sensors = {kind: _read_sensor(recording, kind) for kind in sensors_of(options)}
    if pulse is None:
        own = PulseBeats(_no_beats(recording, sensors, no_pulse), None)
    else:
        own = beats_with_edits(recording, pulse, reading, edits=options.edits, person=person)
    beats, wave = own.beats, own.wave
    missing = None if pulse is not None else no_pulse
    if options.events is not None:
        rows = event_rows(recording, beats, wave, sensors, options, facts=facts, no_pulse=missing)
        return order_columns(with_edit_columns(rows, own.corrected))
    windows = cut(beats, wave, length_s=options.length_s, step_s=options.step_s, facts=facts)
    features = measure(windows, sensors, options, no_pulse=missing)
    table = with_edit_columns(windows.table, own.corrected)
    return order_columns(pd.concat([table, features], axis=1))


def _read_sensor(recording: Recording, kind: str) -> Judged | str:
    """Read and judge a signal without beats, or say in a sentence why there is none."""
    if kind not in recording.signals:
        return f"no signal: the recording has no {kind}"
    try:
        return judge(replace(recording.read(kind), kind=kind))
    except InputError as error:
        return f"not read: {error}"


def _no_beats(recording: Recording, sensors: Mapping[str, Judged | str], no_pulse: str) -> Beats:
    """Return no beats over the span of the other signals of a recording without a wave."""
    signals = [judged.signal for judged in sensors.values() if isinstance(judged, Judged)]
    if not signals:
        texts = [no_pulse, *(text for text in sensors.values() if isinstance(text, str))]
        raise InputError(f"{recording.name}: {'; '.join(filter(None, texts))}")
    span = (min(s.start_s for s in signals), max(s.end_s for s in signals))
    return Beats(np.zeros(0), gaps=[span], span_s=span)


def order_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Sort columns: identities first, then labels with their scales, then features."""
    first = [c for c in IDENTITY if c in table]
    if PERSON in table:
        at = first.index("trial") + 1 if "trial" in first else 0
        first[at:at] = [c for c in (PERSON, *FACE_PLACE) if c in table]
    if EVENT in table:
        at = first.index("duration_s") + 1 if "duration_s" in first else len(first)
        first[at:at] = [c for c in OF_EVENT if c in table]
    labels = [c for c in table if c.startswith((LABEL, SCALE, PARTICIPANT))]
    rest = [c for c in table if c not in first and c not in labels]
    return table[first + labels + rest]
