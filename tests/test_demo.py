"""The demo runs all stages, here on a study small enough for a test."""

import contextlib
import functools
import json

import pandas as pd
import pytest

from emotion_rppg import demo, load, read_table
from emotion_rppg.emotion import DUMMIES
from emotion_rppg.evaluation.plans import QUALITY_ALONE
from emotion_rppg.pulse import DEFAULT_METHOD
from emotion_rppg.pulse.training import train


@contextlib.contextmanager
def silent(title: str):
    yield lambda done, total: None


@pytest.mark.slow
def test_the_demo_writes_all_its_outputs(tmp_path, monkeypatch) -> None:
    for name, value in {"PEOPLE": 2, "SECONDS": 16.0, "SIZE": 64, "_WINDOW_S": 16.0}.items():
        monkeypatch.setattr(demo, name, value)
    small = functools.partial(train.TrainingConfig, steps=2, frames=32, batch_size=2)
    monkeypatch.setattr(train, "TrainingConfig", small)
    out = tmp_path / "demo"
    result = demo.run_demo(out, workers=1, device="cpu", progress=silent)
    for name in ("report.html", "table.csv", "results.csv", "summary.csv", "run.json"):
        assert (out / name).stat().st_size > 100, name
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("<img") == 6
    assert "no evidence about real people" in html
    table = read_table(out / "table.csv")
    assert {"hr_bpm", "rmssd_ms", "seq_ibi_ms", "emb_000", "label_arousal"} <= set(table)
    assert set(table["method"]) == {DEFAULT_METHOD}
    assert set(table["network"]) == {"bundled"}
    results = pd.read_csv(out / "results.csv")
    assert set(results["target"]) == {"arousal", "valence"}
    assert set(results["head"]) == {*DUMMIES, QUALITY_ALONE, *demo.HEADS}
    assert load(out / "model").note
    seeds = json.loads((out / "physnet" / "config.json").read_text())["trained_on"]
    assert "synthetic" not in seeds  # nobody of the study is in the network's training data
    assert result["json"]["summary"]
    assert "report.html" in result["text"]
