"""Report section on heart rate and RMSSD by class, with effect sizes over people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.tasks import Task, code
from emotion_rppg.evaluation.effects import (
    BETWEEN,
    LEAST_PEOPLE,
    WITHIN,
    Effect,
    correlations_of_people,
    effect,
    means_of_people,
)
from emotion_rppg.evaluation.statistics import BOOTSTRAP_DRAWS, bootstrap_ci
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots.conditions import plot_conditions
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.report.sections.findings import Names

FEATURES = {"hr_bpm": ("heart rate", "bpm", 1), "rmssd_ms": ("RMSSD", "ms", 1)}


def heart(table: pd.DataFrame, names: Names, *, coding: str) -> list[Section]:
    """Show heart rate and RMSSD by class or, for numbers, their correlation with the target."""
    sections = []
    for target, classes in names.items():
        codes = code(table, Task(target, coding))
        present = [f for f in FEATURES if f in table and table[f].notna().any()]
        if present and classes:
            sections.append(_by_class(table, target, classes, codes, present))
        elif present:
            sections.append(_by_number(table, target, codes, present))
    return sections


def _by_class(
    table: pd.DataFrame,
    target: str,
    classes: tuple[str, ...],
    codes: np.ndarray,
    features: list[str],
) -> Section:
    import pandas as pd

    person = people(table).to_numpy()
    rows, drawn = [], {}
    for feature in features:
        name, unit, digits = FEATURES[feature]
        means = means_of_people(_values(table, feature), codes, person)
        means = means.reindex(columns=[float(k) for k in range(len(classes))])
        means.columns = list(classes)
        drawn[f"{name} ({unit})"] = means
        rows += [
            _row(f"{name} ({unit})", means, classes[0], other, digits) for other in classes[1:]
        ]
    figure = plot_conditions(drawn, classes)
    shown = pd.DataFrame(rows)
    return Section(
        f"Heart rate and RMSSD by class: {target}",
        figures=[(figure, f"{target}: {_FIGURE}")],
        table=shown,
        table_caption=_caption(set(shown["measure"])),
    )


_FIGURE = (
    "mean of each person's windows of each class (grey, one line per person); diamond: mean over "
    "people, bar: its 95 % bootstrap interval. Withheld windows do not count."
)


def _caption(measures: set[str]) -> str:
    text = (
        "Means over people of each person's mean, with the standard deviation between people in "
        "brackets. difference: second class minus first. Intervals (95 %) are studentised "
        f"bootstraps (bootstrap-t, Efron and Tibshirani 1993) of {BOOTSTRAP_DRAWS} draws of "
        "people. No test was made."
    )
    if WITHIN in measures:
        text += (
            f" {WITHIN}: mean of the differences inside people, divided by their standard "
            "deviation (Lakens 2013); people with both classes only."
        )
    if BETWEEN in measures:
        text += (
            f" {BETWEEN}: difference between two groups of people, divided by their pooled "
            "standard deviation, corrected for small groups (Hedges 1981)."
        )
    if "" in measures:
        text += f" Fewer than {LEAST_PEOPLE} people (in each group): no effect size."
    return text


def _row(feature: str, means: pd.DataFrame, first: str, second: str, digits: int) -> dict[str, Any]:
    a, b = means[first].to_numpy(float), means[second].to_numpy(float)
    found = effect(a, b)
    if found.kind == WITHIN:  # means of the people who are compared
        both = np.isfinite(a) & np.isfinite(b)
        a, b = a[both], b[both]
    return {
        "feature": feature,
        "first → second": f"{first} → {second}",
        "first": _mean(a, digits),
        "second": _mean(b, digits),
        "difference": _with_interval(found.difference, found.difference_ci, digits),
        "effect size": _with_interval(found.size, found.size_ci, 2),
        "measure": found.kind,
        "people": found.people,
    }


def _by_number(
    table: pd.DataFrame, target: str, ratings: np.ndarray, features: list[str]
) -> Section:
    import pandas as pd

    rows = []
    for feature in features:
        r = correlations_of_people(
            _values(table, feature), ratings, people(table).to_numpy(dtype=str)
        )
        mean = float(r.mean()) if len(r) else float("nan")
        found = Effect("r", len(r), size=mean, size_ci=bootstrap_ci(r))
        rows.append(
            {
                "feature": FEATURES[feature][0],
                "mean r": _with_interval(found.size, found.size_ci, 2),
                "people": found.people,
            }
        )
    caption = (
        f"Pearson correlation of the feature with {target} over the windows of each person: mean "
        f"over people and its 95 % interval, a percentile bootstrap of {BOOTSTRAP_DRAWS} draws of "
        "people. People with fewer than four windows or without variation have none."
    )
    title = f"Heart rate and RMSSD against {target}"
    return Section(title, table=pd.DataFrame(rows), table_caption=caption)


def _values(table: pd.DataFrame, feature: str) -> np.ndarray:
    return np.asarray(table[feature].to_numpy(dtype=float, na_value=np.nan))


def _mean(values: np.ndarray, digits: int) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    sd = f" ({known.std(ddof=1):.{digits}f})" if len(known) > 1 else ""
    return f"{known.mean():.{digits}f}{sd}"


def _with_interval(value: float, ci: tuple[float, float], digits: int) -> str:
    if value != value:
        return ""
    low, high = ci
    span = "" if low != low else f" [{_fixed(low, digits)}, {_fixed(high, digits)}]"
    return _fixed(value, digits) + span


def _fixed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # no "-0.0"
