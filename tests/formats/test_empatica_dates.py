"""Sessions of the Empatica E4 whose files begin with a date in place of Unix seconds."""

import numpy as np
import pytest

from emotion_rppg import extract
from emotion_rppg.datasets.stress_exercise import StressExercise
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import e4_clock, read_session
from tests.datasets.fakes import stress_exercise

UNIX_S = 1_361_557_287.0


@pytest.mark.parametrize(
    "start",
    [
        "1361557287.00",
        "2013-02-22 18:21:27",
        "2013-02-22T18:21:27+00:00",
        "2013-02-22 19:21:27+01:00",
    ],
)
def test_a_date_is_its_unix_time_in_utc(start, tmp_path) -> None:
    path = tmp_path / "BVP.csv"
    path.write_text(f"{start}\n64.000000\n1.0\n2.0\n")
    assert e4_clock(path) == (UNIX_S, 64.0)


def test_presses_and_sensors_are_on_the_clock_of_the_pulse(tmp_path) -> None:
    recordings = list(StressExercise(stress_exercise.write(tmp_path / "s")))
    assert [(r.subject, r.session, r.trial) for r in recordings] == [
        ("S01", "1", "stress"),
        ("f14", "a", "stress"),
        ("f14", "b", "stress"),
        ("S01", "1", "aerobic"),
        ("f02", "1", "anaerobic"),
    ]
    for recording in recordings:
        events = recording.read_events()
        assert [e.onset_s for e in events] == pytest.approx(stress_exercise.PRESSES_S, abs=1e-3)
        assert [e.name for e in events] == ["tag", "tag"]
        assert abs(recording.read("eda").start_s) < 0.01


def test_rows_about_presses(tmp_path) -> None:
    recordings = list(StressExercise(stress_exercise.write(tmp_path / "s")))
    table = extract(recordings[:1], events=["tag"], before_s=4.0, after_s=16.0)
    assert table["event"].tolist() == ["tag", "tag"]
    np.testing.assert_allclose(table["event_onset_s"], stress_exercise.PRESSES_S, atol=1e-3)


def test_neither_a_date_nor_seconds_is_named(tmp_path) -> None:
    path = tmp_path / "BVP.csv"
    path.write_text("yesterday\n64.000000\n1.0\n")
    with pytest.raises(InputError, match="does not begin with a start time"):
        e4_clock(path)
    (tmp_path / "tags.csv").write_text("soon\n")
    path.write_text("2013-02-22 18:21:27\n64.000000\n1.0\n2.0\n")
    (tmp_path / "EDA.csv").write_text("2013-02-22 18:21:27\n4.000000\n1.0\n")
    assert read_session(tmp_path).tags_s == ()  # skipped with a warning
