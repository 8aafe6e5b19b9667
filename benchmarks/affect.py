"""Evaluate affective data sets, each source and head, on people left out: ``benchmarks.affect``.

``python -m benchmarks.affect DATA --out RESULTS [--tasks a,b] [--heads a,b]`` prints, as Markdown,
what docs/results.md shows. DATA has the folders ``wesad``, ``hku956``, ``cogwear`` and
``stress_predict``; those that are missing are named and left out. Feature tables and evaluations
stay in RESULTS, and the same command continues with what is missing.

A source whose files are not there is left out and not named in the tables.

For each task: each head on all sources beside the dummies and the scores of recording quality and
of movement alone; the same on windows of good quality; p by
permutation of the labels within people, Holm-corrected over the heads; then, for the first head,
each source alone, all but one, and late fusion.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from emotion_rppg import evaluate, extract, read_table
from emotion_rppg.datasets import find
from emotion_rppg.evaluation.result import Evaluation
from emotion_rppg.runtime.tables import write_table

HEADS = "logistic,lda,svm,forest,boosting,mlp,lstm"
PULSE_FAMILIES = ("hrv", "morphology", "sequence")


@dataclass(frozen=True)
class Task:
    """A label of a data set, predicted from some sources, the pulse first."""

    name: str
    dataset: str
    folder: str
    target: str
    sources: tuple[str, ...] = ("bvp", "eda", "temp", "acc")
    coding: str | None = None
    length_s: float = 60.0
    step_s: float = 30.0


TASKS = (
    Task("wesad-stress", "wesad", "wesad", "stress"),
    Task("hku956-arousal", "hku956", "hku956", "arousal", ("bvp", "eda", "temp"), None, 30.0, 15.0),
    Task("hku956-valence", "hku956", "hku956", "valence", ("bvp", "eda", "temp"), None, 30.0, 15.0),
    Task("cogwear-load", "cogwear", "cogwear", "load", ("bvp", "eda", "temp"), "fixed(0.5)"),
    Task("stress-predict", "stress-predict", "stress_predict", "stress"),
)


def table_of(task: Task, data: Path, out: Path) -> pd.DataFrame:
    """Extract the features of a task's data set, or read those of an earlier run."""
    file = out / f"{task.dataset}.parquet"
    if not file.exists():
        recordings = list(find(task.dataset)(data / task.folder))
        there = {kind for recording in recordings for kind in recording.signals}
        table = extract(
            recordings,
            source=task.sources[0],
            families=(*PULSE_FAMILIES, *(kind for kind in task.sources[1:] if kind in there)),
            length_s=task.length_s,
            step_s=task.step_s,
        )
        write_table(table, file)
    return read_table(file)


def sources_of(task: Task, table: pd.DataFrame) -> tuple[str, ...]:
    """List the sources of a task whose features are in the table."""
    return tuple(
        kind for kind in task.sources if kind == task.sources[0] or f"{kind}_quality" in table
    )


def evaluation_of(
    task: Task, table: pd.DataFrame, heads: list[str], out: Path, *, sources: bool = False
) -> Evaluation:
    """Evaluate a task, or read the evaluation of an earlier run; with ``sources`` compare these."""
    folder = out / f"{task.name}-{'-'.join(heads)}{'-sources' if sources else ''}"
    if not folder.exists():
        options = {} if task.coding is None else {"coding": task.coding}
        if sources:
            options |= {"sources": sources_of(task, table), "permutations": 0}
        evaluate(table, target=task.target, heads=heads, **options).save(folder)
    return Evaluation.load(folder)


def show(task: Task, table: pd.DataFrame, result: Evaluation) -> None:
    """Print the scores of the heads of one task."""
    people = table["subject"].nunique()
    print(
        f"\n### {task.name}\n\n{people} people, {len(table)} windows of {task.length_s:g} s, "
        f"sources {', '.join(sources_of(task, table))}.\n"
    )
    print("| head | score | p | withheld | of each class | windows of good quality |")
    print("|---|---|---|---|---|---|")
    for _, row in result.summary().iterrows():
        cells = [
            f"{row['head']}",
            _score(row["mean"], row["ci_low"], row["ci_high"]),
            _number(row["p"]),
            f"{row['withheld']:.0%}" if row["withheld"] == row["withheld"] else "",
            str(row["withheld_of_class"]),
            _number(row["mean_good"]),
        ]
        print(f"| {' | '.join(cells)} |")


def show_sources(result: Evaluation) -> None:
    """Print the scores on each set of sources, and what each source adds."""
    print("\n| head | sources | fusion | shared windows | all windows | predicted |")
    print("|---|---|---|---|---|---|")
    keys = ["head", "sources", "fusion"]
    for key, rows in result.summary_of_sources().groupby(keys, sort=False):
        scores = {row["windows"]: row for _, row in rows.iterrows()}
        cells = [*map(str, key)]
        for windows in ("shared", "all"):
            row = scores.get(windows)
            cells.append("–" if row is None else _score(row["mean"], row["ci_low"], row["ci_high"]))
        cells.append(f"{scores['all']['predicted_share']:.0%}" if "all" in scores else "–")
        print(f"| {' | '.join(cells)} |")
    print("\n| head | added | to | fusion | difference on shared windows | p (Holm) |")
    print("|---|---|---|---|---|---|")
    for _, row in result.between_sources().iterrows():
        if row["windows"] == "shared":
            difference = _score(row["difference"], row["ci_low"], row["ci_high"], sign="+")
            cells = [*(str(row[name]) for name in ("head", "added", "to", "fusion")), difference]
            print(f"| {' | '.join(cells)} | {row['p']:.3f} |")


def _score(mean: float, low: float, high: float, sign: str = "") -> str:
    """Format a mean with its interval, which one person alone does not have."""
    if low != low:
        return f"{mean:{sign}.3f} (one person)"
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _number(value: object) -> str:
    """Format a score, empty if it is missing."""
    return f"{value:.3f}" if isinstance(value, float) and value == value else ""


def main() -> None:
    """Evaluate the tasks whose data are there and print their tables."""
    parser = argparse.ArgumentParser("benchmarks.affect", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(task.name for task in TASKS))
    parser.add_argument("--heads", default=HEADS)
    options = parser.parse_args()
    known = {task.name: task for task in TASKS}
    names = options.tasks.split(",")
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"unknown tasks {', '.join(unknown)}; known: {', '.join(known)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in names:
        task = known[name]
        if not (options.data / task.folder).is_dir():
            print(f"\n### {name}\n\nnot measured: {options.data / task.folder} is missing")
            continue
        table = table_of(task, options.data, options.out)
        heads = options.heads.split(",")
        show(task, table, evaluation_of(task, table, heads, options.out))
        if len(sources_of(task, table)) > 1:
            show_sources(evaluation_of(task, table, heads[:1], options.out, sources=True))


if __name__ == "__main__":
    main()
