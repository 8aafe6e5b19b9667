"""Compute scores of people from predictions of windows.

A withheld window, one without a trusted pulse, has no prediction, and no score counts it. Anything
in its place (the most common class, a draw at random) would let a score rise where pulses are
missing more often in one class, without any information in the pulse. The shares of withheld
windows, of all and of each class, belong beside each score.

A person with windows of one class only has no balanced accuracy: with one recall, a constant
prediction would score 0 or 1 by luck. The score is NaN, ``one_class`` names the class, and
``accuracy`` is the share of correct windows.
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
_MAIN = ("balanced_accuracy", "ccc")
RANDOM = "stratified"  # the dummy that draws at random: its scores are means over many draws
_WHEN = ("session", "trial", "start_s", "duration_s")


def predictions(
    table: pd.DataFrame, job: Job, task: Task, prediction: FoldPrediction
) -> pd.DataFrame:
    """Tabulate one row per tested window: person, time, true and predicted class, probabilities.

    The prediction of a window without features is empty.
    """
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
            "predicted": prediction.predicted,
            "has_features": job.usable[job.test],
            "good_quality": job.usable[job.test] & good_quality(part),
            "n_train": int(job.usable[job.train].sum()),
            "chosen": prediction.chosen,
        }
    )
    for k in range(job.classes):
        out[f"p_{k}"] = prediction.probabilities[:, k]
    if job.blind and job.name == RANDOM:
        out["predicted"] = random_classes(out, job.classes, seed=job.seed, draws=1)[0].astype(float)
    empty = ["predicted", *(() if job.blind else (f"p_{k}" for k in range(job.classes)))]
    out.loc[~out["has_features"], empty] = np.nan
    return out


def good_quality(table: pd.DataFrame) -> np.ndarray:
    """Mark windows whose quality is at least `LEAST_QUALITY`, bool (n,); none if unknown."""
    if "quality" not in table:
        return np.zeros(len(table), dtype=bool)
    quality = table["quality"].to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(quality >= LEAST_QUALITY)


def random_classes(windows: pd.DataFrame, classes: int, *, seed: int, draws: int) -> np.ndarray:
    """Draw classes for each window with the training's class shares, (draws, n)."""
    shares = windows[[f"p_{k}" for k in range(classes)]].to_numpy()
    columns = ("target", "subject", "session", "trial", "start_s")
    names = zip(*(windows[name] for name in columns), strict=True)
    return draw_classes(shares, list(names), draws=draws, seed=seed)


