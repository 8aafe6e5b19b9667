"""The rest of a person is a recording, a feature table, or a segment of one: FILE@START-END."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import extract, fit, predict
from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import extraction_of
from emotion_rppg.runtime.tables import write_table
from emotion_rppg.study.rest import Rest
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp

RATE_HZ = 32.0
WINDOWS = {"length_s": 30.0, "step_s": 30.0, "families": ("hrv",)}


def wave(path: Path, *arousals: float, person: int = 2) -> Path:
    """Write one minute of contact PPG of a person for each arousal, on one clock."""
    parts = [
        bvp(heart(Person(person), arousal, 5 + k, 60.0), rate_hz=RATE_HZ).samples
        for k, arousal in enumerate(arousals)
    ]
    samples = np.concatenate([part[: int(60 * RATE_HZ)] for part in parts])
    times_s = np.arange(len(samples)) / RATE_HZ
    pd.DataFrame({"time_s": times_s, "bvp": samples}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that compares people with their first minute."""
    folder = tmp_path_factory.mktemp("rest")
    parts = []
    for subject in range(1, 5):
        rows = extract(wave(folder / f"s{subject}.csv", 2.0, 2.0, 8.0, person=subject), **WINDOWS)
        rows["subject"], rows["label_stress"] = f"s{subject}", (rows["start_s"] >= 120) * 1.0
        parts.append(rows.assign(scale_stress="0..1"))
    table, extraction = pd.concat(parts, ignore_index=True), extraction_of(parts[0])
    fitted = fit(
        table,
        target="stress",
        head="logistic",
        normalise="calibration",
        calibration_s=60,
        extraction=extraction,
    )
    fitted.save(folder / "model")
    return folder / "model"


@pytest.mark.slow
def test_a_segment_is_the_same_rest_as_a_file_and_as_a_table_of_it(model, tmp_path) -> None:
    session, rest = wave(tmp_path / "session.csv", 2.0, 2.0, 8.0), wave(tmp_path / "rest.csv", 2.0)
    whole = predict(session, model, calibrate=f"{session}@0-60")
    table = write_table(extract(session, **WINDOWS), tmp_path / "table.csv")
    by_table = predict(session, model, calibrate=f"{table}@0-60")
    by_file = predict(session, model, calibrate=rest)
    pd.testing.assert_frame_equal(by_file, by_table, rtol=0.02)
    pd.testing.assert_frame_equal(whole[2:], by_file[2:], rtol=0.02)
    later = predict(session, model, calibrate=f"{session}@120-180")
    assert list(by_file["stress"]) == ["low"] * 4 + ["high"] * 2
    assert list(whole["stress"]) == ["", "", "low", "low", "high", "high"]
    assert list(later["stress"]) == ["low"] * 4 + ["", ""]  # compared with the stress
    assert whole["stress_p_high"].isna().tolist() == [True, True] + [False] * 4
    assert set(whole["reason"][:2]) == {"part of the rest (--calibrate) that it is compared with"}
    words = ["predict", str(session), "--model", str(model), "--calibrate", f"{session}@0-60"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    written = pd.read_csv(tmp_path / "out" / "prediction.csv")["stress_p_high"]
    expected = whole["stress_p_high"].to_numpy()
    assert written.to_numpy() == pytest.approx(expected, abs=1e-4, nan_ok=True)


@pytest.mark.slow
def test_a_rest_that_is_all_of_the_tested_recording_is_refused(model, tmp_path) -> None:
    rest = wave(tmp_path / "rest.csv", 2.0)
    for calibrate in (rest, f"{rest}@0-60"):
        with pytest.raises(InputError, match=r"is the stretch that is to be predicted.*@0-240"):
            predict(rest, model, calibrate=calibrate)
    words = ["predict", rest, "--model", model, "--calibrate", rest, "--out", tmp_path / "out"]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_name_with_an_at_sign_is_a_file(tmp_path) -> None:
    path = tmp_path / "anna@0-60"
    path.write_text("")
    assert Rest.parse(path) == Rest(path)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("60-60", "60-60 s of .* has no duration"),
        ("first minute", "'first minute' is no segment of .*want FILE@START-END in seconds"),
        ("400-500", "nothing at 400-500 s: its times are 0-60 s"),
    ],
)
def test_a_wrong_segment_is_explained(segment, message, model, tmp_path) -> None:
    rest = wave(tmp_path / "rest.csv", 2.0)
    with pytest.raises(InputError, match=message):
        predict(rest, model, calibrate=f"{rest}@{segment}")
