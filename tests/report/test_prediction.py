"""The report of a prediction has figures only of what there is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import load
from emotion_rppg._version import __version__
from emotion_rppg.report.prediction import write_prediction
from emotion_rppg.signals import Signal

ARGUMENTS = {"given": ["anna.csv"], "model": "stress", "calibrate": "anna.csv@0-30"}


@pytest.fixture(scope="module")
def model():
    return load("stress")


def written(tmp_path, model, wave: Signal, reason: str) -> str:
    rows = pd.DataFrame(
        {
            "dataset": "study",
            "subject": "1",
            "session": "1",
            "trial": "1",
            "start_s": [0.0],
            "duration_s": [60.0],
            "hr_bpm": [72.0],
            "quality": [0.9],
            "stress": ["high" if reason == "ok" else None],
            "stress_p_low": [0.2 if reason == "ok" else np.nan],
            "stress_p_high": [0.8 if reason == "ok" else np.nan],
            "reason": [reason],
        }
    )
    write_prediction(rows, wave, model, tmp_path / "out", arguments=ARGUMENTS)
    return (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_prediction_is_drawn_with_wave_and_intervals(tmp_path, model) -> None:
    times = np.arange(60 * 64) / 64
    page = written(tmp_path, model, Signal(np.cos(2 * np.pi * 1.2 * times), 64, kind="bvp"), "ok")
    assert "pulse wave, its detected beats" in page
    assert "Inter-beat intervals" in page
    assert "Prediction of each window" in page
    assert "Withheld: nothing; all 1 windows are predicted." in page


def test_the_report_names_recording_model_head_versions_and_training(tmp_path, model) -> None:
    pulse = Signal(np.cos(2 * np.pi * 1.2 * np.arange(60 * 64) / 64), 64, kind="bvp")
    page = written(tmp_path, model, pulse, "ok")
    for text in (
        *("Recording: anna.csv.", "Rest: anna.csv@0-30.", "Model: stress; stress: logistic"),
        *("None is called study/1", f"emotion_rppg {__version__}", f"numpy {np.__version__}"),
    ):
        assert text in page, text
    page = written(tmp_path, replace(model, trained_on={"study": ["1"]}), pulse, "ok")
    assert "study/1 is one of them" in page


def test_nothing_is_drawn_of_intervals_and_predictions_that_do_not_exist(tmp_path, model) -> None:
    noise = np.random.default_rng(0).normal(size=10 * 64)
    page = written(tmp_path, model, Signal(noise, 64, kind="bvp"), "no trusted pulse")
    assert "pulse wave, its detected beats" in page
    assert "Inter-beat intervals" not in page
    assert "Prediction of each window" not in page
    assert "Withheld: 1 of 1 windows not predicted: no trusted pulse." in page
