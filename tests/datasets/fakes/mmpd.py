"""A fake of MMPD: video, pulse and conditions of each recording in one MATLAB file."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.datasets.fakes.shared import pulse, rate_of, skin_images, write_truth

RATE_HZ = 30.0


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with three experiments."""
    truth = {}
    kinds = (("LED-low", "Stationary"), ("Nature", "Watching Videos"), ("LED-high", "Talking"))
    for k, (person, number) in enumerate(((1, 0), (1, 10), (2, 0))):
        bpm, place = rate_of(k), Path(folder) / f"subject{person}"
        place.mkdir(parents=True, exist_ok=True)
        content = {
            "video": skin_images(bpm, seconds, RATE_HZ, size=16).astype(np.float32) / 255,
            "GT_ppg": pulse(bpm, seconds, RATE_HZ)[None],
            "light": kinds[k][0],
            "motion": kinds[k][1],
            "exercise": "False",
            "skin_color": np.array([[3 + k]]),
            "gender": "female",
            "glasser": "True",
            "hair_cover": "False",
            "makeup": "False",
        }
        savemat(place / f"p{person}_{number}.mat", content, do_compression=True)
        truth[f"mmpd/{person:02d}/1/{number:02d}"] = {"bvp": bpm}
    return write_truth(folder, truth)
