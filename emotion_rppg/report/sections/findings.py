"""What came out, as sections of a report: scores (by data set, too), nulls, pairs, mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.tasks import Task, class_names
from emotion_rppg.evaluation.scoring import CLASS_SCORES, NUMBER_SCORES, RANDOM
from emotion_rppg.evaluation.statistics import BASELINES, over_people, summary
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots import evaluation
from emotion_rppg.signal_quality import LEAST_QUALITY
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation

Names = Mapping[str, tuple[str, ...]]


def names_of_classes(results: Evaluation, table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Target to the names of its classes; none where it is a number."""
    coding = results.settings.coding
    return {t: class_names(table, Task(t, coding)) for t in results.settings.targets}


def scores(results: Evaluation, means: pd.DataFrame, names: Names) -> Section:
    """Every head beside dummies and baselines, a figure a target, and the table behind them."""
    metric = results.metric
    drawn = []
    for target, classes in names.items():
        own, rows = (part[part["target"] == target] for part in (results.scores, means))
        chance = _chance(rows) if classes else None
        pooled = over_people(own)
        caption = (
            f"{target}: {evaluation.in_words(metric)}. A dot is a person"
            + (" (share of windows that were right)" if pooled and classes else "")
            + f", a diamond the {'score over' if pooled else 'mean over'} people, the bar its 95 % "
            "bootstrap interval. Grey: dummies and baselines that know nothing of the heart."
            + (_CHANCE if chance else "")
        )
        drawn.append((evaluation.people(own, rows, metric=metric, chance=chance), caption))
    return Section(
        "Results",
        [*_one_class(results.scores), *_choices(results.predictions)],
        drawn,
        _table(means, metric),
        _CAPTION + (_P if "p_permutation" in means else " p: no labels were permuted."),
    )


_CHANCE = " Dotted: what random draws reach; shaded: where 95 % of the draws lie."
_CAPTION = (
    "The unit is the person. “quality_alone” and “movement_alone” are logistic (ridge) regressions "
    "on how well the pulse was recorded and on the accelerometer: a head that does no better may "
    "read movement instead of the heart. withheld: share of windows without a trusted pulse, "
    "which count as the training's commonest class (or mean); trusted, good quality: the same "
    "score on the windows with a trusted pulse alone, and on those of good quality "
    f"(at least {LEAST_QUALITY:g}). effect: rank-biserial correlation of people's scores with "
    "chance, −1 to 1."
)
_P = (
    " p: share of label permutations on which the head did as well, Holm-corrected over the heads; "
    "uncorrected beside."
)


