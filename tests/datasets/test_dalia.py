"""PPG-DaLiA: time spans of activities, heart rates of windows, consistent parts of a pickle."""

import pickle

import numpy as np
import pytest

from emotion_rppg.datasets.dalia import ACTIVITIES, PpgDalia
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_pickle
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import read_truth


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    return FAKES["ppg-dalia"](tmp_path_factory.mktemp("dalia") / "d")


@pytest.fixture
def changed(fake, tmp_path):
    """Person 2 with a changed pickle."""

    def change(**parts) -> PpgDalia:
        content = load_pickle(fake / "S2" / "S2.pkl") | parts
        (tmp_path / "S2").mkdir(exist_ok=True)
        (tmp_path / "S2" / "S2.pkl").write_bytes(pickle.dumps(content, 2))
        return PpgDalia(tmp_path)

    return change


def test_each_person_has_each_activity_in_one_order(fake) -> None:
    found = list(PpgDalia(fake))
    assert [r.subject for r in found] == ["2"] * 8 + ["10"] * 8  # by number, not by letters
    assert [r.labels["activity"] for r in found] == [*ACTIVITIES] * 2
    assert [found[k].read("bvp").start_s for k in (0, 1, 8)] == [2, 14, 14]


def test_heart_rates_are_at_the_middle_of_windows_within_the_activity(fake) -> None:
    truth = read_truth(fake)
    for recording in PpgDalia(fake):
        begin = recording.read("ecg").start_s
        rates = recording.read("hr")
        assert rates.times_s.tolist() == [begin + 4, begin + 6]
        assert set(rates.samples) == {truth[recording.name]["ecg"]}


def test_the_longest_stretch_of_an_activity_is_read(changed, fake) -> None:
    codes = load_pickle(fake / "S2" / "S2.pkl")["activity"]
    codes[8:12] = 0  # a second of nothing within the first activity
    codes[60:64] = 1
    wave = next(iter(changed(activity=codes))).read("bvp")
    assert (wave.start_s, wave.end_s) == pytest.approx((3, 12), abs=0.02)


def test_parts_that_disagree_are_refused(changed, fake) -> None:
    content = load_pickle(fake / "S2" / "S2.pkl")
    codes, rates = content["activity"], content["label"]
    for parts, message in (
        ({"activity": codes[::4]}, "are the channels swapped"),
        ({"activity": np.where(codes == 5, 9, codes)}, "codes other than 0–8"),
        ({"activity": np.where(codes == 1, 0, codes)}, "no stretch of sitting"),
        (
            {"activity": np.concatenate([codes[:12], np.zeros_like(codes[12:])])},
            "no complete window",
        ),
        ({"label": np.repeat(rates, 2)}, "one for each window of 8 s, every 2 s"),
        ({"label": 1e3 * 60 / rates}, "not heart rates in beats per minute"),
        ({"label": rates[:, None, None] * np.ones((1, 2, 2))}, "want one column"),
    ):
        with pytest.raises(InputError, match=rf"S2\.pkl.*{message}"):
            next(iter(changed(**parts))).read("hr")
