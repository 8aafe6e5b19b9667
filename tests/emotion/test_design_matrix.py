"""Design matrix: which columns are features, and the same layout in training and prediction."""

import logging

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.emotion import HEADS
from emotion_rppg.emotion.design_matrix import (
    feature_names,
    matrix,
    of_families,
    of_one_length,
    with_layout,
)
from emotion_rppg.errors import InputError
from emotion_rppg.features import columns
from emotion_rppg.features.sensors import SENSORS
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
            "n_beats": [60.0, 70.0, 0.0],
            "rmssd_se_ms": [3.0, 4.0, np.nan],
            "hr_bpm_vs_baseline": [0.0, 10.0, np.nan],
            "n_beats_vs_baseline": [0.0, 10.0, np.nan],
            "age": [20, 30, 40],
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


OWN = ("hr_bpm", "lf_hf", "vlf_ms2", "hr_bpm_vs_baseline", "emb_000")
CONFIDENCE_COLUMNS = ("seq_confidence", "quality")
CHANNELS = ("ibi_ms", "difference_ms", "amplitude", "rise_ms", "width_ms")


def test_features_are_the_columns_of_families_and_embeddings_alone(table):
    table["subject"], table["session"], table["Unnamed: 0"] = [1, 2, 3], [1, 1, 1], [0, 1, 2]
    assert feature_names(table) == OWN


def test_columns_that_describe_the_recording_are_no_features():
    names = sorted(name for name in columns() if not name.startswith("seq_"))
    table = pd.DataFrame({name: [1.0] for name in names})
    left = set(table) - set(feature_names(table))
    counts = {"n_beats", "n_pulses", "quality", "coverage", "corrected_share", "ectopic_share"}
    errors = {"timing_sd_ms", "hr_se_bpm", "mean_nn_se_ms", "sdnn_se_ms", "rmssd_se_ms"}
    length = "sdsd_ms sd1_ms sd2_ms sd1_sd2 csi cvi lf_peak_hz hf_peak_hz"
    counts |= {"n_breaths", *(f"{kind}_quality" for kind in SENSORS)}
    errors |= {"breath_rate_se_per_min"}
    assert left == counts | errors | set(length.split())


def test_other_columns_become_features_by_name(table):
    assert set(feature_names(table, extra_features=("age", "quality"))) == {*OWN, "age", "quality"}
    inputs = matrix(table, extra_features=("age",))
    np.testing.assert_array_equal(inputs.X[:, inputs.names.index("age")], table["age"])
    table["smokes"] = [True, False, True]
    assert "smokes" in feature_names(table, extra_features=["smokes"])


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("agge", "height"), "'agge' is not a column of the table; 'height' is not a column"),
        (("encoder",), "'encoder' contains no numbers"),
        (("label_arousal",), "'label_arousal' is a label"),
        ("age", r"write \('age',\)"),
    ],
)
def test_an_extra_feature_that_cannot_be_used_is_named(table, extra, message):
    with pytest.raises(InputError, match=message):
        matrix(table, extra_features=extra)


def test_a_numeric_column_that_is_not_used_is_named_once(table, caplog):
    with caplog.at_level(logging.WARNING):
        matrix(table.assign(subject=1))
    (record,) = caplog.records
    assert "not used as features: age (" in record.getMessage()
    caplog.clear()
    matrix(table, extra_features=("age",))
    matrix(table, names=OWN)
    assert not caplog.records


def test_confidence_of_beats_is_read_only_where_it_is_named(table):
    assert matrix(table).channels == CHANNELS
    with_confidence = matrix(table, extra_features=CONFIDENCE_COLUMNS)
    assert with_confidence.channels == (*CHANNELS, "confidence")
    assert "quality" in with_confidence.names
    ablated = matrix(table, extra_features=CONFIDENCE_COLUMNS, ablate=("quality",))
    assert (ablated.channels, ablated.names) == (CHANNELS, OWN)


@pytest.mark.parametrize(
    ("group", "seen"),
    [
        ("sequence", lambda inputs: inputs.longest),
        ("embedding", lambda inputs: "emb_000" in inputs.names),
    ],
)
def test_ablation_leaves_out_a_family(table, group, seen):
    assert seen(matrix(table))
    assert not seen(matrix(table, ablate=(group,)))


def test_tokens_come_back_from_the_flat_array(table):
    from emotion_rppg.features.sequences import tokens

    inputs = matrix(table, extra_features=("seq_confidence",))
    assert inputs.X.shape == (3, inputs.n_features + inputs.longest * inputs.n_token_channels)
    np.testing.assert_array_equal(inputs.tokens, tokens(table))
    assert np.isnan(inputs.tokens[1, 2:]).all()
    assert np.isnan(inputs.tokens[2]).all()


