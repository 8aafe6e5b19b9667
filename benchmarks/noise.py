"""Measure how often `evaluate` finds noise significant.

``python -m benchmarks.noise [TABLES] [OUT.csv]``. Each table has 10–40 people with trials of one to
four windows of 60–180 s, features that are noise (with offsets of people and a slow drift within
trials), and a label that varies within or between people. Half of the tables are split by
leave-one-subject-out, half into five folds of people. Every head is tested as `evaluate` does by
default. Valid p values are at or below .05 in 5 % of the tables; the bar is 7 %. Results are
written as soon as they are computed, and not computed again.

Also printed: the same for the test of slow heads (`p_forward`), and for a null distribution that
permutes labels against fixed predictions without refits, which is invalid and not used.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emotion_rppg.emotion.design_matrix import matrix
from emotion_rppg.emotion.tasks import Task
from emotion_rppg.evaluation.jobs import Job, run_job
from emotion_rppg.evaluation.permutation import (
    forward_test,
    joined,
    p_value,
    permutation_test,
    permuter,
)
from emotion_rppg.evaluation.plans import make_plans
from emotion_rppg.evaluation.scoring import group_score
from emotion_rppg.runtime.parallel import map_in_order

USED = ("logistic", "lda", "knn")
LEVEL, BAR = 0.05, 0.07
COLUMNS = ("table", "label", "people", "head", "p", "p_forward", "p_without_refits")
FEATURES = ("hr_bpm", "rmssd_ms", "sdnn_ms", "hf_ms2", "lf_ms2", "sd1_sd2")


def noise(seed: int) -> tuple[pd.DataFrame, str]:
    """Draw a table whose label is independent of its features; say where the label varies."""
    draw = np.random.default_rng(seed)
    between = bool(seed % 2)
    rows: list[dict[str, Any]] = []
    n_people = int(draw.integers(10, 41))
    groups = draw.permutation(np.arange(n_people) % 2)
    for person in range(n_people):
        offset = draw.normal(size=len(FEATURES))
        trials = int(draw.integers(3, 7))
        labels = draw.permutation(np.arange(trials) % 2)
        for trial in range(trials):
            length, drift = float(draw.choice([60, 90, 180])), draw.normal(size=len(FEATURES))
            for window in range(int(draw.integers(1, 5))):
                values = offset + drift + draw.normal(size=len(FEATURES))
                rows.append(
                    {
                        "dataset": "noise",
                        "subject": f"{person:02}",
                        "session": "1",
                        "trial": str(trial),
                        "start_s": length * window,
                        "duration_s": length,
                        "label_state": float(groups[person] if between else labels[trial]),
                        "scale_state": "0..1",
                        **dict(zip(FEATURES, values, strict=True)),
                    }
                )
    return pd.DataFrame(rows), "between people" if between else "within people"


def tested(seed: int) -> list[dict[str, Any]]:
    """Compute the p values of each head on one table."""
    table, label = noise(seed)
    none = np.zeros(len(table), dtype=bool)
    (plan,) = make_plans(
        table,
        {"": matrix(table)},
        [Task("state")],
        heads=list(USED),
        encoder=None,
        probabilities="own",
        split="loso" if seed % 4 < 2 else "subject_folds",
        unscored=none,
        allow_unknown=False,
        seed=seed,
    )
    rows = []
    for name in USED:
        options: dict[str, Any] = {"over_people": plan.over_people, "seed": seed}
        jobs = [job for job in plan.jobs if job.name == name]
        rows.append(
            {
                "table": seed,
                "label": label,
                "people": table["subject"].nunique(),
                "head": name,
                "p": permutation_test(jobs, table, permutations=None, **options)["p"],
                "p_forward": forward_test(jobs, table, **options)["p"],
                "p_without_refits": without_refits(jobs, table, **options),
            }
        )
    return rows


def without_refits(jobs: list[Job], table: pd.DataFrame, *, over_people: bool, seed: int) -> float:
    """Compute the p value of labels permuted against fixed predictions."""
    jobs = joined(jobs, seed=seed)
    rows = np.concatenate([job.test for job in jobs])
    predicted = np.concatenate([run_job(job).predicted for job in jobs])
    options: dict[str, Any] = {"classes": jobs[0].classes, "over_people": over_people}
    permute = permuter(jobs[0].y, table, over_people=over_people)
    draw = np.random.default_rng(seed)
    labels = [jobs[0].y, *(permute(draw) for _ in range(499))]
    groups = jobs[0].groups[rows]
    scores = [group_score(y[rows], predicted, groups, **options) for y in labels]
    return p_value(scores[0], np.array(scores[1:]))


def main(n: int, out: Path) -> None:
    """Compute the missing rows of ``n`` tables and print the report."""
    done = set(pd.read_csv(out)["table"]) if out.exists() else set()
    missing = ((seed,) for seed in range(n) if seed not in done)
    for rows in map_in_order(tested, missing, workers=os.cpu_count() or 1):
        with out.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if not file.tell():
                writer.writeheader()
            writer.writerows(rows)
    report(pd.read_csv(out))


def report(tests: pd.DataFrame) -> None:
    """Print the shares of significant tests: all, by where the label varies, and by head."""
    parts = [("all", tests), *tests.groupby("label"), *tests.groupby("head")]
    for name, own in parts:
        shares = {c: (own[c] <= LEVEL).mean() for c in COLUMNS if c.startswith("p_") or c == "p"}
        text = " · ".join(f"{c} {share:.1%}" for c, share in shares.items())
        print(f"{name}: {own['table'].nunique()} tables, {len(own)} tests · {text}")
    share = float((tests["p"] <= LEVEL).mean())
    outcome = "met" if share <= BAR else "MISSED"
    print(f"significant at {LEVEL:g}: {share:.1%} (bar {BAR:.0%}): {outcome}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 200,
        Path(sys.argv[2]) if len(sys.argv) > 2 else Path("noise.csv"),
    )
