"""iBVP (Joshi & Cho 2024): faces at rest, during arithmetic and in motion, with an ear pulse.

`pNN_x/pNN_x_rgb/*.bmp` are the frames of person NN in condition x at 30 Hz, `pNN_x_bvp.csv` the
pulse and its quality, one row per frame. The thermal images are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, read_columns
from emotion_rppg.errors import InputError
from emotion_rppg.formats.image_frames import TimedFrames, read_image_files
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

CONDITIONS = {
    "a": "slow breathing and rest",
    "b": "easy arithmetic",
    "c": "difficult arithmetic",
    "d": "head movement",
}
RATE_HZ = 30.0


class Ibvp(DatasetReader):
    """List one recording for each person and condition; 0 s is the first frame."""

    card = Card(
        name="ibvp",
        title="iBVP",
        people=None,
        modalities=("video", "bvp"),
        rates_hz={"video": RATE_HZ, "bvp": RATE_HZ},
        scales={},
        access="on request, signed agreement",
        licence="the authors' terms, academic research alone",
        reference=(
            "Joshi J, Cho Y (2024). iBVP dataset: RGB-thermal rPPG dataset with high resolution "
            "signal quality labels. Electronics 13(7), 1334."
        ),
        url="https://doi.org/10.3390/electronics13071334",
        traps=(
            "the pulse was filtered and resampled to 30 Hz, which limits the precision of beats",
            "its quality (column SQ2, rated by hand) becomes the signal's quality",
            "some people did not agree to the publication of their images; see the set's README",
        ),
        bibtex="""@article{joshi2024ibvp,
  author = {Joshi, Jitesh and Cho, Youngjun},
  title = {{iBVP} Dataset: {RGB}-Thermal {rPPG} Dataset with High Resolution Signal Quality Labels},
  journal = {Electronics},
  volume = {13}, number = {7}, pages = {1334}, year = {2024},
  doi = {10.3390/electronics13071334}
}""",
    )
    inside = (".", "iBVP_Dataset")
    expected = "p*_*/p*_bvp.csv"

    def recordings(self) -> Iterator[Recording]:
        for path in sorted(self.root.glob(self.expected)):
            name = path.name.removesuffix("_bvp.csv")
            person, _, condition = name.partition("_")
            if condition not in CONDITIONS:
                raise InputError(f"{path} has the condition {condition!r}: want a, b, c or d")
            folder = path.parent / f"{name}_rgb"
            yield Recording(
                self.card.name,
                person,
                trial=condition,
                labels={"condition": CONDITIONS[condition]},
                video=Video(folder, frames=partial(_read_frames, folder)),
                signals={"bvp": partial(_read_bvp, path, folder)},
            )


def _image_paths(folder: Path) -> list[Path]:
    """List the images in the order of the number at the end of their names, 2 before 10."""
    images = []
    for path in folder.glob("*.bmp"):
        digits = path.stem[len(path.stem.rstrip("0123456789")) :]
        if not digits:
            raise InputError(
                f"{path} has no number in its name: its place among the frames is unknown"
            )
        images.append((int(digits), path))
    if not images:
        raise InputError(f"{folder} has no images (*.bmp): unpack them there")
    return [path for _, path in sorted(images)]


def _read_frames(folder: Path) -> TimedFrames:
    return read_image_files((k / RATE_HZ, path) for k, path in enumerate(_image_paths(folder)))


def _read_bvp(path: Path, folder: Path) -> Signal:
    table, frames = read_columns(path, ("BVP", "SQ2")), len(_image_paths(folder))
    if abs(len(table["BVP"]) - frames) > RATE_HZ:
        raise InputError(
            f"{path} has {len(table['BVP'])} rows for {frames} images in {folder.name}: want one "
            "row per image; one of the two is incomplete, copy both again"
        )
    quality = np.clip(np.nan_to_num(table["SQ2"]), 0, 1)
    return Signal(table["BVP"], RATE_HZ, kind="bvp", quality=quality)
