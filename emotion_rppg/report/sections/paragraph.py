"""A methods paragraph for a paper, in plain English, with citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emotion_rppg._version import __version__
from emotion_rppg.emotion.tasks import Task
from emotion_rppg.evaluation.splits import OWN, SPLITS
from emotion_rppg.evaluation.statistics import BASELINES, BOOTSTRAP_DRAWS, CLUSTERED_DRAWS
from emotion_rppg.report.sections.labels import rule_in_words
from emotion_rppg.report.sections.wording import (
    data_sets,
    joined,
    length_in_words,
    overlap_in_words,
    signals_in_words,
)
from emotion_rppg.windows import people, trusted

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation


def paragraph(results: Evaluation, table: pd.DataFrame) -> str:
    """Write the paragraph: data, labels, windows, features, heads, split, scores and tests."""
    settings = results.settings
    signals = signals_in_words(table) or "feature tables"
    rules = "; ".join(
        rule_in_words(table, Task(name, settings.coding)) for name in settings.targets
    )
    withheld = 1 - float(trusted(table).mean())
    heads = [name for name in settings.heads if name not in BASELINES]
    split = SPLITS.get(settings.split)
    return (
        f"Paragraph for a paper: We predicted {joined(settings.targets)} from {signals} of "
        f"{people(table).nunique()} people ({joined(data_sets(table))}) with emotion_rppg "
        f"{__version__}. Labels: {rules}. The signals were cut into {len(table)} windows of "
        f"{length_in_words(table)}; {overlap_in_words(table)}. Features of heart rate and its "
        "variability follow the Task Force 1996. A feature was withheld where the signal did not "
        f"support it, and {withheld:.0%} of the windows had no trusted pulse. "
        + (f"We evaluated {joined(heads)} " if heads else "We evaluated dummies ")
        + f"(scikit-learn, Pedregosa et al. 2011) by the split “{settings.split}” "
        f"({OWN if split is None else split.description}). {_score(results)} {_tests(results)}"
    )


def _score(results: Evaluation) -> str:
    name = (
        "balanced accuracy (Brodersen et al. 2010)"
        if results.metric == "balanced_accuracy"
        else "concordance correlation (Lin 1989)"
    )
    draws = CLUSTERED_DRAWS if results.settings.over_people else BOOTSTRAP_DRAWS
    unit = "computed over people" if results.settings.over_people else "averaged over people"
    return (
        f"The score is the {name}, {unit}, with 95 % bootstrap intervals ({draws} draws of people; "
        "Efron and Tibshirani 1993)."
    )


def _tests(results: Evaluation) -> str:
    if results.null.empty:
        return "No test was made."
    return (
        "P values are those of label permutation within people (Phipson and Smyth 2010), corrected "
        "over the classifiers by Holm's method (Holm 1979)."
        if not results.settings.over_people
        else "P values are those of label permutation between people (Phipson and Smyth 2010), "
        "corrected over the classifiers by Holm's method (Holm 1979)."
    )
