"""Say what is in a file before it is analysed: its channels, and which of them would be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.folder import VIDEOS, paths_in
from emotion_rppg.errors import InputError
from emotion_rppg.formats.channel_names import NAME_PREFIXES
from emotion_rppg.formats.channels import MIN_WAVE_HZ, Contents
from emotion_rppg.formats.events import events_of
from emotion_rppg.formats.file_contents import Chosen, file_contents
from emotion_rppg.formats.rr_intervals import RR
from emotion_rppg.formats.signal_files import OPENERS, is_session, is_signal_file
from emotion_rppg.signals import Signal

UNKNOWN = "unknown"
_MOST_EVENTS = 12  # kinds that the text lists


@dataclass(frozen=True)
class ChannelFacts:
    """A channel: name, kind, unit, rate (Hz), duration (s) and share of missing samples (0–1).

    ``read_as`` is the kind as which it is read without an option, or empty; ``problem`` says why
    the channel cannot be read, and the numbers are then None.
    """

    name: str
    kind: str
    unit: str
    rate_hz: float | None
    duration_s: float | None
    missing_share: float | None
    read_as: str = ""
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Inspection:
    """Hold the channels of a file or the facts of a video, its markers, and what is read and why.

    ``signals`` has the channels that can be read, for a picture of them. ``events`` counts the
    events of each kind, in the file and in a table beside it, which ``features --events`` takes;
    ``events_problem`` says why they cannot be read.
    """

    path: Path
    format: str
    channels: tuple[ChannelFacts, ...] = ()
    markers: int = 0
    reasons: tuple[str, ...] = ()
    note: str = ""
    width: int | None = None
    height: int | None = None
    rate_hz: float | None = None
    duration_s: float | None = None
    problem: str = ""
    signals: dict[str, Signal] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    events_problem: str = ""

    def to_dict(self) -> dict[str, object]:
        """Convert to plain values for JSON, without the samples."""
        facts: dict[str, object] = {"path": str(self.path), "format": self.format}
        if self.problem:
            return facts | {"problem": self.problem}
        if self.width is not None:
            names = ("width", "height", "rate_hz", "duration_s")
            of_video = {name: getattr(self, name) for name in names}
            return facts | of_video | {"events": dict(self.events)}
        return facts | {
            "channels": [vars(channel) for channel in self.channels],
            "markers": self.markers,
            "events": dict(self.events),
            "reads": list(self.reasons),
            "note": self.note,
        }


def inspect_path(path: str | Path) -> list[Inspection]:
    """Inspect a file or session, or each recording of another folder.

    Raises
    ------
    InputError
        No such path, a file that is not known or cannot be read, or a folder without any known
        file. In a folder a file that cannot be read is listed with its ``problem``.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"no file {str(path)!r}: correct the path")
    if path.is_dir() and not is_session(path):
        found = paths_in(path)
        if not found:
            raise InputError(f"{path} has no known file: {_known()}")
        return [_or_problem(entry) for entry in found]
    return [_inspect(path)]


def _known() -> str:
    return (
        f"want videos ({', '.join(VIDEOS)}), signal files ({', '.join(OPENERS)}) or a wristband's "
        "folder"
    )


def _or_problem(path: Path) -> Inspection:
    try:
        return _inspect(path)
    except InputError as error:
        return Inspection(path, UNKNOWN, problem=str(error))


def _inspect(path: Path) -> Inspection:
    found = _inspect_contents(path)
    read = events_of(path)
    if not read:
        return found
    try:
        return replace(found, events=Counter(event.name for event in read()))
    except InputError as error:
        return replace(found, events_problem=str(error))


def _inspect_contents(path: Path) -> Inspection:
    if path.suffix.lower() in VIDEOS:
        return _inspect_video(path)
    if not is_signal_file(path):
        raise InputError(f"{path} is not known: {_known()}")
    contents, chosen = file_contents(path)
    read_as = {channel: kind for kind, names in chosen.items() for channel in names}
    channels, signals = [], {}
    for name in (channel.name for channel in contents.channels):
        facts, signal = _inspect_channel(contents, name, read_as.get(name, ""))
        channels.append(facts)
        if signal is not None:
            signals[name] = signal
    return Inspection(
        path,
        contents.format,
        tuple(channels),
        len(contents.markers),
        tuple(_reasons(contents, chosen)),
        contents.note,
        signals=signals,
    )


