"""Codings of ratings: thresholds, the labels they come from, and strict inequality."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.emotion.tasks import CODINGS, Task, class_names, code
from emotion_rppg.errors import InputError


def rated(*ratings, scale="1..9", dataset="a", subject="1", **columns):
    return pd.DataFrame(
        {
            "dataset": dataset,
            "subject": subject,
            "session": "1",
            "trial": [str(i) for i in range(len(ratings))],
            "label_arousal": ratings,
            **({"scale_arousal": scale} if scale else {}),
            **columns,
        }
    )


def test_the_middle_of_the_scale_itself_is_low():
    y = code(rated(1.0, 5.0, 5.001, 9.0), Task("arousal"))
    assert y.tolist() == [0, 0, 1, 1]
    assert "strictly above" in Task("arousal").rule()


def test_each_scale_is_halved_at_its_own_middle():
    table = pd.concat([rated(4.0, 6.0), rated(2.0, 4.0, scale="1..5", dataset="b")])
    assert code(table, Task("arousal")).tolist() == [0, 1, 0, 1]
    assert Task("arousal").rule(table).endswith("(above 3 or 5)")


def test_a_missing_label_is_nan_whatever_the_coding():
    for coding in ("midpoint", "fixed(4)", "subject_median", "tertiles", "as_is"):
        y = code(rated(2.0, np.nan, 7.0), Task("arousal", coding))
        assert np.isnan(y).tolist() == [False, True, False], coding


def test_a_fixed_threshold_needs_no_scale():
    y = code(rated(2.5, 3.0, 3.5, scale=None), Task("arousal", "fixed(3)"))
    assert y.tolist() == [0, 0, 1]
    assert code(rated(-1.0, 0.0, scale=None), Task("arousal", "fixed(-0.5)")).tolist() == [0, 1]


def test_subject_median_is_each_persons_own():
    calm, tense = rated(1.0, 2.0, 3.0), rated(7.0, 8.0, 9.0, subject="2")
    other = rated(4.0, 5.0, 6.0, dataset="b")  # subject 1 of another data set is somebody else
    y = code(pd.concat([calm, tense, other]), Task("arousal", "subject_median"))
    assert y.tolist() == [0, 0, 1] * 3


def test_a_long_trial_weighs_no_more_than_a_short_one():
    table = rated(1.0, 2.0, 9.0)
    long = pd.concat([table, *[table.iloc[[2]]] * 20])  # the last trial has 21 windows
    y = code(long, Task("arousal", "subject_median"))
    assert y[:3].tolist() == [0, 0, 1]


def test_ratings_that_vary_within_one_trial_are_halved_at_their_median():
    table = rated(1.0, 2.0, 9.0).assign(trial="1")
    assert code(table, Task("arousal", "subject_median")).tolist() == [0, 0, 1]


def test_the_middle_tertile_is_a_class():
    table = rated(*map(float, range(1, 10)))
    y = code(table, Task("arousal", "tertiles"))
    assert y.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert class_names(table, Task("arousal", "tertiles")) == ("low", "middle", "high")


def test_tertiles_are_those_of_each_data_set():
    table = pd.concat([rated(1.0, 2.0, 3.0), rated(10.0, 20.0, 30.0, dataset="b")])
    assert code(table, Task("arousal", "tertiles")).tolist() == [0, 1, 2, 0, 1, 2]


def test_text_labels_become_classes_in_alphabetical_order():
    table = rated(1.0, 2.0, 3.0, label_mood=["tense", "calm", None])
    task = Task("mood", "as_is")
    assert class_names(table, task) == ("calm", "tense")
    np.testing.assert_array_equal(code(table, task), [1, 0, np.nan])


def test_numbers_as_they_are_have_no_classes():
    table = rated(1.5, 2.5)
    assert code(table, Task("arousal", "as_is")).tolist() == [1.5, 2.5]
    assert class_names(table, Task("arousal", "as_is")) == ()


def test_numbers_written_as_text_are_numbers():
    assert code(rated("2", "8"), Task("arousal")).tolist() == [0, 1]


def test_without_a_scale_column_the_data_sets_card_gives_the_scale(monkeypatch):
    known = SimpleNamespace(card=SimpleNamespace(scales={"arousal": (0, 100)}))
    import emotion_rppg.datasets

    monkeypatch.setattr(emotion_rppg.datasets, "DATASETS", {"a": known}, raising=False)
    assert code(rated(40.0, 60.0, scale=None), Task("arousal")).tolist() == [0, 1]
    assert code(rated(40.0, 60.0, scale=np.nan), Task("arousal")).tolist() == [0, 1]
    with pytest.raises(InputError, match=r"fixed\(x\)"):
        code(rated(40.0, 60.0, scale=None, dataset="b"), Task("arousal"))


def test_labels_0_and_1_need_no_scale():
    table = pd.concat([rated(0.0, 1.0, 1.0, scale=None), rated(2.0, 8.0, dataset="b")])
    assert code(table, Task("arousal")).tolist() == [0, 1, 1, 0, 1]
    assert "(above 0.5 or 5)" in Task("arousal").rule(table)
    for ratings in ((1.0, 1.0), (0.0, 1.0, 2.0)):  # which could be the low end of any scale
        with pytest.raises(InputError, match="scale of 'arousal' in 'a' is unknown"):
            code(rated(*ratings, scale=None), Task("arousal"))


def test_messages_that_recommend_a_threshold_quote_it_for_a_shell():
    with pytest.raises(InputError, match=r'manifest\.json .*--coding "fixed\(5\)"'):
        code(rated(40.0, 60.0, scale=None), Task("arousal"))
    with pytest.raises(InputError, match=r'quotes: --coding "fixed\(5\)"'):
        Task("arousal", "fixed")


def test_a_row_without_a_label_needs_no_scale():
    assert np.isnan(code(rated(np.nan, scale=None), Task("arousal"))).all()


@pytest.mark.parametrize("scale", ["1-9", "9..1", "low..high", "5"])
def test_an_invalid_scale_is_rejected(scale):
    with pytest.raises(InputError, match=r"lowest\.\.highest"):
        code(rated(1.0, scale=scale), Task("arousal"))


def test_an_unknown_target_lists_the_known_ones():
    with pytest.raises(InputError, match="it has: arousal, mood"):
        code(rated(1.0, label_mood="calm"), Task("dominance"))


def test_text_labels_with_a_coding_for_numbers_suggest_as_is():
    with pytest.raises(InputError, match="as_is"):
        code(rated(1.0, label_mood="calm"), Task("mood"))


@pytest.mark.parametrize("coding", ["median", "fixed(x)", "fixed(1.2.3)", "fixed()", "fixed", ""])
def test_an_unknown_coding_lists_the_known_ones(coding):
    with pytest.raises(InputError, match="midpoint, fixed"):
        Task("arousal", coding)


@pytest.mark.parametrize("coding", [c if c != "fixed(x)" else "fixed(2)" for c in CODINGS])
def test_every_coding_has_its_rule_in_words(coding):
    rule = Task("arousal", coding).rule(rated(1.0, 9.0))
    assert rule.startswith("arousal is ")
    assert coding == "as_is" or ">" in rule
