"""MMPD (Tang et al. 2023): phone videos of faces: four skin tones, lights and motions.

`subjectN/pN_K.mat` holds one minute: ``video`` of 0–1, (frames, height, width, 3), and ``GT_ppg``
at 30 Hz, and the conditions as words.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, files_by_number, load_cached, parse_labels
from emotion_rppg.errors import InputError
from emotion_rppg.formats.image_frames import TimedFrames, to_uint8
from emotion_rppg.formats.safe_io import GB, load_mat
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

RATE_HZ = 30.0
LIMIT_BYTES = 10 * GB
WORDS = {"light": "light", "motion": "motion", "exercise": "exercise", "glasses": "glasser"}
MOTIONS = {"Watching Videos": "Walking"}  # of older versions of the files
TONE = "skin_color"


class Mmpd(DatasetReader):
    """List one recording for each experiment of a person; 0 s is the first frame.

    Reading loads the whole video of a file into memory. The conditions are labels; ``skin_tone`` is
    the Fitzpatrick type.
    """

    card = Card(
        name="mmpd",
        title="MMPD",
        people=33,
        modalities=("video", "bvp"),
        rates_hz={"video": RATE_HZ, "bvp": RATE_HZ},
        scales={"skin_tone": (1, 6)},
        access="on request, signed agreement",
        licence="the authors' terms, academic research alone",
        reference=(
            "Tang J, Chen K, Wang Y, et al. (2023). MMPD: multi-domain mobile video physiology "
            "dataset. arXiv:2302.03840."
        ),
        url="https://doi.org/10.48550/arXiv.2302.03840",
        traps=(
            "the full set is 320×240 pixels (370 GB), the mini set 80×60: report which you used",
            "older files call walking 'Watching Videos': this is read as Walking",
            "the files' key for glasses is 'glasser'",
            "no emotions: for evaluating the pulse, by skin tone, light and motion",
        ),
        bibtex="""@misc{tang2023mmpd,
  author = {Tang, Jiankai and Chen, Kequan and Wang, Yuntao and Shi, Yuanchun and Patel, Shwetak and
    McDuff, Daniel and Liu, Xin},
  title = {{MMPD}: Multi-Domain Mobile Video Physiology Dataset},
  year = {2023}, eprint = {2302.03840}, archivePrefix = {arXiv}
}""",
    )
    expected = "subject*/p*_*.mat"

    def recordings(self) -> Iterator[Recording]:
        files = files_by_number(self.root, self.expected, lambda p: p.stem.rpartition("_")[2])
        by_person = [(_person(path), number, path) for number, path in files]
        for person, number, path in sorted(by_person):
            yield Recording(
                self.card.name,
                f"{person:02d}",
                trial=f"{number:02d}",
                labels=_read_conditions(path, dict(self.card.scales)),
                scales=dict(self.card.scales),
                video=Video(path, frames=partial(_read_frames, path)),
                signals={"bvp": partial(_read_bvp, path)},
            )


def _person(path: Path) -> int:
    number = path.parent.name.removeprefix("subject")
    if not number.isdecimal() or not path.name.startswith(f"p{number}_"):
        raise InputError(f"{path} is not named as expected: want subjectN/pN_K.mat")
    return int(number)


def _read_conditions(path: Path, scales: dict[str, tuple[float, float]]) -> dict[str, float | str]:
    content = load_mat(path, [*WORDS.values(), TONE], limit_bytes=LIMIT_BYTES)
    words: dict[str, float | str] = {
        name: str(np.ravel(content[key])[0]) for name, key in WORDS.items()
    }
    words["motion"] = MOTIONS.get(str(words["motion"]), words["motion"])
    tone: Any = np.ravel(content[TONE])[0]
    return words | parse_labels({"skin_tone": tone}, scales, str(path))


def _read_frames(path: Path) -> TimedFrames:
    video = load_mat(path, ["video"], limit_bytes=LIMIT_BYTES)["video"]
    if video.ndim != 4 or video.shape[3] != 3:
        raise InputError(f"{path}: video has the shape {video.shape}, want (frames, h, w, 3)")
    for k, image in enumerate(video):
        yield k / RATE_HZ, to_uint8(image, str(path))


def _read_bvp(path: Path) -> Signal:
    return Signal(load_cached(_read_wave, path), RATE_HZ, kind="bvp")


def _read_wave(path: Path) -> np.ndarray:
    wave = np.ravel(load_mat(path, ["GT_ppg"], limit_bytes=LIMIT_BYTES)["GT_ppg"]).astype(float)
    if len(wave) < RATE_HZ:
        raise InputError(f"{path}: GT_ppg has {len(wave)} samples, want some 1800: copy it again")
    return wave
