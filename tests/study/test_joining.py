"""What other programs measured joins by recording and time; where they failed, nothing is used."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import evaluate, fit, predict, read_table
from emotion_rppg.cli import app
from emotion_rppg.emotion.design_matrix import feature_names, matrix, trusted_rows
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.importance import group_of
from emotion_rppg.features import column, describes_recording, kinds_of_columns
from emotion_rppg.features.sources import sources_in
from emotion_rppg.features.trust import summary_of_withheld
from emotion_rppg.formats.face_trackers import read_frames
from emotion_rppg.report.data_dictionary import write_dictionary
from emotion_rppg.runtime.tables import write_table
from emotion_rppg.study.joining import join_outside, read_outside

from ..evaluation.test_evaluation import study

RATE = 10.0
MOMENTS = ("_mean", "_sd")


def openface(seconds: float, smile: float = 1.0, *, first_s: float = 0.0) -> pd.DataFrame:
    """Rows as OpenFace writes them, with more columns than are features."""
    n = round(seconds * RATE)
    wave = np.where(np.arange(n) % 2, 1.0, -1.0)
    return pd.DataFrame(
        {
            "frame": np.arange(1, n + 1),
            "face_id": 0,
            "timestamp": first_s + np.arange(n) / RATE,
            "confidence": 0.98,
            "success": 1,
            "pose_Tx": 5.0,
            "pose_Rx": 0.1,
            "x_0": 300.0,
            "AU12_r": smile + wave,
            "AU12_c": 1.0,
        }
    )


def write(table: pd.DataFrame, path: Path) -> Path:
    """Write a CSV file with a blank after each comma, as OpenFace does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table.to_csv(index=False).replace(",", ", "))
    return path


@pytest.fixture
def table() -> pd.DataFrame:
    """Four people, two trials each, windows at 0, 30 and 60 s of 60 s."""
    return study(4, trials=2)


def files_of(table: pd.DataFrame, folder: Path, *, effect: float = 1.0) -> Path:
    """One file per recording, SUBJECT_TRIAL.csv, whose smile follows the rating."""
    for (subject, trial), rows in table.groupby(["subject", "trial"]):
        smile = effect * float(rows["label_arousal"].iloc[0])
        write(openface(120, smile), folder / f"{subject}_{trial}.csv")
    return folder


# ---- windows -------------------------------------------------------------------------------------


def test_a_window_has_mean_and_sd_of_its_own_seconds(table, tmp_path) -> None:
    one = table.iloc[:3]
    frames = openface(120)
    frames["AU12_r"] = frames["timestamp"]  # a ramp: the mean is the middle of the window
    joined = join_outside(one, read_outside(write(frames, tmp_path / "of.csv")))
    np.testing.assert_allclose(joined["joined_openface_au12_r_mean"], [29.95, 59.95, 89.95])
    sd = np.arange(600).std(ddof=1) / RATE
    np.testing.assert_allclose(joined["joined_openface_au12_r_sd"], sd)
    assert (joined["joined_openface_quality"] == 1).all()
    assert (joined["joined_openface_reason"] == "ok").all()
    pd.testing.assert_frame_equal(joined[one.columns], one)
    added = {c for c in joined if c not in one}
    stems = ("au12_r", "au12_c", "pose_rx")
    assert added == {
        *(f"joined_openface_{s}_{m}" for s in stems for m in ("mean", "sd")),
        *("joined_openface_quality", "joined_openface_reason"),
    }


