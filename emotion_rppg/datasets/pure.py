"""PURE (Stricker et al. 2014): ten people, six kinds of head motion, frames and finger pulse.

`NN-MM/NN-MM/Image<nanoseconds>.png` are the frames of person NN in setup MM, `NN-MM/NN-MM.json` the
pulse oximeter's samples; the timestamps of both are on one clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, load_cached, signal_from_times
from emotion_rppg.errors import InputError
from emotion_rppg.formats.image_frames import TimedFrames, read_image_files
from emotion_rppg.formats.safe_io import load_json
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

SETUPS = {
    "01": "steady",
    "02": "talking",
    "03": "slow translation",
    "04": "fast translation",
    "05": "small rotation",
    "06": "medium rotation",
}
RATE_HZ, VIDEO_HZ = 60.0, 30.0


class Pure(DatasetReader):
    """List one recording for each person and setup; 0 s is the first frame."""

    card = Card(
        name="pure",
        title="PURE",
        people=10,
        modalities=("video", "bvp"),
        rates_hz={"video": VIDEO_HZ, "bvp": RATE_HZ},
        scales={},
        access="on request",
        licence="the authors' terms, research alone",
        reference=(
            "Stricker R, Müller S, Gross HM (2014). Non-contact video-based pulse rate measurement "
            "on a mobile service robot. IEEE RO-MAN, 1056–1062."
        ),
        url="https://doi.org/10.1109/ROMAN.2014.6926392",
        traps=(
            "pulse and frames must be matched by their timestamps: by count they drift apart",
            "no emotions: for evaluating the pulse, by the label motion",
        ),
        bibtex="""@inproceedings{stricker2014noncontact,
  author = {Stricker, Ronny and M{\\"u}ller, Steffen and Gross, Horst-Michael},
  title = {Non-contact Video-based Pulse Rate Measurement on a Mobile Service Robot},
  booktitle = {IEEE International Symposium on Robot and Human Interactive Communication},
  pages = {1056--1062}, year = {2014},
  doi = {10.1109/ROMAN.2014.6926392}
}""",
    )
    expected = "[0-9][0-9]-[0-9][0-9]/*.json"

    def recordings(self) -> Iterator[Recording]:
        for path in sorted(self.root.glob(self.expected)):
            person, _, setup = path.stem.partition("-")
            if setup not in SETUPS:
                raise InputError(f"{path} has the setup {setup!r}: want {', '.join(SETUPS)}")
            folder = path.with_suffix("")
            yield Recording(
                self.card.name,
                person,
                trial=setup,
                labels={"motion": SETUPS[setup]},
                video=Video(folder, frames=partial(_read_frames, folder)),
                signals={"bvp": partial(_read_bvp, path, folder)},
            )


def _stamped_images(folder: Path) -> list[tuple[int, Path]]:
    """List timestamp (ns) and path of each image, in order."""
    images = []
    for path in folder.glob("*.png"):
        stamp = path.stem.removeprefix("Image")
        if not stamp.isdecimal():
            raise InputError(f"{path} is not named as expected: want Image<nanoseconds>.png")
        images.append((int(stamp), path))
    if not images:
        raise InputError(f"{folder} has no images Image<nanoseconds>.png: unpack them there")
    return sorted(images)


def _read_frames(folder: Path) -> TimedFrames:
    images = _stamped_images(folder)
    return read_image_files(((stamp - images[0][0]) / 1e9, path) for stamp, path in images)


def _read_bvp(path: Path, folder: Path) -> Signal:
    begin, end = (_stamped_images(folder)[k][0] for k in (0, -1))
    content = load_cached(load_json, path)
    try:
        rows = content["/FullPackage"]
        times = np.array([(int(row["Timestamp"]) - begin) / 1e9 for row in rows])
        wave = np.array([row["Value"]["waveform"] for row in rows], dtype=float)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{path} is not laid out as PURE's files ({error!r}): want /FullPackage with Timestamp "
            "and Value.waveform"
        ) from error
    span_s = (0.0, (end - begin) / 1e9 + 1 / VIDEO_HZ)
    return signal_from_times(path, times, wave, "bvp", rate_hz=RATE_HZ, span_s=span_s)
