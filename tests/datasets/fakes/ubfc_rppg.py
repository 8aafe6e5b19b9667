"""A fake of UBFC-rPPG: both of its parts, each with its layout of the oximeter's file."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_face, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Two people of each part; their heart rates and saturations waver like decoys."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for name in ("subject3", "subject12", "5-gt", "after-exercise"):
        second = name.startswith("subject")
        bpm, rate = rate_of(len(truth)), 29.0 if second else 62.0
        truth[f"ubfc-rppg/{name}/1/1"] = {"bvp": bpm}
        place = folder / ("DATASET_2" if second else "DATASET_1") / name
        place.mkdir(parents=True)
        film = pulse(bpm, seconds, rate if second else 30)
        write_face(place / "vid.avi", film, 30.0)  # whatever its frames' times are
        wave, decoy = (pulse(b, seconds, rate) for b in (bpm, DECOY_BPM))
        times = np.arange(len(wave)) / rate
        if second:
            rows = np.stack([wave, 70 + decoy, times])
            np.savetxt(place / "ground_truth.txt", rows, "%.7e")
        else:
            columns = np.stack([np.rint(1e3 * times), 70 + decoy, 97 + decoy, wave], 1)
            np.savetxt(place / "gtdump.xmp", columns, "%.6g", delimiter=",")
    return write_truth(folder, truth)
