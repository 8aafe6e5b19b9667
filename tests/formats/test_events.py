"""Events of every format are read on the clock of the signals, and none is dropped in silence."""

import gzip
import json
import logging
import math
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.datasets.folder import Folder, recording_of
from emotion_rppg.errors import InputError
from emotion_rppg.formats.event_tables import on_clock, read_event_table
from emotion_rppg.recordings import Event, Recording
from tests.formats.waves import pulse

START_S = 1_700_000_000.0
TABLE = (
    "onset\tduration\ttrial_type\tvalue\tlabel_arousal\n5.5\t2\tface\t11\t7\n20\tn/a\tn/a\t12\t\n"
)
EXPECTED = (
    Event(5.5, "face", 2.0, "11", {"arousal": 7.0}),
    Event(20.0, "12", math.nan, "12"),
)


def same(found: tuple[Event, ...], expected: tuple[Event, ...] = EXPECTED) -> bool:
    return repr(found) == repr(expected)  # a duration may be NaN


def write_signal(path: Path, seconds: float = 40.0) -> Path:
    wave = pulse(72, 50, seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(len(wave)) / 50
    pd.DataFrame({"time_s": times, "bvp": wave}).to_csv(path, index=False)
    return path


def write_physio(folder: Path, start_s: float = 0.0) -> Path:
    path = folder / "sub-01" / "beh" / "sub-01_task-faces_recording-bvp_physio.tsv.gz"
    path.parent.mkdir(parents=True)
    rows = "".join(f"{value:.4f}\n" for value in pulse(72, 50))
    path.write_bytes(gzip.compress(rows.encode()))
    facts = {"SamplingFrequency": 50, "StartTime": start_s, "Columns": ["cardiac"]}
    path.with_name(path.name.replace(".tsv.gz", ".json")).write_text(json.dumps(facts))
    (folder / "dataset_description.json").write_text("{}")
    return path


@pytest.mark.parametrize(
    "place",
    [
        "sub-01/beh/sub-01_task-faces_events.tsv",
        "task-faces_events.tsv",
        "sub-01/beh/sub-01_task-faces_recording-bvp_physio_events.tsv",
    ],
)
def test_bids_events_apply_to_the_recordings_with_their_entities(place, tmp_path) -> None:
    write_physio(tmp_path, start_s=-1.5)
    (tmp_path / "acq-x_task-other_events.tsv").write_text("onset\tduration\n1\t1\n")
    (tmp_path / place).write_text(TABLE)
    (recording,) = Folder(tmp_path)
    assert same(recording.read_events())
    assert recording.read("bvp").start_s == -1.5  # the clock on which 0 s is the task's start


@pytest.mark.parametrize(("ending", "old", "new"), [("csv", "\t", ","), ("csv", "\t", ";")])
def test_a_table_beside_a_signal_or_a_video_has_its_events(
    ending, old, new, tmp_path, caplog
) -> None:
    write_signal(tmp_path / "anna" / "calm.csv")
    (tmp_path / "anna" / "film.mp4").write_text("x")
    text = TABLE.replace(old, new)
    if new == ";":
        text = text.replace("5.5", "5,5")
    for name in ("calm", "film"):
        (tmp_path / "anna" / f"{name}_events.{ending}").write_text(text)
    with caplog.at_level(logging.WARNING):
        found = list(Folder(tmp_path))
    assert [r.trial for r in found] == ["calm", "film"]  # the tables are no recordings
    assert not caplog.text
    assert all(same(r.read_events()) for r in found)
    assert same(recording_of(tmp_path / "anna" / "film.mp4").read_events())


def test_a_wristband_s_tags_are_on_the_clock_of_its_pulse(tmp_path) -> None:
    band = tmp_path / "band"
    band.mkdir()
    (band / "BVP.csv").write_text(f"{START_S}\n64\n" + "\n".join(map(str, pulse(72, 64))))
    (band / "EDA.csv").write_text(f"{START_S - 3}\n4\n" + "0.5\n" * 160)
    (band / "tags.csv").write_text(f"{START_S + 20.5}\n{START_S - 9}\n")
    expected = (Event(-9.0, "tag"), Event(20.5, "tag"))
    assert recording_of(band).read_events() == expected
    with zipfile.ZipFile(tmp_path / "band.zip", "w") as archive:
        for file in band.iterdir():
            archive.write(file, file.name)
    assert recording_of(tmp_path / "band.zip").read_events() == expected
    (tmp_path / "band_events.csv").write_text("onset,name\n1,film\n")
    three = (expected[0], Event(1.0, "film", math.nan), expected[1])
    assert same(recording_of(band).read_events(), three)


def test_embraceplus_tags_are_events(tmp_path) -> None:
    pytest.importorskip("fastavro")
    from tests.formats.test_embraceplus import write_avro

    assert recording_of(write_avro(tmp_path)).read_events() == (Event(7.5, "tag"),)


def test_xdf_markers_are_on_the_clock_of_the_signals(tmp_path) -> None:
    pytest.importorskip("pyxdf")
    from tests.formats.xdf_writer import Stream, write_xdf

    wave, begin_s = pulse(72, 55)[:, None], 50_000.0
    texts = Stream("Psy", "Markers", ["start", "stop"], begin_s + 200 + np.array([5.0, 30.0]))
    texts.offset_s = -200.0  # the clock of another computer
    codes = Stream("Port", "Markers", np.array([[7.0], [8.0]]), begin_s + np.array([6.0, 31.0]))
    times = begin_s + np.arange(len(wave)) / 55
    path = write_xdf(tmp_path / "lab.xdf", [Stream("Band", "PPG", wave, times, 55.0), texts, codes])
    found = recording_of(path).read_events()
    assert [event.name for event in found] == ["start", "7", "stop", "8"]
    assert [event.onset_s for event in found] == pytest.approx([5, 6, 30, 31], abs=1e-3)


@pytest.fixture
def study(tmp_path) -> Path:
    """One file with two trials, whose table has an event in each, and one between them."""
    write_signal(tmp_path / "day.csv", 100)
    (tmp_path / "day_events.csv").write_text("onset,name\n5,a\n45,between\n65,b\n")
    (tmp_path / "manifest.csv").write_text(
        "subject,trial,signal,start_s,end_s\n1,first,day.csv,0,40\n1,second,day.csv,50,100\n"
    )
    return tmp_path


def test_a_trial_has_the_events_within_it_on_its_own_clock(study, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        first, second = Folder(study)
    assert [(e.name, e.onset_s) for e in first.read_events()] == [("a", 5.0)]
    assert [(e.name, e.onset_s) for e in second.read_events()] == [("b", 15.0)]
    assert "1 of 3 events lie in no trial of manifest.csv, the first, 'between', at 45 s" in (
        caplog.text
    )


def test_a_manifest_names_a_table_of_events(study) -> None:
    (study / "own.tsv").write_text("onset\tduration\n7\t1\n")
    (study / "manifest.csv").write_text("subject,trial,signal,events\n1,a,day.csv,own.tsv\n")
    (recording,) = Folder(study)
    assert recording.read_events() == (Event(7.0, "event", 1.0),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("time,name\n1,a\n", "no column onset"),
        ("onset,name\n1,a\nx,b\n,c\n", "line 3: onset is 'x', want seconds; line 4: no onset"),
        ("onset,duration\n1,-2\n", "line 2: a duration of -2 s"),
        ("onset\ninf\n", "line 2: onset is 'inf'"),
    ],
)
def test_faults_of_a_table_are_named_with_their_lines(text, message, tmp_path) -> None:
    path = tmp_path / "a_events.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_event_table(path)


def test_a_faulty_table_does_not_prevent_reading_the_signal(tmp_path) -> None:
    path = write_signal(tmp_path / "a.csv")
    (tmp_path / "a_events.csv").write_text("onset\nx\n")
    (tmp_path / "a_events.tsv").write_text("onset\n1\n")
    recording = recording_of(path)
    assert len(recording.read("bvp"))
    with pytest.raises(InputError, match="are of one recording: remove one"):
        recording.read_events()


def test_onsets_count_from_the_start_of_a_signal_with_unix_times() -> None:
    events = (Event(5.0, "a"),)
    assert on_clock(events, START_S) == (Event(START_S + 5, "a"),)
    late = (Event(START_S + 5, "a"),)
    assert on_clock(late, START_S) == late
    assert on_clock(events, -1.5) == on_clock(events, 12.0) == events


def test_events_may_be_given_in_python_and_are_in_the_order_of_their_onsets() -> None:
    given = [Event(9.0, "b"), Event(1.0, "a")]
    for events in (given, lambda: given):
        assert [e.name for e in Recording("d", "1", events=events).read_events()] == ["a", "b"]
    with pytest.raises(InputError, match="'a' begins at nan"):
        Event(math.nan, "a")
