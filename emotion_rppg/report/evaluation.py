"""What `evaluate` leaves behind: results.csv, summary.csv, report.html, run.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.checkpoints import whole_folder
from emotion_rppg.evaluation.splits import WORDS
from emotion_rppg.provenance import write_run
from emotion_rppg.report import figures
from emotion_rppg.report.methods import methods
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.tables import write_table
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd


_SHOWN = ("target", "head", "people", "mean", "ci_low", "ci_high", "effect", "p")


def write_evaluation(
    results: pd.DataFrame,
    table: pd.DataFrame,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
) -> pd.DataFrame:
    """Write the folder, whole or not at all, and give the summary over people."""
    from emotion_rppg.evaluation.statistics import between_heads, summary

    means = summary(results)
    pairs = between_heads(results, metric=str(means["metric"].iloc[0]))
    with whole_folder(out) as fresh:
        write_table(results, fresh / "results.csv")
        write_table(means, fresh / "summary.csv")
        write_table(pairs, fresh / "pairs.csv")
        sections = [protocol(results, table), *scores(means), methods(results, arguments)]
        page = Page("Evaluation", "How well each head does on people it never saw.", sections)
        write_page(page, fresh / "report.html")
        write_run(fresh, "evaluate", arguments, inputs, name=Path(out).name)
    return means


def protocol(results: pd.DataFrame, table: pd.DataFrame) -> Section:
    """How it was done, in words: people, rows, split, coding, normalisation, exclusions."""
    first = results.iloc[0]
    unseen = int((table["reason"].fillna("") != "").sum()) if "reason" in table else 0
    text = [
        f"{len(table)} windows of {people(table).nunique()} people. Each head was fitted and "
        f"tested with the split “{first['split']}”: "
        f"{WORDS.get(first['split'], 'one of one’s own')}. "
        "Imputation, scaling and every choice a head makes were fitted on training rows alone.",
        f"Targets: {'; '.join(sorted(set(results['target'] + ' (' + results['coding'] + ')')))}. "
        f"Normalisation: {first['normalise']}.",
        f"{unseen} windows showed no pulse to trust; they stayed in the test with the majority "
        "class of the training people as their prediction.",
    ]
    for target, counts in results.attrs.get("excluded", {}).items():
        said = "; ".join(f"{reason}: {n}" for reason, n in counts.items())
        text.append(f"Windows set aside or without features, {target}: {said}.")
    if bool("unknown_training" in results and results["unknown_training"].any()):
        text.append(
            "A network that made these rows does not say whom it was trained on: it may have seen "
            "the tested people."
        )
    warning = WORDS["leaky_windows"] if first["split"] == "leaky_windows" else _warning(table)
    return Section("Protocol", text, warning=warning)


def _warning(table: pd.DataFrame) -> str:
    from emotion_rppg.emotion.model import SYNTHETIC

    if SYNTHETIC in set(table["dataset"].astype(str)):
        return (
            "These people are synthetic and their hearts obey the ratings by construction. The "
            "scores show that the chain works; they are no evidence about real people."
        )
    return ""


def scores(means: pd.DataFrame) -> list[Section]:
    """The figure against the dummies, and the table behind it."""
    metric = str(means["metric"].iloc[0])
    shown = means[means["metric"] == metric]
    caption = (
        f"{metric.replace('_', ' ').capitalize()}: mean over people with its 95 % bootstrap "
        "interval. Grey: dummies that never look at the pulse. Dotted: chance."
    )
    return [
        Section(
            "Results",
            figures=[(figures.scores(shown), caption)],
            table=shown[[c for c in (*_SHOWN, "p_permutation") if c in shown]],
            table_caption="The unit is the person. p: paired Wilcoxon test over people against "
            "the first dummy, Holm-corrected over the heads; effect: rank-biserial, −1 to 1; "
            "p_permutation: share of permutations of the labels, between trials or runs of equal "
            "label within a person, on which the head did as well.",
        )
    ]
