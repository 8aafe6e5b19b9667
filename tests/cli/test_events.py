"""`features --events`: rows, curves beside the table, and options that exclude each other."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.runtime.tables import read_table
from emotion_rppg.study import read_curves

RUNNER = CliRunner()


@pytest.fixture
def study(tmp_path) -> Path:
    """Two people with intervals of a belt and a table of events."""
    for person in ("anna", "ben"):
        folder = tmp_path / "study" / person
        folder.mkdir(parents=True)
        rng = np.random.default_rng(len(person))
        ibi = 800 + 40 * np.sin(np.arange(200)) + rng.normal(0, 5, 200)
        (folder / "film.rr").write_text("\n".join(f"{value:.0f}" for value in ibi))
        rows = "onset,trial_type\n30,film\n70,film\n100,question\n"
        (folder / "film_events.csv").write_text(rows)
    return tmp_path


def run(study: Path, *options: str):
    arguments = ["features", str(study / "study"), "--out", str(study / "t.csv"), *options]
    return RUNNER.invoke(app, arguments)


def test_a_row_for_each_event_and_the_curves_beside_the_table(study) -> None:
    result = run(study, "--events", "film", "--before", "15", "--after", "20", "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout.splitlines()[-1])
    assert facts["rows"] == 4
    assert facts["curves"] == str(study / "t_curves.csv")
    assert "events: film (4)" in facts["withheld"]
    table = read_table(study / "t.csv")
    assert list(table["start_s"]) == [15, 55, 15, 55]
    assert set(table["duration_s"]) == {35}
    assert table["hr_bpm_change"].notna().all()
    curves = read_curves(study / "t_curves.csv")
    assert (curves["time_s"].min(), curves["time_s"].max()) == (-15, 19.75)
    both = run(study, "--events", "film", "--events", "question")
    assert both.exit_code == 0, both.output
    assert list(pd.unique(read_table(study / "t.csv")["event"])) == ["film", "question"]
    assert "4 Hz" not in both.output
    assert "6 events of 2 recordings" in both.output


def test_without_a_baseline_there_are_no_curves_and_none_of_an_earlier_table(study) -> None:
    assert run(study, "--events", "film").exit_code == 0
    result = run(study, "--events", "all", "--before", "0")
    assert result.exit_code == 0, result.output
    assert "no heart-rate curves: the windows begin at the onsets" in result.output
    assert not (study / "t_curves.csv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--events", "film", "--length", "60"], "--length with --events: the window of an"),
        (["--events", "film", "--whole", "--step", "5"], "--step, --whole with --events"),
        (["--events", "film", "--baseline", "rest"], "--baseline with --events"),
        (["--before", "10"], "--before and --after without --events"),
        (["--events", "quiz"], "no recording has the event 'quiz'; the events are: film (4), que"),
    ],
)
def test_what_excludes_each_other_is_refused_before_any_work(study, options, message) -> None:
    result = run(study, *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not (study / "t.csv").exists()
