"""A fake of COHFACE: a video and an HDF5 file in each folder."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_face, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with two videos; respiration has the decoy's rate."""
    import h5py

    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for person in (2, 10):
        for trial in (0, 3):
            bpm = rate_of(len(truth))
            truth[f"cohface/{person}/1/{trial}"] = {"bvp": bpm}
            place = folder / str(person) / str(trial)
            place.mkdir(parents=True)
            write_face(place / "data.avi", pulse(bpm, seconds, 20), 20.0)
            with h5py.File(place / "data.hdf5", "w") as file:
                file["pulse"] = pulse(bpm, seconds, 256)
                file["respiration"] = pulse(DECOY_BPM, seconds, 256)
                file["time"] = np.arange(256 * seconds) / 256
    return write_truth(folder, truth)
