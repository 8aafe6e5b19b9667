"""BP4D+ (Zhang et al. 2016): ten tasks that elicit emotions, with face video and blood pressure.

`2D+3D/F001.zip` holds the frames `F001/T1/*.jpg` at 25 Hz, `Physiology/F001/T1/BP_mmHg.txt` the
blood pressure at 1000 Hz, which is read as a blood volume pulse.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, crop_complete
from emotion_rppg.errors import InputError
from emotion_rppg.formats.image_frames import TimedFrames, decode_image
from emotion_rppg.formats.safe_io import Archive, open_zip
from emotion_rppg.formats.text_tables import load_text
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

TASKS = {  # the emotion that each task is meant to elicit
    1: "happiness",
    2: "surprise",
    3: "sadness",
    4: "startle",
    5: "scepticism",
    6: "embarrassment",
    7: "fear",
    8: "pain",
    9: "anger",
    10: "disgust",
}
RATE_HZ, VIDEO_HZ = 1000.0, 25.0
PRESSURE = "BP_mmHg.txt"


class Bp4dPlus(DatasetReader):
    """List one recording for each person and task; 0 s is the first frame."""

    card = Card(
        name="bp4d-plus",
        title="BP4D+",
        people=140,
        modalities=("video", "bvp"),
        rates_hz={"video": VIDEO_HZ, "bvp": RATE_HZ},
        scales={},
        access="on request, signed agreement and a fee",
        licence="the authors' terms, research alone",
        reference=(
            "Zhang Z, Girard JM, Wu Y, et al. (2016). Multimodal spontaneous emotion corpus for "
            "human behavior analysis. IEEE CVPR, 3438–3446."
        ),
        url="https://doi.org/10.1109/CVPR.2016.374",
        traps=(
            "the label emotion is what a task is meant to elicit, not what the person felt",
            "the pulse is blood pressure in a finger, which is later than the pulse in the face",
            "F042 has an empty folder for an eleventh task: it is not read",
            "a few videos are shorter than 8 s",
        ),
        bibtex="""@inproceedings{zhang2016multimodal,
  author = {Zhang, Zheng and Girard, Jeffrey M. and Wu, Yue and Zhang, Xing and Liu, Peng and
    Ciftci, Umur and Canavan, Shaun and Reale, Michael and Horowitz, Andrew and Yang, Huiyuan and
    Cohn, Jeffrey F. and Ji, Qiang and Yin, Lijun},
  title = {Multimodal Spontaneous Emotion Corpus for Human Behavior Analysis},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {3438--3446}, year = {2016},
  doi = {10.1109/CVPR.2016.374}
}""",
    )
    expected = f"Physiology/*/T*/{PRESSURE}"

    def recordings(self) -> Iterator[Recording]:
        tasks = []
        for path in self.root.glob(self.expected):
            task = path.parent.name.removeprefix("T")
            if not task.isdecimal():
                raise InputError(f"{path} belongs to no task: want a folder T1 … T10")
            if int(task) in TASKS:
                tasks.append((path.parent.parent.name, int(task), path))
        for person, number, path in sorted(tasks):
            archive = self.root / "2D+3D" / f"{person}.zip"
            yield Recording(
                self.card.name,
                person,
                trial=f"{number:02d}",
                labels={"emotion": TASKS[number]},
                video=Video(archive, frames=partial(_read_frames, archive, f"{person}/T{number}")),
                signals={"bvp": partial(_read_bvp, path, archive, f"{person}/T{number}")},
            )


def _image_names(archive: Archive, folder: str) -> list[str]:
    """List the images of a task in the order of their numbers, 2 before 10."""
    paths = [PurePosixPath(name) for name in archive.names]
    images = [p for p in paths if p.suffix == ".jpg" and f"{p.parent}".endswith(folder)]
    unnumbered = next((p for p in images if not p.stem.isdecimal()), None)
    if unnumbered is not None or not images:
        what = "no image" if unnumbered is None else f"the image {unnumbered}"
        raise InputError(f"{archive.path} has {what} in {folder}: want {folder}/<number>.jpg")
    return [str(p) for p in sorted(images, key=lambda p: int(p.stem))]


def _read_frames(path: Path, folder: str) -> TimedFrames:
    with open_zip(path) as archive:
        for k, name in enumerate(_image_names(archive, folder)):
            yield k / VIDEO_HZ, decode_image(archive.read(name).read(), f"{name} in {path}")


def _read_bvp(path: Path, archive: Path, folder: str) -> Signal:
    try:
        pressure = np.array(load_text(path).split(), dtype=float)
    except ValueError as error:
        raise InputError(
            f"{path} has values that are not numbers ({error}): download it again"
        ) from error
    if len(pressure) < RATE_HZ:
        raise InputError(
            f"{path} has {len(pressure)} samples: it is empty or cut off, download it again"
        )
    with open_zip(archive) as opened:
        seconds = len(_image_names(opened, folder)) / VIDEO_HZ
    return crop_complete(path, Signal(pressure, RATE_HZ, kind="bvp"), 0.0, seconds)
