"""One small evaluation, written once, that the tests of its report share."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from emotion_rppg import Evaluation, evaluate
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.report.evaluation import write_evaluation


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Five people of whom one has no label, four trials of three windows, some without features."""
    draw = np.random.default_rng(0)
    rows = []
    for person in range(5):
        for trial in range(4):
            rating = float(draw.uniform(6, 9) if trial % 2 else draw.uniform(1, 4))
            for window in range(3):
                trusted = (person, trial, window) != (1, 1, 1)
                rows.append(
                    {
                        "dataset": "d",
                        "subject": f"s{person}",
                        "session": "1",
                        "trial": str(trial),
                        "start_s": 30.0 * window,
                        "duration_s": 60.0,
                        "source": "bvp",
                        "method": "",
                        "network": "",
                        "trained_on": "",
                        "label_arousal": rating if person else np.nan,
                        "scale_arousal": "1..9",
                        "quality": draw.uniform(),
                        "hr_bpm": 70 + 3 * (rating - 5) + draw.normal(0, 4) if trusted else np.nan,
                        "rmssd_ms": draw.normal(40, 5) if trusted else np.nan,
                        "reason": "" if trusted else "no pulse <to> trust",
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def results(table: pd.DataFrame) -> Evaluation:
    heads = {"plain": OnFeatures(LogisticRegression())}
    return evaluate(table, target="arousal", heads=heads, permutations=5, importance=2)


@pytest.fixture(scope="session")
def folder(
    results: Evaluation, table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder that `evaluate` would leave."""
    out = tmp_path_factory.mktemp("report") / "evaluation"
    write_evaluation(results, table, out, arguments={"table": "t.csv", "target": ["arousal"]})
    return out
