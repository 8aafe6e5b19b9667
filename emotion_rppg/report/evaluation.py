"""What `evaluate` leaves behind: scores, predictions, their summary, report.html, run.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.checkpoints import whole_folder
from emotion_rppg.emotion.platt import PROBABILITIES
from emotion_rppg.emotion.tasks import Task
from emotion_rppg.evaluation.normalise import NORMALISE, Normalisation
from emotion_rppg.evaluation.splits import OWN, SPLITS, Split
from emotion_rppg.provenance import write_run
from emotion_rppg.report import outcomes
from emotion_rppg.report.cards import cards_of
from emotion_rppg.report.examples import Waves, examples
from emotion_rppg.report.methods import methods
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.people import data
from emotion_rppg.tables import write_table
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd


def write_evaluation(
    results: pd.DataFrame,
    table: pd.DataFrame,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    waves: Waves | None = None,
) -> pd.DataFrame:
    """Write the folder, whole or not at all, and give the summary over people.

    ``waves`` gives recordings and waves of the people it is named, for the examples; without it
    they are drawn from the table alone.

    ``predictions.parquet`` has every scored window of every head: person, trial, time, row of the
    table, true class, predicted class and the chances of the classes (``p_0`` …).
    """
    from emotion_rppg.evaluation.statistics import between_heads, summary

    means = summary(results)
    metric = str(means["metric"].iloc[0])
    pairs = between_heads(results, metric=metric)
    names = outcomes.names_of_classes(results, table)
    with whole_folder(out) as fresh:
        write_table(results, fresh / "results.csv")
        write_table(means, fresh / "summary.csv")
        write_table(pairs, fresh / "pairs.csv")
        write_table(results.attrs["predictions"], fresh / "predictions.parquet")
        sections = [
            protocol(results, table),
            *data(results, table, names),
            outcomes.scores(results, means, names),
            *outcomes.each_data_set(results, means, table),
            *outcomes.null(results, means),
            *outcomes.pairs(pairs),
            outcomes.other_scores(results),
            *outcomes.mistakes(results, names),
            *outcomes.calibration(results, names),
            *outcomes.importance(results, means),
            *examples(results, table, names, metric=metric, waves=waves),
            methods(results, table, arguments),
        ]
        lead = f"How well each head tells {' and '.join(names)} on what it never saw."
        write_page(Page("Evaluation", lead, sections), fresh / "report.html")
        write_run(fresh, "evaluate", arguments, inputs, name=Path(out).name)
    return means


def protocol(results: pd.DataFrame, table: pd.DataFrame) -> Section:
    """How it was done, in words: people, windows, split, coding, normalisation."""
    first = results.iloc[0]
    told = [Task(t, first["coding"]).rule(table) for t in dict.fromkeys(results["target"])]
    text = [
        f"{len(table)} windows of {people(table).nunique()} people "
        f"({', '.join(sorted(set(table['dataset'].astype(str))))}), {_windows(table)}. Each head "
        f"was fitted and tested with the split “{first['split']}”: "
        f"{_described(SPLITS.get(first['split']))}. "
        "Imputation, scaling and every choice a head makes were fitted on training rows alone.",
        f"Target: {'; '.join(told)}.",
        f"Normalisation “{first['normalise']}”: {_normalised(results)}.",
        *_probabilities(results),
        *_traps(table),
    ]
    if bool("unknown_training" in results and results["unknown_training"].any()):
        text.append(
            "A network that made these rows does not say whom it was trained on: it may have seen "
            "the tested people."
        )
    leaky = bool(first.get("leaky", False))
    warning = _described(SPLITS.get(first["split"])) if leaky else _warning(table)
    return Section("Protocol", text, warning=warning)


def _described(way: Split | Normalisation | None) -> str:
    """What the table says of a split or a normalisation; one that is in no table is one's own."""
    return OWN if way is None else way.description


def _normalised(results: pd.DataFrame) -> str:
    words = _described(NORMALISE.get(results["normalise"].iloc[0]))
    return words.format(seconds=results.attrs.get("calibration_s", float("nan")))


def _probabilities(results: pd.DataFrame) -> list[str]:
    """How probabilities came about, where there are any."""
    if "probabilities" not in results or "balanced_accuracy" not in results:
        return []
    name = results["probabilities"].iloc[0]
    return [f"Probabilities “{name}”: {PROBABILITIES[name]}."]


def _traps(table: pd.DataFrame) -> list[str]:
    """What the cards of the readers that made the rows warn of."""
    traps = [trap for card in cards_of(table) for trap in card.traps]
    return [f"Known of these data: {'; '.join(traps)}."] if traps else []


def _windows(table: pd.DataFrame) -> str:
    """Length and source of the windows."""
    lengths = table["duration_s"].round(1).drop_duplicates().sort_values()
    span = f"{lengths.iloc[0]:g}" + (f" to {lengths.iloc[-1]:g}" if len(lengths) > 1 else "")
    sources = " and ".join(sorted(set(table["source"].astype(str)))) if "source" in table else ""
    return f"{span} s long" + (f", of {sources} signals" if sources else "")


def _warning(table: pd.DataFrame) -> str:
    from emotion_rppg.emotion.model import SYNTHETIC

    if SYNTHETIC in {card.name for card in cards_of(table)}:
        return (
            "These people are synthetic and their hearts obey the ratings by construction. The "
            "scores show that the chain works; they are no evidence about real people."
        )
    return ""
