"""Traps of AMIGOS and DREAMER (MATLAB files): order of ratings, rest before films, missed films."""

import numpy as np
import pytest
from scipy.io import savemat

from emotion_rppg.datasets.amigos import ECG_RIGHT, Amigos
from emotion_rppg.datasets.dreamer import FILE, Dreamer
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_mat
from tests.datasets.fakes import FAKES


def test_amigos_excludes_the_rest_and_films_that_were_not_watched(tmp_path) -> None:
    fake = FAKES["amigos"](tmp_path / "a")
    found = list(Amigos(fake))
    assert [(r.subject, r.trial) for r in found] == [
        *(("01", f"0{k}") for k in (1, 2, 3)),
        *(("08", f"0{k}") for k in (1, 2)),
    ]
    assert found[1].labels["arousal"] == 3.0  # stands before valence
    assert found[1].labels["valence"] == 8.0
    wave = found[0].read("ecg")
    assert (wave.start_s, wave.duration_s, wave.rate_hz) == (0.0, 8.0, 128.0)


def test_amigos_checks_channels_and_scales(tmp_path) -> None:
    path = FAKES["amigos"](tmp_path / "a") / "data_preprocessed/Data_Preprocessed_P01.mat"
    ratings = np.empty((1, 2), object)
    ratings[0, :] = [np.full((1, 12), 5.0), np.full((1, 12), 5.0)]
    data = np.empty((1, 2), object)
    data[0, :] = [np.zeros((2000, ECG_RIGHT)), np.empty((0, 0))]
    savemat(path, {"joined_data": data, "labels_selfassessment": ratings})
    found = list(Amigos(tmp_path / "a"))
    with pytest.raises(InputError, match=r"P01\.mat: film 1 has the shape \(2000, 14\)"):
        found[0].read("ecg")
    data[0, 0] = np.zeros((2000, 17))
    savemat(path, {"joined_data": data, "labels_selfassessment": ratings})
    with pytest.raises(InputError, match="film 2 was rated but has no signals"):
        found[1].read("ecg")
    ratings[0, 0] = np.full((1, 12), 12.0)
    savemat(path, {"joined_data": data, "labels_selfassessment": ratings})
    with pytest.raises(InputError, match=r"film 1: arousal is 12\.0, outside its scale 1–9"):
        Amigos(tmp_path / "a")


def test_dreamers_rate_and_scores_are_checked(tmp_path) -> None:
    fake = FAKES["dreamer"](tmp_path / "d")
    assert [r.read("ecg").duration_s for r in list(Dreamer(fake))[:2]] == [8.0, 9.0]
    content = load_mat(fake / FILE)["DREAMER"]
    savemat(fake / FILE, {"DREAMER": content | {"ECG_SamplingRate": 128.0}})
    with pytest.raises(InputError, match=r"DREAMER\.mat: the ECG has 128 samples per second"):
        Dreamer(fake)
    content["Data"][0]["ScoreValence"] = np.ones(3)
    savemat(fake / FILE, {"DREAMER": content})
    with pytest.raises(InputError, match="18 films, but other numbers of scores"):
        Dreamer(fake)
