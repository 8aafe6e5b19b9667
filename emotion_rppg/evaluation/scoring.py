"""From predictions of windows to scores of people.

A person with windows of one class only has no balanced accuracy (their recall alone would count a
constant prediction as right or wrong by luck): the score is NaN, ``one_class`` names the class,
and ``accuracy`` says how many windows were right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg import metrics
from emotion_rppg.emotion.dummies import draw_classes
from emotion_rppg.signal_quality import LEAST_QUALITY
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.tasks import Task
    from emotion_rppg.evaluation.jobs import FoldPrediction, Job

CLASS_SCORES = ("balanced_accuracy", "macro_f1", "auroc", "mcc", "ece")
NUMBER_SCORES = ("ccc", "pearson", "rmse")
RANDOM = "stratified"  # the dummy that draws: its scores are means over many draws
_WHEN = ("session", "trial", "start_s", "duration_s")


def predictions(table: pd.DataFrame, job: Job, task: Task, said: FoldPrediction) -> pd.DataFrame:
    """One row a tested window: who, when, the true class, the predicted one, class shares."""
    import pandas as pd

    part = table.iloc[job.test]
    out = pd.DataFrame(
        {
            "target": task.target,
            "head": job.name,
            "subject": people(part).to_numpy(),
            **{name: part[name].to_numpy() for name in _WHEN},
            "row": job.test,
            "truth": job.y[job.test],
            "predicted": said.predicted,
            "has_features": job.usable[job.test],
            "good_quality": job.usable[job.test] & good_quality(part),
            "n_train": int(job.usable[job.train].sum()),
            "chosen": said.chosen,
        }
    )
    for k in range(job.classes):
        out[f"p_{k}"] = said.chances[:, k]
    if job.blind and job.name == RANDOM:
        out["predicted"] = random_classes(out, job.classes, seed=job.seed, draws=1)[0].astype(float)
    return out


def good_quality(table: pd.DataFrame) -> np.ndarray:
    """Windows whose mean quality is at least `LEAST_QUALITY`, bool (n,); none where unknown."""
    if "quality" not in table:
        return np.zeros(len(table), dtype=bool)
    quality = table["quality"].to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(quality >= LEAST_QUALITY)


def random_classes(said: pd.DataFrame, classes: int, *, seed: int, draws: int) -> np.ndarray:
    """Classes drawn for each window by the training's shares, (draws, n)."""
    shares = said[[f"p_{k}" for k in range(classes)]].to_numpy()
    columns = ("target", "subject", "session", "trial", "start_s")
    names = zip(*(said[name] for name in columns), strict=True)
    return draw_classes(shares, list(names), draws=draws, seed=seed)


