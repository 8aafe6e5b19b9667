"""A sensor's samples in a window become text at 4 Hz, and the same samples again."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import extract
from emotion_rppg.emotion.design_matrix import matrix
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.sources import with_sequence
from emotion_rppg.features import FAMILIES, kinds_of_columns
from emotion_rppg.features.sensor_sequences import COLUMN_OF, tokens
from emotion_rppg.features.sensors import SENSORS
from emotion_rppg.features.sources import sources_in
from emotion_rppg.features.trust import kind_trusted
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.windows import trusted

BEATS = [Beats([])]


def test_every_sensor_has_a_sequence_of_its_own_kind() -> None:
    assert set(COLUMN_OF) == set(SENSORS)
    for kind, (column, _) in COLUMN_OF.items():
        assert FAMILIES[f"{kind}_sequence"].kind == kind
        assert kinds_of_columns([column]) == (kind,)
    assert kinds_of_columns(["seq_ibi_ms", "seq_unknown"]) == ("pulse",)


@pytest.mark.parametrize("kind", SENSORS)
def test_the_samples_survive_as_text(kind) -> None:
    times = np.arange(240) / 4
    samples = 30 + 3 * np.sin(times)
    text = FAMILIES[f"{kind}_sequence"](BEATS, [Signal(samples, 4.0, kind=kind)])
    np.testing.assert_allclose(tokens(text, kind)[0, :, 0], samples, atol=0.01)


def test_a_faster_signal_is_reduced_to_four_a_second() -> None:
    times = np.arange(60 * 32) / 32
    wave = Signal(1 + 0.5 * np.sin(2 * np.pi * 0.2 * times), 32.0, kind="acc")
    found = tokens(FAMILIES["acc_sequence"](BEATS, [wave]), "acc")
    assert found.shape == (1, 240, 1)
    inner = found[0, 20:-20, 0]
    np.testing.assert_allclose(
        inner, 1 + 0.5 * np.sin(2 * np.pi * 0.2 * np.arange(20, 220) / 4), atol=0.01
    )


def test_unusable_samples_are_the_median_of_their_row_and_no_signal_is_empty() -> None:
    samples = np.r_[np.full(20, 2.0), np.full(20, np.nan), np.full(19, 4.0)]
    rows = [Signal(samples, 4.0, kind="eda"), None, Signal(samples * np.nan, 4.0, kind="eda")]
    text = FAMILIES["eda_sequence"](BEATS * 3, rows)
    assert text["seq_eda_us"].tolist()[1:] == ["", ""]
    assert text["seq_eda_us"][0].split()[30] == "nan"
    found = tokens(text, "eda")
    assert found.shape == (3, 59, 1)
    assert found[0, 30, 0] == np.median(found[0, np.r_[:20, 40:59], 0])
    assert np.isnan(found[1:]).all()
    assert tokens(pd.DataFrame({"a": [1]}), "eda").shape == (1, 0, 1)
    with pytest.raises(InputError, match="seq_eda_us has numbers and nan separated by spaces"):
        tokens(pd.DataFrame({"seq_eda_us": ["1 two"]}), "eda")


def test_a_table_has_the_sequence_where_the_signal_is_trusted() -> None:
    samples = 2 + 0.1 * np.sin(np.arange(480) / 40)
    samples[:240] = 0.0  # the electrode is off for a minute
    recording = Recording("d", "1", signals={"eda": Signal(samples, 4.0, kind="eda")})
    table = extract([recording], families=("eda", "eda_sequence"), length_s=60, step_s=60)
    assert [len(text.split()) for text in table["seq_eda_us"]] == [0, 240]
    assert sources_in(table) == {"eda": "eda"}
    alone = table.drop(columns=list(FAMILIES["eda"].columns))
    assert kind_trusted(alone, "eda").tolist() == [False, True]
    assert trusted(alone.drop(columns="hr_bpm", errors="ignore")).all()  # it has no pulse columns
    inputs = matrix(table)
    assert inputs.longest == 0  # beats only
    part = with_sequence(inputs, table, "eda")
    assert part is not None
    assert part.channels == ("eda_us",)
    assert part.tokens.shape == (2, 240, 1)
    assert with_sequence(inputs, table, "temp") is None
