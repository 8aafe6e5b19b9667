"""The file of corrected beats beside a recording: how it is checked, and what uses it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import extract, extraction_of, fit, predict
from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.edits import Edit
from emotion_rppg.features.trust import beats_of
from emotion_rppg.report.data_dictionary import write_dictionary
from emotion_rppg.report.figures import FigureOptions, tachogram
from emotion_rppg.report.sections.people import _edits
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.provenance import identity
from emotion_rppg.study import Reading, as_recordings, beats_like, read_people_like
from emotion_rppg.study.beats_file import (
    BeatsFile,
    WaveEdits,
    WaveIdentity,
    beats_path,
    read_beats_file,
    write_beats_file,
)
from emotion_rppg.study.corrections import beats_with_edits, edits_in_words, summary_of_edits
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp

HOW = {"length_s": 20.0, "step_s": 10.0}
WHEN = "2026-01-05T10:00:00+00:00"


@pytest.fixture
def wave_file(tmp_path) -> Path:
    """40 s of a finger pulse as a CSV in a folder of its own."""
    path = tmp_path / "study" / "walk.csv"
    path.parent.mkdir()
    wave = bvp(heart(Person(3), 5, 5, 40.0), rate_hz=32.0)
    pd.DataFrame({"time_s": wave.times_s, "bvp": wave.samples}).to_csv(path, index=False)
    return path


def detected(path: Path) -> np.ndarray:
    (recording,) = as_recordings(path)
    return beats_of(recording.read_pulse("bvp")).times_s


def correct(path: Path, *edits: Edit, **changes) -> Path:
    """Write the file of corrected beats of a recording."""
    (recording,) = as_recordings(path)
    wave = WaveIdentity.of(recording, Reading())
    given = WaveEdits(wave, 32.0, 1280, detected(path), tuple(edits))
    content = BeatsFile(identity(path), (replace(given, **changes),))
    return write_beats_file(beats_path(path), content)


def deleted(time_s: float, who: str = "AB") -> Edit:
    return Edit("delete", float(time_s), who=who, when=WHEN, why="a movement")


def noise(a: float, b: float) -> Edit:
    return Edit("noise", a, b, who="AB", when=WHEN)


# ---- the file ------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_was_written(wave_file) -> None:
    edits = (deleted(detected(wave_file)[5]), noise(1.0, 2.25), Edit("move", 3, 3.1, "Ä", WHEN))
    back = read_beats_file(correct(wave_file, *edits))
    assert back.is_of(wave_file)
    (wave,) = back.waves
    assert wave.wave == WaveIdentity("bvp")
    assert wave.same_detection(detected(wave_file))
    assert wave.edits[1:] == edits[1:]
    assert wave.edits[0].time_s == pytest.approx(edits[0].time_s, abs=1e-4)
    other = replace(wave, wave=WaveIdentity("ecg"), edits=())
    both = back.with_edits(other)
    assert len(both.waves) == 2
    assert both.of(WaveIdentity("bvp")) is wave
    assert len(both.with_edits(other).waves) == 2


def changed(content: dict, where: tuple, value: object) -> dict:
    inner = content
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    return content


WAVE = ("waves", 0)
DAMAGE = {
    "another format": (("format",), "x", "its format is 'x'"),
    "a later version": (("version",), 2, "its version is 2, this program reads version 1"),
    "unknown name": (("colour",), 1, "unknown: 'colour'"),
    "waves": (("waves",), {}, "waves is {}, want a list"),
    "identity": (("recording",), {"bytes": None}, "recording is"),
    "unknown name in a wave": ((*WAVE, "x"), 1, r"waves\[0\] does not have the right names"),
    "half a character": ((*WAVE, "wave", "method"), "\ud800", r"wave.method is"),
    "kind": ((*WAVE, "wave", "kind"), 3, r"waves\[0\].wave.kind is 3"),
    "segment": ((*WAVE, "wave", "start_s"), float("inf"), r"wave.start_s is inf"),
    "face": ((*WAVE, "wave", "face"), True, r"wave.face is True"),
    "rate": ((*WAVE, "rate_hz"), float("inf"), r"rate_hz is inf"),
    "samples": ((*WAVE, "samples"), 2.5, r"samples is 2.5"),
    "nan": ((*WAVE, "detected", "times_s"), [1.0, float("nan")], "times_s has nan"),
    "none": ((*WAVE, "detected", "times_s"), [None], "times_s has None"),
    "order": ((*WAVE, "detected", "times_s"), [2.0, 1.0], "times_s do not increase"),
    "other times": ((*WAVE, "detected", "times_s"), [1.0, 2.0], "do not have the stored hash"),
    "action": ((*WAVE, "edits", 0, "action"), "eat", r"edits\[0\]: .*unknown action 'eat'"),
    "unknown name in an edit": ((*WAVE, "edits", 0, "x"), 1, r"edits\[0\] does not have"),
    "no author": ((*WAVE, "edits", 0, "who"), None, r"edits\[0\]: .*who is"),
    "an edit": ((*WAVE, "edits", 0), 7, r"edits\[0\] is 7, want an object"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused_in_one_sentence(wave_file, name) -> None:
    where, value, message = DAMAGE[name]
    path = correct(wave_file, deleted(detected(wave_file)[5]))
    content = changed(json.loads(path.read_text()), where, value)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as error:
        read_beats_file(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="cannot be used as corrected beats"):
        extract(wave_file, **HOW)
    assert len(extract(wave_file, **HOW, edits=False)) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\x00"])
def test_a_file_that_is_no_record_is_refused(wave_file, text) -> None:
    beats_path(wave_file).write_text(text)
    with pytest.raises(InputError, match=r"walk\.csv\.beats\.json"):
        read_beats_file(beats_path(wave_file))


def test_a_file_with_the_same_wave_twice_is_refused(wave_file) -> None:
    path = correct(wave_file)
    content = json.loads(path.read_text())
    content["waves"] *= 2
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="two of its waves are the same"):
        read_beats_file(path)


# ---- what uses it --------------------------------------------------------------------------------


def test_features_use_the_edits_and_say_so(wave_file) -> None:
    before = wave_file.read_bytes()
    plain = extract(wave_file, **HOW)
    assert "edited_beats" not in plain
    at = detected(wave_file)
    second = next(t for t in at if t > 25)
    correct(wave_file, deleted(at[5]), deleted(second, "CD"), noise(32.0, 34.0))
    table = extract(wave_file, **HOW)
    assert extraction_of(table).edits is True
    assert table["edited_beats"].tolist() == [1, 1, 1]
    assert table["edited_noise_s"].tolist() == [0, 0, 2]
    assert table["edited_by"].tolist() == ["AB", "CD", "AB; CD"]
    assert (table["n_beats"] < plain["n_beats"]).all()
    assert table["coverage"][2] < plain["coverage"][2] - 0.05
    ignored = extract(wave_file, **HOW, edits=False)
    pd.testing.assert_frame_equal(ignored, plain)
    assert extraction_of(ignored).edits is False
    assert wave_file.read_bytes() == before
    words = edits_in_words(table)
    assert "3 of 3 windows, 1 recording (3 beats" in words
    assert "by AB, CD" in words
    assert _edits(table)[0].startswith("Beats corrected by hand in 3 of 3")
    assert _edits(plain) == []


def test_a_figure_of_the_intervals_uses_the_edits_and_says_so(wave_file) -> None:
    def shown() -> tuple[int, str]:
        figure, caption = tachogram(wave_file, FigureOptions(), 85)
        intervals = figure.axes[0].lines[0].get_ydata()
        return int(np.isfinite(intervals).sum()), caption

    before, caption = shown()
    assert "corrected by a person" not in caption
    correct(wave_file, noise(10.0, 25.0))
    after, caption = shown()
    assert "Beats were corrected by a person" in caption
    assert after < before - 10


def test_recordings_without_edits_have_none_in_a_common_table(wave_file, tmp_path) -> None:
    other = wave_file.with_name("rest.csv")
    other.write_bytes(wave_file.read_bytes())
    correct(wave_file, deleted(detected(wave_file)[5]))
    table = extract(wave_file.parent, **HOW)
    assert len(table) == 6  # the file of edits is no recording
    rest = table[table["subject"] == "rest"]
    assert (rest["edited_beats"] == 0).all()
    assert (rest["edited_by"] == "").all()
    text = write_dictionary(table, tmp_path / "t.columns.md").read_text()
    assert "| edited_beats | | number of beats that a person" in text


def test_the_cache_notices_edits(wave_file, tmp_path) -> None:
    store = Cache(tmp_path / "cache")
    assert "edited_beats" not in extract(wave_file, **HOW, cache=store)
    at = detected(wave_file)
    correct(wave_file, deleted(at[5]))
    assert extract(wave_file, **HOW, cache=store)["edited_beats"].sum() == 1
    correct(wave_file, deleted(at[5]), deleted(at[8]))
    assert extract(wave_file, **HOW, cache=store)["edited_beats"].sum() == 2
    assert "edited_beats" not in extract(wave_file, **HOW, cache=store, edits=False)


def test_a_changed_recording_is_refused(wave_file) -> None:
    correct(wave_file, deleted(detected(wave_file)[5]))
    lines = wave_file.read_text().splitlines()
    wave_file.write_text("\n".join(lines[:-3]))
    with pytest.raises(InputError, match=r"another recording than the present walk\.csv"):
        extract(wave_file, **HOW)


def test_edits_of_a_changed_detection_are_used_only_if_they_all_apply(wave_file, caplog) -> None:
    at = detected(wave_file)
    old = np.delete(at, 20)
    correct(wave_file, deleted(at[5]), detected_s=old)
    table = extract(wave_file, **HOW)
    assert table["edited_beats"].sum() == 1
    assert "detected anew since they were corrected; all 1 edits still apply" in caplog.text
    middle = float(at[9:11].mean())  # where the old detection had a beat
    correct(wave_file, deleted(at[5]), deleted(middle), detected_s=np.sort(np.r_[old, middle]))
    with pytest.raises(InputError, match=r"detected anew since.*1 edit does not apply: delete"):
        extract(wave_file, **HOW)


def test_edits_of_another_wave_are_not_used_and_the_end_of_the_output_says_so(wave_file) -> None:
    correct(wave_file, deleted(detected(wave_file)[5]), wave=WaveIdentity("bvp", channel="b"))
    table = extract(wave_file, **HOW)
    assert "edited_beats" not in table
    (line,) = summary_of_edits(table, as_recordings(wave_file), Reading())
    assert "walk.csv.beats.json has corrections of other waves" in line


def test_a_trial_of_a_study_has_edits_of_its_own_segment(wave_file) -> None:
    rows = "subject,trial,signal,start_s,end_s\n1,a,walk.csv,,20\n1,b,walk.csv,15,40\n"
    (wave_file.parent / "manifest.csv").write_text(rows)
    first, second = as_recordings(wave_file.parent)
    mine = WaveIdentity.of(second, Reading())
    assert mine == WaveIdentity("bvp", start_s=15, end_s=40)
    pulse = second.read_pulse("bvp")
    at = beats_of(pulse).times_s
    content = BeatsFile(identity(wave_file), (WaveEdits(mine, 32.0, 800, at, (deleted(at[4]),)),))
    write_beats_file(beats_path(wave_file), content)
    assert beats_with_edits(second, pulse, Reading()).corrected is not None
    assert beats_with_edits(first, first.read_pulse("bvp"), Reading()).corrected is None


def test_predict_uses_the_edits_as_features_does(wave_file) -> None:
    table = extract(wave_file, **HOW)
    labels = {"label_state": np.arange(len(table), dtype=float)}
    model = fit(
        table.assign(**labels), target="state", head="ridge", coding="as_is", probabilities="own"
    )
    plain = predict(wave_file, model)
    correct(wave_file, *(deleted(t) for t in detected(wave_file)[5:9]))
    expected = model.predict(extract(wave_file, **HOW))
    pd.testing.assert_frame_equal(predict(wave_file, model), expected)
    assert predict(wave_file, model)["edited_by"].tolist() == ["AB", "", ""]
    pd.testing.assert_frame_equal(predict(wave_file, model, edits=False), plain)
    (recording,) = as_recordings(wave_file)
    _, waves = read_people_like(model, recording)
    (own,) = beats_like(model, recording, waves)
    assert len(own.corrected.applied) == 4


def test_the_report_of_a_prediction_shows_the_corrected_beats(wave_file, tmp_path) -> None:
    table = extract(wave_file, **HOW)
    labelled = table.assign(label_state=np.arange(len(table), dtype=float))
    model = fit(labelled, target="state", head="ridge", coding="as_is", probabilities="own")
    model.save(tmp_path / "m")
    at = detected(wave_file)
    moved = Edit("move", float(at[8]), float(at[8]) + 0.02, who="AB", when=WHEN)
    correct(wave_file, moved, *(deleted(t) for t in at[10:14]))
    out, command = tmp_path / "out", ["predict", str(wave_file), "--model", str(tmp_path / "m")]
    run = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "Beats corrected by hand: 5 edits by AB" in run.output
    report = (out / "report.html").read_text()
    assert "corrected by hand (squares: placed by a person)" in report
    assert "edited_by" in (out / "prediction.csv").read_text().splitlines()[0]
    run = CliRunner().invoke(app, [*command, "--out", str(out), "--no-edits"])
    assert "by hand" not in run.output + (out / "report.html").read_text()


def test_pulse_and_features_say_that_beats_were_corrected(wave_file, tmp_path) -> None:
    correct(wave_file, deleted(detected(wave_file)[5]), noise(30, 32))
    run = CliRunner().invoke(app, ["pulse", str(wave_file)])
    assert "beats corrected by hand: 2 edits by AB" in run.output
    run = CliRunner().invoke(app, ["pulse", str(wave_file), "--no-edits"])
    assert "corrected" not in run.output
    out = tmp_path / "t.csv"
    command = ["features", str(wave_file), "--out", str(out), "--length", "20", "--step", "10"]
    run = CliRunner().invoke(app, command)
    assert "beats corrected by hand in 2 of 3 windows" in run.output
    assert "edited_by" in out.read_text()
    run = CliRunner().invoke(app, [*command, "--no-edits"])
    assert "corrected" not in run.output
    assert "edited_by" not in out.read_text()
