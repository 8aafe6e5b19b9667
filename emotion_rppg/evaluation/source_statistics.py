"""Summarise a comparison of sources: means on each set, and what each source adds to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg import metrics
from emotion_rppg.evaluation.sources import ALONE, EARLY, JOIN, LATE, SHARED
from emotion_rppg.evaluation.statistics import (
    bootstrap_ci,
    clustered_ci,
    holm,
    over_people,
    paired_test,
    recall_over_people,
    summary,
)

if TYPE_CHECKING:
    import pandas as pd

MODEL = ["target", "head", "windows", "fusion", "sources"]
MEANS = (*MODEL, "people", "n", "mean", "ci_low", "ci_high", "predicted_share")
COMPARISONS = (
    *("target", "head", "windows", "fusion", "added", "to", "people", "without", "with"),
    *("difference", "ci_low", "ci_high", "effect", "p", "p_uncorrected"),
)
LATE_FUSION, EARLY_FUSION = "late fusion", "early fusion"
_ALPHA = 0.05


def summary_of_sources(sources: pd.DataFrame, *, metric: str) -> pd.DataFrame:
    """Average the score of each head on each set of sources over people.

    Parameters
    ----------
    sources : DataFrame
        ``Evaluation.sources``.
    metric : str
        The main score: ``balanced_accuracy`` or ``ccc``.

    Returns
    -------
    DataFrame
        ``target, head, windows, fusion, sources, people, n`` (windows)``, mean, ci_low, ci_high,
        predicted_share``: the share of windows that are predicted from a trusted source; the others
        count as the majority class (or the mean) of the training people.
    """
    import pandas as pd

    rows = []
    for keys, own in sources.groupby(MODEL, sort=False):
        means = summary(own, metrics=[metric]).iloc[0]
        rows.append(
            dict(zip(MODEL, keys, strict=True))
            | {name: means[name] for name in ("people", "mean", "ci_low", "ci_high")}
            | {"n": int(own["n"].sum()), "predicted_share": 1 - means["withheld"]}
        )
    return pd.DataFrame(rows, columns=list(MEANS))


def between_sources(sources: pd.DataFrame, *, metric: str) -> pd.DataFrame:
    """Compare the scores of the same people with and without each source.

    For both ways of fusion, all sources are compared with all but one; and late fusion of all is
    compared with early fusion.

    Returns
    -------
    DataFrame
        ``target, head, windows, fusion, added`` (source)``, to`` (the other sources)``, people,
        without, with`` (mean scores)``, difference, ci_low, ci_high, effect, p, p_uncorrected``.
        The interval is a bootstrap over people. ``p`` is a paired Wilcoxon test over people,
        Holm-corrected over all comparisons of a target; only shared windows are tested. Where no
        person has two different labels, scores and differences are over people, and the test
        compares people's shares of correct windows; numbers are then not tested.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for _, of_target in sources.groupby("target", sort=False):
        compared = [
            {**dict(zip(MODEL[:3], keys, strict=True)), **row}
            for keys, own in of_target.groupby(MODEL[:3], sort=False)
            for row in _comparisons(own, metric, tested=keys[2] == SHARED)
        ]
        tested = [row for row in compared if np.isfinite(row["p"])]
        for row, p in zip(tested, holm(np.array([r["p"] for r in tested])), strict=True):
            row["p"] = float(p)
        rows += compared
    return pd.DataFrame(rows, columns=list(COMPARISONS))


def _comparisons(own: pd.DataFrame, metric: str, *, tested: bool) -> Iterator[dict[str, Any]]:
    """Compare the models of one head on one set of windows."""
    models = dict(iter(own.groupby(["fusion", "sources"], sort=False)))
    names = [sources for fusion, sources in models if fusion == ALONE]
    everything = JOIN.join(names)
    for fusion in (EARLY, LATE):
        for name in names:
            others = JOIN.join(other for other in names if other != name)
            less = models.get((fusion, others), models.get((ALONE, others)))
            more = models.get((fusion, everything))
            if less is not None and more is not None:
                facts = {"fusion": fusion, "added": name, "to": others}
                yield {**facts, **_difference(more, less, metric, tested=tested)}
    late, early = models.get((LATE, everything)), models.get((EARLY, everything))
    if late is not None and early is not None:
        facts = {"fusion": LATE, "added": LATE_FUSION, "to": EARLY_FUSION}
        yield {**facts, **_difference(late, early, metric, tested=tested)}


