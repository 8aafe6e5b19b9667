"""Each verb ends with what it withheld: how many, of how many, and the most frequent reasons."""

import inspect
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.cli.verbs import train
from emotion_rppg.features.trust import closing_line, reasons_in
from emotion_rppg.runtime.tables import write_table

# These compute no number of a window; `figure` states what was withheld in its caption.
QUIET = ("app", "cache", "datasets", "doctor", "export", "figure", "init")
ELSEWHERE = ("beats", "demo", "live", "record")  # end with lines of their own


def last_line(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[-1]


@pytest.fixture
def wave(tmp_path):
    """A minute of a clear pulse, then a minute of noise, at 64 Hz."""
    t = np.arange(120 * 64) / 64
    beat = np.sin(2 * np.pi * 1.2 * t) + 0.3 * np.sin(2 * np.pi * 2.4 * t + 0.5)
    noise = np.random.default_rng(0).normal(0, 1, len(t))
    path = tmp_path / "s.csv"
    pd.DataFrame({"time_s": t, "bvp": np.where(t < 60, beat, noise)}).to_csv(path, index=False)
    return path


@pytest.fixture
def table(tmp_path):
    rows = np.arange(24)
    frame = pd.DataFrame(
        {
            "dataset": "d",
            "subject": (rows // 6).astype(str),
            "session": "1",
            "trial": rows.astype(str),
            "start_s": 0.0,
            "duration_s": 60.0,
            "source": "bvp",
            "label_arousal": np.where(rows % 2, 8.0, 2.0),
            "scale_arousal": "1..9",
            "hr_bpm": np.where(rows == 5, np.nan, 70 + 9 * (rows % 2) + rows / 9),
            "seq_ibi_ms": np.where(rows == 5, "", "800 810 790 805 800 790"),
            "reason": np.where(rows == 5, "no clear pulse: quality 0.1", "ok"),
        }
    )
    return write_table(frame, tmp_path / "t.csv")


ONE = "withheld: 1 of 24 windows: no clear pulse (1)"


def test_pulse_and_features_end_with_what_they_withheld(wave, tmp_path) -> None:
    assert last_line("pulse", wave) == "withheld: 1 of 1 heart rate: no clear pulse (1)"
    clear = pd.read_csv(wave).iloc[: 60 * 64]
    clear.to_csv(tmp_path / "clear.csv", index=False)
    assert last_line("pulse", tmp_path / "clear.csv") == "withheld: nothing of 1 heart rate"
    line = last_line("features", wave, "--out", tmp_path / "x.csv")
    assert line.startswith("withheld: 3 of 3 windows: ")  # a feature of one, all of two
    assert "no clear pulse (1)" in line


def test_training_and_prediction_end_with_the_windows_without_a_pulse(table, tmp_path) -> None:
    model = tmp_path / "model"
    words = ("--target", "arousal", "--head", "logistic", "--out", model)
    assert last_line("train", "emotion", "--table", table, *words) == ONE
    line = last_line("predict", table, "--model", model, "--out", tmp_path / "p")
    assert line == ONE
    out = tmp_path / "encoder"
    assert last_line("train", "encoder", "--table", table, "--epochs", 1, "--out", out) == ONE


def test_evaluate_ends_with_the_windows_without_a_pulse(table, tmp_path) -> None:
    words = ("--heads", "logistic", "--permutations", 0, "--out", tmp_path / "r")
    assert last_line("evaluate", "--table", table, "--target", "arousal", *words) == ONE


def test_inspect_ends_with_the_channels_that_cannot_be_read(wave) -> None:
    assert last_line("inspect", wave) == "withheld: nothing of 1 channel"


def test_every_other_verb_is_known_to_have_no_closing_line() -> None:
    """A new verb states what it withholds, or is added to the list above with a reason."""

    def closes(callback: Callable[..., object]) -> bool:
        return "closing" in inspect.getsource(callback)

    commands = [*app.registered_commands, *train.registered_commands]
    verbs = {c.name or c.callback.__name__: c.callback for c in commands}
    without = {name for name, verb in verbs.items() if not closes(verb)}
    assert without - set(ELSEWHERE) == set(QUIET)


def test_the_most_frequent_reasons_are_named_and_the_others_counted() -> None:
    reasons = ["b: 1"] * 3 + ["a"] * 5 + ["c"] * 2 + ["d", "e"]
    line = closing_line(reasons, 40, "window")
    assert line == "withheld: 12 of 40 windows: a (5), b (3), c (2), 2 more reasons"


def test_a_window_with_several_reasons_is_counted_once_by_that_of_the_pulse() -> None:
    table = pd.DataFrame(
        {"eda_reason": ["flat", "flat", "ok", ""], "reason": ["ok", "no pulse", "ok", ""]}
    )
    assert reasons_in(table) == ["flat", "no pulse"]
    assert reasons_in(pd.DataFrame({"hr_bpm": [1.0]})) == []