def _table(means: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The summary as a reader wants it."""
    table = means[["target", "head", "people"]].copy()
    table[evaluation.in_words(metric)] = means["mean"]
    table["95 % interval"] = _intervals(means, 3)
    table["effect"] = means["effect"]
    table["p"] = [_p(p) for p in means["p"]]
    if "p_permutation" in means:
        table["p, uncorrected"] = [_p(p) for p in means["p_permutation"]]
    for column, title in (
        ("withheld", "withheld"),
        ("mean_trusted", "trusted"),
        ("good_quality", "share of good quality"),
        ("mean_good", "good quality"),
    ):
        if column in means and means[column].notna().any():
            table[title] = means[column]
    return table


def _chance(rows: pd.DataFrame) -> tuple[float, float, float] | None:
    """Mean of the dummy that draws at random, and where 95 % of its draws lie."""
    drawn = rows[(rows["head"] == RANDOM) & rows["mean"].notna()]
    if drawn.empty:
        return None
    mean, low, high = (float(drawn[c].iloc[0]) for c in ("mean", "ci_low", "ci_high"))
    return mean, low, high


def _one_class(people_scores: pd.DataFrame) -> list[str]:
    """Who has one class only, and what that does to the score of each target."""
    text = []
    for target, own in people_scores.groupby("target", sort=False):
        each = own.drop_duplicates("subject")
        marked = each[each["one_class"] != ""]
        if over_people(own):
            text.append(
                f"{target}: no person has two different labels, so that no person can be scored "
                "by balanced accuracy or correlation. Scores are over people, each weighing the "
                "same, and labels are permuted between people."
            )
        elif len(marked):
            some = ", ".join(marked["subject"].head(8)) + (" …" if len(marked) > 8 else "")
            text.append(
                f"{target}: {len(marked)} of {len(each)} people have one class only ({some}). "
                "Their recall is no balanced accuracy: they are not in its mean. They are marked "
                "in the table of people and in results.csv (one_class)."
            )
    return text


def _choices(predictions: pd.DataFrame) -> list[str]:
    """How often inner folds chose which head."""
    text = []
    for target, own in predictions[predictions["chosen"] != ""].groupby("target", sort=False):
        each = own.groupby("chosen")["subject"].nunique().sort_values(ascending=False)
        told = ", ".join(f"{head} for {n} people" for head, n in each.items())
        text.append(f"“selected”, {target}: inner folds of the training people chose {told}.")
    return text


def other_scores(results: Evaluation) -> Section:
    """Every score that was computed, mean over people with its interval."""
    wanted = [name for name in (*CLASS_SCORES, *NUMBER_SCORES) if name in results.scores]
    wanted = [name for name in wanted if results.scores[name].notna().any()]
    parts = summary(results.scores, metrics=wanted)
    table = _beside({m: parts[parts["metric"] == m] for m in wanted})
    return Section(
        "All scores",
        table=table.rename(columns={m: evaluation.in_words(m) for m in wanted}),
        table_caption="Mean over people and its 95 % bootstrap interval, descriptive: no test. "
        "A score that is undefined for a person (of one class alone) is left out of the "
        "mean, not guessed. ECE is computed person by person here; few windows raise it.",
    )


def each_data_set(results: Evaluation, table: pd.DataFrame) -> list[Section]:
    """The score on the people of each data set, where there are several."""
    parts = {}
    for name, own in table.groupby(table["dataset"].astype(str), sort=False):
        scored = results.scores[results.scores["subject"].isin(people(own).unique())]
        if not scored.empty:
            parts[f"{name} ({scored['subject'].nunique()} people)"] = summary(scored)
    if len(parts) < 2:
        return []
    caption = (
        f"Mean {evaluation.in_words(results.metric)} over the people of the data set that were "
        "tested and its 95 % bootstrap interval, descriptive: no test."
    )
    return [Section("Data set by data set", table=_beside(parts), table_caption=caption)]


def _beside(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Several summaries in one table: a row a target and head, a column each."""
    import pandas as pd

    keys = ["target", "head"]
    table = pd.concat([rows[keys] for rows in parts.values()]).drop_duplicates()
    for name, rows in parts.items():
        spans = zip(rows["mean"], _intervals(rows, 2), strict=True)
        each = ["" if mean != mean else f"{mean:.2f} {span}" for mean, span in spans]
        column = pd.DataFrame({**{key: rows[key].to_numpy() for key in keys}, name: each})
        table = table.merge(column, on=keys, how="left")
    return table


def null(results: Evaluation) -> list[Section]:
    """The scores on permuted labels, where labels were permuted."""
    found = results.null
    if found.empty:
        return []
    drawn = [
        (
            evaluation.null(own, metric=results.metric),
            f"{target}: score on permuted labels (grey, a dot a permutation, 300 at most) and on "
            "the true labels (red).",
        )
        for target, own in found.groupby("target", sort=False)
    ]
    return [Section("Scores under label permutation", [_tests(found)], drawn)]


def _tests(found: pd.DataFrame) -> str:
    """Which head was tested how."""
    heads = found.groupby("test", sort=False)["head"].unique()
    told = [f"{', '.join(names)}: {_TEST.get(test, test)}" for test, names in heads.items()]
    return "; ".join(told) + "."


_TEST = {
    "refit": "every fold fitted afresh on each permutation of the labels",
    "forward": "blocks of people, each predicted by a head fitted on the blocks before it, with "
    "labels permuted inside each block (for heads that are slow to fit; it finds less than refits)",
}


def importance(results: Evaluation) -> list[Section]:
    """What the explained head of each target uses."""
    found = results.importance
    if found.empty:
        return []
    drawn = [
        (
            evaluation.importance(own, metric=results.metric),
            f"{target}, head “{own['head'].iloc[0]}”: what each person's score loses (dots; mean "
            "and 95 % interval) when the values of a group of columns are exchanged between that "
            "person's tested windows. The heads are those of the folds, not fitted anew.",
        )
        for target, own in found.groupby("target", sort=False)
    ]
    text = (
        "Permutation importance on held-out windows. What loses nothing without a group does not "
        "use it to tell a person's windows apart, or makes up for it by another group; where every "
        "dot is at zero, the head is not given the group. Where “signal quality” costs much, the "
        "head may read movement instead of the heart: leave it out of --extra-features."
    )
    return [Section("What the head uses", [text], drawn)]


def pairs(found: pd.DataFrame) -> list[Section]:
    """Every two heads compared over the same people."""
    if found.empty:
        return []
    table = found.assign(p=[_p(p) for p in found["p"]])
    return [
        Section(
            "Heads against each other",
            table=table,
            table_caption="difference: mean over people of head less other; effect: "
            "rank-biserial, −1 to 1; p: paired Wilcoxon test, Holm-corrected over the pairs of a "
            "target. A large p does not show that two heads are equal.",
        )
    ]


def mistakes(results: Evaluation, names: Names) -> list[Section]:
    """Confusion matrices of every head, summed over people."""
    said = results.predictions
    drawn = []
    for target, classes in names.items():
        own = said[said["target"] == target]
        if classes:
            counts = {h: _counts(part, len(classes)) for h, part in own.groupby("head", sort=False)}
            caption = (
                f"{target}: windows of each true class (row) by what they were called, summed "
                "over people; shares are of the row."
            )
            drawn.append((evaluation.confusion(counts, classes), caption))
    return [Section("Mistakes", figures=drawn)] if drawn else []


def calibration(results: Evaluation, names: Names) -> list[Section]:
    """Reliability curves of the heads that give chances, for two classes."""
    said = results.predictions
    drawn = []
    for target, classes in names.items():
        own = said[said["target"] == target]
        sure = own[own["p_1"].notna()] if len(classes) == 2 else own.iloc[:0]
        heads = [h for h in dict.fromkeys(sure["head"]) if h not in BASELINES]
        if heads:
            caption = (
                f"{target}: how often “{classes[1]}” was true where it was given some chance; "
                "windows of all people together, dot areas by their number; ECE over ten bins. "
                "Dotted: right chances. Dashed: right chances of equally frequent classes, which "
                f"the heads are fitted for, at the {sure['truth'].mean():.0%} that "
                f"“{classes[1]}” has here."
            )
            drawn.append((evaluation.reliability(sure, heads), caption))
    return [Section("Are the chances right?", figures=drawn)] if drawn else []


def _counts(said: pd.DataFrame, classes: int) -> np.ndarray:
    """(classes, classes) windows: true class by row, predicted by column."""
    flat = said["truth"].to_numpy(int) * classes + said["predicted"].to_numpy(int)
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def _intervals(rows: pd.DataFrame, digits: int) -> list[str]:
    return [
        "" if low != low else f"[{low:.{digits}f}, {high:.{digits}f}]"
        for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
    ]


def _p(value: Any) -> str:
    return "" if value != value else "< 0.001" if value < 0.001 else f"{value:.3f}"
