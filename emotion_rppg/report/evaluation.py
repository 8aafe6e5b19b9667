"""Write the output folder of `evaluate`: scores, predictions, summary, report.html, run.json."""

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
from emotion_rppg.report.sections.classification import calibration, confusion, roc_and_precision
from emotion_rppg.report.sections.declarations import declarations
from emotion_rppg.report.sections.examples import Waves, examples
from emotion_rppg.report.sections.feature_list import feature_list
from emotion_rppg.report.sections.heart import heart
from emotion_rppg.report.sections.labels import rule_in_words
from emotion_rppg.report.sections.methods import methods
from emotion_rppg.report.sections.people import data, scores_of_each
from emotion_rppg.report.sections.quality import quality
from emotion_rppg.report.sections.sources import figure, sources
from emotion_rppg.report.sections.withheld import closing, withheld
from emotion_rppg.report.sections.wording import (
    data_sets,
    joined,
    signals_in_words,
    windows_in_words,
)
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
    """Write the folder, complete or not at all, and return the summary over people.

    It contains the files of `Evaluation.save`, so that `Evaluation.load` reads it, and
    ``summary.csv``, ``pairs.csv``, ``report.html`` and ``run.json``; where sources were compared,
    also ``sources_summary.csv``, ``sources_pairs.csv`` and ``sources.png``.

    Parameters
    ----------
    table : DataFrame
        The table that was evaluated.
    arguments : mapping
        Arguments of the command, for ``run.json`` and the command line in the report.
    inputs : sequence of Path
        Files whose identity ``run.json`` records.
    waves : function, optional
        ``(names of people) -> (recording, wave)…`` for the examples. Without it the examples show
        the heart rates of the table.
    """
    from emotion_rppg.evaluation.result import write_files

    means, pairs = results.summary(), results.between_heads()
    names = findings.names_of_classes(results, table)
    with atomic_folder(out) as fresh:
        write_files(results, fresh)
        write_table(means, fresh / "summary.csv")
        write_table(pairs, fresh / "pairs.csv")
        if len(results.sources):
            write_table(results.summary_of_sources(), fresh / "sources_summary.csv")
            write_table(results.between_sources(), fresh / "sources_pairs.csv")
            figure(results, table).savefig(fresh / "sources.png", dpi=150)
        page = _page(results, table, names, means, pairs, arguments, waves)
        write_page(page, fresh / "report.html")
        write_run(fresh, "evaluate", arguments, inputs, name=Path(out).name)
    return means


def _page(
    results: Evaluation,
    table: pd.DataFrame,
    names: findings.Names,
    means: pd.DataFrame,
    pairs: pd.DataFrame,
    arguments: Mapping[str, Any],
    waves: Waves | None,
) -> Page:
    """Compose the page, from the protocol and the data to the results and how they were made."""
    coding = results.settings.coding
    features = feature_list(results, table)
    sections = [
        protocol(results, table),
        *data(results, table, names),
        quality(table, names, coding=coding),
        *withheld(table),
        *heart(table, names, coding=coding),
        findings.scores(results, means, names),
        *sources(results, table),
        *findings.each_data_set(results, table),
        *scores_of_each(results, table),
        *findings.null(results),
        *findings.pairs(pairs),
        findings.other_scores(results),
        *roc_and_precision(results, names),
        *confusion(results, names),
        *calibration(results, names),
        *findings.importance(results),
        *examples(results, table, names, waves=waves),
        features,
        declarations(table),
    ]
    elsewhere = " ".join(text for section in sections for text in _texts(section))
    sections.insert(-1, methods(results, table, arguments, elsewhere))
    return Page(title(results, table), _lead(results, table, names), sections, closing(table))


def _texts(section: Section) -> list[str]:
    """List all texts of a section in which works may be cited."""
    texts = [*section.text, section.table_caption, *(caption for _, caption in section.figures)]
    if section.table is not None and "source" in section.table:
        texts += [*section.table["source"].astype(str), *section.table["definition"].astype(str)]
    return texts


def title(results: Evaluation, table: pd.DataFrame) -> str:
    """Name the targets, the signals and the data sets: the title of the page."""
    signals = signals_in_words(table)
    return (
        f"Prediction of {joined(results.settings.targets)}"
        + (f" from {signals}" if signals else "")
        + f" in {joined(data_sets(table))}"
    )


def _lead(results: Evaluation, table: pd.DataFrame, names: findings.Names) -> str:
    tested = results.predictions["subject"].nunique()
    return (
        f"How well each {findings.kind_of_head(results)} predicts {joined(list(names))} on "
        f"held-out data, beside dummies and baselines: {len(table)} windows of "
        f"{people(table).nunique()} people, of whom {tested} were tested. Protocol, data, results "
        "and methods follow, with all that was withheld or excluded."
    )


def protocol(results: Evaluation, table: pd.DataFrame) -> Section:
    """Describe people, windows, split, coding, normalisation and probabilities in words."""
    settings = results.settings
    rules = [rule_in_words(table, Task(target, settings.coding)) for target in settings.targets]
    text = [
        f"{len(table)} windows of {people(table).nunique()} people "
        f"({', '.join(sorted(set(table['dataset'].astype(str))))}), {windows_in_words(table)}. "
        f"A head is a {findings.kind_of_head(results)} that predicts the target from the features "
        "of a window.",
        f"Split “{settings.split}”: {_description(SPLITS.get(settings.split))}. Imputation, "
        "scaling, the head and its settings were fitted on training rows alone.",
        f"Target: {'; '.join(rules)}.",
        f"Normalisation “{settings.normalise}”: {_normalisation(settings)}.",
        *_probabilities(results),
        *_cautions(table),
    ]
    if results.scores["unknown_training"].any():
        text.append(
            "A network or encoder behind these rows does not say whom it was trained on: its "
            "training people may include tested people."
        )
    leaky = bool(results.scores["leaky"].any())
    warning = _description(SPLITS.get(settings.split)) if leaky else _warning(table)
    return Section("Protocol", text, warning=warning)


def _description(record: Split | Normalisation | None) -> str:
    """Return the description of a split or normalisation; None is a function of the user."""
    return OWN if record is None else record.description


def _normalisation(settings: Settings) -> str:
    record = NORMALISE.get(settings.normalise)
    return _description(record).format(seconds=settings.calibration_s)


def _probabilities(results: Evaluation) -> list[str]:
    """Describe the calibration of probabilities, where there are classes."""
    if "balanced_accuracy" not in results.scores:
        return []
    name = results.settings.probabilities
    return [f"Probabilities “{name}”: {PROBABILITIES[name]}."]


def _cautions(table: pd.DataFrame) -> list[str]:
    """List the known pitfalls of the data sets, from the cards of their readers."""
    traps = [trap for card in cards_of(table) for trap in card.traps]
    return [f"Known pitfalls of these data: {'; '.join(traps)}."] if traps else []


def _warning(table: pd.DataFrame) -> str:
    from emotion_rppg.emotion.model import SYNTHETIC

    if SYNTHETIC in {card.name for card in cards_of(table)}:
        return (
            "These people are synthetic, and their hearts follow the ratings by construction. The "
            "scores show that the software works; they are no evidence about real people."
        )
    return ""
