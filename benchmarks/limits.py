"""What limits stress by a wrist's pulse, measured: ``python -m benchmarks.limits TABLE DIR``.

TABLE as of `benchmarks.stress`, DIR the data set. Two heads, leave one subject out, means over
people.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emotion_rppg import evaluate, extract, metrics
from emotion_rppg.datasets.stress_predict import StressPredict
from emotion_rppg.emotion import HEADS
from emotion_rppg.evaluation.learning_curve import learning_curve
from emotion_rppg.evaluation.normalisation import NORMALISE
from emotion_rppg.features import beats, columns
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.family import QUALITY_GROUP
from emotion_rppg.formats.empatica import read_e4
from emotion_rppg.runtime.tables import read_table
from emotion_rppg.signals import Beats
from emotion_rppg.windows import IDENTITY, LABEL, SCALE

USED = {name: HEADS[name] for name in ("logistic", "svm_poly")}
TASKS = {2: "Stroop", 4: "interview", 6: "hyperventilation"}  # by the place of the stretch


SIZES = (4, 8, 12, 16)
SURE = 0.85  # of nine beats about, in place of 0.7
VARIABILITY = (
    *("sdnn_ms", "rmssd_ms", "sdsd_ms", "pnn20_pct", "pnn50_pct", "cvnn", "cvsd", "mad_nn_ms"),
    *("iqr_nn_ms", "sd1_ms", "sd2_ms", "sd1_sd2", "csi", "cvi", "hf_ms2", "ln_hf", "hf_lomb_ms2"),
)


def main(path: Path, root: Path) -> None:
    table = read_table(path)
    table = table[table["label_stress"].notna()].reset_index(drop=True)
    show("own threshold", thresholds(table))
    show("thirds by quality", by_quality(table))
    show("share of windows called right, by task", by_task(table))
    show("quality columns alone", quality_alone(table))
    show("training people", by_people(table))
    show("RMSSD and the device's own, of the person without labels", rmssd(root))
    show("variability of surer beats alone", surer(table, root))


def show(title: str, rows: pd.DataFrame) -> None:
    print(f"\n{title}\n{rows.round(3).to_string(index=False)}", flush=True)


def scored(table: pd.DataFrame, how: str, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of people, and what was said of each window, dummies left out."""
    found = evaluate(table, target="stress", heads=USED, normalise=how, **options)
    scores, predictions = found.scores, found.predictions
    return scores[scores["head"].isin(USED)], predictions[predictions["head"].isin(USED)]


def thresholds(table: pd.DataFrame) -> pd.DataFrame:
    """Balanced accuracy as it is; and at the threshold that is best for each person, by their
    labels: an upper bound that no rule without labels can pass."""
    rows = []
    for how in NORMALISE:
        found, said = scored(table, how)
        for head, own in said.groupby("head"):
            best = [_best(part) for _, part in own.groupby("subject")]
            plain = found.loc[found["head"] == head, ["balanced_accuracy", "auroc"]].mean()
            rows.append({"normalise": how, "head": head, **plain, "own_threshold": np.mean(best)})
    return pd.DataFrame(rows)


def _best(part: pd.DataFrame) -> float:
    truth, chance = part["truth"].to_numpy(), part["p_1"].to_numpy()
    said = ((chance > cut).astype(float) for cut in np.unique(chance))
    return max(metrics.balanced_accuracy(truth, each) for each in said)


def by_quality(table: pd.DataFrame) -> pd.DataFrame:
    """Mean recall of the two classes over all windows of a third, by `quality` of the pulse."""
    rows = []
    for how in NORMALISE:
        for head, own in scored(table, how)[1].groupby("head"):
            quality = table["quality"].to_numpy()[own["row"]]
            third = np.digitize(quality, np.quantile(quality, [1 / 3, 2 / 3]))
            parts = [own[third == k] for k in range(3)]
            scores = [metrics.balanced_accuracy(p["truth"], p["predicted"]) for p in parts]
            names = ("unclear", "middle", "clear")
            rows.append({"normalise": how, "head": head, **dict(zip(names, scores, strict=True))})
    return pd.DataFrame(rows)


def by_task(table: pd.DataFrame) -> pd.DataFrame:
    """Of people with all seven stretches: rest, task, rest, task, rest, task, rest."""
    rows = []
    for how in NORMALISE:
        for head, own in scored(table, how)[1].groupby("head"):
            place = own["trial"].astype(int)
            told = place.map(TASKS).fillna("rest, " + place.astype(str))
            whole = own.groupby("subject")["trial"].transform(lambda t: t.astype(int).max()) == 7
            right = (own["truth"] == own["predicted"])[whole].groupby(told[whole]).mean()
            rows.append({"normalise": how, "head": head, **right.to_dict()})
    return pd.DataFrame(rows)


