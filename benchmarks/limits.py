"""Measure what limits stress detection from a wrist PPG: ``python -m benchmarks.limits TABLE DIR``.

TABLE is that of `benchmarks.stress`, DIR the data set. Two heads, leave-one-subject-out, means over
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
TASKS = {2: "Stroop", 4: "interview", 6: "hyperventilation"}  # by the number of the trial
SIZES = (4, 8, 12, 16)
STRICT = 0.85  # mean confidence of nine beats, instead of 0.7
VARIABILITY = (
    *("sdnn_ms", "rmssd_ms", "sdsd_ms", "pnn20_pct", "pnn50_pct", "cvnn", "cvsd", "mad_nn_ms"),
    *("iqr_nn_ms", "sd1_ms", "sd2_ms", "sd1_sd2", "csi", "cvi", "hf_ms2", "ln_hf", "hf_lomb_ms2"),
)


def main(path: Path, root: Path) -> None:
    """Print all tables."""
    table = read_table(path)
    table = table[table["label_stress"].notna()].reset_index(drop=True)
    show("own threshold", thresholds(table))
    show("thirds by quality", by_quality(table))
    show("share of windows predicted right, by task", by_task(table))
    show("quality columns alone", quality_alone(table))
    show("number of training people", by_people(table))
    show("RMSSD against that of the device, of the person without labels", rmssd(root))
    show("variability of beats of high confidence", strict_beats(table, root))


def show(title: str, rows: pd.DataFrame) -> None:
    """Print a table."""
    print(f"\n{title}\n{rows.round(3).to_string(index=False)}", flush=True)


def scored(
    table: pd.DataFrame, normalise: str, **options: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate the heads: scores of people and predictions of windows, without dummies."""
    result = evaluate(table, target="stress", heads=USED, normalise=normalise, **options)
    scores, predictions = result.scores, result.predictions
    return scores[scores["head"].isin(USED)], predictions[predictions["head"].isin(USED)]


def thresholds(table: pd.DataFrame) -> pd.DataFrame:
    """Compute balanced accuracy unchanged, and with the best threshold of each person.

    The threshold is chosen by the person's labels: an upper bound for any rule without labels.
    """
    rows = []
    for normalise in NORMALISE:
        scores, predictions = scored(table, normalise)
        for head, own in predictions.groupby("head"):
            best = [_best(part) for _, part in own.groupby("subject")]
            plain = scores.loc[scores["head"] == head, ["balanced_accuracy", "auroc"]].mean()
            rows.append(
                {"normalise": normalise, "head": head, **plain, "own_threshold": np.mean(best)}
            )
    return pd.DataFrame(rows)


def _best(part: pd.DataFrame) -> float:
    """Balanced accuracy of a person at the best threshold."""
    truth, probability = part["truth"].to_numpy(), part["p_1"].to_numpy()
    predicted = ((probability > cut).astype(float) for cut in np.unique(probability))
    return max(metrics.balanced_accuracy(truth, classes) for classes in predicted)


