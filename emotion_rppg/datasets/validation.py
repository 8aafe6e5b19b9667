"""Check the recordings of a download against the card of its data set.

Finds missing people and signals, other sampling rates, labels beyond their scale, files that cannot
be read, flat signals, and people who appear twice under different names. `emotion-rppg datasets
NAME --root DIR` prints the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Beats, Pulse

_RATE_TOLERANCE = 0.02  # relative
_MIN_COVERAGE = 0.5  # share of valid samples
RatesOf = Callable[[Mapping[str, Pulse]], Mapping[str, float]]


@dataclass(frozen=True)
class Measured:
    """Facts of one signal: rate (Hz, NaN for intervals), duration (s) and share of valid samples.

    ``fault`` says why the signal could not be read; the other facts are then missing.
    """

    kind: str
    rate_hz: float = float("nan")
    duration_s: float = float("nan")
    coverage: float = float("nan")
    is_flat: bool = False
    fault: str = ""


@dataclass(frozen=True)
class MeasuredRecording:
    """A recording, the facts of its signals and the heart rate (bpm, NaN: withheld) of some."""

    recording: Recording
    signals: Sequence[Measured]
    heart_rates: Mapping[str, float] = field(default_factory=dict)


def measure(
    recordings: Sequence[Recording], *, rates_of: RatesOf | None = None
) -> list[MeasuredRecording]:
    """Read the first recording of each person and measure its signals.

    ``rates_of`` returns the heart rate (bpm) by kind of the signals of one recording.
    """
    first_of_person = {recording.person: recording for recording in reversed(recordings)}
    return [_measure_one(recording, rates_of) for recording in reversed(first_of_person.values())]


def _measure_one(recording: Recording, rates_of: RatesOf | None) -> MeasuredRecording:
    pulses: dict[str, Pulse] = {}
    facts = []
    for kind in recording.signals:
        try:
            pulses[kind] = recording.read_pulse(kind)
        except InputError as error:
            facts.append(Measured(kind, fault=str(error)))
        else:
            facts.append(_facts(kind, pulses[kind]))
    return MeasuredRecording(recording, facts, rates_of(pulses) if rates_of else {})


def _facts(kind: str, pulse: Pulse) -> Measured:
    if isinstance(pulse, Beats):
        return Measured(kind, duration_s=pulse.duration_s, coverage=pulse.coverage)
    valid = pulse.samples[np.isfinite(pulse.samples)]
    is_flat = bool(valid.size) and valid.max() == valid.min()
    return Measured(kind, pulse.rate_hz, pulse.duration_s, pulse.coverage, bool(is_flat))


def list_problems(
    card: Card,
    recordings: Sequence[Recording],
    measured: Sequence[MeasuredRecording] | None = None,
) -> list[str]:
    """List what disagrees with the card, one sentence each; read one recording per person.

    ``measured`` is what `measure` returned; default: it is measured now.
    """
    people = Counter(recording.subject for recording in recordings)
    out = []
    if card.people is not None and len(people) != card.people:
        out.append(f"{len(people)} people, the card says {card.people}")
    usual, people_with_usual = Counter(people.values()).most_common(1)[0]
    if 2 * people_with_usual >= len(people):  # else there is no usual number
        out += [
            f"subject {subject}: {trials} recordings, the others have {usual}"
            for subject, trials in people.items()
            if trials != usual
        ]
    missing = missing_signals(card, recordings)
    if missing:
        out.append(f"no recording has {', '.join(missing)}, which the card lists")
    out += _label_problems(card, recordings)
    for one in measure(recordings) if measured is None else measured:
        for signal in one.signals:
            out += _signal_problems(card, one.recording.name, signal)
    return out


def missing_signals(card: Card, recordings: Sequence[Recording]) -> list[str]:
    """List the signals of the card that no recording has; none for a folder of the user."""
    if not card.reference:
        return []
    present = {kind for recording in recordings for kind in recording.signals}
    if any(recording.video is not None for recording in recordings):
        present |= {"video", "colours"}
    return [kind for kind in card.modalities if kind not in present]


def label_ranges(recordings: Sequence[Recording]) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest value of each label that has numbers."""
    values: dict[str, list[float]] = {}
    for recording in recordings:
        for label, value in recording.labels.items():
            if not isinstance(value, str) and np.isfinite(value):
                values.setdefault(label, []).append(float(value))
    return {label: (min(numbers), max(numbers)) for label, numbers in values.items()}


