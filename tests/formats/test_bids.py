"""BIDS recordings: written files follow the rules and read back unchanged."""

import gzip
import json
import re

import numpy as np
import pytest

from emotion_rppg.datasets.folder import Folder
from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids import read_physio, write_bids
from emotion_rppg.recordings import Recording
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
