"""A fake of MCD-rPPG: videos, the pulse at each frame, and the date of each frame."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import pulse, rate_of, write_face, write_truth

START = datetime(2023, 11, 13, 14, 10, 51, 689451)
MORE_LINES = 7  # of meta than frames


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people before and after exercise; one camera has 24, the other 30 frames a second.

    The container of the videos states another rate than the dates of the frames.
    """
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for kind in ("video", "meta", "ppg_sync"):
        (folder / kind).mkdir(parents=True)
    recordings = [
        (person, camera, step)
        for person in ("1020", "1024")
        for camera in ("FullHDwebcam", "IriunWebcam")
        for step in ("before", "after")
    ]
    for n, (person, camera, step) in enumerate(recordings):
        bpm, rate = rate_of(n), 24 if camera == "IriunWebcam" else 30
        truth[f"mcd-rppg/{person}/{camera}/{step}"] = {"bvp": bpm}
        name, wave = f"{person}_{camera}_{step}", pulse(bpm, seconds, rate)
        write_face(folder / "video" / f"{name}.avi", wave, 27.0)
        rows = [f"{round(128 + 40 * v)} 0.0050" for v in wave]
        (folder / "ppg_sync" / f"{name}.txt").write_text("\n".join(rows) + "\n")
        dates = [START + timedelta(seconds=k / rate) for k in np.arange(len(wave) + MORE_LINES)]
        lines = [f"{k}  {date}" for k, date in enumerate(dates, 1)]
        (folder / "meta" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return write_truth(folder, truth)
