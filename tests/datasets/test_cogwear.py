"""The CogWear readers on a fake of their layout, and on the real files if available."""

import numpy as np
import pytest

from emotion_rppg import find_beats
from emotion_rppg.datasets.cogwear import CogWear, CogWearSamsung
from emotion_rppg.errors import InputError
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import pulse


@pytest.fixture
def fake(tmp_path):
    return FAKES["cogwear"](tmp_path / "cogwear")


def test_both_devices_have_the_same_people_conditions_and_clock(fake) -> None:
    e4, watch = list(CogWear(fake)), list(CogWearSamsung(fake))
    assert [(r.name, r.labels) for r in e4] == [(r.name, r.labels) for r in watch]
    assert [r.reader for r in (e4[0], watch[0])] == ["cogwear", "cogwear-samsung"]
    assert {r.name.partition("/")[2]: dict(r.labels) for r in e4} == {
        "2/1/baseline": {"condition": "rest", "load": 0},
        "2/1/cognitive_load": {"condition": "stroop", "load": 1},
        "13/post/survey": {"condition": "survey"},
        "13/pre/baseline": {"condition": "rest", "load": 0},
        "13/pre/survey": {"condition": "survey"},
    }
    for one, other in zip(e4, watch, strict=True):  # the watch began half a second earlier
        assert other.read("bvp").start_s == 0
        assert one.read("bvp").start_s == pytest.approx(0.5, abs=1e-6)


def test_late_samples_of_the_watch_are_sorted_and_more_blood_is_up(fake) -> None:
    wave = next(iter(CogWearSamsung(fake))).read("bvp")
    blood = pulse(54 + 4 * 10, 14, 25)  # as the fake has it
    assert np.corrcoef(wave.samples, blood)[0, 1] > 0.999


def test_the_rate_in_the_first_line_of_the_e4_is_no_sample(fake) -> None:
    for recording in CogWear(fake):
        assert recording.read("bvp").samples.max() < 64
        assert recording.read("eda").samples.max() < 3
        assert recording.read("temp").samples.min() > 30


def test_a_damaged_file_costs_its_own_signal_alone(fake) -> None:
    place = fake / "pilot" / "2" / "baseline"
    (place / "samsung_bvp.csv").write_text("PPG GREEN,time\n")
    (place / "empatica_eda.csv").unlink()
    first = next(iter(CogWear(fake)))
    assert first.read("bvp").start_s == 0
    with pytest.raises(InputError, match=r"empatica_eda\.csv"):
        first.read("eda")
    with pytest.raises(InputError, match=r"samsung_bvp\.csv has no samples"):
        next(iter(CogWearSamsung(fake))).read("bvp")
    (place / "empatica_bvp.csv").unlink()
    with pytest.raises(InputError, match=r"empatica_bvp\.csv"):
        next(iter(CogWear(fake))).read("bvp")


def test_an_e4_whose_clock_goes_back_is_refused(fake) -> None:
    path = fake / "pilot" / "2" / "baseline" / "empatica_eda.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[5:], *rows[:5]]))
    with pytest.raises(InputError, match="times of eda do not increase"):
        next(iter(CogWear(fake))).read("eda")


def test_a_folder_of_another_name_is_refused(fake) -> None:
    (fake / "pilot" / "2" / "baseline").rename(fake / "pilot" / "2" / "rest")
    with pytest.raises(InputError, match="condition one of baseline, cognitive_load, survey"):
        CogWear(fake)


@pytest.mark.slow
def test_the_real_devices_have_the_same_heart_rate(real_data) -> None:
    root = real_data / "cogwear"
    if not root.is_dir():
        pytest.skip("no cogwear folder among the real recordings")
    differences = []
    for one, other in zip(CogWear(root), CogWearSamsung(root), strict=True):
        if one.subject != "13" or one.session != "pre":
            continue
        beats = [find_beats(r.read("bvp")) for r in (one, other)]
        for start in np.arange(40.0, 160.0, 30.0):
            parts = [b.crop(start, start + 30) for b in beats]
            if all(len(p) > 20 and p.confidence.mean() > 0.85 for p in parts):
                rates = [60e3 / p.intervals_ms.mean() for p in parts]
                differences.append(abs(rates[0] - rates[1]))
    assert len(differences) >= 5
    assert np.median(differences) <= 1
