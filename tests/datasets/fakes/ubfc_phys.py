"""A fake of UBFC-Phys: contact signals and scores of each person, videos of one."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import eda, level_of, truth_of
from tests.datasets.fakes.shared import pulse, rate_of, write_face, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people, of whom the second has no videos."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    for person, group in ((2, "test"), (10, "ctrl")):
        place = folder / f"s{person}"
        place.mkdir(parents=True)
        facts = f"s{person}\nf\n{group}\n2019-11-04\n10:05:00\n"
        (place / f"info_s{person}.txt").write_text(facts, encoding="utf-8")
        scores = "1.5,2.25\n1.25,1.75\n3.5,2.5\n"
        (place / f"selfReportedAnx_s{person}.csv").write_text(scores, encoding="utf-8")
        for task in ("T1", "T2", "T3"):
            bpm = rate_of(len(truth))
            truth[f"ubfc-phys/{person}/1/{task}"] = {"bvp": bpm}
            np.savetxt(place / f"bvp_s{person}_{task}.csv", pulse(bpm, seconds, 64), "%.3f")
            level = level_of(len(truth))
            sensors[f"ubfc-phys/{person}/1/{task}"] = truth_of(level, ("eda",))
            np.savetxt(place / f"eda_s{person}_{task}.csv", eda(level, seconds, 4), "%.3f")
            if person == 2:
                path = place / f"vid_s{person}_{task}.avi"
                write_face(path, pulse(bpm, seconds, 35), 35)
    return write_truth(folder, truth, sensors)
