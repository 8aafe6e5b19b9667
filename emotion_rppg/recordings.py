"""Values that describe a data set (Card), a recording of one person, its events and its video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recorded_times import RecordedTimes, frame_table_path
from emotion_rppg.signals import Beats, Pulse, Signal


class DatasetNotFound(InputError):
    """Report a folder without the data set; the message lists the expected files."""


@dataclass(frozen=True)
class Card:
    """Facts of a data set, from which its documentation page and the README's table are built.

    ``rates_hz`` is the sampling rate of each signal, Hz. ``scales`` is the lowest and highest
    possible value of each label, ``{"arousal": (1, 9)}``: a task splits a label at the midpoint.
    ``class_names`` names the values 0 and 1 of a label, ``{"stress": ("rest", "stress")}``.
    ``verified`` begins with "verified on real files", "verified in part on real files" or "from
    documents": a reader and a fake data set that were written from one document test only each
    other. ``bibtex`` is the entry to cite; ``report_to`` says where to report a file that does not
    match.
    """

    name: str
    title: str
    people: int | None
    modalities: tuple[str, ...]
    rates_hz: Mapping[str, float]
    scales: Mapping[str, tuple[float, float]]
    access: str
    licence: str
    reference: str
    url: str = ""
    traps: tuple[str, ...] = ()
    verified: str = "from documents"
    bibtex: str = ""
    class_names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    report_to: str = (
        "the issues of emotion_rppg, with the file of `emotion-rppg datasets NAME --root DIR --out "
        "FILE`"
    )


@dataclass(frozen=True, repr=False)
class Video:
    """A video file or a segment of one; the file is opened only when it is read.

    Parameters
    ----------
    path : str or Path
    start_s, end_s : float
        Segment of the file that belongs to this recording; ``end_s=None``: until its end.
    region : str, optional
        Skin region, if the data set defines one: ``"full"`` or ``"x,y,w,h"`` in pixels. It replaces
        ``region="face"``, the default of ``estimate``.
    frames : function, optional
        Reader of frames that are not in a video file (a folder of images, an array). Called without
        arguments, it yields the time in seconds and the image, uint8 RGB (h, w, 3), of every frame
        of ``path``. Define it in a module, so that other processes can import it.
    times : function, optional
        Called without arguments, it returns the time of each frame, (n,) seconds, where the data
        set stores times that the container lacks. Default: the table NAME.frames.csv beside the
        file, which `emotion-rppg record` writes, or else the times in the container.
    colours : function, optional
        Mean colour of the skin in each frame, where the data set has these and no pictures. Called
        without arguments, it returns times (n,) in seconds and colours (n, 3), red, green and blue.
        The classic methods read them; a network needs pictures.
    """

    path: Path
    start_s: float = 0.0
    end_s: float | None = None
    region: str | None = None
    frames: Callable[[], Iterator[tuple[float, np.ndarray]]] | None = None
    times: Callable[[], np.ndarray] | None = None
    colours: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        table = frame_table_path(self.path)
        if self.times is None and self.frames is None and table.is_file():
            object.__setattr__(self, "times", RecordedTimes(table))
        if self.end_s is not None and self.end_s <= self.start_s:
            raise InputError(
                f"{self.path}: the segment {self.start_s:g}–{self.end_s:g} s is empty; "
                "want start_s < end_s"
            )

    def __repr__(self) -> str:
        end = "end" if self.end_s is None else f"{self.end_s:g} s"
        region = f", region {self.region}" if self.region else ""
        return f"Video({str(self.path)!r}, {self.start_s:g} s – {end}{region})"


@dataclass(frozen=True)
class Event:
    """Something that happened during a recording: a stimulus, a response, a press of a button.

    Parameters
    ----------
    onset_s : float
        When it began, s on the clock of the recording's signals.
    name : str
        Kind of event, by which events are chosen: ``"stimulus"``; BIDS calls it ``trial_type``.
    duration_s : float
        How long it lasted, s; 0 for a moment, NaN if unknown.
    value : str
        What else the file says of it, such as the number of a trigger or the name of a picture.
    labels : mapping
        Ratings of this event, ``{"arousal": 7.0}``; they replace those of the recording.
    """

    onset_s: float
    name: str
    duration_s: float = 0.0
    value: str = ""
    labels: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not np.isfinite(self.onset_s):
            raise InputError(
                f"the event {self.name!r} begins at {self.onset_s!r}: want seconds on the clock of "
                "the signals"
            )

    def shifted(self, offset_s: float) -> Event:
        """Move the event to another clock: its onset ``offset_s`` later."""
        return replace(self, onset_s=self.onset_s + offset_s)


@dataclass(frozen=True)
class Origin:
    """Where a signal of a recording is stored: its file, and which part of the file.

    ``channel`` is the column or channel that was chosen by name; ``start_s`` and ``end_s`` are the
    segment of the file that belongs to the recording, None for its start and its end.
    """

    path: Path
    channel: str | None = None
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, repr=False)
class Recording:
    """One uninterrupted recording of one person in one condition; files are read on demand.

    Parameters
    ----------
    dataset, subject, session, trial : str
        Together they identify the recording; ``dataset/subject`` identifies a person.
    labels : mapping
        Scalar labels, ``{"arousal": 7.0}``; a continuous rating is a signal.
    scales : mapping
        Lowest and highest possible value of each label.
    video : Video, optional
    signals : mapping
        Kind (``"bvp"``, ``"ecg"``, ``"rppg"`` or the name of a rating) to a Signal, or to a
        function without arguments that reads it. ``"rr"`` has the `Beats` of a device that measures
        intervals, such as a chest belt.
    reader : str
        Name in ``DATASETS`` of the reader that listed the recording; empty for a file or folder of
        the user. Facts of a data set are looked up by this name, never by ``dataset``, which may be
        the name of a folder.
    events : sequence of Event, or function
        What happened during the recording, on the clock of its signals; or a function without
        arguments that reads it (`read_events`).
    participant : mapping
        What the study's table of participants says of the person, ``{"age": 31.0, "sex": "F"}``;
        columns ``participant_age`` … of a feature table.
    origins : mapping
        Kind of a signal to the `Origin` in a file of the user; corrected beats are stored beside
        that file. Data sets of published recordings have none.
    """

    dataset: str
    subject: str
    session: str = "1"
    trial: str = "1"
    labels: Mapping[str, float | str] = field(default_factory=dict)
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    video: Video | None = None
    signals: Mapping[str, Pulse | Callable[[], Pulse]] = field(default_factory=dict)
    reader: str = ""
    events: Sequence[Event] | Callable[[], Sequence[Event]] = ()
    participant: Mapping[str, float | str] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def person(self) -> str:
        """Identifier of the person, ``dataset/subject``: ``s1`` of two data sets is two people."""
        return f"{self.dataset}/{self.subject}"

    @property
    def name(self) -> str:
        """Identifier of the recording, ``dataset/subject/session/trial``."""
        return f"{self.dataset}/{self.subject}/{self.session}/{self.trial}"

    def read(self, kind: str) -> Signal:
        """Read the wave of that kind.

        Raises
        ------
        InputError
            The recording has no such signal, or intervals in place of a wave, or its file cannot be
            read.
        """
        pulse = self.read_pulse(kind)
        if isinstance(pulse, Beats):
            raise InputError(
                f"{self.name}: {kind!r} has intervals between beats, no wave: `features` and "
                "`predict` read it"
            )
        return pulse

    def read_pulse(self, kind: str) -> Pulse:
        """Read the wave of that kind, or the beats of a device that measures intervals."""
        if kind not in self.signals:
            available = ", ".join(sorted(self.signals)) or "none"
            raise InputError(f"{self.name} has no signal {kind!r}; it has: {available}")
        signal = self.signals[kind]
        return signal if isinstance(signal, Signal | Beats) else signal()

    def read_events(self) -> tuple[Event, ...]:
        """Read the events of the recording, in the order of their onsets (s).

        Raises
        ------
        InputError
            The file of the events cannot be read.
        """
        events = self.events() if callable(self.events) else self.events
        return tuple(sorted(events, key=lambda event: event.onset_s))

    def __repr__(self) -> str:
        contents = (["video"] if self.video is not None else []) + list(self.signals)
        labels = f"; labels: {', '.join(self.labels)}" if self.labels else ""
        return f"Recording({self.name}: {', '.join(contents) or 'no signal'}{labels})"
