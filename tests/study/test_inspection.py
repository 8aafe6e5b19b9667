"""`inspect`: each channel with its facts, what is read and why, and a picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_files import signals_in
from emotion_rppg.study.inspection import inspect_path, inspection_as_text
from tests.formats.test_finger_trace import write_trace
from tests.formats.test_signal_files import WRITERS
from tests.formats.xdf_writer import Stream, write_xdf

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"


@pytest.mark.parametrize("ending", WRITERS)
def test_the_channel_that_is_said_to_be_read_is_the_one_that_is_read(ending, tmp_path) -> None:
    path = WRITERS[ending](tmp_path, 72.0)
    (found,) = inspect_path(path)
    read = {channel.read_as: channel for channel in found.channels if channel.read_as}
    assert {*read} - {"acc"} == {*signals_in(path)} - {"acc", "hr"}
    wave = signals_in(path)["bvp"]()
    facts = read["bvp"]
    assert facts.rate_hz == pytest.approx(wave.rate_hz, rel=1e-4)
    assert facts.duration_s == pytest.approx(wave.duration_s, abs=0.01)
    assert facts.missing_share == pytest.approx(1 - wave.coverage, abs=1e-4)
    np.testing.assert_allclose(found.signals[facts.name].samples, wave.samples)
    assert any(reason.startswith(f"reads bvp from {facts.name}") for reason in found.reasons)


def test_a_file_without_a_pulse_says_what_to_choose(tmp_path) -> None:
    times = np.arange(500) / 100
    samples = np.full((500, 1), np.nan)
    samples[:400] = 1.0
    path = write_xdf(
        tmp_path / "a.xdf",
        [Stream("Cap", "EEG", samples, times, 100.0), Stream("M", "Markers", ["x"], times[:1])],
    )
    (found,) = inspect_path(path)
    (facts,) = found.channels
    assert (facts.name, facts.kind, facts.read_as) == ("Cap", "unknown", "")
    assert facts.missing_share == pytest.approx(0.2)
    assert found.markers == 1
    assert "reads no pulse or ECG" in found.reasons[0]
    assert "choose one of Cap with --channel" in found.reasons[0]


def test_a_column_that_is_no_number_is_listed_with_its_fault(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time_s,ppg,state\n0,1,rest\n0.02,2,rest\n0.04,3,rest\n")
    (found,) = inspect_path(path)
    state = next(channel for channel in found.channels if channel.name == "state")
    assert state.rate_hz is None
    assert "line 2: state is 'rest', want a number" in state.problem


def test_a_folder_lists_each_recording_and_those_that_cannot_be_read(tmp_path) -> None:
    write_trace(tmp_path, "G")
    (tmp_path / "face.mp4").write_bytes(CLIP.read_bytes())
    (tmp_path / "lab.xdf").write_bytes(b"no recording")
    (tmp_path / "notes.md").write_text("# notes")
    found = {one.path.name: one for one in inspect_path(tmp_path)}
    assert found.keys() == {"PPG.csv", "face.mp4", "lab.xdf"}
    assert "the colour G has the best pulse" in found["PPG.csv"].reasons[0]
    assert (found["face.mp4"].width, found["face.mp4"].rate_hz) == (160, 30)
    assert "does not begin like an XDF file" in found["lab.xdf"].problem


def test_intervals_are_a_channel_without_a_sampling_rate(tmp_path) -> None:
    path = tmp_path / "belt_rr.txt"
    path.write_text("\n".join(["800"] * 60 + ["3900"] + ["800"] * 60))
    (found,) = inspect_path(path)
    (channel,) = found.channels
    assert (channel.name, channel.unit, channel.rate_hz, channel.read_as) == (
        "rr",
        "ms",
        None,
        "rr",
    )
    assert channel.missing_share == pytest.approx(3.9 / 99.9, abs=0.005)
    assert "75.0 bpm on average, number of gaps: 1" in found.note


def test_kinds_of_event_are_counted_of_signals_and_videos(tmp_path) -> None:
    write_trace(tmp_path, "G")
    (tmp_path / "face.mp4").write_bytes(CLIP.read_bytes())
    for name in ("PPG", "face"):
        rows = "onset,trial_type\n3,film\n9,question\n12,film\n"
        (tmp_path / f"{name}_events.csv").write_text(rows)
    found = inspect_path(tmp_path)
    assert [one.to_dict()["events"] for one in found] == [{"film": 2, "question": 1}] * 2
    assert all("  events: film (2), question (1)" in inspection_as_text(one) for one in found)
    (tmp_path / "face_events.csv").write_text("onset\nx\n")
    (face,) = inspect_path(tmp_path / "face.mp4")
    assert "events not read: " in inspection_as_text(face)
    assert "line 2: onset is 'x'" in inspection_as_text(face)


def test_what_is_not_known_is_refused_with_what_is(tmp_path) -> None:
    (tmp_path / "a.dat7").write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.dat7 is not known: want videos \(\.mp4"):
        inspect_path(tmp_path / "a.dat7")
    with pytest.raises(InputError, match="has no known file: want videos"):
        inspect_path(tmp_path)
    with pytest.raises(InputError, match="no file"):
        inspect_path(tmp_path / "none.csv")


@pytest.mark.slow
def test_the_verb_prints_text_or_json_and_draws_a_picture(tmp_path) -> None:
    path, picture = write_trace(tmp_path, "R"), tmp_path / "i.png"
    run = CliRunner().invoke(app, ["inspect", str(path), "--out", str(picture)])
    assert run.exit_code == 0, run.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    line = next(text for text in run.stdout.splitlines() if "R *" in text)
    assert line.split()[:6] == ["R", "*", "rppg", "30", "Hz", "40.0"]
    run = CliRunner().invoke(app, ["inspect", str(path), "--json"])
    (facts,) = json.loads(run.stdout.splitlines()[-1])["files"]
    assert [c["read_as"] for c in facts["channels"]] == ["rppg", "", ""]
    assert facts["markers"] == 0
    run = CliRunner().invoke(app, ["inspect", str(CLIP), "--out", str(picture)])
    assert run.exit_code == 2
    assert "--out draws the channels of one signal file" in run.stderr
