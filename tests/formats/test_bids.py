"""BIDS recordings: written files follow the rules and read back unchanged."""

import gzip
import json
import logging
import math
import re

import numpy as np
import pytest

from emotion_rppg import extract
from emotion_rppg.datasets.folder import Folder, recording_of
from emotion_rppg.emotion.design_matrix import feature_names
from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids import read_physio, write_bids
from emotion_rppg.recordings import Event, Recording
from emotion_rppg.runtime.tables import read_table, write_table
from emotion_rppg.signals import Signal

NAME = re.compile(
    r"sub-(?P<sub>[0-9A-Za-z]+)/ses-(?P<ses>[0-9A-Za-z]+)/beh/"
    r"sub-(?P=sub)_ses-(?P=ses)_task-[0-9A-Za-z]+_recording-[0-9A-Za-z]+_physio\.(tsv\.gz|json)"
)


def wave(kind: str, start_s: float = 0.0, quality: bool = True) -> Signal:
    samples = np.r_[np.nan, np.sin(np.arange(99.0))]
    given = np.linspace(0, 1, 100) if quality else None
    return Signal(samples, 29.97, kind=kind, start_s=start_s, quality=given)


@pytest.fixture
def written(tmp_path):
    pairs = [
        (Recording("mine", "p 01", "day/1", "calm_1"), wave("rppg", -1.5)),
        (Recording("mine", "p 01", "day/1", "calm_1"), wave("ecg", quality=False)),
        (Recording("mine", "02", "1", "talk"), wave("bvp")),
    ]
    write_bids(tmp_path / "b", pairs, name="a study")
    return tmp_path / "b", pairs


