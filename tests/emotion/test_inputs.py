"""From the table to the array: which columns a head may see, and that training and use agree."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.emotion import HEADS
from emotion_rppg.emotion.inputs import feature_names, fitted_to, matrix, of_families
from emotion_rppg.errors import InputError
from emotion_rppg.windows import IDENTITY


@pytest.fixture
def table():
    """Three windows as `extract` makes them, the last without a pulse."""
    return pd.DataFrame(
        {
            **{name: ["x"] * 3 for name in IDENTITY if name not in ("start_s", "duration_s")},
            "start_s": [0.0, 30.0, 60.0],
            "duration_s": [60.0] * 3,
            "hr_bpm": [60.0, 70.0, np.nan],
            "lf_hf": [1.0, np.inf, np.nan],
            "vlf_ms2": [np.nan] * 3,
            "quality": [0.9, 0.8, 0.0],
            "coverage": [1.0, 0.9, 0.0],
            "corrected_share": [0.0, 0.1, np.nan],
            "label_arousal": [2.0, 8.0, 5.0],
            "scale_arousal": ["1..9"] * 3,
            "label_mood": ["calm", "tense", "calm"],
            "seq_ibi_ms": ["1000.0 990.0 nan 1010.0", "850.0 860.0", ""],
            "seq_confidence": ["0.9 0.8 0.0 0.9", "0.7 0.6", ""],
            "emb_000": [0.1, 0.2, 0.3],
            "encoder": ["e"] * 3,
            "encoder_trained_on": ["unknown"] * 3,
        }
    )


def channels():
    from emotion_rppg.features.sequences import CHANNELS

    return CHANNELS


def test_features_are_the_numeric_columns_that_say_nothing_of_who_when_or_what_was_felt(table):
    assert feature_names(table) == (
        *("hr_bpm", "lf_hf", "vlf_ms2", "quality", "coverage", "corrected_share", "emb_000"),
    )


def test_numeric_subject_names_are_no_features(table):
    table["subject"] = [1, 2, 3]
    table["session"] = [1, 1, 1]
    assert not {"subject", "session"} & set(feature_names(table))


def test_ablation_leaves_out_quality_in_features_and_tokens(table):
    whole, without = matrix(table), matrix(table, ablate=("quality",))
    assert set(whole.names) - set(without.names) == {"quality", "coverage", "corrected_share"}
    assert without.n_token_channels < whole.n_token_channels
    assert whole.longest == without.longest


@pytest.mark.parametrize(
    ("group", "seen"),
    [("sequence", lambda m: m.longest), ("embedding", lambda m: "emb_000" in m.names)],
)
def test_ablation_leaves_out_a_family(table, group, seen):
    assert seen(matrix(table))
    assert not seen(matrix(table, ablate=(group,)))


def test_tokens_come_back_from_the_flat_array(table):
    from emotion_rppg.features.sequences import tokens

    m = matrix(table)
    assert m.X.shape == (3, m.n_features + m.longest * m.n_token_channels)
    back = m.X[:, m.n_features :].reshape(3, m.longest, m.n_token_channels)
    np.testing.assert_array_equal(back, tokens(table))
    assert np.isnan(back[1, 2:]).all()
    assert np.isnan(back[2]).all()


def test_infinities_and_empty_columns_become_nan_and_stay(table):
    m = matrix(table)
    assert not np.isinf(m.X).any()
    assert np.isnan(m.X[1, m.names.index("lf_hf")])
    assert np.isnan(m.X[:, m.names.index("vlf_ms2")]).all()


def test_a_table_without_sequences_has_features_only(table):
    m = matrix(table.drop(columns=["seq_ibi_ms", "seq_confidence"]))
    assert m.n_token_channels == 0
    assert m.X.shape == (3, m.n_features)


@pytest.mark.parametrize("longest", [1, 2, 7])
def test_a_later_table_gets_the_columns_and_tokens_of_training(table, longest):
    trained = matrix(table)
    later = table[list(reversed(table.columns))].assign(extra=1.0)
    m = matrix(later, names=trained.names, longest=longest)
    assert (m.names, m.longest) == (trained.names, longest)
    np.testing.assert_array_equal(m.X[:, : m.n_features], trained.X[:, : trained.n_features])
    first = min(longest, trained.longest) * len(channels())
    np.testing.assert_array_equal(
        m.X[:, m.n_features :][:, :first], trained.X[:, trained.n_features :][:, :first]
    )
    assert np.isnan(m.X[:, m.n_features + first :]).all()


def test_a_table_without_rows_has_the_width_of_training(table):
    m = matrix(table.iloc[:0], names=matrix(table).names, longest=4)
    assert m.X.shape == (0, m.n_features + 4 * len(channels()))


def test_a_column_of_none_is_read_as_missing(table):
    later = table.assign(hr_bpm=None)
    m = matrix(later, names=matrix(table).names, longest=4)
    assert np.isnan(m.X[:, m.names.index("hr_bpm")]).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: {"table": t[["dataset", "label_arousal"]]}, "no numeric feature column"),
        (lambda t: {"table": t.drop(columns="hr_bpm"), "names": ("hr_bpm", "lf_hf")}, "hr_bpm"),
        (lambda t: {"table": t, "names": ("label_mood",)}, "label_mood"),
        (lambda t: {"table": t[["hr_bpm"]], "longest": 5}, "no beat sequences"),
        (lambda t: {"table": t, "ablate": ("qualty",)}, "qualty"),
        (lambda t: {"table": t, "ablate": "quality"}, "list of names"),
    ],
)
def test_what_cannot_be_used_is_named(table, change, says):
    with pytest.raises(InputError, match=says):
        matrix(**change(table))


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_told_the_layout_and_the_table_of_heads_is_left_alone(table, name):
    m = matrix(table)
    before = repr(HEADS[name].get_params())
    params = fitted_to(HEADS[name], m).get_params()
    told = {k.rpartition("__")[2]: v for k, v in params.items()}
    assert told["n_features"] == m.n_features
    assert told.get("n_token_channels", m.n_token_channels) == m.n_token_channels
    assert repr(HEADS[name].get_params()) == before


def test_families_are_chosen_by_name_and_what_belongs_to_none_stays(table):
    table["hr_bpm_vs_baseline"] = 1.0
    beats = of_families(table, ["sequence"])
    assert "seq_ibi_ms" in beats
    assert not {"hr_bpm", "lf_hf", "hr_bpm_vs_baseline"} & set(beats)
    assert {"emb_000", "label_mood", "quality", *IDENTITY} <= set(beats)
    assert matrix(of_families(table, ["hrv"])).longest == 0
    assert set(of_families(table, ["hrv", "sequence"])) == set(table)
    with pytest.raises(InputError, match="no column of the family 'morphology'"):
        of_families(table, ["morphology"])
    with pytest.raises(InputError, match="unknown feature family"):
        of_families(table, ["hrv", "eeg"])
