"""Traps of data sets with face videos: which video, which clock, which column, which unit."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.datasets.cohface import Cohface
from emotion_rppg.datasets.lgi_ppgi import LgiPpgi
from emotion_rppg.datasets.mahnob import MahnobHci
from emotion_rppg.datasets.ubfc_phys import UbfcPhys
from emotion_rppg.datasets.ubfc_rppg import UbfcRppg
from emotion_rppg.datasets.vipl_hr import ViplHr
from emotion_rppg.errors import InputError
from emotion_rppg.video.frames import read_frames
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import read_truth

SETS = (UbfcPhys, UbfcRppg, MahnobHci, Cohface, ViplHr, LgiPpgi)


@pytest.fixture(scope="module")
def fake_of(tmp_path_factory):
    """Folder of a reader's fake, written when it is first used."""
    place = tmp_path_factory.mktemp("films")
    return cache(lambda reader: FAKES[reader.card.name](place / reader.card.name))


@pytest.fixture
def copied(fake_of, tmp_path):
    """Copy of a reader's fake, which a test may change."""
    return lambda reader: shutil.copytree(fake_of(reader), tmp_path / reader.card.name)


def phase(times_s, values, bpm: float) -> complex:
    """Complex amplitude at a heart rate, over complete beats."""
    complete = times_s < times_s[0] + np.floor((times_s[-1] - times_s[0]) * bpm / 60) * 60 / bpm
    rotation = np.exp(-2j * np.pi * bpm / 60 * times_s[complete])
    return complex(np.mean((values - values.mean())[complete] * rotation))


@pytest.mark.slow
@pytest.mark.parametrize("reader", SETS, ids=lambda reader: reader.card.name)
def test_video_and_contact_pulse_are_in_phase(reader, fake_of) -> None:
    """The skin darkens with the pulse, at its rate and on its clock, in each recording's video."""
    truth = read_truth(fake_of(reader))
    for recording in [r for r in reader(fake_of(reader)) if r.video is not None]:
        ((kind, bpm),) = truth[recording.name].items()
        wave = recording.read(kind)
        frames = [(f.time_s, -f.image[..., 1].mean()) for f in read_frames(recording.video)]
        video = phase(*np.array(frames).T, bpm)
        contact = phase(wave.times_s, wave.samples, bpm)
        lag_s = np.angle(video / contact) / (2 * np.pi) * 60 / bpm
        assert abs(video) > 0.1, recording.name
        assert lag_s == pytest.approx(0, abs=0.03), recording.name


def test_tasks_groups_and_scores_of_ubfc_phys(copied, caplog) -> None:
    fake = copied(UbfcPhys)
    found = list(UbfcPhys(fake))
    assert [(r.subject, r.trial) for r in found] == [
        (person, task) for person in ("2", "10") for task in ("T1", "T2", "T3")
    ]
    assert [r.labels["stress"] for r in found[:3]] == [0, 1, 1]
    assert found[1].labels["condition"] == "speech"
    assert (found[0].labels["group"], found[3].labels["group"]) == ("test", "ctrl")
    assert found[0].labels["cognitive_before"] == 1.5
    assert found[0].labels["confidence_after"] == 2.5
    assert [r.video is None for r in found] == [False] * 3 + [True] * 3
    (fake / "s2/selfReportedAnx_s2.csv").write_text("15,22.5\n12.5,17.5\n35,25\n")
    (fake / "s2/bvp_s2_T2.csv").unlink()
    (fake / "s10/bvp_s10_T3.csv").unlink()
    found = list(UbfcPhys(fake))
    assert len(found) == 5  # a video without its pulse is a recording; without both there is none
    assert "selfReportedAnx_s2.csv: scores beyond 1–4" in caplog.text
    assert "cognitive_before" not in found[0].labels


