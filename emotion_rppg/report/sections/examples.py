"""Report section with example people: pulse, beats, intervals, predictions over time; no faces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg.emotion.subject_baseline import ends_s
from emotion_rppg.evaluation.statistics import BASELINES
from emotion_rppg.features.beats import find_beats
from emotion_rppg.recordings import Recording
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots import evaluation, signals
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation
    from emotion_rppg.report.sections.findings import Names

Waves = Callable[[Sequence[str]], Iterable[tuple[Recording, Signal]]]
_EXCERPT_S = 12.0


def example_head(results: Evaluation) -> str:
    """Name the head of the examples: ``selected`` if evaluated, else the first that is no dummy."""
    names = list(dict.fromkeys(results.scores["head"]))
    heads = [head for head in names if head not in BASELINES]
    return "selected" if "selected" in heads else (heads or names)[0]


def example_people(results: Evaluation, target: str) -> dict[str, str]:
    """Map the people with the best, median and worst score to rank, metric and score, in words.

    The rule leaves no choice of examples. The scores are those of `example_head`.
    """
    scores, metric = results.scores, results.metric
    own = scores[(scores["target"] == target) & (scores["head"] == example_head(results))]
    ranked = own.dropna(subset=[metric]).sort_values([metric, "subject"], ascending=False)
    if ranked.empty:
        return {}
    at = {"best": 0, "median": (len(ranked) - 1) // 2, "worst": len(ranked) - 1}
    names = {ranked["subject"].iloc[k]: (word, ranked[metric].iloc[k]) for word, k in at.items()}
    words = evaluation.in_words(metric)
    return {name: f"{rank} {words}, {score:.2f}" for name, (rank, score) in names.items()}


def examples(
    results: Evaluation,
    table: pd.DataFrame,
    names: Names,
    *,
    waves: Waves | None = None,
) -> list[Section]:
    """Draw the example people, one section per target.

    ``waves``, ``(names of people) -> (recording, wave)…``, reads their signals; without it the
    figures show the heart rates of the table.
    """
    sections = []
    head = example_head(results)
    for target, classes in names.items():
        chosen = example_people(results, target)
        read = list(waves(list(chosen))) if waves is not None and chosen else []
        drawn = []
        for name, rank in chosen.items():
            windows = _windows(results, table, target, head, name)
            beats = [_on_own_clock(r, w, table) for r, w in read if r.person == name]
            drawn.append(
                (evaluation.plot_predictions_over_time(windows, classes, beats), f"{name}: {rank}.")
            )
        if read:
            drawn.append((_excerpts(read, chosen), _EXCERPTS))
        text = (
            "The people with the best, the median and the worst "
            f"{evaluation.in_words(results.metric)} of “{head}”. Upper panel: "
            f"{'intervals between beats' if read else 'heart rate of each window'}. Lower panel: "
            f"{_lower_panel(classes)}"
        )
        sections.append(Section(f"Examples: {target}", [text], drawn))
    return sections


def _lower_panel(classes: Sequence[str]) -> str:
    if len(classes) == 2:
        return (
            f"the probability of “{classes[1]}” that the head predicted for each window; without a "
            "trusted pulse it is the class share of the training people. Shaded: windows whose "
            f"true class is “{classes[1]}”."
        )
    return "true and predicted value of each window."


_EXCERPTS = (
    f"{_EXCERPT_S:g} s from the middle of each person's longest recording: the pulse wave, its "
    "beats (dots) and its quality (grey, 0–1)."
)


def _windows(
    results: Evaluation, table: pd.DataFrame, target: str, head: str, person: str
) -> pd.DataFrame:
    """Select one head's predictions of one person, with window centres on the person's clock, s."""
    rows = results.predictions
    own = rows[(rows["target"] == target) & (rows["head"] == head) & (rows["subject"] == person)]
    middle = ends_s(table)[own["row"]] - own["duration_s"].to_numpy() / 2
    rates = table["hr_bpm"].to_numpy()[own["row"]] if "hr_bpm" in table else np.nan
    return own.assign(middle_s=middle, hr_bpm=rates).sort_values("middle_s")


def _on_own_clock(recording: Recording, wave: Signal, table: pd.DataFrame) -> Beats:
    """Detect the recording's beats, in s since the start of the person's first recording."""
    same = (people(table) == recording.person) & (table["trial"].astype(str) == recording.trial)
    same &= table["session"].astype(str) == recording.session
    first = np.flatnonzero(same)[:1]
    shift = ends_s(table)[first] - (table["start_s"] + table["duration_s"]).to_numpy()[first]
    beats = find_beats(wave)
    return _shifted(beats, float(shift[0]) if len(shift) else 0.0)


def _shifted(beats: Beats, by_s: float) -> Beats:
    gaps = [(start + by_s, end + by_s) for start, end in beats.gaps]
    return Beats(beats.times_s + by_s, beats.confidence, gaps)


def _excerpts(read: Sequence[tuple[Recording, Signal]], chosen: Mapping[str, str]) -> Figure:
    """Draw a few seconds of every chosen person's pulse wave, each starting at 0 s."""
    pieces, beats = {}, {}
    for name in chosen:
        own = [wave for recording, wave in read if recording.person == name]
        if own:
            wave = max(own, key=lambda wave: wave.duration_s)
            start = (wave.start_s + wave.end_s - _EXCERPT_S) / 2
            piece = wave.crop(start, start + _EXCERPT_S)
            pieces[name] = replace(piece, start_s=piece.start_s - start)
            beats[name] = _shifted(find_beats(wave).crop(start, start + _EXCERPT_S), -start)
    return signals.plot_waves(pieces, beats=beats, start_s=0.0, seconds=_EXCERPT_S)