def scores_of_people(
    windows: pd.DataFrame,
    classes: Sequence[str],
    *,
    draws: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Score each tested person, for one head and target.

    Scores are over the windows with a trusted pulse (``coverage`` is their share), ``…_good`` over
    those of good quality (``good_quality`` is their share). ``withheld_of_class`` has the share of
    withheld windows in each class, in the order of the classes.

    Parameters
    ----------
    windows : DataFrame
        Rows of `predictions`.
    classes : sequence of str
        Names of the classes; empty where the target is a number.
    draws : (draws, n) array, optional
        Classes drawn at random, in place of the predictions. Each score is then the mean over the
        draws, and ``draws_sd`` the standard deviation of the main score.
    """
    guesses = windows["predicted"].to_numpy()[None] if draws is None else draws
    rows = []
    where = windows.reset_index(drop=True).groupby("subject", sort=True).indices
    for subject, own in where.items():
        part = windows.iloc[own]
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
        if classes:
            row["withheld_of_class"] = _withheld_of_class(part, len(classes))
        score = _class_scores if classes else _number_scores
        predicted, good = (part[c].to_numpy(bool) for c in ("has_features", "good_quality"))
        row |= score(part[predicted], guesses[:, own[predicted]], len(classes))
        some = score(part[good], guesses[:, own[good]], len(classes))
        row |= {f"{key}_good": some[key] for key in (*_MAIN, "accuracy") if key in some}
        rows.append(row)
    return rows


def _withheld_of_class(windows: pd.DataFrame, classes: int) -> str:
    """State the share of withheld windows of each class, "0.12 0.98"; "–" for a class without."""
    lost = 1 - windows.groupby("truth")["has_features"].mean()
    return " ".join(f"{lost[k]:.2f}" if k in lost.index else "–" for k in range(classes))


def _one_class(truth: np.ndarray, classes: Sequence[str]) -> str:
    """Name the person's only class (or number); empty where there are several."""
    if len(np.unique(truth)) != 1:
        return ""
    return classes[int(truth[0])] if classes else f"{truth[0]:g}"


def _class_scores(windows: pd.DataFrame, guesses: np.ndarray, classes: int) -> dict[str, float]:
    """Compute ``CLASS_SCORES`` and accuracy; AUROC and ECE are of the second class of two."""
    truth = windows["truth"].to_numpy().astype(int)
    scores_of_draws = scores_of_counts(_counts(truth, guesses.astype(int), classes))
    scores = {name: float(values.mean()) for name, values in scores_of_draws.items()}
    two = classes == 2 and len(truth) > 0
    probability = windows["p_1"].to_numpy() if two else np.zeros(0)
    scores["auroc"] = metrics.auroc(truth, probability) if two else float("nan")
    scores["ece"] = metrics.ece(truth, probability) if two else float("nan")
    scores["probability_mean"] = float(probability.mean()) if two else float("nan")
    main = scores_of_draws["balanced_accuracy"]
    main = main if np.isfinite(main).all() else scores_of_draws["accuracy"]
    scores["draws_sd"] = float(main.std(ddof=1)) if len(main) > 1 else float("nan")
    return {
        name: scores[name] for name in ("accuracy", *CLASS_SCORES, "probability_mean", "draws_sd")
    }


def _counts(truth: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """Count windows by true class (row) and predicted class, (draws, classes, classes)."""
    draws = len(guesses)
    flat = (np.arange(draws)[:, None] * classes + truth) * classes + guesses
    return np.bincount(flat.ravel(), minlength=draws * classes**2).reshape(-1, classes, classes)


def scores_of_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute accuracy, balanced accuracy, macro F1 and MCC, (n,), of n confusion matrices.

    ``counts`` is (n, classes, classes), rows are true classes. With one true class all but the
    accuracy are NaN; without windows all are.
    """
    nan = np.full(len(counts), np.nan)
    hits, true, guessed = np.einsum("nkk->nk", counts), counts.sum(axis=2), counts.sum(axis=1)
    total = true.sum(axis=1)
    if not total.any():
        return dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "mcc"), nan)
    accuracy = hits.sum(axis=1) / total
    present = true[0] > 0
    if present.sum() < 2:
        return {"accuracy": accuracy, "balanced_accuracy": nan, "macro_f1": nan, "mcc": nan}
    occurs = (true + guessed) > 0
    f1 = np.where(occurs, 2 * hits / np.maximum(true + guessed, 1), 0.0)
    cross = total * hits.sum(axis=1) - (true * guessed).sum(axis=1)
    spread = (total**2 - (guessed**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return {
        "accuracy": accuracy,
        "balanced_accuracy": (hits[:, present] / true[:, present]).mean(axis=1),
        "macro_f1": f1.sum(axis=1) / occurs.sum(axis=1),
        "mcc": np.where(spread > 0, cross / np.sqrt(np.maximum(spread, 1)), np.nan),
    }


def _number_scores(windows: pd.DataFrame, guesses: np.ndarray, classes: int) -> dict[str, float]:
    """Compute ``NUMBER_SCORES`` and the means of the true and predicted numbers."""
    del classes
    truth, guess = windows["truth"].to_numpy(), guesses[0]
    varies = len(np.unique(truth)) > 1
    scores = {name: getattr(metrics, name)(truth, guess) for name in NUMBER_SCORES}
    scores["ccc"] = scores["ccc"] if varies else float("nan")  # 0 however good a constant is
    means = (float(x.mean()) if len(x) else float("nan") for x in (truth, guess))
    return {**scores, **dict(zip(("truth_mean", "predicted_mean"), means, strict=True))}


def group_score(
    truth: np.ndarray,
    predicted: np.ndarray,
    person: np.ndarray,
    *,
    classes: int,
    over_people: bool,
    usable: np.ndarray | None = None,
) -> float:
    """Compute the score that is tested: mean over people of balanced accuracy (CCC of numbers).

    People of one class (or one number) do not count. With ``over_people``, for labels that never
    vary inside a person, the score is over people and each person has the same weight: the mean
    over classes of the mean recall of its people, or the CCC of people's mean predictions.

    Parameters
    ----------
    truth, predicted, person : array (n,)
        Of each window.
    classes : int
        Number of classes; 0 for numbers.
    over_people : bool
    usable : bool array (n,), optional
        Windows with a prediction; the others do not count. Default: all.
    """
    if usable is not None:
        truth, predicted, person = truth[usable], predicted[usable], person[usable]
    if not len(truth):
        return float("nan")
    _, first, codes = np.unique(person, return_index=True, return_inverse=True)
    if over_people:
        values = predicted == truth if classes else predicted
        means = np.bincount(codes, values) / np.bincount(codes)
        labels = truth[first]
        if not classes:
            return metrics.ccc(labels, means)
        return float(np.mean([means[labels == k].mean() for k in np.unique(labels)]))
    if not classes:
        rows = [np.flatnonzero(codes == k) for k in range(len(first))]
        ccc = [metrics.ccc(truth[r], predicted[r]) for r in rows if len(np.unique(truth[r])) > 1]
        return float(np.mean(ccc)) if ccc else float("nan")
    flat = (codes * classes + truth.astype(int)) * classes + predicted.astype(int)
    counts = np.bincount(flat, minlength=len(first) * classes**2).reshape(-1, classes, classes)
    true = counts.sum(axis=2)
    recall = np.einsum("nkk->nk", counts) / np.maximum(true, 1)
    several = (true > 0).sum(axis=1) > 1
    mean_recall = recall.sum(axis=1) / np.maximum((true > 0).sum(axis=1), 1)
    return float(mean_recall[several].mean()) if several.any() else float("nan")
