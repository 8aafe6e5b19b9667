"""Compute the feature rows of windows about events: one row per event, with its own baseline.

A row's window begins ``before_s`` before the onset and ends ``after_s`` after it. Its features are
those of the whole window. ``NAME_change`` is the feature after the onset (0 to ``after_s``) minus
the feature before it (``-before_s`` to 0), the event's baseline. Each part is judged like a window
of its own, so a feature has a change only if both parts are long enough for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, extraction_of
from emotion_rppg.features.event_beats import beats_as_text
from emotion_rppg.features.sensors import REASON, SENSORS, Judged
from emotion_rppg.features.trust import untrusted_reason
from emotion_rppg.formats.event_tables import on_clock
from emotion_rppg.recordings import Event, Recording
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study.window_features import measure
from emotion_rppg.windows import (
    CHANGE,
    CHANGE_REASON,
    EVENT,
    EVENT_BEATS,
    LABEL,
    OF_EVENT,
    OK,
    Windows,
    cut_at,
)

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"  # as the only name: events of every kind
TOLERANCE = 0.02  # share of a window that may lie outside the recording, as of its features
_MOST_NAMES = 20  # of events that a message lists


def check_event_options(options: Extraction) -> None:
    """Check the options on events, and those that they exclude.

    Raises
    ------
    InputError
        All faults, in one message.
    """
    usual = Extraction()
    faults = []
    if options.events is None:
        changed = [n for n in ("before_s", "after_s") if getattr(options, n) != getattr(usual, n)]
        faults += [f"{', '.join(changed)} without events: name the events, too"] if changed else []
    else:
        if not options.events:
            faults.append(f"events is empty: give names, or {ALL!r}")
        if not (math.isfinite(options.before_s) and options.before_s >= 0):
            faults.append(f"before_s must be seconds, zero or more, got {options.before_s!r}")
        if not (math.isfinite(options.after_s) and options.after_s > 0):
            faults.append(f"after_s must be seconds above zero, got {options.after_s!r}")
        if (options.length_s, options.step_s) != (usual.length_s, usual.step_s):
            faults.append(
                "length_s and step_s with events: the window of an event is before_s + after_s "
                "long; omit length_s and step_s"
            )
        if options.baseline is not None:
            faults.append(
                f"baseline {options.baseline!r} with events: each event is compared with the "
                "seconds before it; omit the baseline"
            )
    if faults:
        raise InputError("; ".join(faults))


def check_events(recordings: Sequence[Recording], options: Extraction) -> None:
    """Check, before any signal is read, that each chosen kind of event is in some recording.

    Raises
    ------
    InputError
        A kind that no recording has; the message lists those that there are. Or the tables of
        events cannot be read.
    """
    if options.events is None:
        return
    counts: Counter[str] = Counter()
    unreadable: list[str] = []
    for recording in recordings:
        try:
            counts.update(event.name for event in recording.read_events())
        except InputError as error:
            unreadable.append(str(error))
    if not counts:
        raise InputError(
            unreadable[0]
            if unreadable
            else "no recording has events: put a table NAME_events.csv with a column onset (s) "
            "beside each file NAME, or see docs/events.md for other sources"
        )
    missing = [name for name in _not_all(options.events) if not _spelt(name, counts)]
    if missing:
        raise InputError(
            f"no recording has the event {', '.join(map(repr, missing))}; the events are: "
            f"{_listed(counts)}"
        )


def _not_all(names: Sequence[str]) -> list[str]:
    return [] if list(names) == [ALL] else list(names)


def _spelt(name: str, available: Mapping[str, int]) -> list[str]:
    """Return the spelling of an event in the recordings; without one, those that differ by case."""
    if name in available:
        return [name]
    return [other for other in available if other.casefold() == name.casefold()]


def _listed(counts: Mapping[str, int]) -> str:
    """List kinds of event with their numbers: ``stimulus (24), response (23)``."""
    names = sorted(counts, key=lambda name: -counts[name])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(f"{name} ({counts[name]})" for name in names[:_MOST_NAMES]) + more


def choose_events(events: Sequence[Event], names: Sequence[str]) -> list[tuple[int, Event]]:
    """Choose events by their kind; number those of each kind from 1, in the order given.

    Raises
    ------
    InputError
        There is none of these kinds; the message lists those that there are.
    """
    counts: Counter[str] = Counter()
    numbered = []
    for event in events:
        counts[event.name] += 1
        numbered.append((counts[event.name], event))
    wanted = {spelling for name in _not_all(names) for spelling in _spelt(name, counts)}
    chosen = [pair for pair in numbered if not _not_all(names) or pair[1].name in wanted]
    if not chosen:
        raise InputError(
            f"no event {' or '.join(map(repr, names))}; the events are: {_listed(counts) or 'none'}"
        )
    return chosen


def event_rows(
    recording: Recording,
    beats: Beats,
    wave: Signal | None,
    sensors: Mapping[str, Judged | str],
    options: Extraction,
    *,
    facts: Mapping[str, object],
    no_pulse: str | None = None,
) -> pd.DataFrame:
    """Compute one row per event of a recording, with the change from before the onset.

    An event whose window is not within the recording has a row with the reason.

    Parameters
    ----------
    beats, wave : Beats, Signal or None
        Of the whole recording.
    sensors : mapping
        Its other signals, judged, or why one is missing.
    facts : mapping
        Columns with the same value in every row.
    no_pulse : str, optional
        Why the recording has no pulse.

    Raises
    ------
    InputError
        The recording has none of the events.
    """
    import pandas as pd

    span = beats.span_s or ((wave.start_s, wave.end_s) if wave is not None else (0.0, 0.0))
    events = on_clock(recording.read_events(), span[0])
    chosen = choose_events(events, options.events or ())
    own = [{**facts, **_facts(number, event)} for number, event in chosen]
    before_s, after_s = options.before_s, options.after_s
    onsets = [event.onset_s for _, event in chosen]
    unusable = [_outside(onset, before_s, after_s, span) for onset in onsets]

    def measured(begin_s: float, end_s: float) -> tuple[Windows, pd.DataFrame]:
        spans = [(onset + begin_s, end_s - begin_s) for onset in onsets]
        windows = cut_at(beats, wave, spans, facts=own)
        return windows, measure(windows, sensors, options, no_pulse=no_pulse, unusable=unusable)

    windows, whole = measured(-before_s, after_s)
    parts = [windows.table, whole]
    if before_s > 0:
        before, after = measured(-before_s, 0.0)[1], measured(0.0, after_s)[1]
        parts.append(_changes(before, after, min(before_s, after_s)))
    if no_pulse is None:
        pairs = zip(windows.beats, windows.signals, strict=True)
        untrusted = [untrusted_reason(b, s, min_quality=options.min_quality) for b, s in pairs]
        around = [
            "" if outside or reason else beats_as_text(beats, onset, -before_s, after_s)
            for onset, outside, reason in zip(onsets, unusable, untrusted, strict=True)
        ]
        parts.append(pd.DataFrame({EVENT_BEATS: around}, dtype=object))
    return pd.concat(parts, axis=1)


def _facts(number: int, event: Event) -> dict[str, Any]:
    """Make the columns of an event; its own ratings replace those of the recording."""
    values = (event.name, number, event.onset_s, event.duration_s, event.value)
    labels = {LABEL + name: value for name, value in event.labels.items()}
    return dict(zip(OF_EVENT, values, strict=True)) | labels


def _outside(onset_s: float, before_s: float, after_s: float, span: tuple[float, float]) -> str:
    """Say that the window of an event is not within the recording; empty if it is."""
    start_s, end_s = onset_s - before_s, onset_s + after_s
    slack_s = TOLERANCE * (before_s + after_s)
    if start_s >= span[0] - slack_s and end_s <= span[1] + slack_s:
        return ""
    return (
        f"not within the recording: the window of the event is at {start_s:.1f}–{end_s:.1f} s, "
        f"the recording at {span[0]:.1f}–{span[1]:.1f} s"
    )


def features_with_change(names: Sequence[str], shortest_s: float) -> list[str]:
    """List the features that parts of ``shortest_s`` before and after an onset support."""
    from emotion_rppg.features import columns

    records = columns()
    known = [name for name in names if name in records and records[name].is_feature]
    return [n for n in known if shortest_s >= records[n].minimum_s * (1 - TOLERANCE)]


def _changes(before: pd.DataFrame, after: pd.DataFrame, shortest_s: float) -> pd.DataFrame:
    """Subtract the features before the onset from those after it; say what is withheld."""
    import pandas as pd

    from emotion_rppg.features import compared

    names = features_with_change(compared(before), shortest_s)
    difference = after[names].to_numpy(dtype=float) - before[names].to_numpy(dtype=float)
    out = pd.DataFrame(difference, columns=[f"{name}{CHANGE}" for name in names])
    texts = zip(_reasons(before, names), _reasons(after, names), strict=True)
    return out.assign(**{CHANGE_REASON: [_reason(early, late) for early, late in texts]})


def _reasons(part: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Say why features of each row are missing, by the pulse and other signals; else empty."""
    about = {"reason": ""} | {kind + REASON: f"{s.name}: " for kind, s in SENSORS.items()}
    columns = [str(name) for name in part if name in about]

    def text(row: Mapping[str, str]) -> str:
        said = [about[n] + row[n] for n in columns if row[n] != OK]
        return "; ".join(dict.fromkeys(said))

    complete = np.isfinite(part[list(names)].to_numpy(dtype=float)).all(axis=1)
    rows = zip(part[columns].to_dict("records"), complete, strict=True)
    return ["" if full else text(row) for row, full in rows]


def _reason(before: str, after: str) -> str:
    if before == after:  # as of a window that is not within the recording
        return before or OK
    parts = (("before the onset", before), ("after the onset", after))
    return "; ".join(f"{part}, {text}" for part, text in parts if text)


def summary_of_events(table: pd.DataFrame) -> list[str]:
    """Summarise a table of events: the number of each kind, and the features without a change."""
    from emotion_rppg.features import columns

    options = extraction_of(table)
    if options is None or options.events is None:
        return []
    lines = [f"events: {_listed(Counter(table[EVENT].astype(str)))}"]
    if options.before_s <= 0:
        return lines
    shortest_s = min(options.before_s, options.after_s)
    records = columns()
    names = [str(n) for n in table if str(n) in records and records[str(n)].is_feature]
    with_change = features_with_change(names, shortest_s)
    too_short: dict[float, list[str]] = {}
    for name in names:
        if name not in with_change:
            too_short.setdefault(records[name].minimum_s, []).append(name)
    for minimum_s, several in sorted(too_short.items()):
        lines.append(
            f"no {CHANGE} column, need {minimum_s:g} s before and after the event: "
            f"{', '.join(several)}"
        )
    return lines
