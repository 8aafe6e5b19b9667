"""A fake of SCAMPS: images and signals of each face in a MATLAB 7.3 file."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, skin_images, write_truth

RATE_HZ = 30.0


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two faces; respiration has the decoy's rate."""
    import h5py

    folder, truth = Path(folder), {}
    folder.mkdir(parents=True)
    for k in range(2):
        bpm, name = rate_of(k), f"P{k + 1:06d}"
        clip = skin_images(bpm, seconds, RATE_HZ, size=16).astype(np.float32) / 255
        with h5py.File(folder / f"{name}.mat", "w") as file:
            file["RawFrames"] = clip.transpose(3, 2, 1, 0)
            file["d_ppg"] = pulse(bpm, seconds, RATE_HZ)[:, None]
            file["d_br"] = pulse(DECOY_BPM, seconds, RATE_HZ)[:, None]
        truth[f"scamps/{name}/1/1"] = {"bvp": bpm}
    return write_truth(folder, truth)
