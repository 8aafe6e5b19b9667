"""Faces of rhesus monkeys (Unakafov et al. 2018): mean colours of each frame, with an oximeter.

`SessionN/SessionN.bin` has float32 red, green and blue of the skin in each frame, of infrared
sessions one value a frame; `SessionN_REF.csv` the heart rate of each segment by a pulse oximeter.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotion_rppg.datasets.base import DatasetReader
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, check_file
from emotion_rppg.formats.text_tables import number
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal


class Session(NamedTuple):
    """Frames a second, seconds of a reference segment, and values of a frame."""

    rate_hz: float
    segment_s: float
    channels: int


# by the table that comes with the files
SESSIONS = {
    "Session1": Session(30.0, 8.5, 3),
    "Session2": Session(30.0, 8.5, 3),
    "Session2IR": Session(30.0, 8.5, 1),
    "Session3": Session(50.0, 5.0, 3),
    "Session4": Session(100.0, 5.0, 3),
    "Session5": Session(50.0, 5.0, 3),
    "Session6": Session(50.0, 5.0, 3),
    "Session7": Session(50.0, 5.0, 3),
    "Session8": Session(50.0, 5.0, 3),
    "Session9": Session(100.0, 5.0, 1),
    "Session9IR": Session(100.0, 5.0, 1),
    "Session10": Session(50.0, 5.0, 1),
    "Session10IR": Session(50.0, 5.0, 1),
}


class MonkeyFaces(DatasetReader):
    """List one recording for each session; its video has mean colours in place of pictures."""

    card = Card(
        name="monkey-faces",
        title="Faces of rhesus monkeys",
        people=None,
        modalities=("colours", "hr"),
        rates_hz={},
        scales={},
        access="open, with the authors' code",
        licence="MPL 2.0",
        reference=(
            "Unakafov AM, Möller S, Kagan I, Gail A, Treue S, Wolf F (2018). Using imaging "
            "photoplethysmography for heart rate estimation in non-human primates. PLoS ONE "
            "13(8), e0202581."
        ),
        url="https://doi.org/10.1371/journal.pone.0202581",
        traps=(
            "the files have the mean colour of the skin in each frame and no pictures: only the "
            "classic methods read them (`--method pos`)",
            "no file says which monkey a session is of: each session counts as a subject, and two "
            "may be of the same animal",
            "infrared sessions have one value a frame, which stands for all three colours: green "
            "reads it, methods that compare colours do not",
            "hearts beat 96 to 230 times a minute; rates above 210 are outside of the search range",
            "the oximeter gives one whole number for each segment of 8.5 or 5 s",
        ),
        verified="verified on real files (sessions 1, 2 infrared and 3)",
        bibtex="""@article{unakafov2018primates,
  author = {Unakafov, Anton M. and M{\\"o}ller, Sebastian and Kagan, Igor and Gail, Alexander and
    Treue, Stefan and Wolf, Fred},
  title = {Using Imaging Photoplethysmography for Heart Rate Estimation in Non-Human Primates},
  journal = {PLoS ONE},
  volume = {13}, number = {8}, pages = {e0202581}, year = {2018},
  doi = {10.1371/journal.pone.0202581}
}""",
    )
    inside = (".", "monkey_faces")
    expected = "Session*/Session*_REF.csv"

    def recordings(self) -> Iterator[Recording]:
        for name, session in SESSIONS.items():
            folder = self.root / name
            trace, rates = folder / f"{name}.bin", folder / f"{name}_REF.csv"
            if not rates.is_file():
                continue
            yield Recording(
                self.card.name,
                name.removeprefix("Session"),
                video=Video(trace, colours=partial(_read_colours, trace, session)),
                signals={"hr": partial(_read_rates, rates, session)},
            )


def _read_colours(path: Path, session: Session) -> tuple[np.ndarray, np.ndarray]:
    """Read the time of each frame in s (n,) and its mean colour (n, 3)."""
    size = check_file(path, 500 * MB).stat().st_size
    if size % (4 * session.channels) or size < 8 * session.channels:
        raise InputError(
            f"{path} has {size} bytes: want float32, {session.channels} a frame; download it again"
        )
    values = np.fromfile(path, dtype="<f4").astype(float).reshape(-1, session.channels)
    rgb = np.broadcast_to(values, (len(values), 3))
    return np.arange(len(values)) / session.rate_hz, rgb


def _read_rates(path: Path, session: Session) -> Signal:
    """Read the reference heart rates, bpm, each at the middle of its segment."""
    text = check_file(path, MB).read_text(encoding="utf-8", errors="replace")
    rates = [number(cell, str(path), "heart rate") for cell in text.strip().strip(",").split(",")]
    return Signal(np.array(rates), 1 / session.segment_s, kind="hr", start_s=session.segment_s / 2)
