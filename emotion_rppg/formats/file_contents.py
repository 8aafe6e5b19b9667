"""List the channels of any supported signal file, and which of them would be read."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.formats.bids import ENDING as PHYSIO
from emotion_rppg.formats.bids import kinds_in_physio, read_physio, sidecar
from emotion_rppg.formats.channel_names import kind_by_name
from emotion_rppg.formats.channels import (
    Channel,
    Container,
    Contents,
    Marker,
    axes_of,
    make_channel,
    waves_by_kind,
)
from emotion_rppg.formats.empatica import Session, read_session
from emotion_rppg.formats.rr_intervals import RR, read_intervals
from emotion_rppg.formats.signal_csv import columns_in, kind_of_column, kinds_in, read_signal
from emotion_rppg.formats.signal_files import of_known_layout, opener
from emotion_rppg.formats.text_files import TEXT_ENDINGS, NoSignal
from emotion_rppg.signals import Beats, Signal

_TACHOGRAM_HZ = 4.0
Chosen = dict[str, tuple[str, ...]]  # kind -> the channels that are read for it


def file_contents(path: Path) -> tuple[Contents, Chosen]:
    """List the channels of a file or session, and map each kind to the channels read for it.

    Raises
    ------
    InputError
        Not a signal file, or one that cannot be read.
    """
    open_file = opener(path)
    if _is_of_intervals(path):
        return _interval_contents(path)
    if path.name.lower().endswith(TEXT_ENDINGS) and not path.name.endswith(PHYSIO):
        open_file = of_known_layout(path) or open_file
    if isinstance(open_file, Container):
        contents = open_file.contents(path)
        waves = waves_by_kind(contents, path)
        return contents, {kind: _names(kind, found) for kind, found in waves.items()}
    if path.name.endswith(PHYSIO):
        return _physio_contents(path)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return _e4_contents(path)
    return _table_contents(path)


def _is_of_intervals(path: Path) -> bool:
    """Return whether a file has nothing but intervals; an E4 session has them beside its pulse."""
    open_file = opener(path)
    if isinstance(open_file, Container):
        return False
    try:
        return open_file(path).keys() == {RR}
    except NoSignal:
        if path.name.lower().endswith((*TEXT_ENDINGS, PHYSIO)):
            return False  # its columns can be listed all the same
        raise


def _interval_contents(path: Path) -> tuple[Contents, Chosen]:
    """List the intervals of a device as one channel, which is drawn as a tachogram."""
    beats = read_intervals(path)
    rate_bpm = 60e3 / float(np.mean(beats.intervals_ms)) if len(beats.intervals_ms) else np.nan
    note = (
        f"{len(beats)} beats in {beats.duration_s:.0f} s, {rate_bpm:.1f} bpm on average, "
        f"number of gaps: {len(beats.gaps)}; drawn at {_TACHOGRAM_HZ:g} Hz"
    )
    channels = (Channel(RR, None, "ms", RR, beats.duration_s),)
    return Contents("intervals", channels, partial(_tachogram, beats), note=note), {RR: (RR,)}


def _tachogram(beats: Beats, name: str) -> Signal:
    """Interpolate the intervals of beats, ms, on an even clock; NaN in gaps."""
    start_s, end_s = beats.span_s or (0.0, 0.0)
    times_s = np.arange(start_s, end_s, 1 / _TACHOGRAM_HZ)
    intervals = np.where(beats.joined, 1e3 * np.diff(beats.times_s), np.nan)
    after = np.clip(np.searchsorted(beats.times_s, times_s), 1, len(beats) - 1)
    return Signal(intervals[after - 1], _TACHOGRAM_HZ, kind=name, start_s=start_s)


def _names(kind: str, waves: list[Channel]) -> tuple[str, ...]:
    axes = axes_of(waves) if kind == "acc" else None
    return tuple(axes or [waves[0].name])


def _table_contents(path: Path) -> tuple[Contents, Chosen]:
    """List the columns of a table; their rate is measured when one is read."""
    names = columns_in(path)
    channels = tuple(make_channel(name, None, kind=kind_of_column(name)) for name in names)
    try:
        kinds = kinds_in(path)
    except NoSignal:
        kinds = []
    chosen = {
        kind: tuple(name for name in names if (kind_of_column(name) or name.lower()) == kind)[:1]
        for kind in kinds
    }
    return Contents("table", channels, partial(_read_column, path)), chosen


def _read_column(path: Path, name: str) -> Signal:
    return read_signal(path, kind_of_column(name) or kind_by_name(name), channel=name)


def _physio_contents(path: Path) -> tuple[Contents, Chosen]:
    facts = sidecar(path)
    names = [str(name) for name in facts["Columns"]]
    units = [facts.get(name) for name in names]
    channels = tuple(
        make_channel(
            name,
            float(facts["SamplingFrequency"]),
            unit=str(fields.get("Units", "")) if isinstance(fields, dict) else "",
        )
        for name, fields in zip(names, units, strict=True)
    )
    read = {
        kind: next((n for n in names if kind_by_name(n) == kind), kind) for kind in _kinds(path)
    }
    return (
        Contents("BIDS", channels, partial(_read_physio, path)),
        {kind: (name,) for kind, name in read.items()},
    )


def _kinds(path: Path) -> list[str]:
    try:
        return kinds_in_physio(path)
    except NoSignal:
        return []


def _read_physio(path: Path, name: str) -> Signal:
    return read_physio(path, kind_by_name(name) or "bvp", channel=name)


_E4_UNITS = {"bvp": "", "eda": "µS", "temp": "°C", "acc": "g", "hr": "1/min", RR: "ms"}


def _read_sensor(session: Session, name: str) -> Signal:
    pulse = session.signals[name]()
    return _tachogram(pulse, name) if isinstance(pulse, Beats) else pulse


def _e4_contents(path: Path) -> tuple[Contents, Chosen]:
    session = read_session(path)
    channels = tuple(
        Channel(name, None, _E4_UNITS[name], None if name == "hr" else name)
        for name in session.signals
        if name in _E4_UNITS
    )
    markers = tuple(Marker(time, "tag") for time in session.tags_s)
    beats = session.beats
    note = "" if beats is None else f"{len(beats.times_s)} beats detected by the device"
    contents = Contents("E4", channels, partial(_read_sensor, session), markers, note)
    return contents, {c.name: (c.name,) for c in channels if c.kind}
