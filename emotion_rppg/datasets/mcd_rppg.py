"""MCD-rPPG (Egorov et al. 2025): 600 people before and after exercise, seen by three cameras.

`video/ID_CAMERA_STEP.avi`; `ppg_sync/ID_CAMERA_STEP.txt` has the finger's pulse at each frame and
the distance to its own sample in s; `meta/ID_CAMERA_STEP.txt` the number and date of each frame.
`db.csv` has the rate that a device measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, frame_times_s
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, check_file
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

CAMERAS = ("FullHDwebcam", "USBVideo", "IriunWebcam")
STEPS = ("before", "after")


class McdRppg(DatasetReader):
    """List one recording for each video: the session is the camera, the trial the step."""

    card = Card(
        name="mcd-rppg",
        title="MCD-rPPG",
        people=600,
        modalities=("video", "bvp"),
        rates_hz={},
        scales={},
        access="open, on the Hugging Face hub",
        licence="CC BY 4.0",
        reference=(
            "Egorov K, Botman S, Blinov P, et al. (2025). Gaze into the heart: a multi-view video "
            "dataset for rPPG and health biomarkers estimation. ACM Multimedia, 13053–13059."
        ),
        url="https://doi.org/10.1145/3746027.3758255",
        traps=(
            "three cameras filmed the same minutes: use one of them, or the same heart beats are "
            "counted three times (the session is the camera)",
            "cameras have 24 to 30 frames per second; the times of the frames are in `meta`, "
            "which may have more lines than the video has frames",
            "the pulse has one sample for each frame, so its beats are as coarse as the frames",
            "videos are strongly compressed (MPEG-4), and the exposure is automatic",
            "after exercise the heart rate falls by some 15 bpm within the first minute",
            "`db.csv` (rate by a device, blood pressure, age and others) and the ECG are not read",
        ),
        bibtex="""@inproceedings{egorov2025gaze,
  author = {Egorov, Konstantin and Botman, Stepan and Blinov, Pavel and Zubkova, Galina and
    Ivaschenko, Anton and Kolsanov, Alexander and Savchenko, Andrey},
  title = {Gaze into the Heart: A Multi-View Video Dataset for {rPPG} and Health Biomarkers
    Estimation},
  booktitle = {Proceedings of the 33rd ACM International Conference on Multimedia},
  pages = {13053--13059}, year = {2025},
  doi = {10.1145/3746027.3758255}
}""",
    )
    expected = "ppg_sync/*_*_*.txt"

    def recordings(self) -> Iterator[Recording]:
        for path in sorted(self.root.glob(self.expected)):
            subject, camera, step = path.stem.split("_")
            if camera not in CAMERAS or step not in STEPS:
                raise InputError(
                    f"{path} is not named as expected: want ID_CAMERA_STEP.txt, the camera one of "
                    f"{', '.join(CAMERAS)}, the step {' or '.join(STEPS)}"
                )
            video = self.root / "video" / f"{path.stem}.avi"
            times = partial(_frame_times, path)
            yield Recording(
                self.card.name,
                subject,
                session=camera,
                trial=step,
                labels={"condition": step},
                video=Video(video, times=times) if video.is_file() else None,
                signals={"bvp": partial(_read_pulse, path)},
            )


def _read_pulse(path: Path) -> Signal:
    """Read the finger's pulse at the times of the frames."""
    return Signal.from_times(_frame_times(path), _samples(path), kind="bvp")


def _samples(path: Path) -> np.ndarray:
    """Read the pulse at each frame, (n,)."""
    lines = check_file(path, 50 * MB).read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        return np.array([float(line.split()[0]) for line in lines if line.strip()])
    except ValueError as error:
        raise InputError(f"{path}: {error}: want a sample and a distance in s per line") from None


def _frame_times(path: Path) -> np.ndarray:
    """Read the time of each frame with a pulse, in s from the first frame, (n,)."""
    count, meta = len(_samples(path)), path.parents[1] / "meta" / path.name
    lines = check_file(meta, 50 * MB).read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line for line in lines if line.strip()][:count]
    if len(lines) < count:
        raise InputError(
            f"{meta} has the times of {len(lines)} frames, {path.name} in {path.parent.name} has "
            f"{count} samples: download both again"
        )
    try:
        dates = [datetime.fromisoformat(line.split(maxsplit=1)[1].strip()) for line in lines]
    except (ValueError, IndexError) as error:
        raise InputError(
            f"{meta}: {error}: want the number and the date of a frame per line"
        ) from None
    return frame_times_s(meta, np.array([(date - dates[0]).total_seconds() for date in dates]))
