"""Windows about events: one row each, the change from before the onset, and what is withheld."""

import logging

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import Beats, Event, Extraction, Recording, extract, extraction_of, fit, predict
from emotion_rppg.emotion.design_matrix import feature_names, matrix
from emotion_rppg.emotion.table_checks import checked_table
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.leakage import make_folds
from emotion_rppg.features import column, kinds_of_columns
from emotion_rppg.report.data_dictionary import write_dictionary
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.tables import read_table, write_table
from emotion_rppg.signals import Signal
from emotion_rppg.study.event_rows import choose_events, summary_of_events

LENGTH_S, ONSETS_S = 300.0, (60.0, 120.0, 180.0, 240.0)
REST_BPM, RISE_BPM, RISE_S = 60.0, 15.0, 30.0


def heart(rise_bpm: float = RISE_BPM, start_s: float = 0.0, *, rest_bpm: float = REST_BPM) -> Beats:
    """Return beats with respiration whose rate is higher for 30 s after each onset."""
    times = [0.0]
    while times[-1] < LENGTH_S:
        since = [times[-1] - onset for onset in ONSETS_S]
        raised = any(0 <= s < RISE_S for s in since)
        breath = 2 * np.sin(2 * np.pi * times[-1] / 4.3)
        times.append(times[-1] + 60 / (rest_bpm + rise_bpm * raised + breath))
    return Beats(np.array(times) + start_s, kind="rr")


def events_at(onsets: tuple[float, ...], name: str = "film") -> list[Event]:
    return [Event(onset, name, 2.0, value=f"{name}{k}") for k, onset in enumerate(onsets)]


def recording(subject: str = "1", rise_bpm: float = RISE_BPM, **how: object) -> Recording:
    given = {"events": events_at(ONSETS_S), "signals": {"rr": heart(rise_bpm)}, **how}
    return Recording("d", subject, **given)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return extract([recording()], events="film", families=("hrv",))


def test_each_event_has_a_row_whose_window_is_about_its_onset(table) -> None:
    assert list(table["event"]) == ["film"] * 4
    assert list(table["event_number"]) == [1, 2, 3, 4]
    assert list(table["event_onset_s"]) == list(ONSETS_S)
    assert list(table["start_s"]) == [onset - 10 for onset in ONSETS_S]
    assert set(table["duration_s"]) == {40.0}
    assert set(table["event_duration_s"]) == {2.0}
    assert list(table["event_value"]) == ["film0", "film1", "film2", "film3"]
    expected = (10 * REST_BPM + 30 * (REST_BPM + RISE_BPM)) / 40
    assert table["hr_bpm"].to_numpy() == pytest.approx(expected, abs=1)


def test_the_change_is_that_from_the_seconds_before_the_onset(table) -> None:
    assert table["hr_bpm_change"].to_numpy() == pytest.approx(RISE_BPM, abs=0.5)
    ibi = 60e3 / (REST_BPM + RISE_BPM) - 60e3 / REST_BPM
    assert table["mean_nn_ms_change"].to_numpy() == pytest.approx(ibi, abs=5)
    assert set(table["change_reason"]) == {"ok"}


def test_a_feature_that_ten_seconds_cannot_give_has_no_change(table) -> None:
    changes = {name for name in table if name.endswith("_change")}
    assert changes == {"hr_bpm_change", "mean_nn_ms_change", "median_nn_ms_change"}
    assert table["rmssd_ms"].notna().all()  # of the whole window, 40 s
    assert table["lf_ms2"].isna().all()
    lines = summary_of_events(table)
    assert lines[0] == "events: film (4)"
    (thirty,) = [line for line in lines if "need 30 s before and after the event" in line]
    assert "rmssd_ms" in thirty
    wider = extract([recording()], events="film", families=("hrv",), before_s=30)
    assert wider["rmssd_ms_change"].notna().any()
    assert "lf_ms2_change" not in wider


def test_events_without_a_window_in_the_recording_are_rows_with_the_reason() -> None:
    onsets = (5.0, 120.0, 290.0, 400.0, -50.0)
    table = extract([recording(events=events_at(onsets))], events="all")
    assert list(table["event_onset_s"]) == sorted(onsets)
    inside = table["event_onset_s"] == 120
    assert table["hr_bpm"].notna().equals(inside)
    assert (table.loc[~inside, "reason"].str.startswith("not within the recording: ")).all()
    assert table.loc[~inside, "reason"].equals(table.loc[~inside, "change_reason"])
    assert (table.loc[~inside, "event_beats_s"] == "").all()
    assert "390.0–430.0 s, the recording at 0.0–300." in table["reason"].iloc[-1]


