"""A fake of UBFC-rPPG: both parts, each with its own layout of the oximeter's file."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_face, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people of each part; heart rate and saturation vary at the decoy's rate."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for name in ("subject3", "subject12", "5-gt", "after-exercise"):
        in_part_2 = name.startswith("subject")
        bpm, rate = rate_of(len(truth)), 29.0 if in_part_2 else 62.0
        truth[f"ubfc-rppg/{name}/1/1"] = {"bvp": bpm}
        place = folder / ("DATASET_2" if in_part_2 else "DATASET_1") / name
        place.mkdir(parents=True)
        video_wave = pulse(bpm, seconds, rate if in_part_2 else 30)
        write_face(
            place / "vid.avi", video_wave, 30.0
        )  # the container's rate, not that of the frame times
        wave, decoy = (pulse(b, seconds, rate) for b in (bpm, DECOY_BPM))
        times = np.arange(len(wave)) / rate
        if in_part_2:
            rows = np.stack([wave, 70 + decoy, times])
            np.savetxt(place / "ground_truth.txt", rows, "%.7e")
        else:
            columns = np.stack([np.rint(1e3 * times), 70 + decoy, 97 + decoy, wave], 1)
            np.savetxt(place / "gtdump.xmp", columns, "%.6g", delimiter=",")
    return write_truth(folder, truth)
