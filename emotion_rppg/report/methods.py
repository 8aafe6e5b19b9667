"""The methods paragraph of an evaluation's report, its versions, and how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emotion_rppg.provenance import versions
from emotion_rppg.report.page import Section

if TYPE_CHECKING:
    import pandas as pd

# arguments of `evaluate` as its options spell them; whatever else is given keeps its name
_OPTIONS = {"target": "task"}


def methods(results: pd.DataFrame, arguments: Mapping[str, Any]) -> Section:
    """What was computed, after whom, with which versions, and the command that does it again."""
    text = [
        "The person is the unit: scores are computed over each person's windows and averaged over "
        "people; intervals are percentile bootstraps over people (Efron and Tibshirani 1993). "
        "Heads are compared by Wilcoxon's signed-rank test (1945) over people with Holm's "
        "correction (1979) and the rank-biserial correlation as effect (Kerby 2014).",
        *_permutations(results),
        "Versions: " + ", ".join(f"{name} {found}" for name, found in versions().items()) + ".",
    ]
    return Section("Methods", text, code=command(arguments))


def _permutations(results: pd.DataFrame) -> list[str]:
    null = results.attrs.get("null")
    if null is None or null.empty:
        return ["No permutation test was asked for (--permutations)."]
    n = int(null.groupby(["target", "head"]).size().iloc[0])
    return [
        f"The null distribution: {n} times the labels were exchanged between the trials, or runs "
        "of equal label, of each person, and every head was fitted afresh. Windows were not "
        "exchanged: they resemble their neighbours. p counts the true labels among the "
        "permutations (Phipson and Smyth 2010)."
    ]


def command(arguments: Mapping[str, Any]) -> str:
    """The `emotion-rppg evaluate` that these arguments belong to."""
    parts = ["emotion-rppg", "evaluate"]
    for name, value in arguments.items():
        option = "--" + _OPTIONS.get(name, name).replace("_", "-")
        if value is None or value is False or value == []:
            continue
        if value is True:
            parts.append(option)
        elif name in ("target", "ablate") and not isinstance(value, str):
            parts += [part for one in value for part in (option, str(one))]
        else:
            parts += [option, ",".join(value) if isinstance(value, list) else str(value)]
    return shlex.join(parts)
