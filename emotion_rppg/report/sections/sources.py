"""Report a comparison of sources: table, sentences and figure of what each adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emotion_rppg.emotion.tasks import Task, class_names
from emotion_rppg.evaluation.source_statistics import in_words
from emotion_rppg.evaluation.sources import ALL, ALONE, EARLY, JOIN, LATE, SHARED
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots import evaluation
from emotion_rppg.report.sections.cells import fixed, p_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from emotion_rppg.evaluation.result import Evaluation

_KEYS = ["target", "head"]


def sources(results: Evaluation, table: pd.DataFrame) -> list[Section]:
    """Show what each source adds, where sources were compared: figure, table and sentences."""
    if results.sources.empty:
        return []
    return [
        Section(
            "What each source adds",
            [_LEAD, *sentences(results)],
            [(figure(results, table), _FIGURE)],
            comparison_table(results),
            _CAPTION,
        )
    ]


_LEAD = (
    "The same heads on each source alone, on all, and on all without one, with the same folds. "
    "Early fusion: one head on the columns of all sources. Late fusion: one head per source, and "
    "the mean of their probabilities (of their predictions, for numbers). Shared windows: training "
    "and test on the windows in which all sources are trusted, so that the models differ by their "
    "features alone. All windows: early fusion needs every source in a window, late fusion "
    "averages those that are trusted; a window without any counts as the most common class or the "
    "mean."
)
_FIGURE = (
    "Shared windows (all windows, where there is nothing to compare on shared ones). Each dot is a "
    "person, the diamond the mean over people (the score over people, where no person has two "
    "different labels), the bar its 95 % bootstrap interval. Dotted line: chance."
)
_CAPTION = (
    "added: the score with all sources beside the score without this one. difference: mean over "
    "people, with its 95 % bootstrap interval. p: paired Wilcoxon test over people, Holm-corrected "
    "over all comparisons of a target on shared windows; raw p: uncorrected. Scores on all windows "
    "are not tested. A large p does not show that a source adds nothing."
)


def comparison_table(results: Evaluation) -> pd.DataFrame:
    """Tabulate the comparisons with and without each source as text, for a page or a console."""
    import pandas as pd

    compared = results.between_sources()
    spans = zip(compared["ci_low"], compared["ci_high"], strict=True)
    return pd.DataFrame(
        {
            **{name: compared[name] for name in ("target", "head", "windows", "fusion")},
            **{name: compared[name] for name in ("added", "to", "people")},
            **{name: [_score(v) for v in compared[name]] for name in ("without", "with")},
            "difference": [_signed(value) for value in compared["difference"]],
            "95 % interval": [_span(low, high) for low, high in spans],
            "p": [p_text(p) for p in compared["p"]],
            "raw p": [p_text(p) for p in compared["p_uncorrected"]],
        }
    )


def scores_table(results: Evaluation) -> pd.DataFrame:
    """Tabulate the score on each set of sources as text, for a console."""
    means = results.summary_of_sources()
    shown = means[["target", "head", "windows", "fusion", "sources", "people", "n"]].copy()
    shown["score"] = [_score(value) for value in means["mean"]]
    spans = zip(means["ci_low"], means["ci_high"], strict=True)
    shown["95 % interval"] = [
        "" if low != low else f"[{fixed(low, 3)}, {fixed(high, 3)}]" for low, high in spans
    ]
    shown["predicted"] = [f"{share:.0%}" for share in means["predicted_share"]]
    return shown.rename(columns={"n": "of windows"})


def sentences(results: Evaluation) -> list[str]:
    """State in words what every comparison found: a lower score is always mentioned."""
    return [f"{about}: {'; '.join(found)}." for about, found in findings(results).items() if found]


def findings(results: Evaluation) -> dict[str, list[str]]:
    """Map target, head and windows in words to one clause for each comparison."""
    metric = evaluation.in_words(results.metric)
    out: dict[str, list[str]] = {}
    for (target, head), own in results.between_sources().groupby(_KEYS, sort=False):
        for windows in (SHARED, ALL):
            part = own[own["windows"] == windows]
            about = f"{target}, {head}, {_WINDOWS[windows]}"
            out[about] = [in_words(row, metric) for _, row in part.iterrows()]
            if windows == SHARED and part.empty:
                out[about].append(_NOTHING_SHARED)
        out[about] += _lost_by_class(results, str(target), str(head))
        if LATE not in set(own["fusion"]):
            out[about].append("no late fusion, because the head gives no probabilities")
    return out


def _lost_by_class(results: Evaluation, target: str, head: str) -> list[str]:
    """Warn if windows without all sources are more frequent in one class than in another."""
    if results.metric != "balanced_accuracy":
        return []
    own = results.predictions
    own = own[(own["target"] == target) & (own["head"] == head)]
    lost = 1 - own.groupby("truth")["has_features"].mean()
    if lost.max() - lost.min() < LEAST_UNEVEN:
        return []
    return [
        f"CAUTION: a source is missing in {lost.min():.0%} of the windows of one class and in "
        f"{lost.max():.0%} of another, so that the scores on all windows may come from which "
        "windows are lost, not from the signals"
    ]


LEAST_UNEVEN = 0.1  # difference between classes in the share of lost windows that is mentioned
_WINDOWS = {SHARED: "windows in which all sources are trusted", ALL: "all windows"}
_NOTHING_SHARED = (
    "nothing to compare, because fewer than two people, or training windows of one class only, "
    "have all sources trusted"
)


def figure(results: Evaluation, table: pd.DataFrame) -> Figure:
    """Draw the scores of people on each set of sources: one panel per target and head."""
    scores = results.sources.assign(head_name=results.sources["head"])
    means = results.summary_of_sources()
    panels = {}
    for (target, head), own in means.groupby(_KEYS, sort=False):
        windows = SHARED if SHARED in set(own["windows"]) else ALL
        shown = own[own["windows"] == windows]
        every = JOIN.join(shown.loc[shown["fusion"] == ALONE, "sources"])
        shown = shown.assign(head=_labels(shown, every), dummy=False)
        shown = shown.sort_values("fusion", key=lambda f: f.map(_ORDER), kind="stable")
        people = scores[(scores["target"] == target) & (scores["head_name"] == head)]
        people = people[people["windows"] == windows]
        people = people.assign(head=_labels(people, every))
        panels[f"{target}, {head}, {windows} windows"] = (people, shown)
    return evaluation.plot_sources(panels, metric=results.metric, chance=_chance(results, table))


_ORDER = {ALONE: 0, EARLY: 1, LATE: 2}


def _labels(rows: pd.DataFrame, every: str) -> list[str]:
    """Name the models of a figure: "eda alone", "all (early)", "all without eda (early)"."""
    names = every.split(JOIN)
    out = []
    for fusion, sources_of_model in zip(rows["fusion"], rows["sources"], strict=True):
        absent = [name for name in names if name not in sources_of_model.split(JOIN)]
        if fusion == ALONE:
            out.append(f"{sources_of_model} alone")
        else:
            out.append(f"all{' without ' + absent[0] if absent else ''} ({fusion})")
    return out


def _chance(results: Evaluation, table: pd.DataFrame) -> float:
    """Return the score of a constant prediction: 1 / classes; 0 for numbers."""
    task = Task(results.settings.targets[0], results.settings.coding)
    classes = len(class_names(table, task))
    return 1 / classes if classes else 0.0


def _score(value: float) -> str:
    return "" if value != value else fixed(value, 3)


def _signed(value: float) -> str:
    return "" if value != value else f"{round(value, 3) + 0.0:+.3f}"


def _span(low: float, high: float) -> str:
    return "" if low != low else f"[{_signed(low)}, {_signed(high)}]"
