"""LGI-PPGI (Pilz et al. 2018): six people at rest, turning the head, talking and in a gym.

`alex/alex_gym/` (possibly within `id1/` …) has the video `cv_camera_sensor_stream_handler.avi`, its
frame times in milliseconds in `cv_camera_sensor_timer_stream_handler.xml` (``value1``), and in
`cms50_stream_handler.xml` heart rate (``value1``) and pulse (``value2``) at 60 Hz without times. No
ratings.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, frame_times_s, video_duration_s
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_xml
from emotion_rppg.formats.text_tables import number
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

VIDEO = "cv_camera_sensor_stream_handler.avi"
CLOCK = "cv_camera_sensor_timer_stream_handler.xml"
PULSE = "cms50_stream_handler.xml"
RATE_HZ = 60.0
_MAX_LEAD = 0.2  # of the video's length: the oximeter may start so much before the video


class LgiPpgi(DatasetReader):
    """List one recording for each activity, on the video's clock; pulse and video end together."""

    card = Card(
        name="lgi-ppgi",
        title="LGI-PPGI",
        people=6,
        modalities=("video", "bvp"),
        rates_hz={"video": 25.0, "bvp": RATE_HZ},
        scales={},
        access="was open; its authors' page offers no download any more",
        licence="CC BY 4.0",
        reference=(
            "Pilz CS, Zaunseder S, Krajewski J, Blazek V (2018). Local group invariance for heart "
            "rate estimation from face videos in the wild. CVPR Workshops, 1254–1262."
        ),
        url="https://github.com/partofthestars/LGI-PPGI-DB",
        traps=(
            "the oximeter starts first and has no times: they are assumed to end together",
            "frame times come from a separate XML file, not from the container",
            "value1 is the heart rate in one XML file and the time in the other",
            "only 6 of the 25 people of the paper were published",
            "no ratings: for evaluating the pulse only",
        ),
        bibtex="""@inproceedings{pilz2018local,
  author = {Pilz, Christian S. and Zaunseder, Sebastian and Krajewski, Jarek and Blazek, Vladimir},
  title = {Local Group Invariance for Heart Rate Estimation from Face Videos in the Wild},
  booktitle = {CVPR Workshops}, pages = {1254--1262}, year = {2018}
}""",
    )
    expected = f"**/{PULSE}"

    def recordings(self) -> Iterator[Recording]:
        for path in sorted(self.root.glob(self.expected), key=lambda p: p.parent.name):
            subject, _, activity = path.parent.name.rpartition("_")
            if not subject:
                raise InputError(f"{path.parent} is not named as expected: want person_activity")
            video = path.with_name(VIDEO)
            times = partial(_read_frame_times, path.with_name(CLOCK))
            yield Recording(
                self.card.name,
                subject,
                trial=activity,
                labels={"condition": activity},
                video=Video(video, times=times) if video.is_file() else None,
                signals={"bvp": partial(_read_bvp, path)},
            )


def _read_stream(path: Path, name: str) -> np.ndarray:
    """Read the value ``name`` of each sample of a stream, (n,)."""
    root = load_xml(path)
    values = [item.findtext(name) for item in root.iter() if item is not root and len(item)]
    texts = [text for text in values if text is not None]
    if len(texts) < 2:
        raise InputError(f"{path} has {len(texts)} samples with {name}: download it again")
    return np.array([number(text, str(path), name) for text in texts])


def _read_frame_times(path: Path) -> np.ndarray:
    return frame_times_s(path, _read_stream(path, "value1") / 1e3)


def _read_bvp(path: Path) -> Signal:
    """Read the pulse during the video; its last sample is at the last frame."""
    wave = Signal(_read_stream(path, "value2"), RATE_HZ, kind="bvp")
    video_s = video_duration_s(_read_frame_times(path.with_name(CLOCK)))
    lead_s = wave.duration_s - video_s
    if not -0.5 / RATE_HZ < lead_s < _MAX_LEAD * video_s + 1:
        raise InputError(
            f"{path} lasts {wave.duration_s:.1f} s at {RATE_HZ:g} Hz, its video {video_s:.1f} s: "
            "the pulse is cut off, or has another rate; download it again"
        )
    shifted = Signal(wave.samples, RATE_HZ, kind="bvp", start_s=-lead_s)
    return shifted.crop(0, video_s)
