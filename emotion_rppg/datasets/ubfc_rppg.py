"""UBFC-rPPG (Bobbia et al. 2019): faces at a screen with a finger pulse oximeter, no ratings.

DATASET_2: `subjectN/vid.avi` with `ground_truth.txt`, three lines with a value for each frame:
pulse, heart rate, seconds. DATASET_1: `N-gt/vid.avi` with `gtdump.xmp`, comma-separated:
milliseconds, heart rate, oxygen saturation, pulse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, frame_times_s, load_cached, signal_from_times
from emotion_rppg.errors import InputError
from emotion_rppg.formats.text_tables import load_numbers
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

_PLAUSIBLE_BPM = (30, 220)
_PLAUSIBLE_SATURATION = (80, 100)  # percent
_LATE_S = 1.0  # the pulse may begin this much after the video


class UbfcRppg(DatasetReader):
    """List one recording for each person, on the video's clock; ``part`` names its DATASET."""

    card = Card(
        name="ubfc-rppg",
        title="UBFC-rPPG",
        people=50,
        modalities=("video", "bvp"),
        rates_hz={"video": 30.0},
        scales={},
        access="open, the authors' page",
        licence="the authors' terms, research alone",
        reference=(
            "Bobbia S, Macwan R, Benezeth Y, Mansouri A, Dubois J (2019). Unsupervised skin tissue "
            "segmentation for remote photoplethysmography. Pattern Recognit Lett 124, 82–90."
        ),
        url="https://doi.org/10.1016/j.patrec.2017.10.017",
        traps=(
            "the pulse of DATASET_2 is resampled to the frames, 30 Hz: too coarse for its shape",
            "DATASET_1 has about 62 samples per second, and times in ms where DATASET_2 has s",
            "heart rate is next to the pulse: a reader one line or column off reads that instead",
            "whether a person is in both parts is not documented: hold out one whole part",
            "no ratings: for evaluating the pulse only",
        ),
        bibtex="""@article{bobbia2019unsupervised,
  author = {Bobbia, Serge and Macwan, Richard and Benezeth, Yannick and Mansouri, Alamin and Dubois,
    Julien},
  title = {Unsupervised skin tissue segmentation for remote photoplethysmography},
  journal = {Pattern Recognition Letters},
  volume = {124}, pages = {82--90}, year = {2019}, doi = {10.1016/j.patrec.2017.10.017}
}""",
    )
    expected = "**/vid.avi"

    def recordings(self) -> Iterator[Recording]:
        for video in sorted(self.root.glob(self.expected), key=_sort_key):
            part, read, pulse_path = next(
                (
                    (part, read, video.with_name(name))
                    for part, name, read in (
                        ("DATASET_2", "ground_truth.txt", _read_dataset_2),
                        ("DATASET_1", "gtdump.xmp", _read_dataset_1),
                    )
                    if video.with_name(name).is_file()
                ),
                ("", None, video),
            )
            if read is None:
                raise InputError(
                    f"{video.parent} has neither ground_truth.txt (DATASET_2) nor gtdump.xmp "
                    "(DATASET_1) beside its video: download it again"
                )
            yield Recording(
                self.card.name,
                video.parent.name,
                labels={"part": part},
                video=Video(
                    video,
                    times=partial(_read_frame_times, pulse_path)
                    if read is _read_dataset_2
                    else None,
                ),
                signals={"bvp": partial(read, pulse_path)},
            )


def _sort_key(video: Path) -> tuple[object, ...]:
    """Return the sort key of a video: its folder, then the number of the person, 3 before 12."""
    number = re.search(r"\d+", video.parent.name)
    return video.parent.parent, int(number[0]) if number else 10**6, video.parent.name


def _read_dataset_2(path: Path) -> Signal:
    """Read a pulse of DATASET_2; its first sample is at the first frame, 0 s."""
    table = load_cached(_read_lines, path)
    _within(path, "heart rate (line 2)", table[1], _PLAUSIBLE_BPM)
    return signal_from_times(path, _read_frame_times(path), table[0], "bvp", rate_hz=30.0)


def _read_frame_times(path: Path) -> np.ndarray:
    """Read the frame times (s) of a video of DATASET_2."""
    return frame_times_s(path, load_cached(_read_lines, path)[2])


def _read_lines(path: Path) -> np.ndarray:
    table = load_numbers(path)
    if len(table) != 3:
        raise InputError(
            f"{path} has {len(table)} lines, want three of equal length: pulse, heart rate, seconds"
        )
    return table


def _read_dataset_1(path: Path) -> Signal:
    """Read a pulse of DATASET_1; its milliseconds count from the start of the video."""
    table = load_numbers(path, delimiter=",")
    if table.shape[1] != 4:
        raise InputError(
            f"{path} has {table.shape[1]} columns, want four: milliseconds, heart rate, saturation "
            "and pulse"
        )
    _within(path, "heart rate (column 2)", table[:, 1], _PLAUSIBLE_BPM)
    _within(path, "saturation (column 3)", table[:, 2], _PLAUSIBLE_SATURATION)
    times = table[:, 0] / 1e3
    if not 0 <= times[0] <= _LATE_S:
        raise InputError(f"{path} begins at {times[0]:g} s, want 0 s, the start of the video")
    return signal_from_times(path, times, table[:, 3], "bvp", rate_hz=62.0)


def _within(path: Path, name: str, values: np.ndarray, scale: tuple[float, float]) -> None:
    """Refuse a column whose median lies outside its plausible range."""
    median = float(np.median(values))
    if not scale[0] <= median <= scale[1]:
        raise InputError(
            f"{path}: the median of {name} is {median:g}, want {scale[0]}–{scale[1]}: are the "
            "rows or columns in the expected order?"
        )
