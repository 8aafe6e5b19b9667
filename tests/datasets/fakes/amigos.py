"""A fake of AMIGOS: ECG in MATLAB tables, in the layout of `data_preprocessed/`."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse, rate_of, write_truth

RATE_HZ, REST_S, CHANNELS = 128.0, 5.0, 17


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with three films, of which the second person missed one."""
    place = Path(folder) / "data_preprocessed"
    place.mkdir(parents=True)
    truth: dict[str, dict[str, float]] = {}
    for person in (1, 8):
        data, ratings = np.empty((1, 3), object), np.empty((1, 3), object)
        for film in range(3):
            data[0, film], ratings[0, film] = np.empty((0, 0)), np.empty((0, 0))
            if (person, film) == (8, 2):
                continue
            bpm = rate_of(len(truth))
            truth[f"amigos/{person:02d}/1/{film + 1:02d}"] = {"ecg": bpm}
            wave = np.r_[ecg_wave(DECOY_BPM, REST_S, RATE_HZ), ecg_wave(bpm, seconds, RATE_HZ)]
            table = np.tile(pulse(DECOY_BPM, REST_S + seconds, RATE_HZ)[:, None], CHANNELS)
            table[:, 14] = wave  # a literal: the reader's constant would repeat its mistake
            data[0, film] = table
            ratings[0, film] = np.array([[2.0 + film, 8.0, 5, 5, 1, *[0] * 7]])
        content = {"joined_data": data, "labels_selfassessment": ratings}
        savemat(place / f"Data_Preprocessed_P{person:02d}.mat", content, do_compression=True)
    return write_truth(folder, truth)
