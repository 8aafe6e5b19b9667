"""Report sections on people: windows, labels, who was excluded and why, and their scores."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.emotion.tasks import Task
from emotion_rppg.evaluation.statistics import DUMMY_NAMES, over_people
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots.evaluation import in_words
from emotion_rppg.report.sections.labels import shown_one_class
from emotion_rppg.study.corrections import edits_in_words
from emotion_rppg.windows import LABEL, people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation
    from emotion_rppg.report.sections.findings import Names

MOST_ROWS = 60  # larger studies list only the people who were not tested


def data(results: Evaluation, table: pd.DataFrame, names: Names) -> list[Section]:
    """Describe the data, one section per target: from all windows to the scored ones, by person."""
    sections = []
    for target, classes in names.items():
        own = _of_people(results, table, target, classes)
        tested = own[own["scored"] > 0]
        spread = (
            f"{len(tested)} of {len(own)} people were tested, with {tested['scored'].min()} to "
            f"{tested['scored'].max()} windows each (median {tested['scored'].median():g}); "
            f"{tested['with features'].sum()} of {tested['scored'].sum()} scored windows have "
            "a trusted pulse (coverage "
            f"{tested['with features'].sum() / tested['scored'].sum():.1%}; "
            "lowest coverage of a person "
            f"{(tested['with features'] / tested['scored']).min():.1%})."
        )
        listed = own if len(own) <= MOST_ROWS else own[own["scored"] == 0].head(MOST_ROWS)
        note = "" if len(listed) == len(own) else " Only people who were not tested are listed."
        sections.append(
            Section(
                f"Data: {target}",
                [_flow(results, table, target), spread, *_edits(table)],
                table=listed if len(listed) else None,
                table_caption=_caption(own, classes) + note,
            )
        )
    return sections


def _caption(own: pd.DataFrame, classes: tuple[str, ...]) -> str:
    text = (
        "Number of windows of each person: all, with a label, scored, and scored with a trusted "
        "pulse (“with features”)"
    )
    text += f"; scored windows of each class ({', '.join(classes)})" if classes else ""
    if "one class" in own:
        text += ". one class: the class of people who have only one"
    if "not tested" in own:
        text += ". not tested: the reason"
    return text + "."


def _flow(results: Evaluation, table: pd.DataFrame, target: str) -> str:
    """Count the windows from all to the scored ones, with the reason for each exclusion."""
    predictions, excluded = results.predictions, results.excluded
    scored = predictions.loc[predictions["target"] == target, "row"].nunique()
    number = excluded[excluded["target"] == target].set_index("reason")["rows"].to_dict()
    exclusions = [f"{number[reason]} {text}" for reason, text in _REASONS.items() if number[reason]]
    text = f"{len(table)} windows; {'; '.join(exclusions) or 'none was excluded'}; "
    text += f"{scored} were scored."
    if number["tested without features"]:
        text += (
            f" {number['tested without features']} of these have no trusted pulse: they were not "
            "used for training and have no prediction."
        )
    if number["purged from training"]:
        text += (
            f" Windows that share seconds with a tested window were removed from the training of "
            f"its fold ({number['purged from training']} removals over all folds)."
        )
    return text


_REASONS = {
    "no label": "have no label",
    "calibration": "belong to the reference period of a person and are not scored",
    "never tested by the split": "are never tested by the split",
}


def _edits(table: pd.DataFrame) -> list[str]:
    """Count the windows whose beats a person corrected."""
    text = edits_in_words(table)
    return [f"{text[0].upper()}{text[1:]}."] if text else []


def _of_people(
    results: Evaluation, table: pd.DataFrame, target: str, classes: tuple[str, ...]
) -> pd.DataFrame:
    """Count each person's windows: labelled, scored, with features, of each class."""
    import pandas as pd

    tested = results.predictions
    tested = tested[tested["target"] == target].drop_duplicates("row")
    labelled = table[LABEL + target].notna() & (table[LABEL + target].astype(str) != "")
    counts = people(table).value_counts()
    out = pd.DataFrame({"windows": counts.reindex(in_natural_order(counts.index))})
    out["labelled"] = _count(people(table)[labelled], out.index)
    out["scored"] = _count(tested["subject"], out.index)
    out["with features"] = _count(tested.loc[tested["has_features"], "subject"], out.index)
    for k, name in enumerate(classes):
        out[name] = _count(tested.loc[tested["truth"] == k, "subject"], out.index)
    if classes:
        marks = results.scores[results.scores["target"] == target].drop_duplicates("subject")
        marks = marks.set_index("subject")["one_class"].reindex(out.index).fillna("")
        task = Task(target, results.settings.coding)
        out["one class"] = [shown_one_class(mark, table, task) for mark in marks]
    untested = np.where(out["labelled"] > 0, "no labelled window is left to score", "no label")
    out["not tested"] = np.where(out["scored"] > 0, "", untested)
    empty = [name for name in ("one class", "not tested") if name in out and not out[name].any()]
    return out.drop(columns=empty).rename_axis("person").reset_index()


def _count(values: pd.Series, index: pd.Index) -> pd.Series:
    return values.value_counts().reindex(index, fill_value=0).astype(int)


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Sort names by the numbers in them: 1, 2, 10."""

    def key(name: str) -> list[tuple[int, int, str]]:
        parts = re.split(r"(\d+)", name)
        return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]

    return sorted(names, key=lambda name: (key(name), name))


def scores_of_each(results: Evaluation, table: pd.DataFrame) -> list[Section]:
    """Tabulate the score of each person by each head, one section per target."""
    sections = []
    for target, own in results.scores.groupby("target", sort=False):
        pooled = over_people(own) and "accuracy" in own
        metric = "accuracy" if pooled else results.metric
        heads = [name for name in dict.fromkeys(own["head"]) if name not in DUMMY_NAMES]
        first = own.drop_duplicates("subject").set_index("subject")
        order = in_natural_order(first.index)
        shown = first.loc[order, ["n"]].rename(columns={"n": "windows"})
        task = Task(str(target), results.settings.coding)
        marks = [shown_one_class(mark, table, task) for mark in first.loc[order, "one_class"]]
        if any(marks):
            shown["one class"] = marks
        wide = own.pivot_table(index="subject", columns="head", values=metric, dropna=False)
        for head in heads:
            shown[head] = wide[head].reindex(order) if head in wide else np.nan
        caption = f"{target}: {in_words(metric)} of each person by each head."
        if any(marks):
            caption += " one class: the class of people who have only one" + (
                "." if pooled else f"; they have no {in_words(metric)}."
            )
        shown = shown.rename_axis("person").reset_index()
        title = f"Scores of each person: {target}"
        sections.append(Section(title, table=shown, table_caption=caption))
    return sections
