"""A fake of iBVP: a folder of images and a CSV for each recording."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import (
    DECOY_BPM,
    pulse,
    rate_of,
    skin_images,
    write_images,
    write_truth,
)

RATE_HZ = 30.0


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people, of whom one has two conditions; the first second has quality 0."""
    truth = {}
    for k, name in enumerate(("p01_a", "p01_d", "p02_a")):
        bpm, place, n = rate_of(k), Path(folder) / name, int(seconds * RATE_HZ)
        clip = skin_images(bpm, seconds, RATE_HZ)
        write_images(place / f"{name}_rgb", [f"{i:05d}.bmp" for i in range(n)], clip)
        quality = np.where(np.arange(n) < RATE_HZ, 0.0, 1.0)
        decoy = pulse(DECOY_BPM, seconds, RATE_HZ)
        table = np.stack([pulse(bpm, seconds, RATE_HZ), quality, quality, quality, decoy], 1)
        header = "BVP,SQPhysMD,SQ1,SQ2,Perfusion_Value"
        path = place / f"{name}_bvp.csv"
        np.savetxt(path, table, "%.4f", delimiter=",", header=header, comments="")
        truth[f"ibvp/{name[:3]}/1/{name[4:]}"] = {"bvp": bpm}
    return write_truth(folder, truth)
