"""A fake of DREAMER: all people in one MATLAB file."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse, rate_of, write_truth

RATE_HZ, FILMS = 256.0, 18
RATINGS = ("Valence", "Arousal", "Dominance")


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with all films, of two lengths; EEG and rest have the decoy's rate."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    truth: dict[str, dict[str, float]] = {}
    people = np.empty(2, object)
    rest = ecg_wave(DECOY_BPM, 2, RATE_HZ)
    for number in range(2):
        ecg, baseline, eeg = (np.empty(FILMS, object) for _ in range(3))
        for film in range(FILMS):
            bpm = rate_of(number * 7 + film)
            wave = ecg_wave(bpm, seconds + film % 2, RATE_HZ)
            other = ecg_wave(
                DECOY_BPM, seconds + film % 2, RATE_HZ
            )  # in the real file the same heart
            ecg[film] = np.stack([wave, other], 1)
            baseline[film] = np.stack([rest, rest], 1)
            eeg[film] = np.tile(pulse(DECOY_BPM, 1, 128)[:, None], 14)
            truth[f"dreamer/{number + 1:02d}/1/{film + 1:02d}"] = {"ecg": bpm}
        people[number] = {
            "ECG": {"baseline": baseline, "stimuli": ecg},
            "EEG": {"baseline": eeg, "stimuli": eeg},
        } | {f"Score{k}": 1.0 + (np.arange(FILMS) + number) % 5 for k in RATINGS}
    content = {"Data": people, "ECG_SamplingRate": RATE_HZ, "noOfSubjects": 2.0}
    savemat(folder / "DREAMER.mat", {"DREAMER": content}, do_compression=True)
    return write_truth(folder, truth)