def test_frames_without_a_face_do_not_count_and_too_few_withhold_the_window(
    table, tmp_path
) -> None:
    frames = openface(120)
    lost = frames["timestamp"].between(0, 39.9) | frames["timestamp"].between(60, 74.9)
    frames.loc[lost, ["success", "AU12_r"]] = [0, 99.0]
    joined = join_outside(table.iloc[:3], read_outside(write(frames, tmp_path / "of.csv")))
    np.testing.assert_allclose(
        joined["joined_openface_quality"], [1 / 3, 35 / 60, 45 / 60], atol=1e-6
    )
    mean = joined["joined_openface_au12_r_mean"]
    assert np.isnan(mean[0])
    np.testing.assert_allclose(mean[1:], 1.0)
    assert joined["joined_openface_reason"].tolist() == [
        "no face found: 33% of the window has values, at least 50% is wanted",
        "ok",
        "ok",
    ]
    said = summary_of_withheld(joined.assign(reason="ok"))
    assert "1 of 3 windows: openface: no face found" in said


def test_windows_outside_the_file_are_missing_with_a_reason(table, tmp_path) -> None:
    short = join_outside(table.iloc[:3], read_outside(write(openface(60), tmp_path / "of.csv")))
    assert short["joined_openface_reason"].tolist() == [
        "ok",
        "ok",
        "no rows in the window: 0% of the window has values, at least 50% is wanted",
    ]
    folder = files_of(table[table["subject"] != "s3"], tmp_path / "all")
    joined = join_outside(table, read_outside(folder))
    alone = joined["subject"] == "s3"
    assert (joined.loc[alone, "joined_openface_reason"] == "no file of this recording").all()
    assert joined.loc[alone, "joined_openface_au12_r_mean"].isna().all()
    assert (joined.loc[~alone, "joined_openface_reason"] == "ok").all()


@pytest.mark.parametrize("name", ["s1/1", "s1/1/1", "s1_1", "s1_1_1", "deep/down/s1_1"])
def test_the_name_of_a_file_names_its_recording(table, tmp_path, name) -> None:
    write(openface(120), tmp_path / f"{name}.csv")
    joined = join_outside(table, read_outside(tmp_path))
    own = (joined["subject"] == "s1") & (joined["trial"] == "1")
    assert (joined["joined_openface_au12_r_mean"].notna() == own).all()


def test_columns_of_the_file_name_its_recordings(table, tmp_path) -> None:
    parts = [
        openface(120, k).assign(subject=s, trial=t)
        for k, (s, t) in enumerate((("s0", "0"), ("s0", "1"), ("s2", "1")))
    ]
    joined = join_outside(
        table,
        read_outside(write(pd.concat(parts).sample(frac=1, random_state=0), tmp_path / "a.csv")),
    )
    mean = joined.groupby(["subject", "trial"])["joined_openface_au12_r_mean"].first()
    assert mean.dropna().to_dict() == pytest.approx(
        {("s0", "0"): 0.0, ("s0", "1"): 1.0, ("s2", "1"): 2.0}
    )


# ---- files ---------------------------------------------------------------------------------------


def test_pyfeat_needs_a_frame_rate(tmp_path) -> None:
    frames = pd.DataFrame({"frame": np.arange(90), "FaceScore": 0.9, "AU01": 0.5, "Pitch": 3.0})
    frames = frames.assign(anger=0.1, x_0=200.0, input="film.mp4")
    frames.loc[10, ["AU01", "Pitch", "anger"]] = np.nan
    path = write(frames, tmp_path / "film.csv")
    with pytest.raises(
        InputError, match=r"frame numbers \('frame'\) and no times: give the frames"
    ):
        read_outside(path)
    read = read_frames(path, rate_hz=30.0)
    assert read.source == "pyfeat"
    assert list(read.values) == ["AU01", "Pitch", "anger"]
    np.testing.assert_allclose(read.times_s[:2], [0, 1 / 30])
    assert read.values.iloc[10].isna().all()
    with pytest.raises(InputError, match="the frame rate is 0: want frames per second"):
        read_frames(path, rate_hz=0.0)