def _inspect_channel(
    contents: Contents, name: str, read_as: str
) -> tuple[ChannelFacts, Signal | None]:
    """Read a channel and measure what is missing of it."""
    channel = contents.channel(name)
    kind = channel.kind or UNKNOWN
    try:
        signal = contents.read(name)
    except InputError as error:
        problem = str(error)
        return ChannelFacts(name, kind, channel.unit, None, None, None, read_as, problem), None
    missing = 1.0 - signal.coverage
    facts = ChannelFacts(
        name,
        kind,
        channel.unit,
        None if kind == RR else round(signal.rate_hz, 4),  # intervals have no sampling rate
        round(signal.duration_s, 3),
        round(missing, 4),
        read_as,
    )
    return facts, signal


def _reasons(contents: Contents, chosen: Chosen) -> list[str]:
    """Say for each kind which channel is read and why, or that no pulse is read."""
    out = []
    for kind, names in chosen.items():
        alike = [c.name for c in contents.channels if c.kind == kind]
        others = [name for name in alike if name not in names]
        if contents.preferred in names:
            why = contents.note
        elif len(names) > 1:
            why = "the magnitude of its three axes"
        else:
            why = f"the first of {len(alike)} of this kind" if others else "the only one"
        more = f"; --channel chooses {', '.join(others)}" if others else ""
        out.append(f"reads {kind} from {', '.join(names)}: {why}{more}")
    if not chosen.keys() & {*NAME_PREFIXES, RR}:
        available = ", ".join(channel.name for channel in contents.channels) or "none"
        out.append(
            "reads no pulse or ECG: no channel is named as one with at least "
            f"{MIN_WAVE_HZ:g} samples per second; choose one of {available} with --channel NAME "
            "--source KIND"
        )
    return out


def _inspect_video(path: Path) -> Inspection:
    from emotion_rppg.video.frames import describe_video

    facts = describe_video(path)
    return Inspection(
        path,
        "video",
        width=facts.width,
        height=facts.height,
        rate_hz=round(facts.rate_hz, 3),
        duration_s=None if facts.duration_s is None else round(facts.duration_s, 3),
    )


def inspection_as_text(found: Inspection) -> str:
    """Describe a file in lines: a table of its channels, then what is read and why."""
    lines = [f"{found.path} ({found.format})"]
    if found.problem:
        return f"{lines[0]}\n  not read: {found.problem}"
    if found.width is not None:
        length = "unknown duration" if found.duration_s is None else f"{found.duration_s:.1f} s"
        lines.append(f"  {found.width}×{found.height}, {found.rate_hz:g} fps, {length}")
        return "\n".join([*lines, *_events_as_text(found)])
    head = ("channel", "kind", "unit", "rate", "duration", "missing")
    rows = [head, *(_row(channel) for channel in found.channels)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines += [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [
        f"  {channel.name}: {channel.problem}" for channel in found.channels if channel.problem
    ]
    lines += [f"  {reason}" for reason in found.reasons]
    lines.append(f"  {found.markers} marker{'' if found.markers == 1 else 's'}")
    lines += _events_as_text(found)
    if found.note and not any(found.note in reason for reason in found.reasons):
        lines.append(f"  {found.note}")
    return "\n".join(lines)


def _events_as_text(found: Inspection) -> list[str]:
    """List the kinds of event with their numbers, as `features --events` takes them."""
    if found.events_problem:
        return [f"  events not read: {found.events_problem}"]
    names = sorted(found.events, key=lambda name: -found.events[name])
    shown = ", ".join(f"{name} ({found.events[name]})" for name in names[:_MOST_EVENTS])
    more = f" and {len(names) - _MOST_EVENTS} more" if len(names) > _MOST_EVENTS else ""
    return [f"  events: {shown}{more}"] if names else []


def _row(channel: ChannelFacts) -> tuple[str, ...]:
    name = f"{channel.name}{' *' if channel.read_as else ''}"
    if channel.duration_s is None or channel.missing_share is None:
        return (name, channel.kind, channel.unit, "–", "–", "not read")
    return (
        name,
        channel.kind,
        channel.unit,
        "–" if channel.rate_hz is None else f"{channel.rate_hz:g} Hz",
        f"{channel.duration_s:.1f} s",
        f"{100 * channel.missing_share:.1f} %",
    )


def excerpt(signal: Signal, seconds: float) -> Signal:
    """Return the first seconds of a signal with samples, for a picture."""
    present = np.flatnonzero(np.isfinite(signal.samples))
    first = 0 if not len(present) else int(present[0])
    start_s = signal.start_s + first / signal.rate_hz
    return signal.crop(start_s, start_s + seconds)
