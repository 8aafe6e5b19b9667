"""Event-locked heart rate: planted curves come back, persons count once, gaps stay empty."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import Beats, Event, Recording, extract
from emotion_rppg.errors import InputError
from emotion_rppg.features.event_beats import beats_as_text, rate_on_grid
from emotion_rppg.runtime.tables import write_table
from emotion_rppg.study import event_curves, read_curves

CHANGE = "hr_change_bpm"


def windows(people: dict[str, list[str]], *, before_s: float = 4.0, after_s: float = 6.0):
    """Return a table with the beats about each person's events."""
    rows = [
        {
            "dataset": "d",
            "subject": person,
            "start_s": 100.0 * k - before_s,
            "duration_s": before_s + after_s,
            "event": "film",
            "event_number": k + 1,
            "event_onset_s": 100.0 * k,
            "event_beats_s": text,
            "reason": "ok" if text else "no clear pulse",
        }
        for person, texts in people.items()
        for k, text in enumerate(texts)
    ]
    return pd.DataFrame(rows)


def steps(after_bpm: float, before_bpm: float = 60.0) -> str:
    """Return beats with one rate before the onset, which is a beat, and another after it."""
    before = -np.arange(0, 6, 60 / before_bpm)[::-1]
    after = np.arange(1, 12) * 60 / after_bpm
    return beats_as_text(Beats(np.r_[before, after]), 0.0, -4.0, 6.0)


def people_rows(curves: pd.DataFrame) -> pd.DataFrame:
    return curves[curves["level"] == "people"].set_index("time_s")


def test_the_rate_is_that_of_the_interval_around_each_time_and_no_gap_is_bridged() -> None:
    beats = Beats(np.array([0.0, 1.0, 1.5, 4.0, 5.0, 5.6]), gaps=[(2.0, 3.5)])
    text = beats_as_text(beats, 1.0, -0.5, 4.2)
    assert text == "-1.0000 0.0000 0.5000 nan 3.0000 4.0000 4.6000"
    found = rate_on_grid(text, np.array([-1.5, -1.0, -0.1, 0.0, 0.5, 2.9, 3.0, 4.5, 4.6]))
    expected = [np.nan, 60, 60, 120, np.nan, np.nan, 60, 100, np.nan]
    np.testing.assert_allclose(found, expected, atol=0.1)
    ectopic = Beats(np.array([0.0, 1.0, 1.5, 3.0, 4.0]), ectopic=np.array([0, 0, 1, 0, 0], bool))
    assert beats_as_text(ectopic, 0.0, 0.0, 4.0) == "0.0000 1.0000 nan 1.5000 nan 3.0000 4.0000"
    with pytest.raises(InputError, match="must increase"):
        rate_on_grid("2 1", np.zeros(1))
    with pytest.raises(InputError, match="numbers and nan"):
        rate_on_grid("a", np.zeros(1))