def test_libreface_and_other_files_are_read(tmp_path) -> None:
    libre = pd.DataFrame({"frame_idx": [0, 1], "frame_time_in_ms": [0.0, 33.0], "pitch": 1.0})
    libre = libre.assign(au_1=1, au_12_intensity=2.5, facial_expression="Neutral", lm_0_x=3.0)
    read = read_frames(write(libre, tmp_path / "l.csv"))
    assert (read.source, list(read.values)) == ("libreface", ["pitch", "au_1", "au_12_intensity"])
    np.testing.assert_allclose(read.times_s, [0, 0.033])
    own = pd.DataFrame({"time_s": [0.0, 0.1], "Gaze X": [1.0, 2.0], "note": "a"})
    read = read_frames(write(own, tmp_path / "Eye-Tracker.csv"))
    assert (read.source, list(read.values)) == ("eyetracker", ["Gaze X"])
    assert read_outside(tmp_path / "l.csv", name="face").name == "face"


def test_all_faults_of_the_files_are_listed_before_work(table, tmp_path) -> None:
    twice = pd.concat([openface(5), openface(5).assign(face_id=1)])
    write(twice, tmp_path / "x" / "two.csv")
    write(pd.DataFrame({"a": ["b"]}), tmp_path / "x" / "none.csv")
    write(openface(5).assign(AU12_r="high"), tmp_path / "x" / "text.csv")
    (tmp_path / "x" / "empty.csv").write_text("")
    with pytest.raises(InputError) as refused:
        read_outside(tmp_path / "x")
    message = str(refused.value)
    assert "two.csv: 50 rows repeat the time of another row (first: 0 s)" in message
    assert "none.csv: it has no time: want a column time_s" in message
    assert "it has no column with numbers that could be a feature" in message
    assert "text.csv: text where numbers are expected in AU12_r" in message
    assert "empty.csv is not a CSV file that can be read" in message
    path = write(openface(5), tmp_path / "of.csv")
    with pytest.raises(InputError, match="name is 'Face_1': want lower-case letters and digits"):
        read_outside(path, name="Face_1")
    with pytest.raises(InputError, match="'eda' is that of a signal"):
        read_outside(path, name="eda")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="has no CSV file"):
        read_outside(tmp_path / "nothing")


def test_a_join_that_cannot_be_right_is_refused(table, tmp_path) -> None:
    with pytest.raises(InputError, match=r"of\.csv belongs to no recording of the table: name it"):
        join_outside(table, read_outside(write(openface(120), tmp_path / "of.csv")))
    by_person = write(openface(120).assign(subject="s1"), tmp_path / "p.csv")
    with pytest.raises(InputError, match=r"belongs to 2 recordings of the table: name its trial"):
        join_outside(table, read_outside(by_person))
    for name in ("s1_1", "s1/1"):
        write(openface(120), tmp_path / "d" / f"{name}.csv")
    with pytest.raises(InputError, match="a second file of s1/1/1"):
        join_outside(table, read_outside(tmp_path / "d"))
    late = read_outside(write(openface(60, first_s=1e6), tmp_path / "late.csv"))
    with pytest.raises(InputError, match=r"none of its times \(1000000.0 to .* lies in a window"):
        join_outside(table.iloc[:3], late)
    one = read_outside(write(openface(120), tmp_path / "one.csv"))
    joined = join_outside(table.iloc[:3], one)
    with pytest.raises(InputError, match="has columns joined_openface_… already"):
        join_outside(joined, one)


# ---- a source like any other ---------------------------------------------------------------------


def test_joined_columns_are_a_source_of_features(table, tmp_path) -> None:
    joined = join_outside(table, read_outside(files_of(table, tmp_path / "f")))
    name = "joined_openface_au12_r_mean"
    assert kinds_of_columns([name]) == ("openface",)
    assert name in feature_names(joined)
    assert describes_recording("joined_openface_quality")
    assert column("joined_") is column("joined_x") is column("joined_openface_reason") is None
    assert group_of(name) == "openface"
    assert sources_in(joined) == {"bvp": "pulse", "openface": "openface"}
    joined.loc[0, [c for c in joined if c.startswith("joined_openface_au")]] = np.nan
    joined.loc[0, [c for c in joined if c.startswith("joined_openface_pose")]] = np.nan
    usable = trusted_rows(joined, matrix(joined))
    assert not usable[0]
    assert usable[1:].all()
    text = write_dictionary(joined, tmp_path / "t.columns.md").read_text(encoding="utf-8")
    assert f"| {name} |  | mean over the window of the column au12_r of openface" in text
    assert "| joined_openface_reason | | ok where the joined file has values" in text


