"""Write the output folder of `evaluate --stage pulse`: tables, summary, report.html, run.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.plots import evaluation
from emotion_rppg.report.sections.methods import command
from emotion_rppg.runtime.atomic_files import atomic_folder
from emotion_rppg.runtime.provenance import versions, write_run
from emotion_rppg.runtime.tables import write_table
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import PulseEvaluation

_AXIS_LABELS = {
    "window_mae_bpm": "heart rate in 30 s:\nMAE (bpm)",
    "beat_jitter_ms": "beat jitter (ms)",
    "rmssd_mae_ms": "RMSSD: MAE (ms)",
}
_DEFINITIONS = (
    "hr_…: one rate per recording (median over windows of 20 s, from the spectrum) against the "
    "mean rate of the contact sensor's beats. hr_mae_given_bpm: the same, only of rates that were "
    "not withheld. beat_hr_mae_bpm: the same, with the mean rate of the beats in the camera wave. "
    "window_…: as hr_…, for each 30 s, without overlap. MAE, RMSE, MAPE: mean absolute, root mean "
    "square and mean absolute percentage error; r: Pearson correlation.",
    "snr_db: power within 6 bpm of the true rate and of its double, relative to the rest of "
    "0.67–4 Hz. macc: highest |r| with the contact wave over circular shifts. macc_chance: the "
    "same for waves with the same spectra and other beat times; the excess of macc over it is due "
    "to timing.",
    "beat_f1: F1 score of detected beats, which match a true beat within 150 ms after the common "
    "delay. beat_jitter_ms: standard deviation of their times about that delay. sdnn_…, rmssd_…: "
    "mean absolute error over the complete recording. coverage: share of the time in which skin "
    "was visible. quality: probability, estimated from the wave, that its rate is within 3 bpm. "
    "withheld: share of recordings whose rate was withheld.",
)


def write_pulse_evaluation(
    results: PulseEvaluation,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
) -> pd.DataFrame:
    """Write the folder, complete or not at all, and return the summary over people."""
    scores = results.summary()
    with atomic_folder(out) as fresh:
        write_table(results.scores, fresh / "results.csv")
        write_table(results.windows, fresh / "windows.csv")
        write_table(scores, fresh / "summary.csv")
        write_table(results.failures, fresh / "failures.csv")
        write_table(results.ranking(), fresh / "ranking.csv")
        sections = [
            _protocol(results),
            _ranking(results),
            *(_scores(scores, group) for group in dict.fromkeys(scores["group"])),
            _agreement(results),
            Section("Methods", _methods(), code=command(arguments)),
        ]
        lead = "How well pulse waves estimated from face videos agree with a contact sensor."
        page = Page("Evaluation of the pulse", lead, sections, closing(results))
        write_page(page, fresh / "report.html")
        write_run(fresh, "evaluate", arguments, inputs, name=Path(out).name)
    return scores


def wide(scores: pd.DataFrame, *, group: str = "all") -> pd.DataFrame:
    """Tabulate one row per score and one column per method: value and interval as text."""
    own = scores[scores["group"] == group]
    text = own["value"].map("{:.2f}".format) + [
        "" if low != low else f" [{low:.2f}, {high:.2f}]"
        for low, high in zip(own["ci_low"], own["ci_high"], strict=True)
    ]
    table = own.assign(text=text.str.replace("nan", "–"))
    table = table.pivot_table(
        index="score", columns="method", values="text", aggfunc="first", sort=False
    )
    return table.rename_axis(columns=None).reset_index()


def closing(results: PulseEvaluation) -> str:
    """State in one line how many heart rates of recordings each method withheld, and failures."""
    parts = [
        f"{name}: {int(own.sum())} of {len(own)}"
        for name, own in results.scores.groupby("method", sort=False)["withheld"]
    ]
    text = f"Withheld heart rates of recordings: {'; '.join(parts) or 'none'}."
    failed = len(results.failures)
    return text + (f" Recordings that could not be read: {failed}." if failed else "")


def _protocol(results: PulseEvaluation) -> Section:
    failures = results.failures
    first = results.scores.drop_duplicates(["dataset", "subject", "session", "trial"])
    counts = first["reference"].value_counts()
    kinds = ", ".join(f"{kind} ({n} recordings)" for kind, n in counts.items())
    text = [
        f"{len(first)} recordings of {people(first).nunique()} people "
        f"({first['duration_s'].sum() / 60:.1f} minutes). Reference sensor: {kinds}. "
        "No method was fitted to these recordings."
    ]
    if results.scores["unknown_training"].any():
        text.append(
            "A network does not say whom it was trained on: its training people may include these "
            "people."
        )
    warning = ""
    if "synthetic" in {card.name for card in cards_of(results.scores)}:
        warning = (
            "These people are synthetic. The numbers show that the software works; they are no "
            "evidence about real people."
        )
    if failures.empty:
        return Section("Protocol", text, warning=warning)
    text.append(f"{len(failures)} readings failed and are excluded from all numbers.")
    caption = "Excluded recordings, with the reason."
    return Section("Protocol", text, table=failures, table_caption=caption, warning=warning)


def _ranking(results: PulseEvaluation) -> Section:
    caption = (
        "Methods by the mean absolute error of their heart rates (windows of 30 s, or recordings "
        "where these are shorter), with the file of the weights and the people in their training. "
        "Recordings that failed are not in the errors."
    )
    table = ranking_text(results.ranking())
    return Section("Ranking", table=table, table_caption=caption)


def ranking_text(ranking: pd.DataFrame) -> pd.DataFrame:
    """Format a ranking for people: two decimals, no empty column."""
    import pandas as pd

    shown = ranking.copy()
    for name in shown.select_dtypes("float"):
        shown[name] = shown[name].map(lambda value: "–" if pd.isna(value) else f"{value:.2f}")
    used = [name for name in shown if (shown[name].astype(str) != "").any()]
    return shown[used]


def _scores(scores: pd.DataFrame, group: str) -> Section:
    own = scores[scores["group"] == group]
    number = f"{own['people'].max()} people"
    caption = (
        f"Value of each score, with its 95 % bootstrap interval over people in brackets ({number}, "
        "each drawn with all their recordings). Methods defines the scores."
    )
    drawn = [
        (
            evaluation.errors_by_method(own, _AXIS_LABELS),
            "Errors of each method (dots) with 95 % bootstrap intervals over people (bars), "
            f"{number}; lower is better.",
        )
    ]
    title = "Results" if group == "all" else group
    return Section(title, figures=drawn, table=wide(scores, group=group), table_caption=caption)


def _agreement(results: PulseEvaluation) -> Section:
    windows = results.windows
    shown = windows if len(windows) else results.scores
    unit = "window of 30 s" if len(windows) else "recording"
    caption = (
        "Difference of estimated and true heart rate over their mean (Bland and Altman 1986), one "
        f"point per {unit}; hollow where the rate was withheld. Lines: mean difference and 95 % "
        "limits of agreement."
    )
    return Section("Agreement of heart rates", figures=[(evaluation.bland_altman(shown), caption)])


def _methods() -> list[str]:
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [*_DEFINITIONS, f"Versions: {packages}."]
