"""COHFACE (Heusch et al. 2017): one-minute face videos by lamp and by daylight.

`S/K/data.avi` (20 frames per second, strongly compressed) and `data.hdf5` with ``pulse``,
``respiration`` and ``time`` in seconds at 256 Hz. No ratings.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, files_by_number, signal_from_times
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_hdf5
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

RATE_HZ = 256.0
_LATE_S = 1.0  # the pulse may begin this much after the video


class Cohface(DatasetReader):
    """List one recording for each video, on its clock; trials 0–3 are the folders' numbers."""

    card = Card(
        name="cohface",
        title="COHFACE",
        people=40,
        modalities=("video", "bvp"),
        rates_hz={"video": 20.0, "bvp": RATE_HZ},
        scales={},
        access="signed agreement, Idiap",
        licence="end user licence agreement, research alone",
        reference=(
            "Heusch G, Anjos A, Marcel S (2017). A reproducible study on remote heart rate "
            "measurement. arXiv:1709.00962."
        ),
        url="https://www.idiap.ch/en/dataset/cohface",
        traps=(
            "20 frames per second: a peak between two frames is off by up to 25 ms",
            "the videos are compressed so strongly that little of the pulse is left in them",
            "the same file holds respiration beside the pulse",
            "no ratings: for evaluating the pulse only",
        ),
        bibtex="""@article{heusch2017reproducible,
  author = {Heusch, Guillaume and Anjos, Andr{\\'e} and Marcel, S{\\'e}bastien},
  title = {A reproducible study on remote heart rate measurement},
  journal = {arXiv preprint arXiv:1709.00962}, year = {2017}
}""",
    )
    inside = (".", "cohface")
    expected = "*/*/data.hdf5"

    def recordings(self) -> Iterator[Recording]:
        for person in sorted({n for n, _ in files_by_number(self.root, self.expected, _person)}):
            for trial, path in files_by_number(self.root / str(person), "*/data.hdf5", _trial):
                videos = (path.with_suffix(ending) for ending in (".avi", ".mkv"))
                video = next((video for video in videos if video.is_file()), None)
                yield Recording(
                    self.card.name,
                    str(person),
                    trial=str(trial),
                    video=None if video is None else Video(video),
                    signals={"bvp": partial(_read_bvp, path)},
                )


def _person(path: Path) -> str:
    return path.parent.parent.name


def _trial(path: Path) -> str:
    return path.parent.name


def _read_bvp(path: Path) -> Signal:
    content = load_hdf5(path, ["pulse", "time"])
    values, times = (np.asarray(content[name]).ravel() for name in ("pulse", "time"))
    if values.dtype.kind not in "iuf" or times.dtype.kind not in "iuf" or len(values) != len(times):
        raise InputError(
            f"{path} has {values.size} pulse samples and {times.size} times: download it again"
        )
    if times.size and not 0 <= times[0] <= _LATE_S:
        raise InputError(f"{path} begins at {times[0]:g} s, want 0 s, the start of the video")
    return signal_from_times(
        path, times.astype(float), values.astype(float), "bvp", rate_hz=RATE_HZ
    )
