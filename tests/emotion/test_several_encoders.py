"""A model with an encoder for each source: it predicts the same after loading, also from one."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import evaluate, fit, load
from emotion_rppg.cli import app
from emotion_rppg.emotion.deep.estimator import SequenceHead, SequenceRegressor
from emotion_rppg.emotion.deep.grouped import Grouped
from emotion_rppg.emotion.design_matrix import matrix, side_by_side
from emotion_rppg.emotion.model import Model
from emotion_rppg.errors import InputError
from emotion_rppg.runtime.tables import write_table

HEAD = SequenceHead(max_epochs=15, hidden=8, dropout=0.0)


def study(n_people: int = 6, n_windows: int = 12) -> pd.DataFrame:
    """EDA and temperature rise in one condition and fall in the other, about the same mean."""
    draw = np.random.default_rng(0)
    rows = [
        {
            **{"dataset": "d", "subject": f"s{person}", "session": "1", "trial": str(window)},
            **{"start_s": 60.0 * window, "duration_s": 60.0, "source": "bvp", "method": ""},
            **{"label_arousal": 8.0 if window % 2 else 2.0, "scale_arousal": "1..9"},
            **{"hr_bpm": draw.normal(70, 5), "eda_tonic_us": draw.normal(3, 1)},
            **{"temp_mean_c": draw.normal(33, 1), "eda_quality": 1.0, "temp_quality": 1.0},
        }
        for person in range(n_people)
        for window in range(n_windows)
    ]
    table = pd.DataFrame(rows)
    rising = np.where(table["label_arousal"] > 5, 1.0, -1.0)[:, None]
    for column, n in (("seq_eda_us", 30), ("seq_temp_c", 20)):
        samples = 3 + np.linspace(-1, 1, n) * rising + 0.1 * draw.normal(size=(len(table), n))
        table[column] = [" ".join(f"{value:.3f}" for value in row) for row in samples]
    return table


def without(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Withhold a sensor in every window, as `features` writes it."""
    lost = table.copy()
    for name in (c for c in table if str(c).startswith((kind, f"seq_{kind}"))):
        lost[name] = "" if str(name).startswith("seq_") else np.nan
    return lost


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return study()


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> Model:
    return fit(table, target="arousal", head=HEAD, sources=("eda", "temp"))


def right(model: Model, table: pd.DataFrame) -> float:
    """Share of correct predictions; a few windows may be outside the range of the training."""
    rows = model.predict(table)
    predicted = rows["reason"] == "ok"
    assert predicted.mean() > 0.8, rows["reason"].unique()
    return float(((rows["arousal"] == "high") == (table["label_arousal"] > 5))[predicted].mean())


@pytest.mark.slow
def test_a_loaded_model_predicts_the_same(table, model, tmp_path) -> None:
    assert type(model.heads["arousal"].module_.encoder) is Grouped
    assert model.lengths == (30, 20)
    again = load(model.save(tmp_path / "model"))
    assert {p.suffix for p in (tmp_path / "model").iterdir()} == {".json", ".safetensors", ".md"}
    for rows in (table, without(table, "eda"), study(2)):
        pd.testing.assert_frame_equal(again.predict(rows), model.predict(rows))
    assert again.lengths == model.lengths
    card = again.card()
    assert "LSTM on eda_us, temp_c and features" in card
    assert "without any of trusted EDA, trusted skin temperature" in card


@pytest.mark.slow
def test_windows_are_predicted_from_the_sources_that_are_there(table, model) -> None:
    assert right(model, table) > 0.95
    assert right(model, without(table, "eda")) > 0.95
    assert right(model, without(table, "temp")) > 0.95
    neither = model.predict(without(without(table, "eda"), "temp"))
    assert (neither["arousal"] == "").all()
    assert neither["reason"].str.contains("no trusted").all()


