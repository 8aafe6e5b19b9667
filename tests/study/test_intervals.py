"""A study of intervals without a wave: files and folders, manifest, windows, model, prediction."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import Beats, Recording, extract, fit, load, predict
from emotion_rppg.cli import app
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import extraction_of
from emotion_rppg.runtime.tables import read_table
from emotion_rppg.study import waves
from emotion_rppg.study.replay import read_people_like, recordings_like
from emotion_rppg.windows import OK


def ibi(bpm: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Intervals of a heart, ms, rounded to 1 ms as by a chest belt."""
    n = round(seconds * bpm / 60)
    draw, usual = np.random.default_rng(seed), 60e3 / bpm
    breath = np.sin(2 * np.pi * np.arange(n) / 5)
    return np.round(usual * (1 + 0.04 * breath + draw.normal(0, 0.01, n)))


def write_list(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(f"{value:g}" for value in values) + "\n")
    return path


def write_wave(path: Path, bpm: float, seconds: float = 40.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(0, seconds, 1 / 32)
    wave = np.cos(2 * np.pi * bpm / 60 * t) + 0.3 * np.cos(4 * np.pi * bpm / 60 * t)
    pd.DataFrame({"time_s": t.round(5), "bvp": wave.round(4)}).to_csv(path, index=False)
    return path


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


# ---- from the file to the table ----------------------------------------------------------------


@pytest.mark.slow
def test_a_belt_gives_a_table_by_the_first_command(tmp_path) -> None:
    values = ibi(66, 122)
    assert 120 < values.sum() / 1e3 < 130
    belt = write_list(tmp_path / "belt.txt", values)
    run("features", belt, "--out", tmp_path / "t.csv")
    run("features", belt, "--source", "rr", "--out", tmp_path / "same.csv")
    table = read_table(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(table, read_table(tmp_path / "same.csv"), check_like=True)
    assert table["start_s"].tolist() == [0.0, 30.0, 60.0]
    assert set(table["source"]) == {"rr"}
    assert set(table["reason"]) == {OK}
    assert table["quality"].tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(table["hr_bpm"], 66, rtol=0.02)
    first = values[np.cumsum(values) <= 60e3]
    expected = np.sqrt(np.mean(np.diff(first) ** 2))
    assert table["rmssd_ms"][0] == pytest.approx(expected, rel=1e-6)


def test_a_list_without_a_name_is_read_on_request(tmp_path) -> None:
    path = write_list(tmp_path / "2024-04-25.txt", ibi(66, 70))
    result = CliRunner().invoke(app, ["features", str(path), "--out", str(tmp_path / "t.csv")])
    assert result.exit_code == 2
    assert "add --source rr" in result.output
    assert len(extract(path, source="rr", families=["hrv"])) == 1


def test_a_window_of_gaps_is_withheld_with_its_reason() -> None:
    values = ibi(60, 180)
    values[70:100] = 9e3 / 30  # 9 s
    off = Beats.from_intervals(np.r_[values[:60], 55_000.0, values[100:]])
    table = extract([Recording("d", "1", signals={"rr": off})], step_s=60, families=["hrv"])
    assert table["reason"][0] == OK
    assert table["reason"][1].startswith("too few accepted intervals: quality 0.0")
    assert np.isnan(table["hr_bpm"][1])
    assert table["coverage"][1] < 0.1


def test_shapes_of_the_pulse_are_withheld_without_a_wave(tmp_path) -> None:
    path = write_list(tmp_path / "rr.txt", ibi(66, 70))
    table = extract(path, families=["hrv", "morphology", "sequence"])
    assert table["hr_bpm"].notna().all()
    from emotion_rppg.features.morphology import COLUMNS

    shapes = [name for name, column in COLUMNS.items() if column.needs_shape]
    assert shapes
    assert table[shapes].isna().all().all()


@pytest.mark.slow
def test_a_wave_is_read_before_intervals_unless_asked() -> None:
    from emotion_rppg.signals import Signal

    t = np.arange(0, 60, 1 / 64)
    signals = {
        "rr": Beats.from_intervals(ibi(90, 60)),
        "bvp": Signal(np.cos(2 * np.pi * t) + 0.3 * np.cos(4 * np.pi * t), 64, kind="bvp"),
    }
    recording = Recording("d", "1", signals=signals)
    by = {source: extract([recording], source=source).iloc[0] for source in ("auto", "bvp", "rr")}
    assert {source: row["source"] for source, row in by.items()} == {
        "auto": "bvp",
        "bvp": "bvp",
        "rr": "rr",
    }
    assert by["auto"]["hr_bpm"] == pytest.approx(60, abs=1)
    assert by["rr"]["hr_bpm"] == pytest.approx(90, abs=2)


def test_reading_intervals_as_a_wave_is_an_error_that_says_what_reads_them(caplog) -> None:
    recording = Recording("d", "1", signals={"rr": Beats.from_intervals(ibi(90, 60))})
    with pytest.raises(InputError, match="intervals between beats, no wave: `features`"):
        recording.read("rr")
    assert isinstance(recording.read_pulse("rr"), Beats)
    assert list(waves([recording])) == []
    assert "1 recordings have intervals between beats and no wave" in caplog.text


# ---- folders and manifests ---------------------------------------------------------------------


def test_a_folder_of_intervals_is_read_as_such(tmp_path) -> None:
    for subject, bpm in (("anna", 60), ("ben", 80)):
        write_list(tmp_path / subject / "rr.txt", ibi(bpm, 70))
    (tmp_path / "anna" / "notes.txt").write_text("a calm day\n")
    table = extract(tmp_path, families=["hrv"])
    assert table["subject"].tolist() == ["anna", "ben"]
    np.testing.assert_allclose(table["hr_bpm"], [60, 80], rtol=0.03)


def test_intervals_beside_a_wave_are_no_second_recording(tmp_path, caplog) -> None:
    write_wave(tmp_path / "anna" / "finger.csv", 70)
    write_list(tmp_path / "anna" / "belt_rr.txt", ibi(70, 70))
    write_list(tmp_path / "ben" / "belt_rr.txt", ibi(80, 70))
    write_list(tmp_path / "ben" / "2024-04-25.txt", ibi(85, 70))
    (tmp_path / "ben" / "ratings.csv").write_text("trial,arousal\n1,3\n2,7\n")
    assert [(r.subject, r.trial, *r.signals) for r in Folder(tmp_path)] == [
        ("anna", "finger", "bvp"),
        ("ben", "belt_rr", "rr"),
    ]
    assert "1 files of intervals are in the folder of a wave" in caplog.text
    assert [(r.subject, r.trial, *r.signals) for r in Folder(tmp_path, kind="rr")] == [
        ("anna", "belt_rr", "rr"),
        ("ben", "2024-04-25", "rr"),
        ("ben", "belt_rr", "rr"),
    ]


def test_a_broken_list_in_a_folder_is_a_failure_with_its_reason(tmp_path) -> None:
    write_list(tmp_path / "anna" / "rr.txt", ibi(60, 70))
    write_list(tmp_path / "ben" / "rr.txt", np.full(9, 72.0))
    for source in ("auto", "rr"):
        failures = extract(tmp_path, source=source, families=["hrv"]).attrs["failures"]
        assert [f["recording"].split("/")[1] for f in failures] == ["ben"]
        assert "are these heart rates?" in failures[0]["reason"]


def test_a_manifest_names_a_list_and_a_part_of_it(tmp_path) -> None:
    slow, fast = ibi(60, 100), ibi(90, 100)
    write_list(tmp_path / "belt.txt", np.r_[slow, fast])
    (tmp_path / "manifest.csv").write_text(
        "subject,trial,signal,start_s,end_s\n1,rest,belt.txt,,100\n1,run,belt.txt,105,\n"
    )
    table = extract(tmp_path, source="rr", length_s=None, families=["hrv"])
    assert table["trial"].tolist() == ["rest", "run"]
    np.testing.assert_allclose(table["hr_bpm"], [60, 90], rtol=0.02)
    np.testing.assert_allclose(table["start_s"], 0, atol=1e-6)
    np.testing.assert_allclose(table["duration_s"], [100, 95], atol=1.5)


def write_e4(folder: Path) -> Path:
    folder.mkdir(parents=True)
    start, t = 1560279825.0, np.arange(0, 120, 1 / 64)
    wave = np.cos(2 * np.pi * t) + 0.3 * np.cos(4 * np.pi * t)
    body = "\n".join(f"{value:.3f}" for value in wave)
    (folder / "BVP.csv").write_text(f"{start:.6f}\n64.000000\n{body}\n")
    values = np.round(64 * ibi(90, 60) / 1e3) / 64
    ends = 20 + np.cumsum(values)
    rows = "\n".join(f"{end:.6f},{value:.6f}" for end, value in zip(ends, values, strict=True))
    (folder / "IBI.csv").write_text(f"{start + 2:.6f}, IBI\n{rows}\n")
    return folder


def test_the_intervals_of_an_e4_are_a_source_of_their_own(tmp_path) -> None:
    session = write_e4(tmp_path / "A01")
    by_wave = extract(session, families=["hrv"])
    by_list = extract(session, source="rr", families=["hrv"])
    assert set(by_wave["source"]) == {"bvp"}
    assert by_wave["hr_bpm"].median() == pytest.approx(60, abs=1)
    assert set(by_list["source"]) == {"rr"}
    assert by_list["hr_bpm"].dropna().median() == pytest.approx(90, abs=2)
    assert by_list["start_s"].iloc[0] == 0.0  # on the clock of the pulse: 22 s before the first
    assert by_list["coverage"].iloc[0] == pytest.approx(38 / 60, abs=0.03)


# ---- models ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    recordings = [
        Recording(
            "belts",
            str(person),
            trial=label,
            labels={"arousal": value},
            scales={"arousal": (1, 9)},
            signals={"rr": Beats.from_intervals(ibi(bpm + person, 70, seed=person))},
        )
        for person in range(8)
        for label, value, bpm in (("calm", 2.0, 58), ("run", 8.0, 95))
    ]
    return extract(recordings, families=["hrv"], length_s=60, step_s=60)


@pytest.mark.slow
def test_a_model_of_intervals_predicts_from_a_file_and_reports_it(table, tmp_path) -> None:
    model = fit(table, target="arousal", probabilities="own")
    assert extraction_of(table).source == "auto"
    model.save(tmp_path / "model")
    belt = write_list(tmp_path / "belt_rr.txt", ibi(97, 70))
    assert predict(belt, model)["arousal"].tolist() == ["high"]
    out = tmp_path / "prediction"
    output = run("predict", belt, "--model", tmp_path / "model", "--out", out, "--json")
    content = json.loads(output.splitlines()[-1])
    assert content["hr_bpm"] == pytest.approx(97, abs=2)
    assert content["face_coverage"] is None
    assert {path.name for path in out.iterdir()} >= {"prediction.csv", "intervals.csv"}
    assert not (out / "wave.csv").exists()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Inter-beat intervals" in page
    assert "pulse wave, its detected beats" not in page
    again = extract(out / "intervals.csv", families=["hrv"], length_s=None)
    assert again["hr_bpm"].iloc[0] == pytest.approx(content["hr_bpm"], abs=0.01)


@pytest.mark.slow
def test_intervals_are_evaluated_as_any_other_source(table) -> None:
    from emotion_rppg import evaluate

    result = evaluate(table, target="arousal", heads=["logistic"], permutations=0)
    scores = result.scores[result.scores["head"] == "logistic"]
    assert scores["balanced_accuracy"].mean() > 0.9


def test_a_model_that_needs_the_shape_of_the_pulse_does_not_predict_from_intervals(
    tmp_path,
) -> None:
    model = load("stress")
    (recording,) = recordings_like(model, write_list(tmp_path / "belt_rr.txt", ibi(97, 70)))
    rows, (beats,) = read_people_like(model, recording)
    assert isinstance(beats, Beats)
    with pytest.raises(InputError, match="features of the model could be measured"):
        model.predict(rows, rest=rows)


@pytest.mark.slow
def test_a_study_folder_is_evaluated_by_its_intervals(tmp_path) -> None:
    rows = ["subject,trial,signal,label_arousal"]
    for person in range(4):
        for trial, bpm, label in (("calm", 58, 2), ("run", 95, 8)):
            name = f"{person}_{trial}.txt"
            write_list(tmp_path / "s" / name, ibi(bpm + person, 70, seed=person))
            rows.append(f"{person},{trial},{name},{label}")
    (tmp_path / "s" / "manifest.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "s" / "manifest.json").write_text('{"scales": {"arousal": [1, 9]}}')
    options = ["--target", "arousal", "--heads", "logistic", "--permutations", 0]
    study = ["--dataset", "folder", "--root", tmp_path / "s", "--source", "rr"]
    run("evaluate", *study, *options, "--out", tmp_path / "out")
    results = pd.read_csv(tmp_path / "out" / "results.csv")
    assert (results[results["head"] == "logistic"]["balanced_accuracy"] == 1).all()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Inter-beat intervals were measured by a device" in page
