"""A table is checked before any work: all faults in one error, doubtful facts as warnings."""

import logging

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import evaluate
from emotion_rppg.cli import app
from emotion_rppg.emotion.table_checks import checked_table
from emotion_rppg.errors import InputError
from emotion_rppg.runtime.tables import read_table, read_tables, write_table
from emotion_rppg.study import fit, predict


def table(n: int = 3, trials: int = 4) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "dataset": "d",
                "subject": f"p{person}",
                "session": "1",
                "trial": str(trial),
                "start_s": 0.0,
                "duration_s": 60.0,
                "source": "bvp",
                "label_arousal": 2.0 + 5 * (trial % 2),
                "scale_arousal": "1..9",
                "hr_bpm": 70 + draw.normal(),
                "rmssd_ms": 40 + draw.normal(),
            }
            for person in range(n)
            for trial in range(trials)
        ]
    )


def test_a_sound_table_passes_without_a_warning(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        pd.testing.assert_frame_equal(checked_table(table(), targets=["arousal"]), table())
    assert not caplog.records


FAULTY = {
    "no_people": (lambda t: t.drop(columns="subject"), "no column subject"),
    "no_clock": (lambda t: t.drop(columns=["start_s", "trial"]), "no column trial, start_s"),
    "empty_person": (lambda t: t.assign(subject=["", *t["subject"][1:]]), "1 rows have no subject"),
    "null_person": (lambda t: t.assign(subject=[None, *t["subject"][1:]]), "1 rows have no subj"),
    "case": (
        lambda t: t.assign(subject=["P0", *t["subject"][1:]]),
        "'P0', 'p0' of 'd' differ only",
    ),
    "blank": (lambda t: t.assign(subject=["p0 ", *t["subject"][1:]]), "'p0', 'p0 ' of 'd' differ"),
    "zeros": (
        lambda t: t.assign(subject=["01", "1", *t["subject"][2:]]),
        "'01', '1' of 'd' differ only by case, blanks or leading zeros",
    ),
    "repeated": (lambda t: pd.concat([t, t[:2]]), "2 rows repeat the person, trial and time"),
    "words": (
        lambda t: t.assign(rmssd_ms=["41,5", *t["rmssd_ms"][1:].astype(str)]),
        "1 rows of column rmssd_ms contain text .*'41,5'",
    ),
    "no_start": (lambda t: t.assign(start_s=[np.nan, *t["start_s"][1:]]), "1 rows have no start_s"),
    "off_scale": (
        lambda t: t.assign(scale_arousal="0..1"),
        r"12 of 12 ratings of 'arousal' lie outside their scale \(2 to 7; scale_arousal is 0..1",
    ),
    "bad_scale": (lambda t: t.assign(scale_arousal="high"), "scale_arousal is 'high'"),
    "one_class": (
        lambda t: t.assign(label_arousal=3.0),
        "only one class: all labels are 'low'",
    ),
    "no_label": (lambda t: t.assign(label_arousal=np.nan), "no row of the table has a label"),
    "no_target": (lambda t: t.drop(columns="label_arousal"), "no target 'arousal'"),
    "empty": (lambda t: t[:0], "the table has no row"),
    "twice": (lambda t: pd.concat([t, t[["hr_bpm"]]], axis=1), "two columns hr_bpm"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_every_fault_is_one_sentence_in_evaluate_and_in_fit(name) -> None:
    spoil, words = FAULTY[name]
    for work in (evaluate, fit):
        with pytest.raises(InputError, match=words):
            work(spoil(table()), target="arousal")


def test_all_faults_are_listed_together() -> None:
    bad = table().assign(
        subject=["P0", *table()["subject"][1:]],
        hr_bpm=["fast", *table()["hr_bpm"][1:]],
        label_arousal=2.0,
    )
    with pytest.raises(InputError, match="the table has 3 faults") as error:
        evaluate(bad, target="arousal")
    for words in ("hr_bpm contain text", "differ only by case", "only one class"):
        assert words in str(error.value)


@pytest.mark.parametrize("coding", ["as_is", "midpoint"])
def test_a_single_class_is_rejected_alike_by_evaluate_and_train(tmp_path, coding) -> None:
    label = "yes" if coding == "as_is" else 3.0
    path = write_table(table().assign(label_arousal=label), tmp_path / "t.csv")
    for verb in (
        f"evaluate --table {path} --target arousal --heads logistic --coding {coding}",
        f"train emotion --table {path} --target arousal --coding {coding}",
    ):
        run = CliRunner().invoke(app, [*verb.split(), "--out", str(tmp_path / "out")])
        assert run.exit_code == 2
        assert "has only one class" in run.output
        assert "Traceback" not in run.output
        assert not (tmp_path / "out").exists()


def test_identity_columns_that_are_missing_have_a_default(tmp_path, caplog) -> None:
    short = table().drop(columns=["dataset", "session"])
    whole = checked_table(short, targets=["arousal"])
    assert set(whole["dataset"]) == {"table"}
    assert set(whole["session"]) == {"1"}
    assert "no column dataset" in caplog.text
    paths = [write_table(short, tmp_path / f"{name}.csv") for name in ("one", "two")]
    assert set(read_tables(paths)["dataset"]) == {"one", "two"}


def test_doubtful_facts_are_logged(tmp_path, caplog) -> None:
    odd = table()
    odd.loc[0, "duration_s"] = 0.0
    odd.loc[1, "scale_arousal"] = "0..10"
    odd = pd.concat([odd, odd.assign(dataset="D"), odd[2:4].assign(source="ecg")])
    with caplog.at_level(logging.WARNING):
        checked_table(odd, targets=["arousal"])
    for words in (
        "2 windows have a duration_s of 0",
        "data sets 'D', 'd' differ only",
        "2 rows are a second reading",
        "scale_arousal of 'd' is 0..10, 1..9",
    ):
        assert words in caplog.text
    paths = [write_table(table(), tmp_path / f"{name}.csv") for name in ("a", "b")]
    read_tables(paths)
    assert "the data set 'd' is in several of the tables" in caplog.text


def test_a_table_to_predict_is_checked_too() -> None:
    model = fit(table(), target="arousal")
    assert len(predict(table().drop(columns="dataset"), model)) == 12
    with pytest.raises(InputError, match="no column subject"):
        predict(table().drop(columns="subject"), model)


# ---- names like missing values -----------------------------------------------------------------

NAMES = ["NA", "None", "nan", "null", "N/A", "04"]


def worded() -> pd.DataFrame:
    whole = table(6, 3)
    whole["subject"] = np.repeat(NAMES, 3)
    whole["label_emotion"] = ["calm", "None", "NA"] * 6
    whole.loc[17, "label_emotion"] = None
    return whole


def test_names_like_missing_values_are_the_same_in_csv_and_parquet(tmp_path) -> None:
    tables = [
        read_table(write_table(worded(), tmp_path / f"t{end}")) for end in (".csv", ".parquet")
    ]
    scores = []
    for read in tables:
        assert read["subject"].unique().tolist() == NAMES
        assert read["label_emotion"].isna().tolist() == [False] * 17 + [True]
        results = evaluate(read, target="emotion", heads="logistic", coding="as_is", permutations=0)
        assert results.scores["subject"].nunique() == 6
        predictions = results.predictions
        assert len(predictions[predictions["head"] == "logistic"]) == 17
        assert {"p_0", "p_1", "p_2"} < set(predictions)
        scores.append(results.scores["accuracy"].tolist())
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "NA", "3"], [1.0, np.nan, 3.0]),
        (["1", "", "3.5"], [1.0, np.nan, 3.5]),
        (["nan", "2", "None"], [np.nan, 2.0, np.nan]),
        (["a", "NA", ""], ["a", "NA", np.nan]),
        (["None", "nan", "None"], ["None", "nan", "None"]),
        (["a", "1", "nan"], ["a", "1", "nan"]),
        (["True", "False", "True"], [True, False, True]),
        (["", "", ""], [np.nan] * 3),
    ],
)
def test_a_label_column_is_numeric_only_if_it_contains_numbers(tmp_path, cells, values) -> None:
    path = tmp_path / "t.csv"
    lines = ["subject,label_x,hr_bpm", *(f"s,{cell},NA" for cell in cells)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    read = read_table(path)
    assert read["hr_bpm"].isna().all()
    assert read["label_x"].isna().tolist() == [v != v for v in values]
    assert [v for v in read["label_x"] if v == v] == [v for v in values if v == v]
