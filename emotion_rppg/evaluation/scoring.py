"""From predictions of windows to scores of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg import metrics
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.tasks import Task
    from emotion_rppg.evaluation.fitting import Job, Said

CLASS_SCORES = ("balanced_accuracy", "macro_f1", "auroc", "mcc", "ece")
NUMBER_SCORES = ("ccc", "pearson", "rmse")
_WHEN = ("session", "trial", "start_s", "duration_s")


def predictions(table: pd.DataFrame, job: Job, task: Task, said: Said) -> pd.DataFrame:
    """One row a tested window: who, when, the truth, what the head said."""
    import pandas as pd

    part = table.iloc[job.test]
    out = pd.DataFrame(
        {
            "target": task.target,
            "head": job.name,
            "subject": people(part).to_numpy(),
            **{name: part[name].to_numpy() for name in _WHEN},
            "row": job.test,
            "truth": job.y[job.test],
            "predicted": said.predicted,
            "has_features": job.usable[job.test],
            "n_train": int(job.usable[job.train].sum()),
            "chosen": said.chosen,
        }
    )
    for k in range(job.classes):
        out[f"p_{k}"] = said.chances[:, k]
    return out


def scores_of_people(said: pd.DataFrame, classes: int) -> list[dict[str, Any]]:
    """The scores of each tested person over all their windows, of one head and target."""
    rows = []
    for subject, own in said.groupby("subject", sort=True):
        truth, predicted = own["truth"].to_numpy(), own["predicted"].to_numpy()
        row: dict[str, Any] = {
            "subject": subject,
            "n": len(own),
            "n_train": int(own["n_train"].min()),
            "coverage": float(own["has_features"].mean()),
            "chosen": ", ".join(sorted(set(own["chosen"]) - {""})),
        }
        if classes:
            row |= class_scores(truth, predicted, own["p_1"].to_numpy(), classes)
        else:
            row |= {name: getattr(metrics, name)(truth, predicted) for name in NUMBER_SCORES}
        rows.append(row)
    return rows


def class_scores(
    truth: np.ndarray, said: np.ndarray, chance: np.ndarray, classes: int
) -> dict[str, float]:
    """``CLASS_SCORES``; AUROC and ECE speak of the high class of two."""
    scores = {name: getattr(metrics, name)(truth, said) for name in CLASS_SCORES[:2]}
    scores["auroc"] = metrics.auroc(truth, chance) if classes == 2 else float("nan")
    scores["mcc"] = metrics.mcc(truth, said)
    scores["ece"] = metrics.ece(truth, chance) if classes == 2 else float("nan")
    return scores
