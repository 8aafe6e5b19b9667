"""SCAMPS (McDuff et al. 2022): 2,800 rendered faces with the blood flow they were rendered from.

`PNNNNNN.mat` (HDF5) holds 20 s of one face: ``RawFrames`` of 0–1 (3, width, height, frames) and
``d_ppg`` at 30 Hz. Frames are read one second at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader
from emotion_rppg.errors import InputError
from emotion_rppg.formats.image_frames import TimedFrames, to_uint8
from emotion_rppg.formats.safe_io import GB, load_hdf5, read_slabs
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

RATE_HZ = 30.0


class Scamps(DatasetReader):
    """List one recording for each face, each of its own person; 0 s is the first frame."""

    card = Card(
        name="scamps",
        title="SCAMPS",
        people=2800,
        modalities=("video", "bvp"),
        rates_hz={"video": RATE_HZ, "bvp": RATE_HZ},
        scales={},
        access="open",
        licence="the authors' terms",
        reference=(
            "McDuff D, Wander M, Liu X, et al. (2022). SCAMPS: synthetics for camera measurement "
            "of physiological signals. NeurIPS Datasets and Benchmarks."
        ),
        url="https://github.com/danmcduff/scampsdataset",
        traps=(
            "rendered, not filmed: results need not hold for real faces",
            "its authors state that it is not meant for emotion recognition",
            "about 600 GB; the first ten faces are also available as a separate archive",
        ),
        bibtex="""@inproceedings{mcduff2022scamps,
  author = {McDuff, Daniel and Wander, Miah and Liu, Xin and Hill, Brian L. and Hernandez, Javier
    and Lester, Jonathan and Baltrusaitis, Tadas},
  title = {{SCAMPS}: Synthetics for Camera Measurement of Physiological Signals},
  booktitle = {Advances in Neural Information Processing Systems, Datasets and Benchmarks},
  year = {2022}
}""",
    )
    inside = (".", "scamps_videos", "scamps_videos_example")
    expected = "P*.mat"

    def recordings(self) -> Iterator[Recording]:
        for path in sorted(self.root.glob(self.expected)):
            yield Recording(
                self.card.name,
                path.stem,
                video=Video(path, frames=partial(_read_frames, path)),
                signals={"bvp": partial(_read_bvp, path)},
            )


def _read_frames(path: Path) -> TimedFrames:
    frame = 0
    for slab in read_slabs(path, "RawFrames", axis=3, step=round(RATE_HZ), limit_bytes=3 * GB):
        if slab.ndim != 4 or len(slab) != 3:
            raise InputError(f"{path}: RawFrames has the shape {slab.shape}, want (3, w, h, n)")
        for image in slab.transpose(3, 2, 1, 0):
            yield frame / RATE_HZ, to_uint8(image, str(path))
            frame += 1


def _read_bvp(path: Path) -> Signal:
    wave = np.ravel(load_hdf5(path, ["d_ppg"], limit_bytes=3 * GB)["d_ppg"]).astype(float)
    if len(wave) < RATE_HZ:
        raise InputError(f"{path}: d_ppg has {len(wave)} samples, want 600: download it again")
    return Signal(wave, RATE_HZ, kind="bvp")
