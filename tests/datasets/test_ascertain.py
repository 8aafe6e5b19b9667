"""ASCERTAIN: column of the lead that varies between files, order and scales of the ratings."""

import numpy as np
import pytest

from emotion_rppg.datasets.ascertain import REPORTS, Ascertain
from emotion_rppg.errors import InputError
from tests.datasets.fakes import FAKES


@pytest.fixture
def fake(tmp_path):
    return FAKES["ascertain"](tmp_path / "a")


def saved(path, **content):
    from scipy.io import savemat

    savemat(path, content)


def test_ratings_are_arousal_then_valence_on_their_own_scales(fake) -> None:
    found = list(Ascertain(fake))
    assert [r.trial for r in found] == ["01", "02", "10"] * 2  # by number, not by letters
    assert dict(found[0].labels) == {"arousal": 1, "valence": -1}
    assert dict(found[3].labels) == {"arousal": 5, "valence": -1}
    assert found[0].scales == {"arousal": (0, 6), "valence": (-3, 3)}


def test_wrong_ratings_are_refused_and_missing_ones_skipped(fake) -> None:
    ratings = np.full((5, 58, 36), np.nan)
    saved(fake / REPORTS, Ratings=ratings)
    assert all(not r.labels for r in Ascertain(fake))
    ratings[:2, 0, 0] = [-2, 3]  # valence first
    saved(fake / REPORTS, Ratings=ratings)
    with pytest.raises(InputError, match=r"person 1, clip 1: arousal is -2.0, outside .* 0–6"):
        Ascertain(fake)
    for wrong, message in (
        (np.zeros((58, 5, 36)), r"the shape \(58, 5, 36\)"),
        (np.zeros((5, 3, 36)), "rates 3 people .*Movie_P12.* not among them"),
    ):
        saved(fake / REPORTS, Ratings=wrong)
        with pytest.raises(InputError, match=message):
            Ascertain(fake)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:, :2], "want time and two leads"),
        (lambda t: t[:, 0], "want time and two leads"),
        (lambda t: t * [1e-3, 1, 1], "the documents say 256"),
        (lambda t: t[::-1], "do not increase"),
        (lambda t: t[::2], "the documents say 256"),
        (lambda t: t * [1, np.nan, 1], "ecg is empty"),
    ],
)
def test_a_table_without_the_documented_ecg_is_refused(fake, change, message) -> None:
    from emotion_rppg.formats.safe_io import load_mat

    path = fake / "ASCERTAIN_Raw/ECGData/Movie_P01/ECG_Clip1.mat"
    saved(path, Data_ECG=change(load_mat(path)["Data_ECG"]))
    with pytest.raises(InputError, match=rf"ECG_Clip1\.mat: .*{message}"):
        next(iter(Ascertain(fake))).read("ecg")