def test_ubfc_phys_refuses_files_that_are_not_its_pulse(copied) -> None:
    fake = copied(UbfcPhys)
    wave, skin = fake / "s2/bvp_s2_T1.csv", fake / "s2/eda_s2_T1.csv"
    text = wave.read_text()
    recording = next(iter(UbfcPhys(fake)))
    for changed, message in (
        (skin.read_text(), r"bvp_s2_T1\.csv lasts 0\.5 s at 64 Hz, eda_s2_T1\.csv 8\.0 s"),
        (text[: len(text) // 2] + "\n", "one of them is cut off"),
        ("bvp\n" + text, r"bvp_s2_T1\.csv is not a table of numbers"),
        (text.replace("\n", ",1\n"), "has 2 columns, want one"),
    ):
        wave.write_text(changed)
        with pytest.raises(InputError, match=message):
            recording.read("bvp")
    (fake / "s2/selfReportedAnx_s2.csv").write_text("1.5,1.25,3.5\n2.25,1.75,2.5\n")
    with pytest.raises(InputError, match=r"selfReportedAnx_s2\.csv has 2 rows and 3 columns"):
        UbfcPhys(fake)
    (fake / "s2/info_s2.txt").write_text("s2\nf\n2019-11-04\n")
    shutil.copy(fake / "s10/selfReportedAnx_s10.csv", fake / "s2/selfReportedAnx_s2.csv")
    with pytest.raises(InputError, match=r"info_s2\.txt: the third line is '2019-11-04'"):
        UbfcPhys(fake)


def test_both_parts_of_ubfc_rppg_are_read_and_ordered(copied) -> None:
    fake = copied(UbfcRppg)
    found = list(UbfcRppg(fake))
    assert [r.subject for r in found] == ["5-gt", "after-exercise", "subject3", "subject12"]
    assert [r.labels["part"] for r in found] == ["DATASET_1"] * 2 + ["DATASET_2"] * 2
    rates = [r.read("bvp").rate_hz for r in found]
    assert rates == [62, 62, 30, 30]  # frames come at 29 Hz: resampled to the documented rate
    assert [r.subject for r in UbfcRppg(fake / "DATASET_2")] == ["subject3", "subject12"]


def test_lines_columns_and_units_of_ubfc_rppg_are_checked(copied) -> None:
    fake = copied(UbfcRppg)
    first, _, third, _ = UbfcRppg(fake)
    path = fake / "DATASET_2/subject3/ground_truth.txt"
    pulse, rate, times = path.read_text().splitlines()
    in_ms = " ".join(str(1e3 * float(t)) for t in times.split())
    for lines, message in (
        ((rate, pulse, times), r"ground_truth\.txt: the median of heart rate \(line 2\) is 0"),
        ((pulse, rate, in_ms), "has 232 frames in 7966 s"),
        ((pulse, rate), "has 2 lines, want three"),
        ((pulse, rate, times[: len(times) // 2]), "not a table of numbers"),
    ):
        path.write_text("\n".join(lines))
        with pytest.raises(InputError, match=message):
            third.read("bvp")
    path = fake / "DATASET_1/5-gt/gtdump.xmp"
    table = np.loadtxt(path, delimiter=",")
    for columns, message in (
        (
            table[:, [0, 2, 1, 3]],
            r"gtdump\.xmp: the median of saturation \(column 3\) is .* want 80–100",
        ),
        (table[:, [0, 1, 1, 2, 3]], "has 5 columns, want four"),
        (np.add(table, [9e3, 0, 0, 0]), "begins at 9 s, want 0 s, the start of the video"),
        (table * [1e-3, 1, 1, 1], "samples per second, the documents say 62"),
    ):
        np.savetxt(path, columns, "%.6g", delimiter=",")
        with pytest.raises(InputError, match=message):
            first.read("bvp")
    path.unlink()
    with pytest.raises(InputError, match=r"5-gt has neither ground_truth\.txt"):
        UbfcRppg(fake)


def changed(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)


def test_a_session_of_mahnob_is_cut_to_the_film_on_both_clocks(copied) -> None:
    fake = copied(MahnobHci)
    found = list(MahnobHci(fake))
    assert [(r.subject, r.trial) for r in found] == [("01", "2"), ("01", "10"), ("02", "132")]
    first = found[0]
    assert (first.video.start_s, first.video.end_s) == pytest.approx((2.5, 10.5), abs=1e-6)
    wave = first.read("ecg")
    assert (wave.start_s, wave.duration_s) == (0, 8)
    assert dict(first.labels) == {
        **{"arousal": 3, "valence": 8, "control": 5, "predictability": 1},
        **{"emotion": "joy", "stimulus": "52.avi"},
    }
    path = fake / "Sessions/2/session.xml"
    # the section now begins 1.5 s after the film did: the recording does, too
    changed(path, ("6097", f"{60.97 * 104}"), ("4410000", "4586400"))
    cut = next(iter(MahnobHci(fake)))
    assert (cut.video.start_s, cut.video.end_s) == pytest.approx((0, 6.5), abs=1e-6)
    wave = cut.read("ecg")
    assert wave.start_s == pytest.approx(0, abs=1 / 256)
    np.testing.assert_array_equal(wave.samples, first.read("ecg").samples[384:])


def test_mahnob_without_its_videos_has_the_ecg(copied, caplog) -> None:
    fake = copied(MahnobHci)
    ecgs = [r.read("ecg").samples for r in MahnobHci(fake)]
    for path in fake.rglob("*.avi"):
        path.unlink()
    without_videos = list(MahnobHci(fake))
    assert [r.video for r in without_videos] == [None] * 3
    for recording, samples in zip(without_videos, ecgs, strict=True):
        np.testing.assert_array_equal(recording.read("ecg").samples, samples)
    (fake / "Sessions/10/P1-Rec1-2009.07.09.17.53.46_C1 trigger _C_Section_10.avi").touch()
    changed(fake / "Sessions/10/session.xml", ('type="Gaze"', 'type="Other"'))
    assert [r.video for r in MahnobHci(fake)] == [None] * 3
    assert "10/session.xml names no table of the eye tracker" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('vidRate="60.97"', 'vidRate="25"', "vidRate is 25, want 60.97 frames per second"),
        ('audRate="44100"', 'audRate="22050"', "AudioSampleNumber at 22050 Hz do not match"),
        ('audEndSmp="4917150"', 'audEndSmp="4990000"', "11.5 s of video and 13.2 s of audio"),
        ('feltArsl="3"', 'feltArsl="0"', "feltArsl is 0, outside its scale 1–9"),
        ('feltEmo="4"', 'feltEmo="9"', "feltEmo is 9, want one of 0 neutral"),
        ('feltVlnc="8" ', "", "session.xml has no feltVlnc"),
        ('filename="P1-Rec1-All', 'filename="../P1-Rec1-All', "want a file in the same folder"),
        (
            'audBeginSmp="4410000" audEndSmp="4917150"',
            'audBeginSmp="8820000" audEndSmp="9327150"',
            "-97.5 to",
        ),
    ],
)
def test_a_session_of_mahnob_that_disagrees_is_refused(copied, old, new, message) -> None:
    fake = copied(MahnobHci)
    changed(fake / "Sessions/2/session.xml", (old, new))
    with pytest.raises(InputError, match=message):
        MahnobHci(fake)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MovieEnd", "MovieStart", "has 2 MovieStart and 0 MovieEnd"),
        ("Timestamp", "Time", "has no header with Timestamp, Event, AudioSampleNumber"),
        ("7000\t\t4410000", "7\t\t4410000", "do not match"),
    ],
)
def test_an_eye_trackers_table_that_disagrees_is_refused(copied, old, new, message) -> None:
    fake = copied(MahnobHci)
    changed(fake / "Sessions/2/P1-Rec1-All-Data-New_Section_2.tsv", (old, new))
    with pytest.raises(InputError, match=rf"Section_2\.tsv.*{message}"):
        MahnobHci(fake)


def test_status_events_of_mahnob_are_checked_against_the_film(copied) -> None:
    fake = copied(MahnobHci)
    first, second, _ = MahnobHci(fake)
    gaze = fake / "Sessions/10/P1-Rec1-All-Data-New_Section_10.tsv"
    changed(gaze, ("17500\tMovieEnd", "15500\tMovieEnd"))
    second = list(MahnobHci(fake))[1]
    with pytest.raises(InputError, match=r"Trial10_emotion\.bdf: .* 8\.0 s apart, .* 6\.0 s"):
        second.read("ecg")
    path = fake / "Sessions/2/Part_1_S_Trial2_emotion.bdf"
    with path.open("r+b") as file:  # the header names EXG2 and Status: rename each in turn
        head = file.read(256 * 8)
        for name, message in (
            (b"EXG2  ", "has no channel EXG2"),
            (b"Status", "has no channel Status"),
        ):
            file.seek(0)
            file.write(head.replace(name, b"EXG9  ", 1))
            file.flush()
            with pytest.raises(InputError, match=rf"Trial2_emotion\.bdf {message}"):
                first.read("ecg")


def test_cohface_checks_its_clock(copied) -> None:
    import h5py

    fake = copied(Cohface)
    found = list(Cohface(fake))
    assert [(r.subject, r.trial) for r in found] == [
        ("2", "0"),
        ("2", "3"),
        ("10", "0"),
        ("10", "3"),
    ]
    path = fake / "2/0/data.hdf5"
    times, wave = np.arange(2048) / 256, found[0].read("bvp").samples
    for content, message in (
        ({"pulse": wave, "time": 1e3 * times}, "samples per second, the documents say 256"),
        ({"pulse": wave, "time": times + 60}, "begins at 60 s, want 0 s, the start of the video"),
        ({"pulse": wave, "time": np.where(times < 2, times, np.inf)}, "do not increase"),
        ({"pulse": wave[:500], "time": times}, "500 pulse samples and 2048 times"),
        ({"respiration": wave, "time": times}, "does not have pulse; it has: time"),
    ):
        with h5py.File(path, "w") as file:
            for name, values in content.items():
                file[name] = values
        with pytest.raises(InputError, match=rf"data\.hdf5.*{message}"):
            found[0].read("bvp")


def test_vipl_hr_has_frame_times_and_excludes_near_infrared(copied) -> None:
    fake = copied(ViplHr)
    found = list(ViplHr(fake))
    assert [(r.subject, r.session, r.trial) for r in found] == [
        ("2", "v1", "source1"),
        ("2", "v10", "source1"),
        ("10", "v1", "source1"),
        ("10", "v1", "source2"),
    ]
    frames = [f.time_s for f in read_frames(found[0].video)]
    assert (len(frames), frames[-1]) == (200, pytest.approx(7.96))  # the container says 6.6 s
    assert found[3].video.times is None
    (fake / "data/p1-5").mkdir()
    (fake / "data/p2").rename(fake / "data/p1-5/p2")
    assert [r.name for r in ViplHr(fake)] == [r.name for r in found]


def test_vipl_hr_checks_the_pulses_rate(copied) -> None:
    fake = copied(ViplHr)
    first, *_, phone = ViplHr(fake)
    for recording, place in (
        (first, fake / "data/p2/v1/source1"),
        (phone, phone.video.path.parent),
    ):
        path = place / "wave.csv"
        lines = path.read_text().splitlines()
        path.write_text("\n".join(lines[: 50 * 8 + 1]))  # as if there were 50 samples per second
        with pytest.raises(
            InputError, match=r"wave\.csv has 400 samples in 8\.0 s, 50\.0 per second"
        ):
            recording.read("bvp")
    (phone.video.path.parent / "gt_HR.csv").unlink()
    with pytest.raises(InputError, match=r"gt_HR\.csv"):
        phone.read("bvp")
    path = fake / "data/p2/v1/source1/time.txt"
    np.savetxt(path, np.loadtxt(path) / 1e3)
    for read in (lambda: first.read("bvp"), lambda: list(read_frames(first.video))):
        with pytest.raises(InputError, match=r"time\.txt has 200 frames in 0\.00796 s"):
            read()


def test_lgi_ppgi_ends_pulse_and_video_together(copied) -> None:
    fake = copied(LgiPpgi)
    found = list(LgiPpgi(fake))
    assert [r.name for r in found] == [
        f"lgi-ppgi/{person}/1/{activity}"
        for person in ("alex", "cpi")
        for activity in ("gym", "resting")
    ]
    wave = found[0].read("bvp")
    assert (wave.start_s, wave.end_s) == (0, pytest.approx(8, abs=0.02))
    path = fake / "alex/alex_gym/cms50_stream_handler.xml"
    text = path.read_text()
    for changed_text, message in (
        (
            "\n".join([*text.splitlines()[:400], "</stream>"]),
            r"lasts 6\.7 s at 60 Hz, its video 8\.0",
        ),
        (text.replace("value2>", "other>"), "has 0 samples with value2"),
        (text.replace("<value2>60<", "<value2>high<", 1), "value2 is 'high', want a number"),
        ("<!DOCTYPE x>" + text, "declares a document type"),
    ):
        path.write_text(changed_text)
        with pytest.raises(InputError, match=rf"cms50_stream_handler\.xml.*{message}"):
            found[0].read("bvp")
    path.parent.rename(fake / "alex/gym")
    with pytest.raises(InputError, match="gym is not named as expected: want person_activity"):
        LgiPpgi(fake)
