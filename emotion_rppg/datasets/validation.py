"""Check the recordings of a download against the card of its data set.

Finds missing people, other sampling rates, files that cannot be read, flat signals, and people who
appear twice under different names. `emotion-rppg datasets NAME --root DIR` prints the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Beats

_RATE_TOLERANCE = 0.02  # relative
_MIN_COVERAGE = 0.5  # share of valid samples


def list_problems(card: Card, recordings: Sequence[Recording]) -> list[str]:
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
        out += _signal_problems(card, trials[0])
    return out


def people_with_same_pulse(sets: Sequence[Sequence[Recording]]) -> list[str]:
    """List pairs of people, of one data set or several, who have the same pulse, a sentence each.

    The first recording of each person is compared, whatever the unit of its samples. Two people of
    one name and data set are one. One person under two names may be on both sides of a split.
    """
    owners: dict[bytes, Recording] = {}
    out = []
    for recordings in sets:
        first_of_person = {recording.person: recording for recording in reversed(recordings)}
        for recording in reversed(first_of_person.values()):
            for kind in recording.signals:
                owner = owners.setdefault(_fingerprint(recording, kind), recording)
                if owner.person != recording.person:
                    out.append(f"{recording.person} has the same {kind} as {owner.person}")
    return out


def _fingerprint(recording: Recording, kind: str) -> bytes:
    """Return the standardised samples as bytes, or a unique name if unreadable or flat."""
    try:
        samples = recording.read(kind).samples
    except InputError:
        samples = np.zeros(0)
    spread = float(np.nanstd(samples)) if np.isfinite(samples).any() else 0.0
    if not spread:
        return f"{recording.name} {kind}".encode()
    return np.round((samples - np.nanmean(samples)) / spread, 4).tobytes()


def measure_rates(recordings: Sequence[Recording]) -> dict[str, float]:
    """Return the rate (Hz) of each kind of signal, from the first person who can be read."""
    out: dict[str, float] = {}
    subjects: set[str] = set()
    for recording in recordings:
        if recording.subject in subjects:
            continue
        subjects.add(recording.subject)
        for kind in recording.signals.keys() - out.keys():
            try:
                out[kind] = recording.read(kind).rate_hz
            except InputError:
                continue  # `list_problems` reports it
    return dict(sorted(out.items()))


def _signal_problems(card: Card, recording: Recording) -> list[str]:
    """List signals that cannot be read, are flat or missing, or have another rate than the card."""
    out = []
    for kind in recording.signals:
        try:
            signal = recording.read_pulse(kind)
        except InputError as error:
            out.append(str(error))
            continue
        if isinstance(signal, Beats):
            continue  # intervals have no rate
        card_hz = card.rates_hz.get(kind)
        if card_hz is not None and abs(signal.rate_hz - card_hz) > _RATE_TOLERANCE * card_hz:
            out.append(
                f"{recording.name}: {kind} at {signal.rate_hz:g} Hz, the card says {card_hz:g}"
            )
        if signal.coverage < _MIN_COVERAGE:
            out.append(
                f"{recording.name}: only {signal.coverage:.0%} of the {kind} samples are valid"
            )
        elif np.nanmax(signal.samples) == np.nanmin(signal.samples):
            out.append(f"{recording.name}: the {kind} is flat")
    return out
