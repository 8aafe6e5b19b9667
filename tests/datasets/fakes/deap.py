"""A fake of DEAP: preprocessed arrays, the table of ratings, and face videos of one person."""

import pickle
from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import breathing, level_of, temperature, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

RATE_HZ, BASELINE_S, CHANNELS = 128.0, 3.0, 40
HEADER = "Participant_id,Trial,Experiment_id,Valence,Arousal,Dominance,Liking"


def write(folder: str | Path, *, seconds: int = 8, trials: int = 3) -> Path:
    """Write two people who saw the stimuli in different orders; the first one has videos.

    The brightness 40 + 20 × Experiment_id identifies each video. The channel is a literal: the
    reader's constant would repeat its mistake.
    """
    from emotion_rppg.synthesis.cameras import write_video

    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    for name in ("data_preprocessed_python", "metadata", "face_video/s01"):
        (folder / name).mkdir(parents=True)
    rows = [HEADER]
    decoy = pulse(DECOY_BPM, BASELINE_S + seconds, RATE_HZ).astype(np.float32)
    for person in (1, 2):
        data = np.tile(decoy, (trials, CHANNELS, 1))
        labels = np.zeros((trials, 4))
        for k in range(trials):
            experiment = (2 * k + person) % trials  # counted from 0
            bpm = rate_of(trials * (person - 1) + k)
            data[experiment, 38] = pulse(bpm, BASELINE_S + seconds, RATE_HZ)
            level = level_of(trials * (person - 1) + k)
            data[experiment, 37] = breathing(level, BASELINE_S + seconds, RATE_HZ)
            data[experiment, 39] = temperature(level, BASELINE_S + seconds, RATE_HZ)
            sensors[f"deap/{person:02d}/1/{k + 1:02d}"] = truth_of(level, ("resp", "temp"))
            labels[experiment] = [2 + experiment, 8 - experiment, 5, 1.5 + person]
            cells = ",".join(f"{value:g}" for value in labels[experiment])
            rows.append(f"{person},{k + 1},{experiment + 1},{cells}")
            truth[f"deap/{person:02d}/1/{k + 1:02d}"] = {"bvp": bpm}
            if person == 1:
                clip = folder / "face_video" / "s01" / f"s01_trial{k + 1:02d}.avi"
                grey = np.full((32, 32, 3), 60 + 20 * experiment, np.uint8)
                write_video(clip, (grey for _ in range(50 * seconds)), 50.0)
        with (folder / "data_preprocessed_python" / f"s{person:02d}.dat").open("wb") as file:
            pickle.dump({"data": data, "labels": labels}, file, protocol=2)
    (folder / "metadata" / "participant_ratings.csv").write_text(
        "\n".join(rows) + "\n", encoding="utf-8"
    )
    return write_truth(folder, truth, sensors)
