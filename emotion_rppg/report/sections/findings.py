"""Report sections with the results of an evaluation: scores, p values, comparisons, importance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emotion_rppg.emotion.nested_selection import MEAN
from emotion_rppg.emotion.tasks import Task
from emotion_rppg.evaluation.scoring import CLASS_SCORES, NUMBER_SCORES, RANDOM
from emotion_rppg.evaluation.statistics import (
    BOOTSTRAP_DRAWS,
    CLUSTERED_DRAWS,
    MOST_EXACT,
    over_people,
    summary,
)
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots import evaluation
from emotion_rppg.report.sections.cells import fixed, p_text
from emotion_rppg.report.sections.labels import shown_names
from emotion_rppg.signal_quality import LEAST_QUALITY
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation

Names = Mapping[str, tuple[str, ...]]


def names_of_classes(results: Evaluation, table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Map each target to the names of its classes; empty where it is a number."""
    coding = results.settings.coding
    return {t: shown_names(table, Task(t, coding)) for t in results.settings.targets}


def kind_of_head(results: Evaluation) -> str:
    """Return "classifier", or "regressor" where targets are numbers."""
    return "classifier" if results.metric == "balanced_accuracy" else "regressor"


def scores(results: Evaluation, means: pd.DataFrame, names: Names) -> Section:
    """Show every head beside dummies and baselines: one figure per target and a table."""
    metric = results.metric
    drawn = []
    for target, classes in names.items():
        own, rows = (part[part["target"] == target] for part in (results.scores, means))
        chance = _chance(rows) if classes else None
        pooled = over_people(own)
        draws = CLUSTERED_DRAWS if pooled else BOOTSTRAP_DRAWS
        dots = " (share of correct windows)" if pooled and classes else ""
        caption = (
            f"{target}: {evaluation.in_words(metric)} of each {kind_of_head(results)}. Each dot is "
            f"a person{dots}, the diamond the {'score over' if pooled else 'mean over'} people, "
            f"the bar its 95 % interval (percentile bootstrap, {draws} draws of people). Grey: "
            "dummies and baselines, which use no feature of the heart."
            + (_CHANCE if chance else "")
        )
        drawn.append((evaluation.plot_people(own, rows, metric=metric, chance=chance), caption))
    return Section(
        "Results",
        [*_one_class(results.scores), *_choices(results.predictions)],
        drawn,
        _table(means, metric),
        _CAPTION + (_P if "p_permutation" in means else " p: no labels were permuted."),
    )


_CHANCE = (
    " Dotted line: mean score of random predictions (dummy “stratified”); shaded: 95 % of their "
    "draws."
)
_CAPTION = (
    "Scores by head. The unit is the person; in brackets the 95 % interval. “quality_alone” and "
    "“movement_alone” are logistic (ridge) regressions on the quality of the recording and on the "
    "accelerometer: a head that scores no better than they do may use movement instead of the "
    "heart. withheld: share of windows without a trusted pulse. They have no prediction, and no "
    "score counts them; of each class: the share in each class, mean over people. good quality: "
    f"the same score on windows of good quality (at least {LEAST_QUALITY:g}); share good: their "
    "share. effect: rank-biserial effect of people's scores against chance, −1 "
    "to 1."
)
_P = (
    " p: permutation test, one-sided: share of label permutations that scored at least as high as "
    "the true labels, Holm-corrected over the heads; raw p: uncorrected."
)


