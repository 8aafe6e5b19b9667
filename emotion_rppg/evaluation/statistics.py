"""From scores of people to statements about heads: means, intervals, paired tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DUMMY_NAMES = ("majority", "stratified", "subject_prior", "mean")
BY = ["target", "coding", "split", "normalise", "probabilities"]


def bootstrap_ci(
    values: np.ndarray, *, level: float = 0.95, draws: int = 4000, random_state: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over people; NaN with fewer than two."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return float("nan"), float("nan")
    draw = np.random.default_rng(random_state)
    means = known[draw.integers(0, len(known), (draws, len(known)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def clustered_ci(
    values: np.ndarray,
    people: np.ndarray,
    statistic: Callable[..., float],
    *,
    level: float = 0.95,
    draws: int = 1000,
    random_state: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of rows, drawing people with all their rows.

    ``statistic`` is given the columns of ``values`` (n, k). NaN with fewer than two people, or
    where it is undefined for half of the draws.
    """
    rows = [np.flatnonzero(people == one) for one in np.unique(people)]
    if len(rows) < 2:
        return float("nan"), float("nan")
    picks = np.random.default_rng(random_state).integers(0, len(rows), (draws, len(rows)))
    drawn = (values[np.concatenate([rows[k] for k in pick])] for pick in picks)
    found = np.array([statistic(*sample.T) for sample in drawn])
    found = found[np.isfinite(found)]
    if len(found) < draws / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_test(head: np.ndarray, dummy: np.ndarray) -> tuple[float, float]:
    """Two-sided Wilcoxon signed-rank p over people, and the rank-biserial effect (−1 to 1).

    Without any difference p is 1 and the effect 0; where no person has both scores, both are NaN.
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
    exact = len(difference) <= 25 and len(np.unique(np.abs(difference))) == len(difference)
    return float(wilcoxon(difference, method="exact" if exact else "approx").pvalue), effect


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of several p values (Holm 1979)."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out


def summary(results: pd.DataFrame, *, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """Mean over people of each head with its 95 % interval, tested against the first dummy.

    Parameters
    ----------
    results : DataFrame
        As ``evaluate`` returns it, one row a head and person.
    metrics : sequence of str, optional
        Default: ``balanced_accuracy``, or ``ccc`` for numbers.

    Returns
    -------
    DataFrame
        ``target, coding, split, normalise, probabilities, head, metric, dummy, people, mean,
        ci_low, ci_high, effect, p, leaky``: p by a paired Wilcoxon test over people,
        Holm-corrected over the heads of a target; people whose score is undefined are not counted.
        Where labels were permuted, ``p_permutation`` is the share of permutations that did as well.
    """
    import pandas as pd

    chosen = metrics or (["balanced_accuracy"] if "balanced_accuracy" in results else ["ccc"])
    rows: list[dict[str, Any]] = []
    for metric in chosen:
        for _, task in results.groupby([k for k in BY if k in results], sort=False):
            rows += _of_one_task(task, metric)
    out = pd.DataFrame(rows)
    if "leaky" in results:
        out["leaky"] = bool(results["leaky"].any())
    null = results.attrs.get("null")
    if null is None or null.empty:
        return out
    found = null.groupby(["target", "head"])["p"].first()
    keys = zip(out["target"], out["head"], out["metric"], strict=True)
    permuted = ("balanced_accuracy", "ccc")
    out["p_permutation"] = [
        found.get((t, h), float("nan")) if m in permuted else float("nan") for t, h, m in keys
    ]
    return out


def between_heads(results: pd.DataFrame, *, metric: str = "balanced_accuracy") -> pd.DataFrame:
    """Every two heads (dummies apart) compared over the same people.

    Returns
    -------
    DataFrame
        ``target, head, other, people, difference`` (mean of head less other), ``effect``
        (rank-biserial, −1 to 1), ``p``: paired Wilcoxon, Holm-corrected over all pairs of a target.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for target, task in results.groupby("target", sort=False):
        wide = task.pivot_table(index="subject", columns="head", values=metric, dropna=False)
        names = [n for n in dict.fromkeys(task["head"]) if n not in DUMMY_NAMES and n in wide]
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


def _of_one_task(task: pd.DataFrame, metric: str) -> list[dict[str, Any]]:
    wide = task.pivot_table(index="subject", columns="head", values=metric, dropna=False)
    names = [name for name in dict.fromkeys(task["head"]) if name in wide]
    against = next((name for name in names if name in DUMMY_NAMES), None)
    rows = []
    for name in names:
        scores = wide[name].to_numpy()
        low, high = bootstrap_ci(scores)
        row = {key: task[key].iloc[0] for key in BY if key in task}
        row |= {"head": name, "metric": metric, "dummy": name in DUMMY_NAMES}
        known = scores[np.isfinite(scores)]
        row |= {"people": len(known), "mean": float(known.mean()) if len(known) else float("nan")}
        row |= {"ci_low": low, "ci_high": high, "effect": float("nan"), "p": float("nan")}
        if against is not None and not row["dummy"]:
            row["p"], row["effect"] = paired_test(scores, wide[against].to_numpy())
        rows.append(row)
    tested = [row for row in rows if np.isfinite(row["p"])]
    for row, p in zip(tested, holm(np.array([row["p"] for row in tested])), strict=True):
        row["p"] = float(p)
    return rows
