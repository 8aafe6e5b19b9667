"""A fake of WESAD: pickles and questionnaires; one person has only the raw E4 session."""

import pickle
import zipfile
from pathlib import Path

import numpy as np

from tests.datasets.fakes.respiban import body_signals
from tests.datasets.fakes.sensors import MAKE, e4_file, level_of, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

E4_HZ = {"eda": 4, "temp": 4, "acc": 32}
CODES = {"Base": 1, "TSST": 2, "Fun": 3, "Medi 1": 4, "Medi 2": 4}


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with conditions in different orders, and a third with only the raw E4."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    for k, order in enumerate((list(CODES), ["Base", "Fun", "Medi 1", "TSST", "Medi 2"])):
        name, rates = f"S{2 + k}", [rate_of(5 * k + i) for i in range(5)]
        (folder / name).mkdir(parents=True)
        levels = [level_of(5 * k + i) for i in range(5)]
        for condition, bpm, level in zip(order, rates, levels, strict=True):
            key = f"wesad/{2 + k}/1/{_trial(condition)}"
            truth[key] = {"bvp": bpm, "ecg": bpm}
            sensors[key] = truth_of(level, ("eda", "resp", "temp", "acc"))
        with (folder / name / f"{name}.pkl").open("wb") as file:
            pickle.dump(_person(name, order, rates, levels, seconds), file, protocol=2)
        quest = _quest(name, order, seconds)
        (folder / name / f"{name}_quest.csv").write_text(quest, encoding="utf-8")
    truth |= _write_e4(folder / "S9", list(CODES), seconds)
    for k, condition in enumerate(CODES):
        sensors[f"wesad/9/1/{_trial(condition)}"] = truth_of(level_of(10 + k), E4_HZ)
    return write_truth(folder, truth, sensors)


def _person(
    name: str, order: list[str], rates: list[float], levels: list[float], seconds: int
) -> dict[str, object]:
    """Return a pickle's content: each condition follows two seconds without a label."""
    codes = [np.repeat([0, CODES[c]], [2 * 700, seconds * 700]) for c in order]
    return {
        "subject": name,
        "label": np.concatenate(codes).astype(np.int32),
        "signal": body_signals(rates, levels, seconds, 2, per_g=64.0),
    }


def _write_e4(folder: Path, order: list[str], seconds: int) -> dict[str, dict[str, float]]:
    """Write S9's questionnaire and E4 session; between conditions it has the decoy's rate."""
    quest = _quest(folder.name, order, seconds + 20)
    ends = [929 + 158 + (k + 1) * (seconds + 22) for k in range(5)]
    wave, truth = pulse(DECOY_BPM, ends[-1], 64), {}
    late_s, sensors = 6, {}  # the other sensors start after the pulse
    for kind, hz in E4_HZ.items():
        sensors[kind] = MAKE[kind](9.0, ends[-1] - late_s, hz)
    for k, end in enumerate(ends):
        first = end - 20 - seconds  # start of the labels, to within 0.2 s
        wave[first * 64 : (end - 20) * 64] = pulse(rate_of(10 + k), seconds, 64)
        for kind, hz in E4_HZ.items():
            part = MAKE[kind](level_of(10 + k), seconds, hz)
            sensors[kind][(first - late_s) * hz :][: len(part)] = part
        truth[f"wesad/9/1/{_trial(order[k])}"] = {"bvp": rate_of(10 + k)}
    lines = ["1495437325.00", "64.000000", *(f"{value:.2f}" for value in wave)]
    folder.mkdir()
    (folder / "S9_quest.csv").write_text(quest, encoding="utf-8")
    with zipfile.ZipFile(folder / "S9_E4_Data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BVP.csv", "\n".join(lines) + "\n")
        for kind, hz in E4_HZ.items():
            per_unit = 64.0 if kind == "acc" else 1.0
            text = e4_file(sensors[kind], 1495437325 + late_s, hz, per_unit=per_unit)
            archive.writestr(f"{kind.upper()}.csv", text)
    return truth


def _quest(name: str, order: list[str], seconds: int) -> str:
    """Format a questionnaire; its times (minutes.seconds) start 2 min 38 s before the pickle's."""
    starts = [158 + 2 + k * (seconds + 2) for k in range(5)]

    def times(at: list[int]) -> str:
        return ";".join(f"{t // 60}.{t % 60:02d}".removesuffix("0") for t in at)

    lines = [f"# Subj;{name};;;;;", "# ORDER;" + ";".join([*order, "sRead"]) + ";"]
    lines += [f"# START;{times(starts)};9.1;", f"# END;{times([t + seconds for t in starts])};9.3;"]
    lines += [";;;;;;", *["# PANAS;1;2;3"] * 5, *["# STAI;1;2"] * 5]
    lines += [f"# DIM;{3 + k};{8 - k};" for k in range(5)]
    return "\n".join([*lines, "# SSSQ;1;2;"]) + "\n"


def _trial(condition: str) -> str:
    return condition.lower().replace(" ", "")
