"""A fake of HKU956: files of one number per line for each person, signal and song."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import MAKE, level_of, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

HEADER = (
    "participant_id,song_no,song_id,valence_rating,valence,arousal_rating,arousal,play_duration"
)


def write(folder: str | Path, *, seconds: int = 16) -> Path:
    """Write two people with two songs; the second song's intervals are half of the beats."""
    folder, truth, sensors = Path(folder), {}, {}
    rows = [HEADER, "hku1930,0,77933,1.5,positive,-2,negative,99"]  # a person without files
    for person, valence in (("hku1903", -9.5), ("hku1904", 8.2)):
        for order, song in ((2, 262957), (10, 645874)):
            number = len(truth)
            name = f"hku956/{person}/1/{order}_{song}"
            truth[name] = {"bvp": rate_of(2 * number), "rr": rate_of(2 * number + 1)}
            sensors[name] = truth_of(level_of(number), ("eda", "temp"))
            interval_s = 60 / truth[name]["rr"]
            complete = int(seconds / interval_s) + 1  # the first began before the song
            count = complete if order == 2 else complete // 2
            files = {
                "BVP": 30 * pulse(truth[name]["bvp"], seconds, 64),
                "EDA": MAKE["eda"](level_of(number), seconds, 4),
                "TEMP": MAKE["temp"](level_of(number), seconds, 4),
                "HR": DECOY_BPM + np.zeros(seconds),
                "IBI": interval_s + 0.001 * (-1.0) ** np.arange(count),
            }
            for kind, values in files.items():
                path = folder / "1. physiological_signals" / person / kind / f"{order}_{song}.csv"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savetxt(path, values, "%.6f")
            rows.append(f"{person},{order},{song},{valence},x,{number - 3.5},x,{seconds}")
    (folder / "3. AV_ratings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return write_truth(folder, truth, sensors)
