"""Traps of data sets with continuous ratings: clocks, units, scales, devices, offsets."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.datasets.case import Case
from emotion_rppg.datasets.ceap import PHYSIOLOGY, Ceap360VR
from emotion_rppg.datasets.emognition import Emognition
from emotion_rppg.datasets.kemocon import BAND, PEOPLE, RATERS, KEmoCon
from emotion_rppg.datasets.popane import Popane
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats import find_beats
from tests.datasets.fakes import FAKES


def changed(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def bpm(wave) -> float:
    return 60e3 / np.median(find_beats(wave).intervals_ms)


def test_ratings_and_pulse_of_case_share_the_sessions_clock(tmp_path) -> None:
    found = list(Case(FAKES["case"](tmp_path / "c")))
    assert [r.trial for r in found] == ["2", "5"] * 2  # no start screen
    second = found[0]  # person 1 saw clip 2 last, after 16 s
    for kind in ("bvp", "ecg", "valence", "arousal"):
        wave = second.read(kind)
        assert (wave.start_s, wave.end_s) == pytest.approx((16.0, 24.0), abs=1e-6)
    assert second.read("valence").samples[0] > 5 > second.read("arousal").samples[0]


def test_units_and_scales_of_case_are_checked(tmp_path) -> None:
    fake = FAKES["case"](tmp_path / "c")
    path = fake / "data/interpolated/annotations/sub_1.csv"
    text = path.read_text()
    rows = [line.split(",") for line in text.splitlines()]
    in_seconds = [rows[0], *([str(float(r[0]) / 1e3), *r[1:]] for r in rows[1:])]
    path.write_text("\n".join(",".join(r) for r in in_seconds))
    with pytest.raises(InputError, match=r"sub_1\.csv: jstime increases by 0\.05, want 50"):
        Case(fake)
    raw = [rows[0], *([r[0], "-26225", *r[2:]] for r in rows[1:])]
    path.write_text("\n".join(",".join(r) for r in raw))
    with pytest.raises(InputError, match=r"sub_1\.csv: valence goes from -26225 .* 0\.5–9\.5"):
        next(iter(Case(fake))).read("valence")
    path.write_text(text)
    waves = fake / "data/interpolated/physiological/sub_1.csv"
    lines = waves.read_text().splitlines()
    waves.write_text("\n".join(lines[:20_000]) + "\n")
    with pytest.raises(InputError, match=r"physiological/sub_1\.csv: bvp lasts from"):
        next(iter(Case(fake))).read("bvp")


def test_k_emocon_reads_one_of_two_bands_on_the_debates_clock(tmp_path) -> None:
    fake = FAKES["k-emocon"](tmp_path / "k")
    found = {r.subject: r for r in KEmoCon(fake)}
    assert list(found) == ["1", "31"]
    wave = found["31"].read("bvp")  # the other band beats at the decoy's rate
    assert (wave.start_s, wave.end_s) == pytest.approx((0.0, 20.0), abs=0.05)
    assert bpm(wave) < 100
    path = fake / BAND.format(31, "BVP")
    changed(path, ("A013E1", "A00002"))
    with pytest.raises(InputError, match=r"E4_BVP\.csv has several devices \(A00002, A01525\)"):
        found["31"].read("bvp")


def test_a_rating_of_k_emocon_holds_for_the_five_seconds_before_its_time(tmp_path) -> None:
    fake = FAKES["k-emocon"](tmp_path / "k")
    path = fake / RATERS[""].format(1)
    path.write_text("seconds,arousal,valence\n5,1,2\n10,5,3\n20,4,4\n")
    wave = next(iter(KEmoCon(fake))).read("arousal")
    assert (wave.start_s, wave.end_s, wave.rate_hz) == (0.0, 20.0, 0.2)
    np.testing.assert_array_equal(wave.samples, [1, 5, np.nan, 4])
    for text, message in (
        ("seconds,arousal,valence\n5,9,2\n", "arousal goes from 9 to 9, its scale is 1–5"),
        ("seconds,arousal,valence\n5,1,2\n7,1,2\n", "seconds are not 5, 10"),
        ("seconds,arousal\n5,1\n", "does not have the columns valence"),
    ):
        path.write_text(text)
        recording = next(iter(KEmoCon(fake)))
        with pytest.raises(InputError, match=message):
            [recording.read(kind) for kind in ("arousal", "valence")]


def test_people_of_k_emocon_without_a_wristband_are_named_in_the_log(tmp_path, caplog) -> None:
    fake = FAKES["k-emocon"](tmp_path / "k")
    assert len(KEmoCon(fake)) == 2
    assert "people without a wristband are excluded: 2" in caplog.text
    changed(fake / PEOPLE, (",1550010000000,", ",1550010000,"))
    with pytest.raises(InputError, match=r"subjects\.csv.*want Unix milliseconds"):
        KEmoCon(fake)


def test_ceap_has_a_continuous_rating_and_one_after_the_video(tmp_path) -> None:
    fake = FAKES["ceap-360vr"](tmp_path / "c")
    found = list(Ceap360VR(fake))
    assert [r.subject for r in found] == ["2", "2", "10", "10"]  # by number, not by letters
    assert dict(found[0].labels) == {"valence": 2.0, "arousal": 7.0}
    continuous = found[0].read("valence")
    assert continuous.rate_hz == 25
    assert continuous.samples[100] == pytest.approx(6.0)
    path = fake / PHYSIOLOGY.format(2)
    content = json.loads(path.read_text())
    samples = content["Physio_RawData"][0]["Video_Physio_RawData"][0]["BVP_RawData"]
    for change, message in (
        (lambda rows: rows[::16], r"bvp has 4 samples per second, the documents say 64"),
        (lambda rows: [r | {"TimeStamp": 1.58e12 + r["TimeStamp"]} for r in rows], "want seconds"),
        (lambda rows: [{"TimeStamp": r["TimeStamp"]} for r in rows], "V1 has no BVP_RawData"),
        (lambda rows: [], "V1 has no BVP_RawData"),
    ):
        content["Physio_RawData"][0]["Video_Physio_RawData"][0]["BVP_RawData"] = change(samples)
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=rf"P2_Physio_RawData\.json: .*{message}"):
            found[0].read("bvp")


def test_emognition_reads_the_watch_if_the_wristband_is_missing(tmp_path) -> None:
    fake = FAKES["emognition"](tmp_path / "e")
    band, _, watch, _ = found = list(Emognition(fake))
    assert [r.trial for r in found] == ["baseline", "fear"] * 2
    assert (band.read("bvp").rate_hz, watch.read("bvp").rate_hz) == (64, 20)
    assert band.read("bvp").duration_s == pytest.approx(12, abs=0.1)  # over midnight
    assert band.labels["motivation"] == 5
    assert band.scales["motivation"] == (1, 9)
    assert band.scales["awe"] == (1, 5)
    changed(fake / "22/22_QUESTIONNAIRES.json", ('"AWE": 3', '"AWE": 7'))
    with pytest.raises(InputError, match=r"QUESTIONNAIRES\.json, BASELINE: awe is 7, outside"):
        Emognition(fake)


def test_popanes_facts_are_parsed_not_counted(tmp_path) -> None:
    fake = FAKES["popane"](tmp_path / "p")
    found = list(Popane(fake))
    assert [r.subject for r in found] == ["S1P3", "S1P3", "S6P3"]  # two people, one number
    assert [r.trial for r in found] == ["Baseline", "Fear_1", "Baseline"]
    assert found[2].read("valence").samples[-1] == pytest.approx(10, abs=0.01)
    path = fake / "Study 6/S6_P3_Baseline.csv"
    lines = path.read_text().splitlines()
    header = next(k for k, line in enumerate(lines) if line[0] != "#")
    swapped = lines[header].replace("ECG", "x").replace("dzdt", "ECG").replace("x", "dzdt")
    path.write_text("\n".join([*lines[:header], swapped, *lines[header + 1 :]]))
    with pytest.raises(
        InputError, match=r"S6_P3_Baseline\.csv: the header differs from the channels"
    ):
        found[2].read("ecg")
    empty = [
        *lines[: header + 1],
        *(",".join([*r.split(",")[:4], "", "1"]) for r in lines[header + 1 :]),
    ]
    path.write_text("\n".join(empty))
    with pytest.raises(InputError, match="ecg is empty: the sensor failed"):
        found[2].read("ecg")