def test_a_pulse_without_a_shape_takes_the_rows_median(table):
    table["seq_rise_ms"] = ["120 140 nan nan", "nan nan", ""]
    rise = matrix(table).tokens[:, :, CHANNELS.index("rise_ms")]
    np.testing.assert_array_equal(rise, [[120, 140, 130], [np.nan] * 3, [np.nan] * 3])


def test_sequences_of_one_length_run_back_and_forth():
    tokens = np.array([[1.0, 2, 3, 4], [1, 2, 3, np.nan], [7, *[np.nan] * 3], [np.nan] * 4])
    for longest, rows in (
        (3, [[1, 2, 3], [1, 2, 3], [7, 7, 7], [np.nan] * 3]),
        (6, [[1, 2, 3, 4, 3, 2], [1, 2, 3, 2, 1, 2], [7] * 6, [np.nan] * 6]),
    ):
        np.testing.assert_array_equal(of_one_length(tokens[:, :, None], longest)[:, :, 0], rows)
    assert np.isnan(of_one_length(np.empty((2, 0, 1)), 3)).all()


def test_rounding_hides_the_number_of_beats():
    beats = np.array([90, 140])
    table = pd.DataFrame({"pnn50_pct": 100 * 9 / beats, "hr_bpm": [60.0, 61.0]})
    np.testing.assert_array_equal(matrix(table).X[:, 0], [10.0, 5.0])


def test_infinities_and_empty_columns_become_nan_and_stay(table):
    inputs = matrix(table)
    assert not np.isinf(inputs.X).any()
    assert np.isnan(inputs.X[1, inputs.names.index("lf_hf")])
    assert np.isnan(inputs.X[:, inputs.names.index("vlf_ms2")]).all()


def test_a_table_without_sequences_has_features_only(table):
    inputs = matrix(table.drop(columns=["seq_ibi_ms", "seq_confidence"]))
    assert inputs.n_token_channels == 0
    assert inputs.X.shape == (3, inputs.n_features)


@pytest.mark.parametrize("longest", [1, 2, 7])
def test_a_later_table_gets_the_columns_and_tokens_of_training(table, longest):
    trained = matrix(table)
    later = table[list(reversed(table.columns))].assign(extra=1.0)
    inputs = matrix(later, names=trained.names, channels=trained.channels, longest=longest)
    assert (inputs.names, inputs.channels, inputs.longest) == (
        trained.names,
        trained.channels,
        longest,
    )
    np.testing.assert_array_equal(
        inputs.X[:, : inputs.n_features], trained.X[:, : trained.n_features]
    )
    np.testing.assert_array_equal(inputs.tokens, of_one_length(trained.tokens, longest))


def test_a_table_without_rows_has_the_width_of_training(table):
    inputs = matrix(table.iloc[:0], names=matrix(table).names, longest=4)
    assert inputs.X.shape == (0, inputs.n_features + 4 * inputs.n_token_channels)


def test_a_column_of_none_is_read_as_missing(table):
    later = table.assign(hr_bpm=None)
    inputs = matrix(later, names=matrix(table).names, longest=4)
    assert np.isnan(inputs.X[:, inputs.names.index("hr_bpm")]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"table": t[["dataset", "label_arousal"]]}, "no numeric feature column"),
        (lambda t: {"table": t.drop(columns="hr_bpm"), "names": ("hr_bpm", "lf_hf")}, "hr_bpm"),
        (lambda t: {"table": t, "names": ("label_mood",)}, "label_mood"),
        (lambda t: {"table": t[["hr_bpm"]], "longest": 5}, "no beat sequences"),
        (lambda t: {"table": t, "ablate": ("qualty",)}, "qualty"),
        (lambda t: {"table": t, "ablate": "quality"}, "list of names"),
    ],
)
def test_an_unusable_table_is_rejected_by_name(table, change, message):
    with pytest.raises(InputError, match=message):
        matrix(**change(table))


@pytest.mark.parametrize("name", HEADS)
def test_with_layout_sets_the_parameters_of_a_clone(table, name):
    inputs = matrix(table)
    before = repr(HEADS[name].get_params())
    params = with_layout(HEADS[name], inputs).get_params()
    layout = {k.rpartition("__")[2]: v for k, v in params.items()}
    assert layout["n_features"] == inputs.n_features
    assert layout.get("n_token_channels", inputs.n_token_channels) == inputs.n_token_channels
    assert repr(HEADS[name].get_params()) == before


def test_families_are_selected_by_name_and_columns_of_none_stay(table):
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
