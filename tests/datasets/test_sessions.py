"""Events of data sets whose recordings are parts of longer sessions."""

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.datasets import DATASETS, find
from emotion_rppg.runtime.tables import read_table

WITH_SESSIONS = [n for n, r in DATASETS.items() if "sessions" in vars(r)]


def test_the_readers_with_sessions_are_those_that_the_page_lists() -> None:
    assert WITH_SESSIONS == ["case", "stress-predict", "wesad"]


@pytest.mark.parametrize("name", WITH_SESSIONS)
def test_each_part_is_an_event_of_its_session_with_the_same_samples(fakes, name) -> None:
    reader = find(name)(fakes[name])
    parts = list(reader)
    for session in reader.list_sessions():
        assert session.reader == name
        own = [r for r in parts if r.subject == session.subject]
        events = [e for e in session.read_events() if e.name != "tag"]
        assert len(events) == len(own)
        starts = [part.read("bvp").start_s for part in own]
        assert sorted(starts) == pytest.approx([e.onset_s for e in events], abs=0.2)
        whole = session.read("bvp")
        for event in events:
            part = own[int(np.argmin(np.abs(np.array(starts) - event.onset_s)))]
            assert set(event.labels) <= set(part.labels)
            assert all(part.labels[label] == value for label, value in event.labels.items())
            cut = part.read("bvp")
            assert cut.duration_s == pytest.approx(event.duration_s, abs=1.1)
            again = whole.crop(cut.start_s, cut.end_s)
            assert again.samples == pytest.approx(cut.samples, nan_ok=True)


def test_a_press_is_an_event_of_the_session(fakes) -> None:
    session = find("stress-predict")(fakes["stress-predict"]).list_sessions()[0]
    found = {event.name: event.onset_s for event in session.read_events()}
    assert found["tag"] == found["stress"] > found["rest"]


def test_other_readers_list_their_recordings(fakes) -> None:
    reader = find("deap")(fakes["deap"])
    assert [r.name for r in reader.list_sessions()] == [r.name for r in reader]


def test_features_of_a_data_set_have_the_seconds_before_an_event(fakes, tmp_path) -> None:
    """The fake has 20 s of rest before the task, with another heart rate."""
    out = tmp_path / "table.csv"
    arguments = ["--dataset", "stress-predict", "--root", str(fakes["stress-predict"])]
    windows = ["--events", "stress", "--before", "15", "--after", "15", "--out", str(out)]
    run = CliRunner().invoke(app, ["features", *arguments, *windows])
    assert run.exit_code == 0, run.output
    table = read_table(out)
    assert list(table["trial"]) == ["session", "session"]
    assert list(table["label_stress"]) == [1, 1]
    assert list(table["hr_bpm_change"]) == pytest.approx([4, 4], abs=1)
    assert (table["change_reason"] == "ok").all()
