"""What `evaluate` leaves behind: scores, predictions, their summary, report.html, run.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.emotion.calibration import PROBABILITIES
from emotion_rppg.emotion.tasks import Task
from emotion_rppg.evaluation.normalisation import NORMALISE, Normalisation
from emotion_rppg.evaluation.splits import OWN, SPLITS, Split
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.sections import findings
from emotion_rppg.report.sections.examples import Waves, examples
from emotion_rppg.report.sections.methods import methods
from emotion_rppg.report.sections.people import data
from emotion_rppg.runtime.atomic_files import atomic_folder
from emotion_rppg.runtime.provenance import write_run
from emotion_rppg.runtime.tables import write_table
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation, Settings


def write_evaluation(
    results: Evaluation,
    table: pd.DataFrame,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    waves: Waves | None = None,
) -> pd.DataFrame:
    """Write the folder, whole or not at all, and give the summary over people.

    It has the files of `Evaluation.save`, so that `Evaluation.load` reads it, and beside them
    ``summary.csv``, ``pairs.csv``, ``report.html`` and ``run.json``.

    ``waves`` gives recordings and waves of the people it is named, for the examples; without it
    they are drawn from the table alone.
    """
    from emotion_rppg.evaluation.result import write_files

    means, pairs = results.summary(), results.between_heads()
    names = findings.names_of_classes(results, table)
    with atomic_folder(out) as fresh:
        write_files(results, fresh)
        write_table(means, fresh / "summary.csv")
        write_table(pairs, fresh / "pairs.csv")
        sections = [
            protocol(results, table),
            *data(results, table, names),
            findings.scores(results, means, names),
            *findings.each_data_set(results, table),
            *findings.null(results),
            *findings.pairs(pairs),
            findings.other_scores(results),
            *findings.mistakes(results, names),
            *findings.calibration(results, names),
            *findings.importance(results),
            *examples(results, table, names, waves=waves),
            methods(results, table, arguments),
        ]
        lead = f"How well each head tells {' and '.join(names)} on what it never saw."
        write_page(Page("Evaluation", lead, sections), fresh / "report.html")
        write_run(fresh, "evaluate", arguments, inputs, name=Path(out).name)
    return means


def protocol(results: Evaluation, table: pd.DataFrame) -> Section:
    """How it was done, in words: people, windows, split, coding, normalisation."""
    how = results.settings
    told = [Task(target, how.coding).rule(table) for target in how.targets]
    text = [
        f"{len(table)} windows of {people(table).nunique()} people "
        f"({', '.join(sorted(set(table['dataset'].astype(str))))}), {_windows(table)}. Each head "
        f"was fitted and tested with the split “{how.split}”: "
        f"{_described(SPLITS.get(how.split))}. "
        "Imputation, scaling and every choice a head makes were fitted on training rows alone.",
        f"Target: {'; '.join(told)}.",
        f"Normalisation “{how.normalise}”: {_normalised(how)}.",
        *_probabilities(results),
        *_traps(table),
    ]
    if results.scores["unknown_training"].any():
        text.append(
            "A network that made these rows does not say whom it was trained on: it may have seen "
            "the tested people."
        )
    leaky = bool(results.scores["leaky"].any())
    warning = _described(SPLITS.get(how.split)) if leaky else _warning(table)
    return Section("Protocol", text, warning=warning)


def _described(way: Split | Normalisation | None) -> str:
    """What the table says of a split or a normalisation; one that is in no table is one's own."""
    return OWN if way is None else way.description


def _normalised(how: Settings) -> str:
    return _described(NORMALISE.get(how.normalise)).format(seconds=how.calibration_s)


def _probabilities(results: Evaluation) -> list[str]:
    """How probabilities came about, where there are any."""
    if "balanced_accuracy" not in results.scores:
        return []
    name = results.settings.probabilities
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