def test_the_mean_is_over_persons_and_the_band_is_their_t_interval() -> None:
    table = windows({"1": [steps(70), steps(80), steps(90)], "2": [steps(60)], "3": [steps(72)]})
    curves = event_curves(table, rate_hz=2.0)
    people = people_rows(curves)
    assert list(people.index) == list(np.arange(-4, 6, 0.5))
    np.testing.assert_allclose(people.loc[-4.0:-0.5, CHANGE], 0, atol=0.01)
    changes = np.array([20.0, 0.0, 12.0])  # of the persons: the mean of 10, 20 and 30, …
    after = people.loc[0.0:]
    np.testing.assert_allclose(after[CHANGE], changes.mean(), atol=0.05)
    half = 4.302653 * changes.std(ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(after["ci_high_bpm"] - after[CHANGE], half, rtol=1e-2)
    np.testing.assert_allclose(after[CHANGE] - after["ci_low_bpm"], half, rtol=1e-2)
    assert set(after["n_people"]) == {3}
    assert set(after["n_events"]) == {5}
    own = curves[curves["person"] == "d/1"].set_index("time_s")
    np.testing.assert_allclose(own.loc[0.0:, CHANGE], 20, atol=0.05)
    assert own["ci_low_bpm"].isna().all()
    assert list(curves["person"].unique()) == ["", "d/1", "d/2", "d/3"]


def test_one_person_has_no_interval_and_a_gap_has_no_value() -> None:
    holes = beats_as_text(Beats(np.arange(-5.0, 8.0), gaps=[(2.2, 3.8)]), 0.0, -4.0, 6.0)
    curves = people_rows(event_curves(windows({"1": [holes]}), rate_hz=2.0))
    assert curves["ci_low_bpm"].isna().all()
    assert curves.loc[2.0:3.5, CHANGE].isna().all()
    assert list(curves.loc[2.0:3.5, "n_events"]) == [0] * 4
    assert curves.loc[4.0:, CHANGE].notna().all()


def test_events_without_beats_or_baseline_are_withheld_with_the_reason() -> None:
    late = beats_as_text(Beats(np.arange(-1.0, 8.0)), 0.0, -4.0, 6.0)
    table = windows({"1": [steps(70), "", late], "2": [late]})
    curves = event_curves(table)
    withheld = curves.attrs["withheld"]
    assert [(w["person"], w["event_number"]) for w in withheld] == [
        ("d/1", 2),
        ("d/1", 3),
        ("d/2", 1),
    ]
    assert withheld[0]["reason"] == "no clear pulse"
    assert withheld[1]["reason"].startswith("no baseline: intervals cover 25% of the 4 s before")
    people = people_rows(curves)
    assert set(people["n_withheld"]) == {3}
    assert people["n_people"].max() == 1
    with pytest.raises(InputError, match=r"none of 1 events has a heart-rate curve.*no baseline"):
        event_curves(windows({"2": [late]}))


def test_kinds_of_event_or_values_of_a_label_have_curves_of_their_own() -> None:
    table = windows({"1": [steps(70), steps(90)], "2": [steps(70), steps(90)]})
    table["label_mood"] = ["calm", "glad"] * 2
    curves = event_curves(table, by="label_mood")
    for mood, change in (("calm", 10), ("glad", 30)):
        own = people_rows(curves[curves["label_mood"] == mood])
        np.testing.assert_allclose(own.loc[0.0:, CHANGE], change, atol=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="event_beats_s"), "no column event_beats_s"),
        (lambda t: t.assign(duration_s=[10.0, 12.0]), "different lengths"),
        (lambda t: t.assign(start_s=t["event_onset_s"]), "no baseline: extract them with before_s"),
    ],
)
def test_another_table_is_refused(change, message) -> None:
    with pytest.raises(InputError, match=message):
        event_curves(change(windows({"1": [steps(70), steps(80)]})))


def test_curves_of_an_extracted_table_are_written_and_read_unchanged(tmp_path) -> None:
    recordings = []
    for person, rate in (("01", 66.0), ("2", 75.0)):
        onsets = (60.0, 120.0)
        times = [0.0]
        while times[-1] < 200:
            raised = any(0 <= times[-1] - onset < 30 for onset in onsets)
            times.append(times[-1] + 60 / (rate if raised else 60.0))
        events = [Event(onset, "film") for onset in onsets]
        signals = {"rr": Beats(np.array(times), kind="rr")}
        recordings.append(Recording("d", person, signals=signals, events=events))
    curves = event_curves(extract(recordings, events="film", before_s=5, after_s=20))
    after = people_rows(curves).loc[2.0:19.0]
    np.testing.assert_allclose(after[CHANGE], (6 + 15) / 2, atol=0.5)
    curves.attrs = {}
    back = read_curves(write_table(curves, tmp_path / "t_curves.csv"))
    pd.testing.assert_frame_equal(back, curves, check_dtype=False)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="has no curves: no column level"):
        read_curves(tmp_path / "x.csv")
