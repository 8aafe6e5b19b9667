"""A fake of CASE: a CSV of signals and one of ratings for each person."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import MAKE, level_of, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse, rate_of, write_truth

RATE_HZ = 1000.0
HEADER = "daqtime,ecg,bvp,gsr,rsp,skt,emg_zygo,emg_coru,emg_trap,video"


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people, two clips in different orders after a start screen, ratings at 20 Hz."""
    folder, truth, sensors = Path(folder), {}, {}
    place = folder / "data" / "interpolated"
    (place / "physiological").mkdir(parents=True)
    (place / "annotations").mkdir()
    for person, order in ((1, (10, 5, 2)), (2, (10, 2, 5))):
        bpms = [DECOY_BPM, *(rate_of(2 * person + clip % 2) for clip in order[1:])]
        video = np.repeat(order, int(RATE_HZ) * seconds)
        bvp = np.concatenate([pulse(b, seconds, RATE_HZ) for b in bpms])
        ecg = np.concatenate([ecg_wave(b, seconds, RATE_HZ) for b in bpms])
        decoy = pulse(DECOY_BPM, 3 * seconds, RATE_HZ)
        levels = [9.0, *(level_of(2 * person + clip % 2) for clip in order[1:])]
        body = [
            np.concatenate([MAKE[kind](level, seconds, RATE_HZ) for level in levels])
            for kind in ("eda", "resp", "temp")  # gsr, rsp, skt
        ]
        columns = [np.arange(len(video)), ecg, bvp, *body, *[decoy] * 3, video]
        path = place / "physiological" / f"sub_{person}.csv"
        shape = ["%d", *["%.2f"] * 8, "%d"]
        np.savetxt(path, np.stack(columns, 1), shape, delimiter=",", header=HEADER, comments="")
        times = np.arange(0, len(video), 50)
        rows = np.stack([times, 5 + times / len(video), 5 - times / len(video), video[times]], 1)
        path = place / "annotations" / f"sub_{person}.csv"
        np.savetxt(
            path, rows, "%g", delimiter=",", header="jstime,valence,arousal,video", comments=""
        )
        for clip, bpm, level in zip(order[1:], bpms[1:], levels[1:], strict=True):
            truth[f"case/{person}/1/{clip}"] = {"bvp": bpm, "ecg": bpm}
            sensors[f"case/{person}/1/{clip}"] = truth_of(level, ("eda", "resp", "temp"))
    return write_truth(folder, truth, sensors)
