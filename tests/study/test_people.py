"""With ``face="all"`` each person in a video has rows, waves and predictions of their own."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import Extraction, extract, extraction_of, fit, predict
from emotion_rppg.cli import app
from emotion_rppg.emotion.subject_baseline import minus_first_minutes
from emotion_rppg.errors import InputError
from emotion_rppg.features.baseline_columns import add_baseline_columns
from emotion_rppg.pulse import people
from emotion_rppg.runtime.tables import read_table
from emotion_rppg.signals import Signal
from emotion_rppg.study import Reading, features_of, waves
from emotion_rppg.study.acquisition import as_recordings
from emotion_rppg.synthesis.cameras import write_video
from tests.pulse.test_people import DARK, LIGHT, RATE, frames

BPM = {LIGHT.bpm, DARK.bpm}
WINDOWS = {"method": "pos", "length_s": 10.0, "step_s": 2.0, "min_quality": 0.0}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 s of two people beside each other, of 66 and 93 beats a minute."""
    path = tmp_path_factory.mktemp("people") / "anna" / "room.mp4"
    path.parent.mkdir()
    return write_video(path, frames([LIGHT, DARK], 14.0), RATE, crf=6)


@pytest.fixture(scope="module")
def table(room: Path) -> pd.DataFrame:
    return extract(room, face="all", **WINDOWS)


def rates(table: pd.DataFrame) -> list[float]:
    return table.groupby("person")["hr_bpm"].median().tolist()


def run(*words: object) -> dict:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_each_person_has_rows_of_their_own(table: pd.DataFrame, tmp_path: Path) -> None:
    from emotion_rppg.runtime.tables import write_table

    assert list(table["person"]) == [1, 1, 1, 2, 2, 2]
    assert list(table).index("person") == list(table).index("trial") + 1
    assert list(table).index("face_x") == list(table).index("person") + 1
    places = table.groupby("person")[["face_x", "face_y"]].agg(["min", "max"])
    assert sorted(places["face_x", "min"]) == sorted(places["face_x", "max"])
    left, right = sorted(places["face_x", "min"])
    assert 0.1 < left < 0.45 < 0.55 < right < 0.9
    assert sorted(rates(table)) == pytest.approx(sorted(BPM), abs=2)
    assert extraction_of(table).face == "all"
    again = read_table(write_table(table, tmp_path / "t.csv"))
    assert list(again["person"]) == list(table["person"])
    assert extraction_of(again) == extraction_of(table)


def test_a_baseline_in_seconds_is_that_of_the_same_person() -> None:
    own = {"dataset": "d", "subject": "s", "session": "1", "trial": "1", "source": "rppg"}
    rows = pd.DataFrame(
        [
            {**own, "method": "pos", "person": person, "start_s": start, "duration_s": 10.0}
            | {"hr_bpm": 50.0 * person + start}
            for person in (1, 2)
            for start in (0.0, 10.0)
        ]
    )
    compared = add_baseline_columns(rows, 10.0, columns=["hr_bpm"])["hr_bpm_vs_baseline"]
    np.testing.assert_array_equal(compared, [np.nan, 10.0, np.nan, 10.0])


def test_what_would_need_the_same_people_in_two_videos_is_refused(table, room) -> None:
    with pytest.raises(InputError, match="people of two videos are not matched"):
        extract(room, face="all", baseline="rest", method="pos")
    with pytest.raises(InputError, match="several people in one video"):
        minus_first_minutes(None, table)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="was given, too: omit one of the two"):
        extract(room, face="all", region="full", method="pos")
    with pytest.raises(InputError, match="face is a number from 1 or 'all'"):
        Extraction(face="both")


@pytest.mark.slow
def test_the_waves_of_all_are_cached_together(room, tmp_path, monkeypatch) -> None:
    options = {**WINDOWS, "face": "all", "cache": tmp_path / "cache"}
    first = extract(room, **options)
    monkeypatch.setattr(people, "track_people", lambda *_, **__: pytest.fail("read again"))
    pd.testing.assert_frame_equal(
        extract(room, **{**options, "step_s": 1.0}).iloc[[0]], first.iloc[[0]]
    )
    pairs = list(waves(room, method="pos", face="all", cache=tmp_path / "cache"))
    assert [recording.trial for recording, _ in pairs] == ["1 person 1", "1 person 2"]
    reading = Reading("pos", face="all")
    for person, (_, wave) in enumerate(pairs, 1):
        rows = features_of(
            as_recordings(room)[0], wave, reading, extraction_of(first), person=person
        )
        own = first[first["person"] == person]
        np.testing.assert_allclose(rows["hr_bpm"], own["hr_bpm"])


def test_a_contact_signal_has_rows_without_a_person(tmp_path) -> None:
    from emotion_rppg.recordings import Recording

    at = np.arange(0, 30, 1 / 50)
    signal = Signal(np.sin(2 * np.pi * at) ** 3, 50.0, kind="bvp")
    rows = extract([Recording("mine", "1", signals={"bvp": signal})], face="all")
    assert "person" not in rows


@pytest.mark.slow
def test_predict_reads_everybody_as_the_training_did(table, room, tmp_path) -> None:
    labels = np.arange(len(table), dtype=float) % 3
    model = fit(
        table.assign(label_state=labels),
        target="state",
        head="ridge",
        coding="as_is",
        probabilities="own",
    )
    found = predict(room, model)
    pd.testing.assert_frame_equal(found, model.predict(table))
    assert list(found["person"]) == list(table["person"])
    model.save(tmp_path / "m")
    printed = run("predict", room, "--model", tmp_path / "m", "--out", tmp_path / "p", "--json")
    assert [one["person"] for one in printed["people"]] == [1, 2]
    names = {path.name for path in (tmp_path / "p").iterdir()}
    assert {f"wave_{n}.{kind}" for n in (1, 2) for kind in ("csv", "png")} <= names
    assert "% from the left, " in (tmp_path / "p" / "report.html").read_text()
    assert "Prediction of person 2" in (tmp_path / "p" / "report.html").read_text()
    one = run(
        "predict", room, "--model", tmp_path / "m", "--face", 2, "--out", tmp_path / "q", "--json"
    )
    assert "people" not in one


@pytest.mark.slow
def test_pulse_writes_one_file_for_each_person(room, tmp_path) -> None:
    out = tmp_path / "wave.csv"
    printed = run("pulse", room, "--method", "pos", "--face", "all", "--out", out, "--json")
    assert [one["person"] for one in printed["people"]] == [1, 2]
    keys = {"hr_bpm", "quality", "face_coverage", "rate_hz", "duration_s", "method"}
    for one in printed["people"]:
        assert set(one) >= keys
        assert one["seen_s"] == pytest.approx([0.0, 14.0], abs=0.2)
        lines = (tmp_path / f"wave_{one['person']}.csv").read_text().splitlines()
        assert lines[0] == "time_s,rppg,quality"
        assert len(lines) == 1 + 280
    assert sorted(one["hr_bpm"] for one in printed["people"]) == pytest.approx(sorted(BPM), abs=2)
    assert not out.exists()
    wrong = CliRunner().invoke(app, ["pulse", str(room), "--face", "both"])
    assert wrong.exit_code == 2
    assert "or all" in " ".join(wrong.output.replace("│", " ").split())
