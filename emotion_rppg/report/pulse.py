"""What `evaluate --stage pulse` leaves behind: the rows, their summary, report.html, run.json."""

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

_DRAWN = {
    "window_mae_bpm": "heart rate, 30 s: MAE (bpm)",
    "beat_jitter_ms": "beat jitter (ms)",
    "rmssd_mae_ms": "RMSSD: MAE (ms)",
}
_MEANINGS = (
    "hr_…: one rate a recording (the median over its windows of 20 s, by the spectrum) against the "
    "mean rate of the contact sensor's beats; hr_mae_given_bpm: of those alone that were not "
    "withheld; beat_hr_mae_bpm: the mean rate of the wave's own beats instead. window_…: as hr_…, "
    "for each 30 s, without overlap.",
    "snr_db: power within 6 bpm of the true rate and its double over the rest of 0.67–4 Hz. macc: "
    "highest |r| with the contact wave over circular shifts; macc_chance: the same for waves of "
    "the same spectra whose beats are elsewhere, so what exceeds it is timing.",
    "beat_f1: beats within 150 ms of a true one after the common delay; beat_jitter_ms: standard "
    "deviation of their times about that delay; sdnn_…, rmssd_…: mean absolute error over "
    "the whole recording. coverage: share of the time in which skin was seen; quality: how sure "
    "the wave itself makes its rate; withheld: share of recordings whose rate was not given.",
)


def write_pulse_evaluation(
    results: PulseEvaluation,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
) -> pd.DataFrame:
    """Write the folder, whole or not at all, and give the summary over people."""
    scores = results.summary()
    with atomic_folder(out) as fresh:
        write_table(results.scores, fresh / "results.csv")
        write_table(results.windows, fresh / "windows.csv")
        write_table(scores, fresh / "summary.csv")
        write_table(results.failures, fresh / "failures.csv")
        sections = [
            _protocol(results),
            *(_scores(scores, group) for group in dict.fromkeys(scores["group"])),
            _agreement(results),
            Section("Methods", _words(), code=command(arguments)),
        ]
        lead = "How well pulse waves read from faces agree with a contact sensor."
        write_page(Page("Evaluation of the pulse", lead, sections), fresh / "report.html")
        write_run(fresh, "evaluate", arguments, inputs, name=Path(out).name)
    return scores


def wide(scores: pd.DataFrame, *, group: str = "all") -> pd.DataFrame:
    """A row a score, a column a method: its value and interval as text."""
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


def _protocol(results: PulseEvaluation) -> Section:
    failures = results.failures
    first = results.scores.drop_duplicates(["dataset", "subject", "session", "trial"])
    kinds = ", ".join(f"{kind} {n}" for kind, n in first["reference"].value_counts().items())
    text = [
        f"{len(first)} recordings of {people(first).nunique()} people "
        f"({first['duration_s'].sum() / 60:.1f} minutes); reference: {kinds}. Nothing was fitted "
        "to them: every method read every recording as it reads any video."
    ]
    if results.scores["unknown_training"].any():
        text.append("A network does not say whom it was trained on: it may have seen these people.")
    warning = ""
    if "synthetic" in {card.name for card in cards_of(results.scores)}:
        warning = "These people are synthetic: the numbers show that the chain works, no more."
    if failures.empty:
        return Section("Protocol", text, warning=warning)
    text.append(f"Not read, and in no number: {len(failures)}.")
    return Section("Protocol", text, table=failures, table_caption="Why.", warning=warning)


def _scores(scores: pd.DataFrame, group: str) -> Section:
    own = scores[scores["group"] == group]
    caption = (
        f"{own['people'].max()} people. In brackets: 95 % bootstrap interval over people, each "
        "drawn with all their recordings."
    )
    drawn = [(evaluation.errors_by_method(own, _DRAWN), "Lower is better. " + caption)]
    title = "Results" if group == "all" else group
    return Section(title, figures=drawn, table=wide(scores, group=group), table_caption=caption)


def _agreement(results: PulseEvaluation) -> Section:
    windows = results.windows
    shown = windows if len(windows) else results.scores
    what = "30 s" if len(windows) else "recording"
    caption = (
        f"Bland and Altman (1986): a point each {what}; hollow where the rate was withheld. Lines: "
        "mean difference and 95 % limits of agreement."
    )
    return Section("Agreement of heart rates", figures=[(evaluation.bland_altman(shown), caption)])


def _words() -> list[str]:
    found = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [*_MEANINGS, f"Versions: {found}."]