def test_a_window_may_end_a_moment_after_the_recording() -> None:
    end_s = heart().span_s[1]
    onsets = (end_s - 29.5, end_s - 29.0)  # 0.5 and 1.0 s outside, of 40 s
    table = extract([recording(events=events_at(onsets))], events="all")
    assert list(table["hr_bpm"].notna()) == [True, False]


def test_parts_are_withheld_by_their_own_reasons() -> None:
    beats = heart()
    holes = [(45.0, 59.5), (121.0, 149.0)]
    times = beats.times_s[~np.any([(beats.times_s > a) & (beats.times_s < b) for a, b in holes], 0)]
    given = Beats(times, gaps=holes, kind="rr", span_s=beats.span_s)
    table = extract([recording(signals={"rr": given})], events="film", families=("hrv",))
    reasons = list(table["change_reason"])
    assert reasons[0].startswith("before the onset, ")
    assert "after the onset, " not in reasons[0]
    assert reasons[1].startswith("after the onset, ")
    assert reasons[2:] == ["ok", "ok"]
    assert list(table["hr_bpm_change"].notna()) == [False, False, True, True]


def test_names_are_chosen_with_or_without_their_case_and_numbered_by_kind() -> None:
    events = [Event(1, "a"), Event(2, "b"), Event(3, "A"), Event(4, "b")]
    assert [(n, e.onset_s) for n, e in choose_events(events, ["b"])] == [(1, 2), (2, 4)]
    assert [(n, e.onset_s) for n, e in choose_events(events, ["a"])] == [(1, 1)]
    assert [(n, e.onset_s) for n, e in choose_events(events[1:], ["a"])] == [(1, 3)]
    assert [n for n, _ in choose_events(events, ["all"])] == [1, 1, 1, 2]
    assert len(choose_events([*events, Event(5, "all")], ["all", "b"])) == 3


def test_an_unknown_event_is_refused_with_those_that_there_are() -> None:
    items = [recording("1"), recording("2", events=[*events_at((9.0,), "question")])]
    with pytest.raises(InputError, match=r"event 'quiz'; the events are: film \(4\), question \(1"):
        extract(items, events=["film", "quiz"])
    table = extract(items, events="question")
    (failure,) = table.attrs["failures"]
    assert failure["recording"] == "d/1/1/1"
    assert failure["reason"] == "no event 'question'; the events are: film (4)"
    with pytest.raises(InputError, match=r"no recording has events: put a table NAME_events.csv"):
        extract([recording(events=())], events="all")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"events": "film", "length_s": 20}, "length_s and step_s with events"),
        ({"events": "film", "length_s": None}, "length_s and step_s with events"),
        ({"events": "film", "baseline": "rest"}, "baseline 'rest' with events"),
        ({"events": []}, "events is empty"),
        ({"events": "film", "before_s": -1, "after_s": 0}, "before_s must .*; after_s must"),
        ({"before_s": 5}, "before_s without events"),
    ],
)
def test_options_that_exclude_each_other_are_refused(how, message) -> None:
    with pytest.raises(InputError, match=message):
        extract([recording()], **how)


def test_without_seconds_before_the_onset_there_is_no_change() -> None:
    table = extract([recording()], events="film", before_s=0)
    assert not [name for name in table if "change" in name]
    assert list(table["start_s"]) == list(ONSETS_S)


def test_the_extraction_is_recorded_and_repeated(table, tmp_path) -> None:
    back = read_table(write_table(table, tmp_path / "t.csv"))
    assert extraction_of(back) == Extraction(events=("film",), families=("hrv",))
    assert list(back["event_beats_s"]) == list(table["event_beats_s"])
    again = extract([recording()], extraction_of(back))
    pd.testing.assert_frame_equal(again, table)


@pytest.mark.slow
def test_a_model_of_events_needs_events_to_predict(tmp_path) -> None:
    train = [recording(str(k), rise_bpm=3.0 * k) for k in range(6)]
    table = extract(train, events="film", families=("hrv",))
    labels = (table["hr_bpm_change"] > 7).map({True: "much", False: "little"})
    model = fit(table.assign(label_rise=labels), target="rise", head="logistic", coding="as_is")
    times = np.arange(0, LENGTH_S, 1 / 50)
    phase = np.interp(times, heart(15.0).times_s, np.arange(len(heart(15.0))))
    wave = np.sin(2 * np.pi * phase) + 0.3 * np.sin(4 * np.pi * phase)
    path = tmp_path / "new.csv"
    pd.DataFrame({"time_s": times, "bvp": wave}).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"trained on windows about events.*NAME_events\.csv"):
        predict(path, model)
    (tmp_path / "new_events.csv").write_text("onset,name\n60,film\n120,film\n180,other\n")
    rows = predict(path, model)
    assert list(rows["event_onset_s"]) == [60, 120]
    assert set(rows["rise"]) == {"much"}