def by_quality(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the balanced accuracy of the windows of each third by ``quality``."""
    rows = []
    for normalise in NORMALISE:
        for head, own in scored(table, normalise)[1].groupby("head"):
            quality = table["quality"].to_numpy()[own["row"]]
            third = np.digitize(quality, np.quantile(quality, [1 / 3, 2 / 3]))
            parts = [own[third == k] for k in range(3)]
            scores = [metrics.balanced_accuracy(p["truth"], p["predicted"]) for p in parts]
            names = ("unclear", "middle", "clear")
            rows.append(
                {"normalise": normalise, "head": head, **dict(zip(names, scores, strict=True))}
            )
    return pd.DataFrame(rows)


def by_task(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the share of right windows by trial, of people with all seven trials.

    The trials are rest, task, rest, task, rest, task, rest.
    """
    rows = []
    for normalise in NORMALISE:
        for head, own in scored(table, normalise)[1].groupby("head"):
            number = own["trial"].astype(int)
            task = number.map(TASKS).fillna("rest, " + number.astype(str))
            complete = own.groupby("subject")["trial"].transform(lambda t: t.astype(int).max()) == 7
            right = (own["truth"] == own["predicted"])[complete].groupby(task[complete]).mean()
            rows.append({"normalise": normalise, "head": head, **right.to_dict()})
    return pd.DataFrame(rows)


def _quality_columns(table: pd.DataFrame) -> list[str]:
    """The columns of the table that describe the signal quality."""
    records = columns()
    return [name for name in table if name in records and records[name].group == QUALITY_GROUP]


def quality_alone(table: pd.DataFrame) -> pd.DataFrame:
    """Evaluate the quality columns alone: people move more under stress."""
    identity = [c for c in table if c in IDENTITY or str(c).startswith((LABEL, SCALE))]
    available = [c for c in _quality_columns(table) if table[c].notna().any()]
    # renamed, because a window with quality columns alone counts as one without features
    alone = table[identity].assign(**{f"own_{name}": table[name] for name in available})
    parts = [scored(alone, name)[0].assign(normalise=name) for name in NORMALISE]
    return _means(pd.concat(parts), ["normalise", "head"])


def by_people(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the learning curve: scores by the number of training people."""
    parts = [
        learning_curve(
            table, target="stress", heads=USED, normalise=name, sizes=SIZES, repeats=2
        ).assign(normalise=name)
        for name in NORMALISE
    ]
    joined = pd.concat(parts)
    return _means(joined[joined["head"].isin(USED)], ["normalise", "head", "training_people"])


def rmssd(root: Path) -> pd.DataFrame:
    """Compare RMSSD with the device in windows of 60 s, by the least confidence of beats.

    Person 1 has no labels and is in no score.
    """
    seconds, device_s = np.loadtxt(root / "Raw_data/S01/IBI.csv", delimiter=",", skiprows=1).T
    wave, _ = read_e4(root / "Raw_data/S01/BVP.csv", "bvp")
    rows = []
    for least in (KINDS["bvp"].least_confidence, STRICT, 0.9):
        with least_confidence(least):
            detected = beats.find_beats(wave)
        pairs = np.array(
            [
                (_of_device(seconds, device_s, start), _rmssd(detected.crop(start, start + 60)))
                for start in np.arange(wave.start_s, wave.start_s + wave.duration_s - 60, 30)
            ]
        )
        both = pairs[np.isfinite(pairs).all(axis=1)]
        device, ours = np.median(both, axis=0)
        error = np.abs(np.diff(both, axis=1)).mean()
        windows = int(np.isfinite(pairs[:, 0]).sum())
        counts = {"confidence": least, "windows": windows, "with both": len(both)}
        rows.append({**counts, "device_ms": device, "ours_ms": ours, "mean_error_ms": error})
    return pd.DataFrame(rows)


def _of_device(seconds: np.ndarray, intervals_s: np.ndarray, start_s: float) -> float:
    """RMSSD (ms) of successive intervals of the device; NaN for fewer than fifteen differences."""
    near = (seconds >= start_s) & (seconds < start_s + 60)
    seconds, intervals_s = seconds[near], intervals_s[near]
    joined = np.abs(np.diff(seconds) - intervals_s[1:]) < 0.02
    steps = np.diff(intervals_s)[joined]
    return float(1e3 * np.sqrt(np.mean(steps**2))) if len(steps) >= 15 else float("nan")


def _rmssd(detected: Beats) -> float:
    """RMSSD (ms) of beats; NaN for fewer than fifteen differences."""
    steps = detected.successive_ms
    return float(np.sqrt(np.mean(steps**2))) if len(steps) >= 15 else float("nan")


def strict_beats(table: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Evaluate the table unchanged, and with HRV from beats of high confidence."""
    with least_confidence(STRICT):
        strict = extract(StressPredict(root), length_s=60.0, step_s=30.0, families=("hrv",))
    keys = ["subject", "trial", "start_s"]
    strict = strict.set_index(keys).loc[pd.MultiIndex.from_frame(table[keys])]
    mixed = table.assign(**{name: strict[name].to_numpy() for name in VARIABILITY})
    parts = [
        scored(rows, normalise)[0].assign(normalise=normalise, variability=name)
        for normalise in NORMALISE
        for name, rows in (("unchanged", table), ("beats of high confidence", mixed))
    ]
    return _means(pd.concat(parts), ["normalise", "head", "variability"])


@contextmanager
def least_confidence(least: float) -> Iterator[None]:
    """Set the least confidence of beats of contact waves; restore the default on exit."""
    default = KINDS["bvp"]
    KINDS["bvp"] = replace(default, least_confidence=least)
    try:
        yield
    finally:
        KINDS["bvp"] = default


def _means(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean scores over people."""
    return scores.groupby(by, sort=False, as_index=False)[["balanced_accuracy", "auroc"]].mean()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
