"""The Welltory reader on a fake of its layout, and on the real files if available."""

import numpy as np
import pytest

from emotion_rppg import extract, find_beats
from emotion_rppg.datasets.welltory import Welltory
from emotion_rppg.errors import InputError
from tests.datasets.fakes import FAKES


@pytest.fixture
def fake(tmp_path):
    return FAKES["welltory"](tmp_path / "w")


def test_each_measurement_has_a_camera_trace_and_the_belts_intervals(fake) -> None:
    found = list(Welltory(fake))
    assert [(r.subject, sorted(r.signals)) for r in found] == [
        (subject, ["rppg", "rr"]) for subject in ("01", "02", "03")
    ]
    for recording in found:
        assert recording.read("rppg").duration_s == pytest.approx(30, abs=0.1)
        assert recording.read_pulse("rr").span_s == (0, pytest.approx(30, abs=1))


def test_a_damaged_file_costs_its_own_signal_alone(fake) -> None:
    (fake / "subject_01" / "PPG.csv").unlink()
    (fake / "subject_02" / "PPG.csv").write_text("time,R,G\n0,1,2\n")
    (fake / "subject_02" / "RR.txt").write_text("")
    first, second, third = Welltory(fake)
    for recording, kind, message in (
        (first, "rppg", r"no file .*PPG\.csv"),
        (second, "rppg", r"PPG\.csv has no header time,R,G,B"),
        (second, "rr", r"RR\.txt"),
    ):
        with pytest.raises(InputError, match=message):
            recording.read_pulse(kind)
    assert len(first.read_pulse("rr")) > 20
    table = extract([first, second, third], source="rppg", families=["hrv"], length_s=None)
    assert list(table["subject"]) == ["03"]


@pytest.mark.slow
def test_the_real_camera_and_belt_have_the_same_heart_rate(real_data) -> None:
    root = real_data / "welltory"
    if not root.is_dir():
        pytest.skip("no welltory folder among the real recordings")
    differences = []
    for recording in Welltory(root):
        camera, belt = find_beats(recording.read("rppg")), recording.read_pulse("rr")
        rates = [60e3 / np.median(beats.intervals_ms) for beats in (camera, belt)]
        differences.append(abs(rates[0] - rates[1]))
    assert len(differences) == 11
    assert np.median(differences) <= 1
