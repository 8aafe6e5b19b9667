"""Summarise people's scores by head: means, confidence intervals, p values, paired tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg import metrics as metrics_of
from emotion_rppg.emotion import DUMMIES, DUMMIES_REGRESSION
from emotion_rppg.evaluation.plans import MOVEMENT_ALONE, QUALITY_ALONE

if TYPE_CHECKING:
    import pandas as pd

DUMMY_NAMES = (*DUMMIES, *DUMMIES_REGRESSION)
BASELINES = (*DUMMY_NAMES, QUALITY_ALONE, MOVEMENT_ALONE)  # none uses a feature of the heart
MOST_EXACT = 25  # differences, up to which Wilcoxon's test uses the exact distribution
BOOTSTRAP_DRAWS = 4000  # of a mean over people
CLUSTERED_DRAWS = 1000  # of a statistic of all rows of the people drawn
_MAIN = ("balanced_accuracy", "ccc")
BY = ["target", "coding", "split", "normalise", "probabilities"]


def bootstrap_ci(
    values: np.ndarray, *, level: float = 0.95, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Compute a percentile bootstrap interval of the mean over people; NaN with fewer than two."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return float("nan"), float("nan")
    draw = np.random.default_rng(seed)
    means = known[draw.integers(0, len(known), (draws, len(known)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def clustered_ci(
    values: np.ndarray,
    people: np.ndarray,
    statistic: Callable[..., float],
    *,
    level: float = 0.95,
    draws: int = CLUSTERED_DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute a percentile bootstrap interval of a statistic, drawing people with all their rows.

    ``statistic`` receives the columns of ``values`` (n, k). NaN with fewer than two people, or
    where the statistic is undefined for more than half of the draws.
    """
    rows = [np.flatnonzero(people == one) for one in np.unique(people)]
    if len(rows) < 2:
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(rows), (draws, len(rows)))
    drawn = (values[np.concatenate([rows[k] for k in pick])] for pick in picks)
    statistics = np.array([statistic(*sample.T) for sample in drawn])
    statistics = statistics[np.isfinite(statistics)]
    if len(statistics) < draws / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(statistics, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_test(head: np.ndarray, dummy: np.ndarray) -> tuple[float, float]:
    """Compute the two-sided Wilcoxon signed-rank p over people and the rank-biserial effect, −1–1.

    Where all differences are 0, p is 1 and the effect 0; where no person has both scores, both are
    NaN.
    """
    from scipy.stats import rankdata, wilcoxon

    difference = np.asarray(head, float) - np.asarray(dummy, float)
    difference = difference[np.isfinite(difference)]
    if not len(difference):
        return float("nan"), float("nan")
    difference = difference[np.abs(difference) > 1e-12]
    if not len(difference):
        return 1.0, 0.0
    ranks = rankdata(np.abs(difference))
    effect = float((ranks * np.sign(difference)).sum() / ranks.sum())
    exact = len(difference) <= MOST_EXACT and len(np.unique(np.abs(difference))) == len(difference)
    return float(wilcoxon(difference, method="exact" if exact else "approx").pvalue), effect


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p values by Holm's step-down procedure (Holm 1979)."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out


def summary(
    scores: pd.DataFrame,
    *,
    null: pd.DataFrame | None = None,
    metrics: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Average each head's score over people, with its 95 % interval and p value.

    A target whose label never varies inside a person is scored over people: ``unit`` is then
    ``"over people"``, and ``mean`` is the mean over classes of the mean recall of their people (for
    numbers, the score of people's mean predictions).

    Parameters
    ----------
    scores : DataFrame
        ``Evaluation.scores``, or some of its rows: one row a head and person.
    null : DataFrame, optional
        ``Evaluation.null``, which contains the p values.
    metrics : sequence of str, optional
        Default: ``balanced_accuracy``, or ``ccc`` for numbers.

    Returns
    -------
    DataFrame
        ``target, coding, split, normalise, probabilities, head, metric, dummy, unit, people, mean,
        ci_low, ci_high, effect, p, one_class, withheld, good_quality, mean_good,
        leaky``. ``people`` counts people who have the score, ``one_class`` people who have one
        class only. The interval is a bootstrap over people; for the dummy ``stratified`` it
        contains 95 % of the random draws. ``effect`` is the rank-biserial effect of people's
        scores against chance (1 / classes of the person; 0 for numbers). ``p`` is that of the
        label permutation, Holm-corrected over the heads of a target; ``p_permutation`` is
        uncorrected. Both are NaN for dummies and baselines, and where no labels were permuted.
        ``withheld`` and ``good_quality`` are shares of windows, ``withheld_of_class`` the mean
        shares of withheld windows in each class; no score counts a withheld window. ``mean_good``
        is the score on windows of good quality.
    """
    import pandas as pd

    chosen = metrics or (["balanced_accuracy"] if "balanced_accuracy" in scores else ["ccc"])
    rows: list[dict[str, Any]] = []
    p_of = {} if null is None else _p_values(null)
    for metric in chosen:
        for _, task in scores.groupby([k for k in BY if k in scores], sort=False):
            rows += _of_one_task(task, metric, p_of)
    out = pd.DataFrame(rows)
    if "leaky" in scores:
        out["leaky"] = bool(scores["leaky"].any())
    if p_of:
        keys = zip(out["target"], out["head"], out["metric"], strict=True)
        out["p_permutation"] = [
            p_of.get((t, h), float("nan")) if m in _MAIN else float("nan") for t, h, m in keys
        ]
    return out


def _p_values(null: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Map target and head to the p value of the label permutation."""
    return {key: float(p) for key, p in null.groupby(["target", "head"])["p"].first().items()}


def over_people(task: pd.DataFrame) -> bool:
    """Tell whether the label of one target never varies inside a person."""
    return bool("one_class" in task and len(task) and (task["one_class"] != "").all())


def between_heads(scores: pd.DataFrame, *, metric: str = "balanced_accuracy") -> pd.DataFrame:
    """Compare each pair of heads over the same people; dummies and baselines are not compared.

    ``scores`` is ``Evaluation.scores``.

    Returns
    -------
    DataFrame
        ``target, head, other, people, difference`` (mean over people of head minus other),
        ``effect`` (rank-biserial, −1 to 1), ``p`` (paired Wilcoxon test, Holm-corrected over all
        pairs of a target).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for target, task in scores.groupby("target", sort=False):
        wide = task.pivot_table(index="subject", columns="head", values=metric, dropna=False)
        names = [n for n in dict.fromkeys(task["head"]) if n not in BASELINES and n in wide]
        pairs = []
        for a, b in combinations(names, 2):
            both = wide[[a, b]].dropna()
            p, effect = paired_test(both[a].to_numpy(), both[b].to_numpy())
            difference = float((both[a] - both[b]).mean()) if len(both) else float("nan")
            facts = {"target": target, "head": a, "other": b, "people": len(both)}
            pairs.append({**facts, "difference": difference, "effect": effect, "p": p})
        tested = [row for row in pairs if np.isfinite(row["p"])]
        for row, p in zip(tested, holm(np.array([r["p"] for r in tested])), strict=True):
            row["p"] = float(p)
        rows += pairs
    columns = ["target", "head", "other", "people", "difference", "effect", "p"]
    return pd.DataFrame(rows, columns=columns)


def _of_one_task(
    task: pd.DataFrame, metric: str, p_of: Mapping[tuple[str, str], float]
) -> list[dict[str, Any]]:
    pooled = over_people(task)
    rows = []
    for name in dict.fromkeys(task["head"]):
        own = task[task["head"] == name]
        row = {key: task[key].iloc[0] for key in BY if key in task}
        row |= {"head": name, "metric": metric, "dummy": name in BASELINES}
        row |= {"unit": "over people" if pooled else "within people"}
        row |= _pooled_score(own, metric) if pooled else _mean_score(own, metric)
        key = (row.get("target", ""), name)
        row |= {"p": p_of.get(key, float("nan")) if metric in _MAIN else float("nan")}
        row |= _shares_and_subsets(own, metric, pooled)
        rows.append(row)
    tested = [row for row in rows if np.isfinite(row["p"])]
    for row, p in zip(tested, holm(np.array([row["p"] for row in tested])), strict=True):
        row["p"] = float(p)
    return rows


def _mean_score(own: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Average one head's score over the people who have it: count, mean, interval, effect."""
    scores = own[metric].to_numpy(float)
    known = np.isfinite(scores)
    low, high = bootstrap_ci(scores)
    mean = float(scores[known].mean()) if known.any() else float("nan")
    sd = _draws_sd(own, metric)[known]
    if known.any() and np.isfinite(sd).all():
        half = 1.96 * float(np.sqrt(np.sum(sd**2))) / len(sd)
        low, high = mean - half, mean + half
    effect = float("nan")
    if metric in _MAIN and own["head"].iloc[0] not in BASELINES and known.any():
        chance = 1 / own["classes"] if "classes" in own and metric != "ccc" else 0.0 * scores
        effect = paired_test(scores, np.asarray(chance, float))[1]
    return {
        "people": int(known.sum()),
        "mean": mean,
        "ci_low": low,
        "ci_high": high,
        "effect": effect,
    }


def _draws_sd(own: pd.DataFrame, metric: str) -> np.ndarray:
    """Return the standard deviation of each person's score over random draws; NaN without draws."""
    drawn = "draws_sd" in own and metric == "balanced_accuracy"
    return own["draws_sd"].to_numpy(float) if drawn else np.full(len(own), np.nan)


def _pooled_score(own: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Score one head over people, for labels that never vary inside a person, with its interval."""
    score = _POOLED.get(metric)
    columns = [name for name in (score[0] if score else ()) if name in own]
    if score is None or len(columns) < len(score[0]):
        return {"people": 0, **dict.fromkeys(("mean", "ci_low", "ci_high", "effect"), float("nan"))}
    labels = own["one_class"].to_numpy()
    codes = np.unique(labels, return_inverse=True)[1].astype(float)
    values = np.column_stack([codes, *(own[name].to_numpy(float) for name in columns)])
    known = np.isfinite(values).all(axis=1)  # people with a predicted window
    values, codes = values[known], codes[known]
    if not len(values):
        return {"people": 0, **dict.fromkeys(("mean", "ci_low", "ci_high", "effect"), float("nan"))}
    mean = score[1](*values.T)
    low, high = clustered_ci(values, np.arange(len(values)), score[1])
    sd = _draws_sd(own, metric)[known]
    if np.isfinite(sd).all():
        variances = [
            np.sum(sd[codes == k] ** 2) / np.sum(codes == k) ** 2 for k in np.unique(codes)
        ]
        half = 1.96 * float(np.sqrt(np.sum(variances))) / len(variances)
        low, high = mean - half, mean + half
    return {
        "people": len(values),
        "mean": mean,
        "ci_low": low,
        "ci_high": high,
        "effect": float("nan"),
    }


def recall_over_people(labels: np.ndarray, accuracy: np.ndarray) -> float:
    """Average the accuracies of people within each class, then over classes."""
    known = np.isfinite(accuracy)
    labels, accuracy = labels[known], accuracy[known]
    present = np.unique(labels)
    if len(present) < 2:
        return float("nan")
    return float(np.mean([accuracy[labels == k].mean() for k in present]))


def _auroc_over_people(labels: np.ndarray, probability: np.ndarray) -> float:
    return metrics_of.auroc(labels == labels.max(), probability) if np.ptp(labels) else float("nan")


# metric -> columns of the results that are needed beside the class, and the score over people
_POOLED: dict[str, tuple[tuple[str, ...], Callable[..., float]]] = {
    "balanced_accuracy": (("accuracy",), recall_over_people),
    "auroc": (("probability_mean",), _auroc_over_people),
    "ccc": (("truth_mean", "predicted_mean"), lambda _, x, y: metrics_of.ccc(x, y)),
    "pearson": (("truth_mean", "predicted_mean"), lambda _, x, y: metrics_of.pearson(x, y)),
    "rmse": (("truth_mean", "predicted_mean"), lambda _, x, y: metrics_of.rmse(x, y)),
}


def _shares_and_subsets(own: pd.DataFrame, metric: str, pooled: bool) -> dict[str, Any]:
    """Count people of one class; give shares and scores of trusted and of good-quality windows."""
    if "one_class" not in own:
        return {}
    weights = own["n"].to_numpy(float)
    row: dict[str, Any] = {"one_class": int((own["one_class"] != "").sum())}
    row["withheld"] = float(np.average(1 - own["coverage"], weights=weights))
    if "withheld_of_class" in own:
        row["withheld_of_class"] = _mean_of_shares(own["withheld_of_class"])
    row["good_quality"] = float(np.average(own["good_quality"], weights=weights))
    column = f"{'accuracy' if pooled and metric == 'balanced_accuracy' else metric}_good"
    values = own[column].to_numpy(float) if column in own else np.full(len(own), np.nan)
    if pooled and metric == "balanced_accuracy":
        codes = np.unique(own["one_class"], return_inverse=True)[1]
        row["mean_good"] = recall_over_people(codes, values)
    else:
        known = values[np.isfinite(values)]
        row["mean_good"] = float(known.mean()) if len(known) else float("nan")
    return row


def _mean_of_shares(texts: pd.Series) -> str:
    """Average the shares of each class over people: "0.10 0.80" and "0.20 –" give "0.15 0.80"."""
    shares = [[float(s) if s != "–" else np.nan for s in text.split()] for text in texts]
    known = [[v for v in column if v == v] for column in zip(*shares, strict=True)]
    return " ".join(f"{np.mean(values):.2f}" if values else "–" for values in known)
