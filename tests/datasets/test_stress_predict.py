"""The Stress-Predict reader on a fake of its layout, and on the real files if available."""

import numpy as np
import pytest

from emotion_rppg import find_beats
from emotion_rppg.datasets.stress_predict import LABELS, StressPredict
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import read_e4
from emotion_rppg.recordings import DatasetNotFound
from tests.datasets.fakes import FAKES


@pytest.fixture
def fake(tmp_path):
    return FAKES["stress-predict"](tmp_path / "sp")


def test_each_run_of_equal_labels_is_a_recording_on_the_sessions_clock(fake) -> None:
    found = list(StressPredict(fake))
    assert [r.name for r in found] == [
        f"stress-predict/{s}/1/{k}" for s in ("02", "03") for k in (1, 2)
    ]
    assert [r.labels["stress"] for r in found] == [0, 1, 0, 1]
    for recording, start, bpm in zip(found[:2], (0.0, 20.0), (54, 58), strict=True):
        wave = recording.read("bvp")
        assert (wave.start_s, wave.end_s) == (start, start + 20.0)
        assert 60e3 / np.median(find_beats(wave).intervals_ms) == pytest.approx(bpm, abs=1)


def test_a_person_without_labels_is_one_recording_without_labels(fake) -> None:
    text = (fake / LABELS).read_text().splitlines()
    selected = [line for line in text if not line.startswith("3,")]
    (fake / LABELS).write_text("\n".join(selected))
    last = list(StressPredict(fake))[-1]
    assert (last.subject, dict(last.labels)) == ("03", {})
    assert last.read("bvp").duration_s == 40.0


def test_missing_files_and_wrong_labels_are_named(fake, tmp_path) -> None:
    with pytest.raises(DatasetNotFound, match="does not exist"):
        StressPredict(tmp_path / "nowhere")
    with pytest.raises(DatasetNotFound, match=r"expected Raw_data/S\*/BVP\.csv"):
        StressPredict(tmp_path)
    labels = (fake / LABELS).read_text()
    for change, message in (
        (("Label", "Stress"), "does not have the columns Label"),
        ((",0\n", ",2\n"), "want 0 or 1"),
        ((",15.0,16442", ",15.0,x"), "want a number"),
    ):
        (fake / LABELS).write_text(labels.replace(*change))
        with pytest.raises(InputError, match=message):
            StressPredict(fake)
    (fake / LABELS).unlink()
    with pytest.raises(DatasetNotFound, match="no labels"):
        StressPredict(fake)


def test_a_damaged_e4_file_is_named(tmp_path) -> None:
    path = tmp_path / "BVP.csv"
    for text, message in (
        ("", "does not begin"),
        ("time,bvp\n1,2\n", "does not begin"),
        ("1.0\n64.0\n1\n", "want Unix seconds"),
        ("1644227574.0\n64.0\n1\ntwo\n", "want one number per line"),
        ("1644227574.0,1\n64.0,64\n1,2\n3,4\n", "want one number per line"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_e4(path)


@pytest.mark.slow
def test_the_real_pulse_has_the_heart_rate_of_the_device(real_data) -> None:
    """Compared where beats are clear; the device's rate is a mean of about the last 30 s."""
    root = real_data / "stress_predict"
    if not root.is_dir():
        pytest.skip("no stress_predict folder among the real recordings")
    found = list(StressPredict(root))
    assert len({r.person for r in found}) == 18
    assert sum("stress" in r.labels for r in found) == 17 * 7
    device, start = read_e4(root / "Raw_data" / "S05" / "HR.csv")
    offset = start - read_e4(root / "Raw_data" / "S05" / "BVP.csv")[1]
    differences = []
    for recording in found:
        if recording.subject != "05":
            continue
        wave = recording.read("bvp")
        beats = find_beats(wave)
        for second in np.arange(wave.start_s + 30, wave.end_s - 10, 10.0):
            window = beats.crop(second - 30, second)
            rate = device.samples[(device.times_s + offset).searchsorted(second)]
            if len(window) > 20 and window.confidence.mean() > 0.85:
                differences.append(60e3 / window.intervals_ms.mean() - rate)
    assert len(differences) > 60
    assert np.median(np.abs(differences)) <= 3.0
