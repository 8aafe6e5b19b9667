"""What a data set is (Card), one stretch of one person (Recording), and a video not yet opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal


class DatasetNotFound(InputError):
    """The folder does not hold the data set; the message says what was expected there."""


@dataclass(frozen=True)
class Card:
    """Facts of a data set; they build its page and the README's table.

    ``scales`` gives each label's lowest and highest possible value, so that a task can halve it
    at its midpoint: ``{"arousal": (1, 9)}``. ``verified`` is "verified on real files" or "from
    documents": a reader and its fake that were made from one document test only each other.
    ``bibtex`` is the entry to cite; ``report_to`` says who wants to hear of a file that disagrees.
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
    report_to: str = "the issues of emotion_rppg, with what `emotion-rppg datasets NAME` printed"


@dataclass(frozen=True)
class Video:
    """A video file, or a stretch of one; nothing is opened until it is read.

    Parameters
    ----------
    path : str or Path
    start_s, end_s : float
        The stretch of the file that belongs to this recording; ``end_s=None``: to its end.
    region : str, optional
        Where the skin is, if the data set knows: ``"full"`` or ``"x,y,w,h"`` in pixels. It takes
        the place of ``region="face"``, the default of ``estimate``.
    frames : function, optional
        For what is no video file (a folder of pictures, an array): without arguments, gives the
        time in seconds and the picture, uint8 RGB (h, w, 3), of each frame of the whole of
        ``path``. A function of a module, so that other processes can have it.
    times : function, optional
        Without arguments: the second of each frame, (n,), where the data set wrote down what its
        container does not tell. Default: the container's own times.
    """

    path: Path
    start_s: float = 0.0
    end_s: float | None = None
    region: str | None = None
    frames: Callable[[], Iterator[tuple[float, np.ndarray]]] | None = None
    times: Callable[[], np.ndarray] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        if self.end_s is not None and self.end_s <= self.start_s:
            raise InputError(
                f"{self.path}: the stretch {self.start_s:g}–{self.end_s:g} s is empty; "
                "want start_s < end_s"
            )


@dataclass(frozen=True)
class Recording:
    """One person × one uninterrupted stretch × one condition; reads nothing until asked.

    Parameters
    ----------
    dataset, subject, session, trial : str
        Together they name the recording; ``dataset/subject`` names a person.
    labels : mapping
        Scalar labels, ``{"arousal": 7.0}``; a continuous rating is a signal.
    scales : mapping
        Lowest and highest possible value of each label.
    video : Video, optional
    signals : mapping
        ``"bvp"``, ``"ecg"``, ``"rppg"`` or a rating's name to a Signal, or to a function
        without arguments that reads it.
    reader : str
        Name of the reader of a published set (in ``DATASETS``) that listed the recording; empty:
        a file or folder of one's own. Facts of a data set come from it, never from ``dataset``,
        which may be a folder's name.
    """

    dataset: str
    subject: str
    session: str = "1"
    trial: str = "1"
    labels: Mapping[str, float | str] = field(default_factory=dict)
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    video: Video | None = None
    signals: Mapping[str, Signal | Callable[[], Signal]] = field(default_factory=dict)
    reader: str = ""

    @property
    def person(self) -> str:
        """``dataset/subject``: two data sets' ``s1`` are two people."""
        return f"{self.dataset}/{self.subject}"

    @property
    def name(self) -> str:
        return f"{self.dataset}/{self.subject}/{self.session}/{self.trial}"

    def read(self, kind: str) -> Signal:
        """The signal of that kind, read now."""
        if kind not in self.signals:
            known = ", ".join(sorted(self.signals)) or "none"
            raise InputError(f"{self.name} has no signal {kind!r}; it has: {known}")
        signal = self.signals[kind]
        return signal if isinstance(signal, Signal) else signal()