def _table(means: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Select, order and name the columns of the summary for the page."""
    several = means["target"].nunique() > 1  # else the caption of the figure names it
    table = means[[*(["target"] if several else []), "head", "people"]].copy()
    spans = zip(means["mean"], _intervals(means, 3), strict=True)
    table[evaluation.in_words(metric)] = [_score(mean, span) for mean, span in spans]
    table["effect"] = means["effect"]
    table["p"] = [p_text(p) for p in means["p"]]
    if "p_permutation" in means:
        table["raw p"] = [p_text(p) for p in means["p_permutation"]]
    for column, title in (
        ("withheld", "withheld"),
        ("withheld_of_class", "of each class"),
        ("good_quality", "share good"),
        ("mean_good", "good quality"),
    ):
        if column in means and means[column].notna().any():
            table[title] = means[column]
    return table


def _score(mean: float, span: str) -> str:
    return "" if mean != mean else f"{fixed(mean, 3)} {span}"


def _chance(rows: pd.DataFrame) -> tuple[float, float, float] | None:
    """Return mean and 95 % range of the dummy that draws at random; None where there is none."""
    drawn = rows[(rows["head"] == RANDOM) & rows["mean"].notna()]
    if drawn.empty:
        return None
    mean, low, high = (float(drawn[c].iloc[0]) for c in ("mean", "ci_low", "ci_high"))
    return mean, low, high


def _one_class(people_scores: pd.DataFrame) -> list[str]:
    """Name the people with one class only and state how each target is scored without them."""
    text = []
    for target, own in people_scores.groupby("target", sort=False):
        each = own.drop_duplicates("subject")
        marked = each[each["one_class"] != ""]
        if over_people(own):
            text.append(
                f"{target}: no person has two different labels, so no person has a balanced "
                "accuracy or correlation. Scores are over people, each with the same weight, and "
                "labels are permuted between people."
            )
        elif len(marked):
            some = ", ".join(marked["subject"].head(8)) + (" …" if len(marked) > 8 else "")
            text.append(
                f"{target}: {len(marked)} of {len(each)} people have one class only ({some}). They "
                "have no balanced accuracy and are not in its mean. The table of people and "
                "results.csv mark them (one_class)."
            )
    return text


def _choices(predictions: pd.DataFrame) -> list[str]:
    """Count the people for whom the inner folds chose each head."""
    text = []
    for target, own in predictions[predictions["chosen"] != ""].groupby("target", sort=False):
        counts = own.groupby("chosen")["subject"].nunique().sort_values(ascending=False)
        choices = ", ".join(
            f"{'the mean of all candidates' if head == MEAN else head} for "
            f"{n} {'person' if n == 1 else 'people'}"
            for head, n in counts.items()
        )
        text.append(f"“selected”, {target}: inner folds of the training people chose {choices}.")
    return text


def other_scores(results: Evaluation) -> Section:
    """Tabulate every score that was computed: mean over people with its interval."""
    wanted = [name for name in (*CLASS_SCORES, *NUMBER_SCORES) if name in results.scores]
    wanted = [name for name in wanted if results.scores[name].notna().any()]
    parts = summary(results.scores, metrics=wanted)
    table = _merge({m: parts[parts["metric"] == m] for m in wanted})
    return Section(
        "All scores",
        table=table.rename(columns={m: evaluation.in_words(m) for m in wanted}),
        table_caption="All scores: mean over people and its 95 % interval (percentile bootstrap, "
        f"{BOOTSTRAP_DRAWS} draws of people); descriptive, without a test. People for whom a score "
        "is undefined (one class only) are not in its mean. AUROC and ECE are of the windows "
        "that were predicted, those with a trusted pulse; the others of all. ECE is computed for "
        "each person here; with few windows it is higher.",
    )


def each_data_set(results: Evaluation, table: pd.DataFrame) -> list[Section]:
    """Tabulate the score on the people of each data set, where there are several."""
    parts = {}
    for name, own in table.groupby(table["dataset"].astype(str), sort=False):
        scored = results.scores[results.scores["subject"].isin(people(own).unique())]
        if not scored.empty:
            parts[f"{name} ({scored['subject'].nunique()} people)"] = summary(scored)
    if len(parts) < 2:
        return []
    caption = (
        f"Mean {evaluation.in_words(results.metric)} over the people of the data set that were "
        f"tested and its 95 % interval (percentile bootstrap, {BOOTSTRAP_DRAWS} draws of people); "
        "descriptive, without a test."
    )
    return [Section("Scores by data set", table=_merge(parts), table_caption=caption)]


def _merge(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Merge several summaries: one row per target and head, one column per summary."""
    import pandas as pd

    keys = ["target", "head"]
    table = pd.concat([rows[keys] for rows in parts.values()]).drop_duplicates()
    for name, rows in parts.items():
        spans = zip(rows["mean"], _intervals(rows, 2), strict=True)
        cells = ["" if mean != mean else f"{fixed(mean, 2)} {span}" for mean, span in spans]
        column = pd.DataFrame({**{key: rows[key].to_numpy() for key in keys}, name: cells})
        table = table.merge(column, on=keys, how="left")
    return table if table["target"].nunique() > 1 else table.drop(columns="target")


def null(results: Evaluation) -> list[Section]:
    """Draw the scores on permuted labels, where labels were permuted."""
    scores_of_null = results.null
    if scores_of_null.empty:
        return []
    drawn = [
        (
            evaluation.plot_null(own, metric=results.metric),
            f"{target}: {evaluation.in_words(results.metric)} on permuted labels (grey, one dot "
            "per permutation, at most 300 of them) and on the true labels (red line).",
        )
        for target, own in scores_of_null.groupby("target", sort=False)
    ]
    text = [_tests(scores_of_null)]
    if results.settings.permutations is None:
        text.append(_JOINED_FOLDS)
    return [Section("Scores under label permutation", text, drawn)]


_JOINED_FOLDS = (
    "For these tests, people are divided into at most five folds or blocks. The score on the true "
    "labels can therefore differ from the one in the results."
)


def _tests(scores_of_null: pd.DataFrame) -> str:
    """State which test was made for which heads."""
    heads = scores_of_null.groupby("test", sort=False)["head"].unique()
    text = [f"{', '.join(names)}: {_TEST.get(test, test)}" for test, names in heads.items()]
    return "; ".join(text) + "."


_TEST = {
    "refit": "permutation test, exact under the null hypothesis; every fold is fitted afresh on "
    "each permutation of the labels",
    "forward": "permutation test, exact under the null hypothesis; each block of people is "
    "predicted by a head fitted on the blocks before it, and labels are permuted inside each block "
    "(for heads that are slow to fit; this test has less power than refits)",
}


def importance(results: Evaluation) -> list[Section]:
    """Draw the permutation importance of the groups of features, where it was computed."""
    drops = results.importance
    if drops.empty:
        return []
    metric = evaluation.in_words(results.metric)
    drawn = [
        (
            evaluation.plot_importance(own, metric=results.metric),
            f"{target}, {kind_of_head(results)} “{own['head'].iloc[0]}”: drop of each person's "
            f"{metric} (dots; mean over people and 95 % interval) when the values of a group of "
            "columns are exchanged between that person's tested windows. The heads are those of "
            "the folds; none is fitted again.",
        )
        for target, own in drops.groupby("target", sort=False)
    ]
    text = (
        "Permutation importance on held-out windows. A group without a drop is not used to "
        "distinguish a person's windows, or other groups replace it. Where every dot is at zero, "
        "the head has no column of the group. A large drop for “signal quality” means that the "
        "head may use movement instead of the heart: remove these columns from --extra-features."
    )
    return [Section("Feature importance", [text], drawn)]


def pairs(comparisons: pd.DataFrame) -> list[Section]:
    """Tabulate the comparison of each pair of heads over the same people."""
    if comparisons.empty:
        return []
    table = comparisons.assign(p=[p_text(p) for p in comparisons["p"]])
    return [
        Section(
            "Comparison of heads",
            table=table,
            table_caption="Pairs of heads over the same people. difference: mean over people of "
            "head minus other. effect: rank-biserial, −1 to 1. p: two-sided Wilcoxon signed-rank "
            f"test (exact for up to {MOST_EXACT} people whose differences are neither 0 nor equal "
            "in size, else by the normal approximation), Holm-corrected over the pairs of a "
            "target. A large p does not show that two heads are equal.",
        )
    ]


def _intervals(rows: pd.DataFrame, digits: int) -> list[str]:
    return [
        "" if low != low else f"[{fixed(low, digits)}, {fixed(high, digits)}]"
        for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
    ]