def test_event_columns_are_no_features_and_changes_are(table, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        assert "hr_bpm_change" in matrix(table).names
    assert "not used as features" not in caplog.text
    names = feature_names(table)
    assert not [n for n in names if n.startswith("event")]
    assert "hr_bpm_change" in names
    record = column("hr_bpm_change")
    assert record is not None
    assert record.unit == "1/min"
    assert kinds_of_columns(["eda_tonic_us_change"]) == ("eda",)


def test_two_kinds_of_event_at_one_moment_are_two_rows_of_a_valid_table(caplog) -> None:
    both = [*events_at(ONSETS_S), *events_at(ONSETS_S, "sound")]
    table = extract([recording(events=both)], events="all")
    assert len(table) == 8
    with caplog.at_level(logging.WARNING):
        assert len(checked_table(table)) == 8
    assert "second reading" in caplog.text


@pytest.fixture(scope="module")
def close() -> pd.DataFrame:
    """Two people, two sessions each, with events 15 to 60 s apart and windows of 40 s."""
    events = events_at((50.0, 65.0, 80.0, 140.0, 155.0, 215.0, 269.0))
    who = [(person, session) for person in "12" for session in "ab"]
    items = [recording(person, session=session, events=events) for person, session in who]
    return extract(items, events="film", families=("hrv",))


def every_other(table: pd.DataFrame, *, seed: int):
    """Test every second event, train on the others."""
    rows = np.arange(len(table))
    yield rows[rows % 2 == 0], rows[rows % 2 == 1]


every_other.unit = "moment"


@pytest.mark.parametrize("split", ["loso", "sessions_within", "first_minutes", every_other])
def test_overlapping_windows_of_events_are_never_on_both_sides_of_a_fold(split, close) -> None:
    everything, nothing = np.ones(len(close), bool), np.zeros(len(close), bool)
    folds = make_folds(close, split, seed=0, labelled=everything, unscored=nothing)
    assert (folds.purged > 0) == (split is every_other)
    for train, test in folds.pairs:
        for row in close.iloc[test].itertuples():
            same = close.iloc[train]
            same = same[(same["subject"] == row.subject) & (same["session"] == row.session)]
            apart = (same["start_s"] - row.start_s).abs() >= row.duration_s
            assert apart.all()


def test_labels_of_an_event_replace_those_of_its_recording() -> None:
    events = [Event(60, "film", labels={"arousal": 8.0}), Event(120, "film")]
    table = extract([recording(events=events, labels={"arousal": 2.0})], events="film")
    assert list(table["label_arousal"]) == [8.0, 2.0]


def test_signals_without_a_pulse_have_windows_about_events_too() -> None:
    times = np.arange(0, LENGTH_S, 0.25)
    level = 2.0 + sum(0.5 * np.clip((times - onset) / 10, 0, 1) for onset in ONSETS_S)
    signals = {"eda": Signal(level + 0.001 * np.sin(times), 4.0, kind="eda")}
    table = extract(
        [recording(signals=signals, events=events_at((120.0, 295.0)))],
        events="film",
        families=("eda",),
        before_s=30,
    )
    assert table["eda_tonic_us_change"].iloc[0] > 0.3
    assert "event_beats_s" not in table
    assert table["eda_reason"].iloc[1].startswith("not within the recording")


def test_the_cache_knows_the_events(tmp_path) -> None:
    store = Cache(tmp_path / "cache")
    first = extract([recording()], events="film", cache=store)
    moved = [recording(events=events_at(tuple(onset + 1 for onset in ONSETS_S)))]
    assert list(extract(moved, events="film", cache=store)["start_s"] - first["start_s"]) == [1] * 4
    assert set(extract([recording()], events="film", after_s=20, cache=store)["duration_s"]) == {30}
    pd.testing.assert_frame_equal(extract([recording()], events="film", cache=store), first)


def test_onsets_count_from_the_start_of_a_recording_with_unix_times() -> None:
    table = extract([recording(signals={"rr": heart(start_s=1.7e9)})], events="film")
    assert list(table["start_s"]) == [1.7e9 + onset - 10 for onset in ONSETS_S]
    assert table["hr_bpm"].notna().all()


def test_every_column_of_the_table_is_defined(table, tmp_path) -> None:
    text = write_dictionary(table, tmp_path / "t.columns.md").read_text()
    assert "| hr_bpm_change | 1/min | hr_bpm after the onset of the event minus hr_bpm be" in text
    assert not [line for line in text.splitlines() if line.endswith("| |  | | |")]