def _label_problems(card: Card, recordings: Sequence[Recording]) -> list[str]:
    """List the ratings of the card that no recording has, or that leave their scale."""
    ranges = label_ranges(recordings)
    continuous = {kind for recording in recordings for kind in recording.signals}
    out = []
    for label, (low, high) in card.scales.items():
        if label in ranges and not low <= ranges[label][0] <= ranges[label][1] <= high:
            lowest, highest = ranges[label]
            out.append(
                f"{label} goes from {lowest:g} to {highest:g}, the card says {low:g} to {high:g}"
            )
        elif label not in ranges and label not in continuous:
            out.append(f"no recording has a rating of {label}, which the card lists")
    return out


def list_matches(
    card: Card, recordings: Sequence[Recording], measured: Sequence[MeasuredRecording]
) -> list[str]:
    """List what agrees with the card: the number of people, rates, and ranges of labels."""
    out = []
    people = len({recording.subject for recording in recordings})
    if people == card.people:
        out.append(f"{people} people")
    signals = [signal for one in measured for signal in one.signals]
    for kind, card_hz in card.rates_hz.items():
        rates = [s.rate_hz for s in signals if s.kind == kind and np.isfinite(s.rate_hz)]
        if rates and all(_is_same_rate(rate, card_hz) for rate in rates):
            out.append(f"{kind} at {card_hz:g} Hz in {len(rates)} of {len(measured)} people")
    ranges = label_ranges(recordings)
    for label, (low, high) in card.scales.items():
        if label in ranges and low <= ranges[label][0] <= ranges[label][1] <= high:
            out.append(f"{label} within {low:g} to {high:g}")
    return out


def measure_rates(measured: Sequence[MeasuredRecording]) -> dict[str, float]:
    """Return the rate (Hz) of each kind of signal, from the first person who can be read."""
    out: dict[str, float] = {}
    for one in measured:
        for signal in one.signals:
            if np.isfinite(signal.rate_hz):
                out.setdefault(signal.kind, signal.rate_hz)
    return dict(sorted(out.items()))


def measure_durations(measured: Sequence[MeasuredRecording]) -> dict[str, tuple[float, float]]:
    """Return the shortest and longest duration (s) of each kind of signal, over people."""
    values: dict[str, list[float]] = {}
    for one in measured:
        for signal in one.signals:
            if np.isfinite(signal.duration_s):
                values.setdefault(signal.kind, []).append(signal.duration_s)
    return {kind: (min(numbers), max(numbers)) for kind, numbers in sorted(values.items())}


def summarise_rates(measured: Sequence[MeasuredRecording]) -> dict[str, dict[str, float]]:
    """Return the lowest and highest heart rate (bpm) by kind, and of how many people."""
    values: dict[str, list[float]] = {}
    for one in measured:
        for kind, rate_bpm in one.heart_rates.items():
            values.setdefault(kind, []).append(rate_bpm)
    out = {}
    for kind, rates in values.items():
        trusted = [rate for rate in rates if np.isfinite(rate)]
        ends = {"lowest": min(trusted), "highest": max(trusted)} if trusted else {}
        counts = {"people": len(trusted), "withheld": len(rates) - len(trusted)}
        out[kind] = {name: round(value, 1) for name, value in {**ends, **counts}.items()}
    return out


def summarise_differences(measured: Sequence[MeasuredRecording]) -> dict[str, dict[str, float]]:
    """Return how far two heart rates (bpm) of one recording differ: median, greatest, people."""
    values: dict[str, list[float]] = {}
    for one in measured:
        trusted = [(k, rate) for k, rate in sorted(one.heart_rates.items()) if np.isfinite(rate)]
        for (first, first_bpm), (second, second_bpm) in combinations(trusted, 2):
            values.setdefault(f"{first} and {second}", []).append(abs(first_bpm - second_bpm))
    return {
        pair: {
            "median": round(float(np.median(differences)), 1),
            "greatest": round(max(differences), 1),
            "people": len(differences),
        }
        for pair, differences in values.items()
    }


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


def _is_same_rate(rate_hz: float, card_hz: float) -> bool:
    return abs(rate_hz - card_hz) <= _RATE_TOLERANCE * card_hz


def _signal_problems(card: Card, name: str, signal: Measured) -> list[str]:
    """List why a signal cannot be used, or that it has another rate than the card."""
    if signal.fault:
        return [signal.fault]
    if not np.isfinite(signal.rate_hz):
        return []  # intervals have no rate
    out = []
    card_hz = card.rates_hz.get(signal.kind)
    if card_hz is not None and not _is_same_rate(signal.rate_hz, card_hz):
        out.append(f"{name}: {signal.kind} at {signal.rate_hz:g} Hz, the card says {card_hz:g}")
    if signal.coverage < _MIN_COVERAGE:
        out.append(f"{name}: only {signal.coverage:.0%} of the {signal.kind} samples are valid")
    elif signal.is_flat:
        out.append(f"{name}: the {signal.kind} is flat")
    return out
