"""The report's section on who and what was evaluated: people, windows, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.features.trust import kind_of
from emotion_rppg.report.page import Section
from emotion_rppg.windows import LABEL, OK, people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation
    from emotion_rppg.report.sections.findings import Names

MOST_ROWS = 60  # people whom a page still lists one by one


def data(results: Evaluation, table: pd.DataFrame, names: Names) -> list[Section]:
    """One section a target: the flow from all windows to the scored ones, then person by person."""
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
            f"lowest of a person {(tested['with features'] / tested['scored']).min():.1%})."
        )
        listed = own if len(own) <= MOST_ROWS else own[own["why not"] != ""].head(MOST_ROWS)
        left = "" if len(listed) == len(own) else " Only people who were not tested are listed."
        sections.append(
            Section(
                f"Data: {target}",
                [_flow(results, table, target), spread, *_reasons(table)],
                table=listed if len(listed) else None,
                table_caption="Windows of each person." + left,
            )
        )
    return sections


def _flow(results: Evaluation, table: pd.DataFrame, target: str) -> str:
    """From all windows to the scored ones, each loss with its number."""
    said, excluded = results.predictions, results.excluded
    scored = said.loc[said["target"] == target, "row"].nunique()
    left_out = excluded[excluded["target"] == target].set_index("reason")["rows"].to_dict()
    lost = {r: n for r, n in left_out.items() if n and r not in _KEPT}
    told = "; ".join(f"{n} {_WHY[reason]}" for reason, n in lost.items()) or "none was left out"
    kept = {r: left_out[r] for r in _KEPT}
    text = f"{len(table)} windows; {told}; {scored} were scored."
    if kept["tested without features"]:
        text += (
            f" {kept['tested without features']} of these have no trusted pulse: they were not "
            "trained on and count in the test with the training people's commonest class (or mean)."
        )
    if kept["purged from training"]:
        text += (
            f" {kept['purged from training']} times a window was left out of a fold's training "
            "because it shares seconds with a tested one."
        )
    return text


_KEPT = ("purged from training", "tested without features")
_WHY = {
    "no label": "have no label",
    "calibration": "belong to the calibration and are not scored",
    "never tested by the split": "are never tested by the split",
}


def _reasons(table: pd.DataFrame) -> list[str]:
    """Why windows have no features, by number."""
    if "reason" not in table:
        return []
    found = table["reason"].fillna("").astype(str).map(kind_of).value_counts()
    told = "; ".join(f"{reason} ({n})" for reason, n in found.items() if reason not in ("", OK))
    return [f"Reasons why features are empty, in the whole table: {told}."] if told else []


def _of_people(
    results: Evaluation, table: pd.DataFrame, target: str, classes: tuple[str, ...]
) -> pd.DataFrame:
    """Person, windows, labelled, scored, with features, windows of each class, why not tested."""
    import pandas as pd

    said = results.predictions
    said = said[said["target"] == target].drop_duplicates("row")
    labelled = table[LABEL + target].notna() & (table[LABEL + target].astype(str) != "")
    out = pd.DataFrame({"windows": people(table).value_counts().sort_index()})
    out["labelled"] = _count(people(table)[labelled], out.index)
    out["scored"] = _count(said["subject"], out.index)
    out["with features"] = _count(said.loc[said["has_features"], "subject"], out.index)
    for k, name in enumerate(classes):
        out[name] = _count(said.loc[said["truth"] == k, "subject"], out.index)
    if classes:
        marks = results.scores[results.scores["target"] == target].drop_duplicates("subject")
        marks = marks.set_index("subject")["one_class"]
        out["one class"] = marks.reindex(out.index).fillna("")
    out["why not"] = np.where(
        out["scored"] > 0,
        "",
        np.where(out["labelled"] > 0, "no labelled window is left to score", "no label"),
    )
    return out.rename_axis("person").reset_index()


def _count(values: pd.Series, index: pd.Index) -> pd.Series:
    return values.value_counts().reindex(index, fill_value=0).astype(int)
