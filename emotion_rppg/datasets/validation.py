"""Check a download: missing people, different rates, files that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Recording

_RATE_OFF = 0.02  # relative tolerance of a rate
_SEEN = 0.5  # least share of valid samples


def problems(card: Card, recordings: Sequence[Recording]) -> list[str]:
    """List what disagrees with the card, one sentence each; read one recording per person."""
    people: dict[str, list[Recording]] = {}
    for recording in recordings:
        people.setdefault(recording.subject, []).append(recording)
    out = []
    if card.people is not None and len(people) != card.people:
        out.append(f"{len(people)} people, the card says {card.people}")
    counts = [len(trials) for trials in people.values()]
    usual = max(sorted(set(counts)), key=counts.count)
    out += [
        f"subject {subject}: {len(trials)} recordings, the others have {usual}"
        for subject, trials in people.items()
        if len(trials) != usual
    ]
    for trials in people.values():
        out += _of_recording(card, trials[0])
    return out


def shared_people(sets: Sequence[Sequence[Recording]]) -> list[str]:
    """List pairs of people, of one data set or several, who have the same pulse, a sentence each.

    The first recording of each person is compared, whatever the unit of its samples. Two people of
    one name and data set are one. One person under two names may be on both sides of a split.
    """
    first: dict[bytes, Recording] = {}
    out = []
    for recordings in sets:
        firsts = {recording.person: recording for recording in reversed(recordings)}
        for recording in reversed(firsts.values()):
            for kind in recording.signals:
                other = first.setdefault(_print_of(recording, kind), recording)
                if other.person != recording.person:
                    out.append(f"{recording.person} has the same {kind} as {other.person}")
    return out


def _print_of(recording: Recording, kind: str) -> bytes:
    """Return the standardised samples as bytes; the own name of an unreadable or flat signal."""
    try:
        samples = recording.read(kind).samples
    except InputError:
        samples = np.zeros(0)
    spread = float(np.nanstd(samples)) if np.isfinite(samples).any() else 0.0
    if not spread:
        return f"{recording.name} {kind}".encode()
    return np.round((samples - np.nanmean(samples)) / spread, 4).tobytes()


def rates_found(recordings: Sequence[Recording]) -> dict[str, float]:
    """Return the rate (Hz) of each kind of signal, of the first person who can be read."""
    out: dict[str, float] = {}
    seen: set[str] = set()
    for recording in recordings:
        if recording.subject in seen:
            continue
        seen.add(recording.subject)
        for kind in recording.signals.keys() - out.keys():
            try:
                out[kind] = recording.read(kind).rate_hz
            except InputError:
                continue  # `problems` reports it
    return dict(sorted(out.items()))


def _of_recording(card: Card, recording: Recording) -> list[str]:
    """List signals that cannot be read, are flat or missing, or have another rate than the card."""
    out = []
    for kind in recording.signals:
        try:
            signal = recording.read(kind)
        except InputError as error:
            out.append(str(error))
            continue
        said = card.rates_hz.get(kind)
        if said is not None and abs(signal.rate_hz - said) > _RATE_OFF * said:
            out.append(f"{recording.name}: {kind} at {signal.rate_hz:g} Hz, the card says {said:g}")
        if signal.coverage < _SEEN:
            out.append(f"{recording.name}: {signal.coverage:.0%} of the {kind} was seen")
        elif np.nanmax(signal.samples) == np.nanmin(signal.samples):
            out.append(f"{recording.name}: the {kind} is flat")
    return out
