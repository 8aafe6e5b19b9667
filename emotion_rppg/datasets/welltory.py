"""Welltory PPG (Neshitov et al. 2021): finger on a phone's camera, with a belt's intervals.

`subject_NN/PPG.csv` has the time (ms) and the mean red, green and blue of each frame;
`subject_NN/RR.txt` the intervals (ms) of a Polar H10 belt in the same measurement.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from emotion_rppg.datasets.base import DatasetReader, files_by_number
from emotion_rppg.errors import InputError
from emotion_rppg.formats.finger_trace import finger_contents, is_finger_trace
from emotion_rppg.formats.rr_intervals import read_intervals
from emotion_rppg.formats.safe_io import MB, check_file
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Beats, Signal


class Welltory(DatasetReader):
    """List one recording for each measurement; ``rppg`` is the colour with the best pulse.

    The intervals have no time: they are placed from 0 s, the first frame.
    """

    card = Card(
        name="welltory",
        title="Welltory PPG",
        people=13,
        modalities=("rppg", "rr"),
        rates_hz={},
        scales={},
        access="open, in the authors' repository",
        licence="CC0 1.0",
        reference=(
            "Neshitov A, Tyapochkin K, Smorodnikova E, Pravdin P (2021). Wavelet analysis and "
            "self-similarity of photoplethysmography signals for HRV estimation and quality "
            "assessment. Sensors 21(20), 6798."
        ),
        url="https://doi.org/10.3390/s21206798",
        traps=(
            "13 people made 21 measurements, and no file says who made two: a split over the "
            "subjects 01–21 may have one person on both sides",
            "the trace is of a finger on the lens, not of a face, and each phone has another lamp: "
            "the red is saturated or a colour is empty in some",
            "each phone has its own frame rate, with jitter: 29.2 to 30.1 per second in the "
            "subjects 01–11",
            "the belt's intervals have no times, and the first is placed at the first frame; by "
            "the rhythm of both they end 0.6 to 2.2 s later than the camera's beats: compare rates "
            "and variability, not beats",
        ),
        verified="verified on real files (subjects 01–11)",
        bibtex="""@article{neshitov2021welltory,
  author = {Neshitov, Alexander and Tyapochkin, Konstantin and Smorodnikova, Evgeniya and
    Pravdin, Pavel},
  title = {Wavelet Analysis and Self-Similarity of Photoplethysmography Signals for {HRV}
    Estimation and Quality Assessment},
  journal = {Sensors},
  volume = {21}, number = {20}, pages = {6798}, year = {2021},
  doi = {10.3390/s21206798}
}""",
    )
    inside = (".", "Welltory-PPG-dataset")
    expected = "subject_*/PPG.csv"

    def recordings(self) -> Iterator[Recording]:
        for _, place in files_by_number(
            self.root, "subject_*", lambda p: p.name.removeprefix("subject_")
        ):
            yield Recording(
                self.card.name,
                place.name.removeprefix("subject_"),
                signals={
                    "rppg": partial(_read_trace, place / "PPG.csv"),
                    "rr": partial(_read_belt, place / "RR.txt"),
                },
            )


def _read_trace(path: Path) -> Signal:
    """Read the colour with the best pulse; more blood is up."""
    check_file(path, 100 * MB)
    if not is_finger_trace(path):
        raise InputError(f"{path} has no header time,R,G,B: download it again")
    contents = finger_contents(path)
    assert contents.preferred is not None
    return contents.read(contents.preferred)


def _read_belt(path: Path) -> Beats:
    check_file(path, 100 * MB)
    return read_intervals(path)
