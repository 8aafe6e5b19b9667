"""Laws of every normalisation: one shape, each person by themselves, blind to labels."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.emotion.design_matrix import Matrix, matrix
from emotion_rppg.emotion.model import FITTED
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.leakage import Leak
from emotion_rppg.evaluation.normalisation import (
    NORMALISE,
    Normalisation,
    normalise_name,
    normalised,
)
from emotion_rppg.windows import people

from .test_evaluation import study

EACH = pytest.mark.parametrize("name", NORMALISE)


def made(name: str | Normalisation, table: pd.DataFrame) -> tuple[Matrix, np.ndarray]:
    return normalised(matrix(table), table, normalise=name, calibration_s=240.0)


@EACH
def test_each_keeps_the_shape_and_scores_somebody(name) -> None:
    table = study(3)
    inputs, unscored = made(name, table)
    assert inputs.X.shape == matrix(table).X.shape
    assert unscored.dtype == bool
    assert not unscored.all()
    assert bool(unscored.any()) == NORMALISE[name].timed


@EACH
def test_rows_of_one_person_change_no_other_person(name) -> None:
    table = study(4)
    one = (table["subject"] == "s1").to_numpy()
    other = table.assign(hr_bpm=table["hr_bpm"] + np.where(one, np.arange(len(table)), 0))
    (before, unscored), (after, again) = made(name, table), made(name, other)
    np.testing.assert_array_equal(before.X[~one], after.X[~one])
    assert (before.X[one] != after.X[one]).any()
    np.testing.assert_array_equal(unscored, again)


@EACH
def test_labels_change_nothing(name) -> None:
    table = study(3)
    other = table.assign(label_arousal=10 - table["label_arousal"])
    np.testing.assert_array_equal(made(name, table)[0].X, made(name, other)[0].X)


def test_one_of_the_table_that_reads_labels_is_refused(monkeypatch) -> None:
    peeking = Normalisation("peeking", lambda _, table: table["label_arousal"], "by the label")
    monkeypatch.setitem(NORMALISE, "peeking", peeking)
    with pytest.raises(Leak, match="'peeking' reads 'label_arousal'"):
        made("peeking", study(3))


def test_subject_baselines_are_subtracted_as_described() -> None:
    """A person whose heart beats 50 bpm faster all the time is the same person."""
    table = study(3)
    whose = people(table).to_numpy() == "d/s1"
    shifted = table.assign(hr_bpm=table["hr_bpm"] + 50 * whose)
    for name in NORMALISE:
        same = np.allclose(made(name, table)[0].X, made(name, shifted)[0].X)
        assert same == (name != "none"), name


def test_names_are_those_of_the_table_and_a_model_is_fitted_with_some_of_them() -> None:
    assert [each.name for each in NORMALISE.values()] == list(NORMALISE)
    assert set(FITTED) < set(NORMALISE)
    assert {name for name in NORMALISE if NORMALISE[name].timed} < set(FITTED)


def test_a_record_may_stand_for_its_name_and_must_keep_the_shape() -> None:
    table = study(4)
    own = Normalisation("own", NORMALISE["transductive"].function, "as the table's")
    assert normalise_name(own) == "own"
    np.testing.assert_array_equal(made(own, table)[0].X, made("transductive", table)[0].X)
    short = Normalisation("short", lambda inputs, _: (inputs, np.zeros(3, bool)), "wrong")
    with pytest.raises(InputError, match=r"'short' gave .* and 3 rows, want"):
        made(short, table)
