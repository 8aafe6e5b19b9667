"""A fake of ASCERTAIN: ECG of each clip in a MATLAB file, all ratings in another."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse, rate_of, write_truth

RATE_HZ = 256.0


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with three clips each, in files of three and of six columns."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    ratings = np.full((5, 58, 36), np.nan)
    for person in (1, 12):
        place = folder / "ASCERTAIN_Raw" / "ECGData" / f"Movie_P{person:02d}"
        place.mkdir(parents=True)
        for clip in (1, 2, 10):
            bpm = rate_of(len(truth))
            decoy = pulse(DECOY_BPM, seconds, RATE_HZ)
            wide = clip == 2
            table = np.tile(decoy[:, None], 6 if wide else 3)
            table[:, 0] = 40 + 1e3 * np.arange(len(table)) / 256
            table[:, 4 if wide else 1] = ecg_wave(bpm, seconds, RATE_HZ)
            content = {"Data_ECG": table, "timeECG": np.array([[2013.0, 5, 7, 9, 1, 2]])}
            savemat(place / f"ECG_Clip{clip}.mat", content, do_compression=True)
            ratings[:, person - 1, clip - 1] = [person % 7, clip % 5 - 2, 3, 4, 0]
            truth[f"ascertain/{person:02d}/1/{clip:02d}"] = {"ecg": bpm}
    (folder / "ASCERTAIN_Features").mkdir()
    savemat(folder / "ASCERTAIN_Features" / "Dt_SelfReports.mat", {"Ratings": ratings})
    return write_truth(folder, truth)