def scores_of_people(
    said: pd.DataFrame,
    classes: Sequence[str],
    *,
    draws: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Scores of each tested person, of one head and target.

    Over all windows; ``…_trusted`` over those with a trusted pulse (``coverage`` is their share)
    and ``…_good`` over those of good quality (``good_quality`` is theirs).

    Parameters
    ----------
    classes : sequence of str
        Names of the classes; empty where the target is a number.
    draws : (draws, n) array, optional
        Classes drawn at random: each score is the mean over the draws, ``draws_sd`` the standard
        deviation of the main one.
    """
    guesses = said["predicted"].to_numpy()[None] if draws is None else draws
    rows = []
    where = said.reset_index(drop=True).groupby("subject", sort=True).indices
    for subject, own in where.items():
        part = said.iloc[own]
        row: dict[str, Any] = {
            "subject": subject,
            "n": len(part),
            "n_train": int(part["n_train"].min()),
            "coverage": float(part["has_features"].mean()),
            "good_quality": float(part["good_quality"].mean()),
            "chosen": ", ".join(sorted(set(part["chosen"]) - {""})),
            "classes": int(part["truth"].nunique()),
            "one_class": _one_class(part["truth"].to_numpy(), classes),
        }
        score = _class_scores if classes else _number_scores
        row |= score(part, guesses[:, own], len(classes))
        for name, column in (("trusted", "has_features"), ("good", "good_quality")):
            kept = part[column].to_numpy()
            some = score(part[kept], guesses[:, own[kept]], len(classes))
            row |= {
                f"{key}_{name}": some[key]
                for key in ("balanced_accuracy", "accuracy", "ccc")
                if key in some
            }
        rows.append(row)
    return rows


def _one_class(truth: np.ndarray, classes: Sequence[str]) -> str:
    """The person's only class (or number); empty where there are several."""
    if len(np.unique(truth)) != 1:
        return ""
    return classes[int(truth[0])] if classes else f"{truth[0]:g}"


def _class_scores(said: pd.DataFrame, guesses: np.ndarray, classes: int) -> dict[str, float]:
    """``CLASS_SCORES`` and accuracy; AUROC and ECE are of the high class of two."""
    truth = said["truth"].to_numpy().astype(int)
    each = scores_of_counts(_counts(truth, guesses.astype(int), classes))
    scores = {name: float(values.mean()) for name, values in each.items()}
    two = classes == 2 and len(said) > 0
    chance = said["p_1"].to_numpy()
    scores["auroc"] = metrics.auroc(truth, chance) if two else float("nan")
    scores["ece"] = metrics.ece(truth, chance) if two else float("nan")
    scores["probability_mean"] = float(chance.mean()) if two else float("nan")
    main = each["balanced_accuracy"]
    main = main if np.isfinite(main).all() else each["accuracy"]
    scores["draws_sd"] = float(main.std(ddof=1)) if len(main) > 1 else float("nan")
    return {
        name: scores[name] for name in ("accuracy", *CLASS_SCORES, "probability_mean", "draws_sd")
    }


def _counts(truth: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """Windows of each true class (row) by predicted class, (draws, classes, classes)."""
    draws = len(guesses)
    flat = (np.arange(draws)[:, None] * classes + truth) * classes + guesses
    return np.bincount(flat.ravel(), minlength=draws * classes**2).reshape(-1, classes, classes)


def scores_of_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy, balanced accuracy, macro F1 and MCC of confusion matrices (n, classes, classes).

    With one true class all but the accuracy are NaN; without windows all are.
    """
    nan = np.full(len(counts), np.nan)
    hits, true, guessed = np.einsum("nkk->nk", counts), counts.sum(axis=2), counts.sum(axis=1)
    total = true.sum(axis=1)
    if not total.any():
        return dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "mcc"), nan)
    accuracy = hits.sum(axis=1) / total
    there = true[0] > 0
    if there.sum() < 2:
        return {"accuracy": accuracy, "balanced_accuracy": nan, "macro_f1": nan, "mcc": nan}
    named = (true + guessed) > 0
    f1 = np.where(named, 2 * hits / np.maximum(true + guessed, 1), 0.0)
    cross = total * hits.sum(axis=1) - (true * guessed).sum(axis=1)
    spread = (total**2 - (guessed**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return {
        "accuracy": accuracy,
        "balanced_accuracy": (hits[:, there] / true[:, there]).mean(axis=1),
        "macro_f1": f1.sum(axis=1) / named.sum(axis=1),
        "mcc": np.where(spread > 0, cross / np.sqrt(np.maximum(spread, 1)), np.nan),
    }


def _number_scores(said: pd.DataFrame, guesses: np.ndarray, classes: int) -> dict[str, float]:
    """``NUMBER_SCORES`` and the means of the true and predicted numbers."""
    del classes
    truth, guess = said["truth"].to_numpy(), guesses[0]
    varies = len(np.unique(truth)) > 1
    scores = {name: getattr(metrics, name)(truth, guess) for name in NUMBER_SCORES}
    scores["ccc"] = scores["ccc"] if varies else float("nan")  # 0 however good a constant is
    means = (float(x.mean()) if len(x) else float("nan") for x in (truth, guess))
    return {**scores, **dict(zip(("truth_mean", "predicted_mean"), means, strict=True))}


def group_score(
    truth: np.ndarray, said: np.ndarray, person: np.ndarray, *, classes: int, over_people: bool
) -> float:
    """The score that is tested: mean over people of balanced accuracy (CCC of numbers).

    People of one class (or one number) do not count. ``over_people``: labels that never vary
    inside a person are scored over people instead, each person weighing the same: the mean over
    classes of the mean recall of its people, or the CCC of people's mean predictions.
    """
    _, first, codes = np.unique(person, return_index=True, return_inverse=True)
    if over_people:
        right = said == truth if classes else said
        each = np.bincount(codes, right) / np.bincount(codes)
        labels = truth[first]
        if not classes:
            return metrics.ccc(labels, each)
        return float(np.mean([each[labels == k].mean() for k in np.unique(labels)]))
    if not classes:
        rows = [np.flatnonzero(codes == k) for k in range(len(first))]
        known = [metrics.ccc(truth[r], said[r]) for r in rows if len(np.unique(truth[r])) > 1]
        return float(np.mean(known)) if known else float("nan")
    flat = (codes * classes + truth.astype(int)) * classes + said.astype(int)
    counts = np.bincount(flat, minlength=len(first) * classes**2).reshape(-1, classes, classes)
    true = counts.sum(axis=2)
    recall = np.einsum("nkk->nk", counts) / np.maximum(true, 1)
    several = (true > 0).sum(axis=1) > 1
    each = recall.sum(axis=1) / np.maximum((true > 0).sum(axis=1), 1)
    return float(each[several].mean()) if several.any() else float("nan")