def _difference(
    more: pd.DataFrame, less: pd.DataFrame, metric: str, *, tested: bool
) -> dict[str, Any]:
    """Compare two models over the same people: mean scores, difference, interval, effect, p."""
    pair = _pooled_pair if over_people(more) else _paired_scores
    out = pair(more.set_index("subject"), less.set_index("subject"), metric)
    if not tested:
        out |= {"effect": float("nan"), "p": float("nan")}
    return {**out, "p_uncorrected": out["p"]}


def _paired_scores(more: pd.DataFrame, less: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Compare people's scores; people of one class have none."""
    both = more[[metric]].join(less[[metric]], lsuffix="_with", rsuffix="_without").dropna()
    a, b = both.to_numpy(float).T
    if not len(both):
        return _nothing()
    low, high = bootstrap_ci(a - b)
    p, effect = paired_test(a, b)
    return {
        **{"people": len(both), "without": float(b.mean()), "with": float(a.mean())},
        **{"difference": float((a - b).mean()), "ci_low": low, "ci_high": high},
        **{"effect": effect, "p": p},
    }


def _pooled_pair(more: pd.DataFrame, less: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Compare scores over people, for labels that never vary inside a person."""
    numbers = metric == "ccc"
    columns = ["predicted_mean"] if numbers else ["accuracy"]
    both = more[columns].join(less[columns], lsuffix="_with", rsuffix="_without")
    classes = more.loc[both.index, "one_class"].to_numpy()
    labels = more.loc[both.index, "truth_mean"].to_numpy(float) if numbers else None
    codes = np.unique(classes, return_inverse=True)[1].astype(float) if labels is None else labels
    values = np.column_stack([codes, both.to_numpy(float)])
    score: Callable[..., float] = metrics.ccc if numbers else recall_over_people
    low, high = clustered_ci(
        values, np.arange(len(both)), lambda y, a, b: score(y, a) - score(y, b)
    )
    a, b = score(codes, values[:, 1]), score(codes, values[:, 2])
    p, effect = (float("nan"), float("nan")) if numbers else paired_test(*values[:, 1:].T)
    return {
        **{"people": len(both), "without": b, "with": a, "difference": a - b},
        **{"ci_low": low, "ci_high": high, "effect": effect, "p": p},
    }


def _nothing() -> dict[str, Any]:
    names = ("without", "with", "difference", "ci_low", "ci_high", "effect", "p")
    return {"people": 0, **dict.fromkeys(names, float("nan"))}


def in_words(comparison: pd.Series, metric: str) -> str:
    """State in a sentence what one row of `between_sources` found."""
    row = comparison
    if row["added"] == LATE_FUSION:
        what = "late fusion in place of early fusion"
    else:
        what = f"{row['fusion']} fusion: adding {row['added']} to {row['to']}"
    change = round(float(row["difference"]), 3)
    if not np.isfinite(change):
        return f"{what} cannot be compared, no person has both scores"
    scores = f"from {row['without']:.3f} to {row['with']:.3f}"
    if change == 0:
        return f"{what} changed {metric} by less than 0.001 ({scores}; {_tested(row)})"
    verb = "raised" if change > 0 else "lowered"
    return f"{what} {verb} {metric} by {abs(change):.3f} ({scores}; {_tested(row)})"


def _tested(row: pd.Series) -> str:
    if not np.isfinite(row["p"]):
        return "not tested"
    if 2.0 ** (1 - row["people"]) > _ALPHA:  # the least p of the test, before correction
        return f"p = {row['p']:.3f}, {int(row['people'])} people are too few for p < {_ALPHA:g}"
    verdict = "" if row["p"] < _ALPHA else ", no more than chance explains"
    return f"p = {row['p']:.3f}{verdict}"