@pytest.mark.slow
def test_it_is_the_network_that_evaluate_scores(table) -> None:
    """The same columns, tokens and rows: early fusion of the same sources, one person left out."""
    results = evaluate(
        table, target="arousal", heads={"lstm": HEAD}, sources=("eda", "temp"), permutations=0
    )
    own = results.summary_of_sources().set_index(["windows", "fusion", "sources"])
    scored = own.loc[("shared", "early", "eda+temp"), "mean"]
    others, tested = (table[(table["subject"] == "s0") == left] for left in (False, True))
    left_out = fit(others, target="arousal", head=HEAD, sources=("eda", "temp"))
    assert right(left_out, tested) > 0.9
    assert scored > 0.9


@pytest.mark.slow
def test_shorter_windows_of_samples_are_brought_to_the_length_of_the_training(table, model) -> None:
    """A table whose longest text is shorter gives the same number of columns."""
    short = table.assign(seq_eda_us=[" ".join(t.split()[:25]) for t in table["seq_eda_us"]])
    assert right(model, short) > 0.8


@pytest.mark.slow
def test_numbers_and_one_source_alone(table, tmp_path) -> None:
    head = SequenceRegressor(max_epochs=10, hidden=8, dropout=0.0)
    number = fit(table, target="arousal", head=head, coding="as_is", sources=("temp", "eda"))
    alone = fit(table, target="arousal", head=HEAD, sources=("eda",))
    assert (alone.channels, alone.lengths) == (("eda_us",), (30,))
    assert right(alone, table) > 0.95
    lost = alone.predict(without(table, "eda"))
    assert (lost["reason"] != "ok").all()
    for name, made in (("number", number), ("alone", alone)):
        again = load(made.save(tmp_path / name))
        pd.testing.assert_frame_equal(again.predict(table), made.predict(table))


def test_a_classic_head_reads_the_columns_of_the_sources_alone(table) -> None:
    made = fit(table, target="arousal", head="logistic", sources=("eda", "temp"))
    assert set(made.names) == {"eda_tonic_us", "temp_mean_c"}
    assert (made.lengths, made.longest) == ((), 0)
    with pytest.raises(InputError, match="no feature of 'resp'"):
        fit(table, target="arousal", head="logistic", sources=("eda", "resp"))


@pytest.mark.slow
def test_a_table_without_the_samples_is_refused_with_the_family_to_extract(table, model) -> None:
    with pytest.raises(InputError, match=r"lacks the sequences seq_eda_us.*families eda_sequence"):
        model.predict(table.drop(columns="seq_eda_us"))


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [[30], [31, 20], [30, 20, 5], "30", [-1, 30]])
def test_a_damaged_list_of_lengths_is_refused(model, tmp_path, lengths) -> None:
    folder = model.save(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "lengths": lengths}))
    with pytest.raises(InputError, match=r"length|longest"):
        load(folder)


def test_sources_have_lengths_of_their_own_side_by_side() -> None:
    first, second = np.ones((20, 6, 2)), np.full((20, 9, 1), 2.0)
    first[0, 3:] = np.nan  # one short row in twenty is extended
    second[1] = np.nan
    tokens = side_by_side([first, second])
    assert tokens.shape == (20, 9, 3)
    assert (tokens[:, :6, :2] == 1).all()
    assert np.isnan(tokens[:, 6:, :2]).all()
    assert np.isnan(tokens[1, :, 2]).all()
    assert (np.delete(tokens, 1, axis=0)[:, :, 2] == 2).all()
    assert side_by_side([first, second], (4, 5)).shape == (20, 5, 3)


def test_the_matrix_reads_samples_of_sensors_when_named(table) -> None:
    plain = matrix(table)
    both = matrix(table, channels=("eda_us", "temp_c"))
    assert plain.channels == ()
    assert both.channels == ("eda_us", "temp_c")
    assert both.longest == 30
    assert np.isnan(both.tokens[:, 20:, 1]).all()


@pytest.mark.slow
def test_the_verb_fits_and_predicts(table, tmp_path) -> None:
    path = write_table(table, tmp_path / "table.parquet")
    out = tmp_path / "model"
    words = f"train emotion --table {path} --target arousal --head lstm --sources eda,temp"
    run = CliRunner().invoke(app, [*words.split(), "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert load(out).channels == ("eda_us", "temp_c")
    assert "- sources: eda, temp" in (out / "MODEL_CARD.md").read_text()