def test_names_and_fields_follow_the_rules(written) -> None:
    folder, _ = written
    top = {p.name for p in folder.iterdir()}
    assert top == {
        "sub-p01",
        "sub-02",
        "dataset_description.json",
        "participants.tsv",
        "README",
        "run.json",
        ".bidsignore",
    }
    description = json.loads((folder / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType", "GeneratedBy"} <= set(description)
    people = (folder / "participants.tsv").read_text().splitlines()
    assert people == ["participant_id", "sub-02", "sub-p01"]
    files = [p for p in folder.rglob("*") if p.is_file() and p.parent.name == "beh"]
    assert len(files) == 6
    for path in files:
        assert NAME.fullmatch(path.relative_to(folder).as_posix()), path
        if path.suffix != ".gz":
            continue
        facts = json.loads(path.with_name(path.name.replace(".tsv.gz", ".json")).read_text())
        assert isinstance(facts["SamplingFrequency"], float)
        assert isinstance(facts["StartTime"], float)
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        assert len(lines) == 100  # no header
        assert {line.count("\t") + 1 for line in lines} == {len(facts["Columns"])}
        assert lines[0].startswith("n/a")
        assert facts["Columns"][0] == ("ecg" if "-ecg" in path.name else "cardiac")


def test_written_recordings_read_back_unchanged(written) -> None:
    folder, pairs = written
    found = {r.name: r for r in Folder(folder)}
    assert set(found) == {r.name for r, _ in pairs}
    for recording, before in pairs:
        after = found[recording.name].read(before.kind)
        assert (after.kind, after.rate_hz, after.start_s) == (before.kind, 29.97, before.start_s)
        np.testing.assert_allclose(after.samples, before.samples, rtol=1e-8)
        if before.quality is None:
            assert after.quality is None
        else:
            np.testing.assert_allclose(after.quality, before.quality, rtol=1e-8)


def test_a_json_in_a_higher_folder_applies_below_and_a_nearer_one_overrides_it(tmp_path) -> None:
    place = tmp_path / "sub-01" / "ses-2" / "func"
    place.mkdir(parents=True)
    path = place / "sub-01_ses-2_task-rest_run-3_physio.tsv.gz"
    path.write_bytes(gzip.compress(b"1\t2\n3\tn/a\n"))
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(InputError, match="SamplingFrequency, StartTime, Columns"):
        read_physio(path)
    facts = {"SamplingFrequency": 50, "StartTime": 4, "Columns": ["respiratory", "cardiac"]}
    (tmp_path / "task-rest_physio.json").write_text(json.dumps(facts))
    (tmp_path / "task-other_physio.json").write_text('{"StartTime": 99}')
    assert read_physio(path).start_s == 4
    (tmp_path / "sub-01" / "sub-01_physio.json").write_text('{"StartTime": 5}')
    signal = read_physio(path)
    assert (signal.rate_hz, signal.start_s, signal.kind) == (50.0, 5.0, "bvp")
    np.testing.assert_array_equal(signal.samples, [2.0, np.nan])
    (recording,) = Folder(tmp_path)
    assert recording.name == f"{tmp_path.name}/01/2/rest-3"


@pytest.mark.parametrize(
    ("content", "facts", "words"),
    [
        (b"1\t2\n", {"SamplingFrequency": 0}, "SamplingFrequency in Hz"),
        (b"1\t2\n", {"Columns": "cardiac"}, "a list of"),
        (b"1\n", {}, "has 1 columns, its JSON names 2"),
        (b"cardiac\ttrigger\n1\t2\n", {}, "without a header"),
        (b"", {}, "cannot be read"),
    ],
)
def test_files_that_break_the_rules_are_refused(content, facts, words, tmp_path) -> None:
    path = tmp_path / "sub-1_task-x_physio.tsv.gz"
    path.write_bytes(gzip.compress(content))
    known = {"SamplingFrequency": 50, "StartTime": 0, "Columns": ["cardiac", "trigger"]}
    (tmp_path / "sub-1_task-x_physio.json").write_text(json.dumps(known | facts))
    with pytest.raises(InputError, match=words):
        read_physio(path)


def test_two_recordings_of_one_name_are_refused_and_nothing_is_written(tmp_path) -> None:
    pairs = [(Recording("d", "1", "1", trial), wave("bvp")) for trial in ("a_b", "ab")]
    with pytest.raises(InputError, match="rename one of them"):
        write_bids(tmp_path / "b", pairs)
    assert list(tmp_path.iterdir()) == []


# ---- events, ratings and participants ------------------------------------------------------------


@pytest.fixture
def study() -> list[tuple[Recording, Signal]]:
    """Two people with events, ratings on a scale, words as ratings, and columns on the person."""
    events = [
        Event(5.5, "face", 2.0, "11", {"arousal": 7.0}),
        Event(20.25, "press a key", math.nan),
    ]
    anna = Recording(
        "mine",
        "p 01",
        "day/1",
        "calm_1",
        labels={"arousal": 2.5, "mood": "very calm"},
        scales={"arousal": (1, 9)},
        events=events,
        participant={"age": 31.0, "sex": "F"},
    )
    ben = Recording("mine", "02", "1", "talk", participant={"age": 40.5, "group": "A"})
    return [(anna, wave("rppg", -1.5)), (anna, wave("ecg", -1.5)), (ben, wave("bvp"))]


def test_events_ratings_and_participants_columns_survive_the_export(study, tmp_path) -> None:
    folder = tmp_path / "b"
    write_bids(folder, study)
    found = {r.name: r for r in Folder(folder)}
    assert len(found) == 2
    for recording, _ in study:
        again = found[recording.name]
        assert repr(again.read_events()) == repr(recording.read_events())  # a duration is NaN
        assert again.labels == recording.labels
        assert again.scales == recording.scales
        assert again.participant == recording.participant
    alone = recording_of(next(folder.rglob("*recording-rppg_physio.tsv.gz")))
    assert alone.labels == study[0][0].labels
    assert alone.participant == study[0][0].participant
    write_bids(tmp_path / "c", [(r, r.read(next(iter(r.signals)))) for r in found.values()])
    assert (tmp_path / "c" / "participants.tsv").read_text() == (
        folder / "participants.tsv"
    ).read_text()


def test_the_tables_follow_the_rules(study, tmp_path) -> None:
    write_bids(tmp_path / "b", study)
    people = (tmp_path / "b" / "participants.tsv").read_text().splitlines()
    assert people == [
        "participant_id\tage\tgroup\tsex",
        "sub-02\t40.5\tA\tn/a",
        "sub-p01\t31\tn/a\tF",
    ]
    session = tmp_path / "b" / "sub-p01" / "ses-day1"
    (events,) = (tmp_path / "b").rglob("*_events.tsv")  # one for both waves, none without events
    assert events == session / "beh" / "sub-p01_ses-day1_task-calm1_events.tsv"
    assert events.read_text().splitlines() == [
        "onset\tduration\ttrial_type\tvalue\tlabel_arousal",
        "5.5\t2\tface\t11\t7",
        "20.25\tn/a\tpress a key\tn/a\tn/a",
    ]
    facts = json.loads(events.with_suffix(".json").read_text())
    assert facts.keys() == {"onset", "duration", "trial_type", "value", "label_arousal"}
    assert set(facts["trial_type"]["Levels"]) == {"face", "press a key"}
    scans = (session / "sub-p01_ses-day1_scans.tsv").read_text().splitlines()
    assert scans[0] == "filename\ttrial\tlabel_arousal\tlabel_mood"
    assert scans[1] == (
        "beh/sub-p01_ses-day1_task-calm1_recording-rppg_physio.tsv.gz\tcalm_1\t2.5\tvery calm"
    )
    scales = json.loads((session / "sub-p01_ses-day1_scans.json").read_text())["label_arousal"]
    assert (scales["Minimum"], scales["Maximum"]) == (1, 9)


def test_people_of_one_label_with_different_columns_are_refused(tmp_path) -> None:
    pairs = [
        (Recording("d", subject, trial=trial, participant={"age": age}), wave("bvp"))
        for subject, trial, age in (("p1", "a", 30.0), ("p_1", "b", 40.0))
    ]
    with pytest.raises(InputError, match=r"sub-p1 has the age 30\.0 and 40\.0"):
        write_bids(tmp_path / "b", pairs)


def test_events_that_cannot_be_read_are_said_and_the_wave_is_written(tmp_path, caplog) -> None:
    def broken() -> tuple[Event, ...]:
        raise InputError("line 3: no onset")

    with caplog.at_level(logging.WARNING):
        written = write_bids(tmp_path / "b", [(Recording("d", "1", events=broken), wave("bvp"))])
    assert len(written) == 1
    assert "d/1/1/1: its events are not exported: line 3: no onset" in caplog.text


@pytest.mark.parametrize("name", ["participants.tsv", "participants.csv"])
def test_participants_columns_are_columns_of_the_feature_table(name, tmp_path) -> None:
    for person in ("anna", "sub-7", "ben"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "rest.rr").write_text("\n".join(["800", "810", "790"] * 30))
    mark = "\t" if name.endswith("tsv") else ","
    rows = ["participant_id,age,code,sex", "sub-anna,30,01,F", "7,n/a,x2,M", "carl,50,03,M"]
    (tmp_path / name).write_text("\n".join(rows).replace(",", mark))
    table = extract(tmp_path)
    table = read_table(write_table(table, tmp_path.parent / f"{tmp_path.name}.csv"))
    own = table.groupby("subject").first()
    assert own.loc["anna", "participant_age"] == 30
    assert np.isnan(own.loc["sub-7", "participant_age"])
    assert list(own.loc[["anna", "sub-7"], "participant_code"]) == ["01", "x2"]
    assert own.loc["sub-7", "participant_sex"] == "M"
    assert own.loc["ben", ["participant_age", "participant_sex"]].isna().all()
    assert "participant_age" not in feature_names(table)
    assert "participant_age" in feature_names(table, extra_features=["participant_age"])
    (tmp_path / name).write_text("age\n30\n")
    with pytest.raises(InputError, match="no column participant_id or subject"):
        Folder(tmp_path)


def test_a_manifest_may_have_the_columns_itself(tmp_path, caplog) -> None:
    (tmp_path / "a.rr").write_text("\n".join(["800"] * 90))
    rows = "subject,trial,signal,participant_age,participant_sex\n1,rest,a.rr,33,F\n"
    (tmp_path / "manifest.csv").write_text(rows)
    with caplog.at_level(logging.WARNING):
        (recording,) = Folder(tmp_path)
    assert recording.participant == {"age": 33.0, "sex": "F"}
    assert "not read" not in caplog.text
