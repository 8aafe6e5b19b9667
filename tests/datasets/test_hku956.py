"""The HKU956 reader on a fake of its layout, and on the real files if available."""

import numpy as np
import pytest

from emotion_rppg import extract, find_beats
from emotion_rppg.datasets.hku956 import RATINGS, Hku956
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import DatasetNotFound
from tests.datasets.fakes import FAKES

BODY = "1. physiological_signals"


@pytest.fixture
def fake(tmp_path):
    return FAKES["hku956"](tmp_path / "hku")


def test_each_song_is_a_recording_in_the_order_of_listening_with_its_ratings(fake) -> None:
    found = list(Hku956(fake))
    assert [r.name for r in found] == [
        f"hku956/{person}/1/{song}"
        for person in ("hku1903", "hku1904")
        for song in ("2_262957", "10_645874")
    ]
    assert [dict(r.labels) for r in found[1:3]] == [
        {"arousal": -2.5, "valence": -9.5},
        {"arousal": -1.5, "valence": 8.2},
    ]
    assert found[0].scales == {"arousal": (-10, 10), "valence": (-10, 10)}


def test_only_a_complete_list_of_intervals_has_successive_differences(fake) -> None:
    """An incomplete list has no times: its neighbours may be beats apart, its rate is right."""
    complete, incomplete = (r.read_pulse("rr") for r in list(Hku956(fake))[:2])
    assert len(complete.intervals_ms) == len(complete.successive_ms) + 1
    assert len(incomplete.intervals_ms) >= 8
    assert len(incomplete.successive_ms) == 0
    assert incomplete.span_s == (0, pytest.approx(16))
    covered = incomplete.intervals_ms.sum() / 16e3
    gaps = sum(b - a for a, b in incomplete.gaps) / 16
    assert (covered, covered + gaps) == (pytest.approx(0.47, abs=0.05), pytest.approx(1))


def test_a_damaged_file_costs_its_own_song_and_signal_alone(fake) -> None:
    place = fake / BODY / "hku1903"
    (place / "BVP" / "2_262957.csv").unlink()
    (place / "EDA" / "10_645874.csv").write_text("0.5\n" * 20)
    (place / "IBI" / "10_645874.csv").write_text("\n")
    (place / "TEMP" / "10_645874.csv").write_text("30,1\n" * 64)
    no_bvp, bad_rest, *_ = found = list(Hku956(fake))
    assert len(found) == 4
    for recording, kind, message in (
        (no_bvp, "bvp", r"no file .*2_262957\.csv"),
        (bad_rest, "eda", r"10_645874\.csv: eda lasts 5 s at 4 Hz, the song was played for 16 s"),
        (bad_rest, "rr", "the wristband detected no interval"),
        (bad_rest, "temp", "has 2 columns, want one number per line"),
    ):
        with pytest.raises(InputError, match=message):
            recording.read_pulse(kind)
    table = extract(found, families=["hrv", "eda"], length_s=None)
    assert list(table["trial"]) == 2 * ["2_262957", "10_645874"]
    assert list(table["hr_bpm"].isna()) == [True, False, False, False]
    assert list(table["eda_tonic_us"].isna()) == [False, True, False, False]
    assert "eda lasts 5 s" in table["eda_reason"][1]


def test_impossible_intervals_are_refused(fake) -> None:
    path = fake / BODY / "hku1903" / "IBI" / "2_262957.csv"
    path.write_text("0.8\n0\n0.9\n")
    with pytest.raises(InputError, match="want intervals in seconds, above 0"):
        next(iter(Hku956(fake))).read_pulse("rr")


def test_ratings_are_checked_and_a_song_without_one_has_no_labels(fake) -> None:
    ratings = (fake / RATINGS).read_text()
    for change, message in (
        ("hku1903,2,262957,1,x,2,x,16\n", "has the song 2_262957 twice"),
        ("hku1903,3,1,11,x,2,x,16\n", "valence is 11, outside its scale -10–10"),
    ):
        (fake / RATINGS).write_text(ratings + change)
        with pytest.raises(InputError, match=message):
            Hku956(fake)
    lines = [line for line in ratings.splitlines() if not line.startswith("hku1904,2,")]
    (fake / RATINGS).write_text("\n".join(lines))
    recording = list(Hku956(fake))[2]
    assert (recording.trial, dict(recording.labels)) == ("2_262957", {})
    (fake / RATINGS).unlink()
    with pytest.raises(DatasetNotFound, match=r"expected 3\. AV_ratings\.csv"):
        Hku956(fake)


@pytest.mark.slow
def test_the_real_pulse_has_the_heart_rate_of_the_devices_intervals(real_data) -> None:
    root = real_data / "hku956"
    if not root.is_dir():
        pytest.skip("no hku956 folder among the real recordings")
    found = list(Hku956(root))
    assert (len(found), len({r.person for r in found})) == (614, 20)
    differences = []
    for recording in [r for r in found if r.subject == "hku1914"]:
        device, beats = recording.read_pulse("rr"), find_beats(recording.read("bvp"))
        if device.intervals_ms.sum() > 500 * recording.read("bvp").duration_s:
            rates = [60e3 / np.median(b.intervals_ms) for b in (beats, device)]
            differences.append(abs(rates[0] - rates[1]))
    assert len(differences) > 10
    assert np.median(differences) < 1
    assert max(differences) < 5
