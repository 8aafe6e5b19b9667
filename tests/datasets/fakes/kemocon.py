"""A fake of K-EmoCon: E4 tables, ratings of three kinds and the list of people."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import MAKE, level_of, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

RATE_HZ = 64.0
PEOPLE = "metadata/subjects.csv"
BVP, SENSOR = "raw/e4_data/{0}/E4_BVP.csv", "raw/e4_data/{0}/E4_{1}.csv"
RATINGS = "raw/emotion_annotations"
RATERS = (
    f"{RATINGS}/self_annotations/P{{0}}.self.csv",
    f"{RATINGS}/partner_annotations/P{{0}}.partner.csv",
    f"{RATINGS}/aggregated_external_annotations/P{{0}}.external.csv",
)
BAND_OF_31, OTHER_BAND = "A013E1", "A01525"  # both in one file


def write(folder: str | Path, *, seconds: int = 20) -> Path:
    """Write three people, of whom one has no wristband; person 31's file has two wristbands."""
    folder, truth, sensors = Path(folder), {}, {}
    (folder / "metadata").mkdir(parents=True)
    rows = ["pid,initTime,startTime,endTime"]
    for number, pid in enumerate((1, 2, 31)):
        start = 1_550_000_000_000 + 10_000_000 * pid
        rows.append(f"{pid},{start - 30_000},{start},{start + 1000 * seconds}")
        for k, name in enumerate(RATERS):
            _write_rating(folder / name.format(pid), seconds, 2 + k)
        if pid == 2:
            continue
        times = start - 10_000 + np.round(np.arange(64 * (seconds + 20)) * 1e3 / 64)
        bpm = rate_of(number)
        bands = {BAND_OF_31: bpm, OTHER_BAND: DECOY_BPM} if pid == 31 else {"A00000": bpm}
        waves = {b: pulse(rate, seconds + 20, RATE_HZ) for b, rate in bands.items()}
        lines = ["timestamp,value,device_serial"]
        lines += [f"{t:.0f},{w[k]:.3f},{b}" for k, t in enumerate(times) for b, w in waves.items()]
        path = folder / BVP.format(pid)
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        truth[f"k-emocon/{pid}/1/debate"] = {"bvp": bpm}
        levels = dict(zip(bands, (level_of(number), 9.0), strict=False))
        for kind, hz in (("eda", 4), ("temp", 4), ("acc", 32)):
            _write_sensor(
                folder / SENSOR.format(pid, kind.upper()), kind, hz, start, seconds, levels
            )
        sensors[f"k-emocon/{pid}/1/debate"] = truth_of(level_of(number), ("eda", "temp", "acc"))
    (folder / PEOPLE).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return write_truth(folder, truth, sensors)


def _write_sensor(
    path: Path, kind: str, hz: int, start_ms: int, seconds: int, levels: dict[str, float]
) -> None:
    """Write a table of samples by all wristbands of a person; acceleration in 1/64 g."""
    scale = 64.0 if kind == "acc" else 1.0
    waves = {band: scale * MAKE[kind](x, seconds + 20, hz) for band, x in levels.items()}
    lines = [f"timestamp,{'x,y,z' if kind == 'acc' else 'value'},device_serial"]
    for k in range(hz * (seconds + 20)):
        for band, wave in waves.items():
            cells = ",".join(f"{value:.4f}" for value in np.atleast_1d(wave[k]))
            lines.append(f"{start_ms - 10_000 + k * 1e3 / hz:.0f},{cells},{band}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_rating(path: Path, seconds: int, arousal: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{t},{arousal},{6 - arousal},1" for t in range(5, seconds + 1, 5)]
    path.write_text("\n".join(["seconds,arousal,valence,cheerful", *rows]) + "\n", encoding="utf-8")
