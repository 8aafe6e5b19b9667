"""WESAD: times in minutes.seconds, labels that match the protocol, channels that are checked."""

import pickle

import numpy as np
import pytest

from emotion_rppg.datasets.wesad import Wesad, minutes_seconds, read_quest
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_pickle
from tests.datasets.fakes import FAKES


@pytest.fixture
def fake(tmp_path):
    return FAKES["wesad"](tmp_path / "wesad")


@pytest.mark.parametrize(("text", "seconds"), [("7.08", 428), ("2.5", 170), ("39.55", 2395)])
def test_times_are_minutes_and_seconds(text, seconds) -> None:
    assert minutes_seconds(text, "here") == seconds


@pytest.mark.parametrize("text", ["2.75", "2.123", "", "soon", "-1.2", "1e3"])
def test_other_times_are_refused(text) -> None:
    with pytest.raises(InputError, match=r"not minutes\.seconds"):
        minutes_seconds(text, "here")


def test_conditions_are_in_each_persons_order_with_their_ratings(fake) -> None:
    found = list(Wesad(fake))
    assert [r.trial for r in found[5:10]] == ["base", "fun", "medi1", "tsst", "medi2"]
    assert [r.labels["condition"] for r in found[5:8]] == ["baseline", "amusement", "meditation"]
    assert [r.labels.get("stress") for r in found[5:10]] == [0, 0, None, 1, None]
    assert (found[1].labels["valence"], found[1].labels["arousal"]) == (4, 7)
    for kind in ("bvp", "ecg"):
        wave = found[1].read(kind)
        assert wave.start_s == pytest.approx(12, abs=0.02)
        assert wave.duration_s == pytest.approx(8, abs=0.02)


def rewritten(path, change) -> None:
    content = load_pickle(path)
    change(content)
    path.write_bytes(pickle.dumps(content, 2))


def test_labels_of_another_order_or_channels_of_another_rate_are_refused(fake) -> None:
    path = fake / "S2" / "S2.pkl"
    original = path.read_bytes()

    def swap_labels(content) -> None:
        content["label"] = np.where(content["label"] == 2, 3, content["label"])

    def swap_channels(content) -> None:
        content["signal"]["wrist"]["BVP"] = content["signal"]["wrist"]["EDA"]

    def drop(content) -> None:
        del content["signal"]["wrist"]["BVP"]

    def widen(content) -> None:
        content["signal"]["wrist"]["BVP"] = content["signal"]["wrist"]["ACC"]

    for change, message in (
        (swap_labels, "the questionnaire has"),
        (swap_channels, "are the channels swapped"),
        (drop, "has no signal/wrist/BVP"),
        (widen, "want one column"),
    ):
        rewritten(path, change)
        with pytest.raises(InputError, match=rf"S2\.pkl.*{message}"):
            next(iter(Wesad(fake))).read("bvp")
        path.write_bytes(original)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# DIM;3", "# DAM;3", "4 lines # DIM"),
        ("# END", "# STOP", "has no line # END"),
        ("TSST", "Tea", "# ORDER has"),
        ("# START;2.4;", "# START;9.4;", "decrease"),
        ("# DIM;3;8", "# DIM;3;12", "outside its scale 1–9"),
        ("# DIM;3;8", "# DIM;3", "cut off|want valence|want a number"),
        ("# START;2.4;", "# START;2.40.1;", "not minutes"),
    ],
)
def test_a_wrong_questionnaire_is_refused(fake, old, new, message) -> None:
    path = fake / "S2" / "S2_quest.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_quest(path)


def test_a_questionnaire_of_another_session_is_refused(fake) -> None:
    path = fake / "S2" / "S2_quest.csv"
    lines = path.read_text().splitlines()
    late = [line.replace("# START;2.4;", "# START;2.05;") for line in lines]
    assert late != lines
    path.write_text("\n".join(late))
    with pytest.raises(InputError, match="varies by 35 s"):
        next(iter(Wesad(fake))).read("bvp")


def test_without_a_pickle_the_raw_e4_is_read_on_its_own_clock(fake) -> None:
    raw = [r for r in Wesad(fake) if r.subject == "9"]
    assert [sorted(r.signals) for r in raw] == [["acc", "bvp", "eda", "temp"]] * 5
    wave = raw[1].read("bvp")
    assert (wave.start_s, wave.end_s) == pytest.approx(
        (928.8 + 158 + 32, 928.8 + 158 + 40), abs=0.05
    )
    assert raw[1].labels == next(r for r in Wesad(fake) if r.name == "wesad/2/1/tsst").labels


def test_an_e4_session_without_a_known_clock_offset_is_refused(fake) -> None:
    one = next(r for r in Wesad(fake) if r.name == "wesad/9/1/medi2")
    (fake / "S9").rename(fake / "S12")
    for name in ("quest.csv", "E4_Data.zip"):
        (fake / "S12" / f"S9_{name}").rename(fake / "S12" / f"S12_{name}")
    with pytest.raises(
        InputError, match=r"S12_E4_Data\.zip: the offset between the clocks .* want S12\.pkl"
    ):
        next(r for r in Wesad(fake) if r.subject == "12").read("bvp")
    with pytest.raises(InputError, match=r"S9_E4_Data\.zip"):
        one.read("bvp")
    folder = fake / "S2" / "S2_E4_Data"
    folder.mkdir()
    (folder / "BVP.csv").write_text("1495437325.00\n64.0\n" + "1.0\n" * 640)
    (fake / "S2" / "S2.pkl").unlink()
    with pytest.raises(InputError, match=r"S2_E4_Data/BVP\.csv: .*too short|is too short"):
        next(iter(Wesad(fake))).read("bvp")
    quest = fake / "S2" / "S2_quest.csv"
    quest.write_text(
        quest.read_text()
        .replace("# END;2.48", "# END;2.49")
        .replace("# START;2.4;", "# START;2.1;")
    )
    with pytest.raises(InputError, match=r"BVP\.csv: bvp lasts from 0\.0 to 10\.0 s"):
        next(iter(Wesad(fake))).read("bvp")