def test_a_model_on_joined_columns_predicts_from_joined_tables_only(table, tmp_path) -> None:
    joined = join_outside(table, read_outside(files_of(table, tmp_path / "f")))
    model = fit(joined, target="arousal", head="logistic")
    assert (predict(joined, model)["reason"] == "ok").all()
    lost = joined.assign(reason="ok")
    lost.loc[0, [c for c in lost if c.startswith("joined_") and c.endswith(MOMENTS)]] = np.nan
    lost.loc[0, "joined_openface_reason"] = "no face found: 3%"
    predicted = predict(lost, model)
    assert predicted["reason"].iloc[0] == "openface: no face found: 3%"
    assert (predicted["reason"].iloc[1:] == "ok").all()
    assert "trusted openface" in model.card()
    with pytest.raises(InputError, match="joined_openface_"):
        predict(table, model)


@pytest.mark.slow
def test_evaluate_compares_a_joined_source_by_name(tmp_path) -> None:
    table = study(8, trials=4)
    write_table(table, tmp_path / "t.csv")
    folder = files_of(table, tmp_path / "faces")
    words = f"evaluate --table {tmp_path / 't.csv'} --target arousal --heads logistic --out "
    words += f"{tmp_path / 'e'} --permutations 0 --probabilities own --split subject_folds"
    join = ["--join", f"smile={folder}"]
    done = CliRunner().invoke(app, [*words.split(), *join, "--sources", "bvp,smile"])
    assert done.exit_code == 0, done.output
    assert "early fusion: adding smile to bvp raised balanced accuracy by" in done.output
    run = json.loads((tmp_path / "e" / "run.json").read_text(encoding="utf-8"))
    assert "smile=" in json.dumps(run)
    assert "faces" in json.dumps(run["inputs"])
    done = CliRunner().invoke(app, [*words.split(), *join, "--sources", "bvp,eda"])
    assert done.exit_code == 2
    assert "--join smile is not in --sources bvp,eda: add it there" in done.output
    done = CliRunner().invoke(app, [*words.split(), *join, *join])
    assert done.exit_code == 2
    assert "'smile' is joined already" in done.output
    done = CliRunner().invoke(app, [*words.split(), "--join-rate", "30"])
    assert "--join-rate without --join" in done.output
    results = evaluate(
        join_outside(table, read_outside(folder)),
        target="arousal",
        heads="logistic",
        permutations=0,
        split="subject_folds",
    )
    assert results.scores.set_index("head").loc["logistic", "balanced_accuracy"].mean() > 0.9


def test_features_writes_a_table_with_the_joined_columns(tmp_path) -> None:
    times = np.arange(0, 70, 1 / 64)
    wave = pd.DataFrame({"time_s": times, "bvp": np.sin(2 * np.pi * 1.2 * times)})
    (tmp_path / "study").mkdir()
    wave.to_csv(tmp_path / "study" / "one.csv", index=False)
    face = write(openface(70), tmp_path / "of.csv")
    words = ["features", str(tmp_path / "study"), "--out", str(tmp_path / "t.csv"), "--join"]
    done = CliRunner().invoke(app, [*words, str(face)])
    assert done.exit_code == 0, done.output
    found = read_table(tmp_path / "t.csv")
    np.testing.assert_allclose(found["joined_openface_au12_r_mean"], 1.0)
    stranger = write(openface(70).assign(subject="nobody"), tmp_path / "no.csv")
    done = CliRunner().invoke(app, [*words, str(stranger)])
    assert done.exit_code == 2
    assert "belongs to no recording" in done.output
