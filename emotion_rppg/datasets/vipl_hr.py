"""VIPL-HR (Niu et al. 2018): faces in nine scenes, three cameras, a finger pulse oximeter.

`data/pN/vM/sourceK/` (possibly within `data/p1-5/` …) has `video.avi`, `wave.csv` (column ``Wave``,
60 Hz), `gt_HR.csv` (one row per second) and, except for the phone, `time.txt` with the time of each
frame in milliseconds. No ratings.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import (
    DatasetReader,
    files_by_number,
    frame_times_s,
    read_columns,
    video_duration_s,
)
from emotion_rppg.errors import InputError
from emotion_rppg.formats.text_tables import load_numbers
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

CAMERAS = {1: "webcam", 2: "phone", 3: "depth camera"}  # 4 is near infrared
RATE_HZ = 60.0
_RATE_TOLERANCE = 0.08  # relative tolerance of that rate


class ViplHr(DatasetReader):
    """List one recording for each scene (session ``v1`` …) and camera (trial ``source1`` …).

    Its clock is the video's. The cameras of a scene share one pulse; near-infrared videos, which
    have no colour, are not read.
    """

    card = Card(
        name="vipl-hr",
        title="VIPL-HR",
        people=107,
        modalities=("video", "bvp"),
        rates_hz={"bvp": RATE_HZ},
        scales={},
        access="signed agreement, Institute of Computing Technology, CAS",
        licence="end user licence agreement, research alone",
        reference=(
            "Niu X, Han H, Shan S, Chen X (2018). VIPL-HR: a multi-modal database for pulse "
            "estimation from less-constrained face video. ACCV, 562–576."
        ),
        url="https://vipl.ict.ac.cn/en/resources/databases/",
        traps=(
            "the containers' frame rates are wrong: time.txt has the frame times",
            "the phone's videos (source2) have no time.txt: the container's frame rate is used",
            "cameras of one scene share one pulse: never put them on both sides of a split",
            "the pulse has no times: assuming 50 samples per second is wrong by a sixth",
            "source4 is near infrared and is not listed",
            "no ratings: for evaluating the pulse only",
        ),
        bibtex="""@inproceedings{niu2018viplhr,
  author = {Niu, Xuesong and Han, Hu and Shan, Shiguang and Chen, Xilin},
  title = {{VIPL-HR}: A Multi-modal Database for Pulse Estimation from Less-Constrained Face Video},
  booktitle = {Asian Conference on Computer Vision}, pages = {562--576}, year = {2018}
}""",
    )
    expected = "**/source[123]/video.avi"

    def recordings(self) -> Iterator[Recording]:
        videos = [
            (person, _number(video.parents[1], "v"), _number(video.parent, "source"), video)
            for person, video in files_by_number(self.root, self.expected, _person)
        ]
        for person, scene, source, video in sorted(videos):
            times_path = video.with_name("time.txt")
            yield Recording(
                self.card.name,
                str(person),
                session=f"v{scene}",
                trial=f"source{source}",
                labels={"camera": CAMERAS[source]},
                video=Video(
                    video,
                    times=partial(_read_frame_times, times_path) if times_path.is_file() else None,
                ),
                signals={"bvp": partial(_read_bvp, video.with_name("wave.csv"))},
            )


def _person(video: Path) -> str:
    return video.parents[2].name.removeprefix("p")


def _number(folder: Path, letter: str) -> int:
    text = folder.name.removeprefix(letter)
    if not text.isdecimal():
        raise InputError(f"{folder} is not named as expected: want {letter}1, {letter}2 …")
    return int(text)


def _read_frame_times(path: Path) -> np.ndarray:
    return frame_times_s(path, load_numbers(path).ravel() / 1e3)


def _read_bvp(path: Path) -> Signal:
    """Read the pulse at 60 Hz; it must last as long as the video or the heart rate."""
    values = read_columns(path, ["Wave"])["Wave"]
    times_path, rate_path = path.with_name("time.txt"), path.with_name("gt_HR.csv")
    if times_path.is_file():
        duration_s = video_duration_s(_read_frame_times(times_path))
    else:
        duration_s = float(len(read_columns(rate_path, ["HR"])["HR"]))
    rate_hz = len(values) / duration_s if duration_s else 0.0
    if abs(rate_hz - RATE_HZ) > _RATE_TOLERANCE * RATE_HZ:
        raise InputError(
            f"{path} has {len(values)} samples in {duration_s:.1f} s, {rate_hz:.1f} per second, "
            f"want {RATE_HZ:g}: it may be cut off, or from another camera's video"
        )
    return Signal(values, RATE_HZ, kind="bvp").crop(0, duration_s)