def _of_quality(table: pd.DataFrame) -> list[str]:
    known = columns()
    return [name for name in table if name in known and known[name].group == QUALITY_GROUP]


def quality_alone(table: pd.DataFrame) -> pd.DataFrame:
    """People move more under stress: what that alone tells."""
    kept = [c for c in table if c in IDENTITY or str(c).startswith((LABEL, SCALE))]
    there = [c for c in _of_quality(table) if table[c].notna().any()]
    # under other names: a window of which only the quality is known counts as one without features
    alone = table[kept].assign(**{f"own_{name}": table[name] for name in there})
    parts = [scored(alone, how)[0].assign(normalise=how) for how in NORMALISE]
    return _means(pd.concat(parts), ["normalise", "head"])


def by_people(table: pd.DataFrame) -> pd.DataFrame:
    """More people: whether the score still rises where they end."""
    parts = [
        learning_curve(
            table, target="stress", heads=USED, normalise=name, sizes=SIZES, repeats=2
        ).assign(normalise=name)
        for name in NORMALISE
    ]
    joined = pd.concat(parts)
    return _means(joined[joined["head"].isin(USED)], ["normalise", "head", "training_people"])


def rmssd(root: Path) -> pd.DataFrame:
    """Windows of 60 s of person 1, whom nothing is scored on, by how sure beats must be."""
    seconds, told = np.loadtxt(root / "Raw_data/S01/IBI.csv", delimiter=",", skiprows=1).T
    wave, _ = read_e4(root / "Raw_data/S01/BVP.csv", "bvp")
    rows = []
    for least in (KINDS["bvp"].least_confidence, SURE, 0.9):
        with sure_above(least):
            found = beats.find_beats(wave)
        pairs = np.array(
            [
                (_of_device(seconds, told, start), _rmssd(found.crop(start, start + 60)))
                for start in np.arange(wave.start_s, wave.start_s + wave.duration_s - 60, 30)
            ]
        )
        known = pairs[np.isfinite(pairs).all(axis=1)]
        device, ours = np.median(known, axis=0)
        off = np.abs(np.diff(known, axis=1)).mean()
        windows = int(np.isfinite(pairs[:, 0]).sum())
        facts = {"confidence": least, "windows": windows, "with both": len(known)}
        rows.append({**facts, "device_ms": device, "ours_ms": ours, "mean_error_ms": off})
    return pd.DataFrame(rows)


def _of_device(seconds: np.ndarray, intervals_s: np.ndarray, start_s: float) -> float:
    """RMSSD (ms) of intervals that follow each other; NaN of fewer than fifteen differences."""
    near = (seconds >= start_s) & (seconds < start_s + 60)
    seconds, intervals_s = seconds[near], intervals_s[near]
    joined = np.abs(np.diff(seconds) - intervals_s[1:]) < 0.02
    steps = np.diff(intervals_s)[joined]
    return float(1e3 * np.sqrt(np.mean(steps**2))) if len(steps) >= 15 else float("nan")


def _rmssd(found: Beats) -> float:
    steps = found.successive_ms
    return float(np.sqrt(np.mean(steps**2))) if len(steps) >= 15 else float("nan")


def surer(table: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The table as it is, and with its variability measured on surer beats, the rest as before."""
    with sure_above(SURE):
        strict = extract(StressPredict(root), length_s=60.0, step_s=30.0, families=("hrv",))
    keys = ["subject", "trial", "start_s"]
    strict = strict.set_index(keys).loc[pd.MultiIndex.from_frame(table[keys])]
    mixed = table.assign(**{name: strict[name].to_numpy() for name in VARIABILITY})
    parts = [
        scored(rows, how)[0].assign(normalise=how, variability=name)
        for how in NORMALISE
        for name, rows in (("as it is", table), ("surer beats", mixed))
    ]
    return _means(pd.concat(parts), ["normalise", "head", "variability"])


@contextmanager
def sure_above(least: float) -> Iterator[None]:
    """Beats of contact waves in stretches that are that sure; the package's own border after."""
    before = KINDS["bvp"]
    KINDS["bvp"] = replace(before, least_confidence=least)
    try:
        yield
    finally:
        KINDS["bvp"] = before


def _means(found: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return found.groupby(by, sort=False, as_index=False)[["balanced_accuracy", "auroc"]].mean()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
