"""The sequences of a CSV are in a file beside it, and each row finds its own again."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from emotion_rppg import evaluate, fit, read_table
from emotion_rppg.emotion.deep.estimator import SequenceHead
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, with_extraction
from emotion_rppg.features import sequences
from emotion_rppg.runtime.provenance import write_run
from emotion_rppg.runtime.sequence_files import sequences_beside
from emotion_rppg.runtime.tables import read_tables, write_table
from emotion_rppg.study import pretrain_encoder

LSTM = SequenceHead(max_epochs=2, hidden=4)


def study() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    rows = [
        {
            **{"dataset": "d", "subject": f"0{person}", "session": "", "trial": f"{window:02}"},
            **{"start_s": window / 3, "duration_s": 60.0, "source": "bvp", "method": ""},
            **{
                "hr_bpm": draw.normal(70, 5),
                "seq_ibi_ms": f"{800 + window} {700 + person} nan 9",
            },
            **{"seq_confidence": "1 1 nan 0.9", "label_arousal": 2.0 + 6.0 * (window % 2)},
            **{"scale_arousal": "1..9", "reason": "ok"},
        }
        for person in range(4)
        for window in range(8)
    ]
    rows[3]["seq_ibi_ms"] = rows[3]["seq_confidence"] = ""
    return with_extraction(
        pd.DataFrame(rows), Extraction(source="bvp", families=("hrv", "sequence"))
    )


@pytest.fixture
def table() -> pd.DataFrame:
    return study()


@pytest.fixture
def path(table, tmp_path):
    return write_table(table, tmp_path / "t.csv")


def test_a_csv_has_no_sequences_inside_and_reads_back_whole(table, path) -> None:
    assert not [c for c in pd.read_csv(path) if c.startswith("seq_")]
    assert sequences_beside(path).name == "t.sequences.parquet"
    again = read_table(path)
    pd.testing.assert_frame_equal(again, table)
    assert list(again) == list(table)


def test_a_parquet_table_keeps_them_inside(table, tmp_path) -> None:
    path = write_table(table, tmp_path / "t.parquet")
    assert "seq_ibi_ms" in pd.read_parquet(path)
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_rows_find_their_own_sequences_after_the_user_edits_the_csv(table, path) -> None:
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    mixed = rows.sample(frac=0.5, random_state=1).assign(age="30")
    mixed[["age", *rows.columns[::-1]]].to_csv(path, index=False)
    again = read_table(path)
    wanted = table.set_index(["subject", "trial"])["seq_ibi_ms"]
    assert len(again) == 16
    for _, row in again.iterrows():
        assert row["seq_ibi_ms"] == wanted[row["subject"], row["trial"]]


def test_rows_that_occur_twice_keep_their_order(table, tmp_path) -> None:
    twice = pd.concat([table, table.assign(seq_ibi_ms="1 2")], ignore_index=True)
    again = read_table(write_table(twice, tmp_path / "t.csv"))
    pd.testing.assert_frame_equal(again, twice, check_names=False)


def test_a_table_without_sequences_removes_those_of_the_table_that_it_replaces(table, path) -> None:
    write_table(table.drop(columns=["seq_ibi_ms", "seq_confidence"]).assign(attrs=1), path)
    assert not sequences_beside(path).exists()


def test_an_earlier_csv_with_sequences_inside_is_read(table, tmp_path) -> None:
    table.to_csv(tmp_path / "old.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "old.csv"), table)


def _missing(path):
    sequences_beside(path).unlink()


def _damaged(path):
    sequences_beside(path).write_bytes(b"PAR1" + b"\0" * 50)


def _of_other_rows(path):
    other = study()
    write_table(other.assign(subject="x"), path.with_name("o.csv"))
    sequences_beside(path.with_name("o.csv")).replace(sequences_beside(path))


def _without_a_row(path):
    write_table(study().iloc[1:], path.with_name("o.csv"))
    sequences_beside(path.with_name("o.csv")).replace(sequences_beside(path))


FAULTS = [
    (_missing, "t.sequences.parquet is missing"),
    (_damaged, "t.sequences.parquet is damaged"),
    (_of_other_rows, "has no sequences for 32 of 32 rows"),
    (_without_a_row, "has no sequences for 1 of 32 rows"),
]


@pytest.mark.parametrize(("harm", "fault"), FAULTS)
def test_a_fault_is_an_error_only_where_sequences_are_needed(path, harm, fault) -> None:
    harm(path)
    other = write_table(study().assign(dataset="e"), path.with_name("e.csv"))
    table = read_table(path)
    assert "seq_ibi_ms" not in table
    plain = {"logistic": OnFeatures(LogisticRegression())}
    assert len(evaluate(table, target="arousal", heads=plain, permutations=0).scores)
    fit(table, target="arousal", head="logistic")
    with pytest.raises(InputError, match=fault):
        fit(table, target="arousal", head=LSTM)
    with pytest.raises(InputError, match=fault):
        evaluate(read_tables([path, other]), target="arousal", heads={"lstm": LSTM})
    with pytest.raises(InputError, match=fault):
        pretrain_encoder([table], epochs=1)


@pytest.mark.slow
def test_a_head_without_need_of_sequences_is_scored_with_ablation(path) -> None:
    _missing(path)
    options = {"target": "arousal", "ablate": ("sequence",), "permutations": 0}
    assert len(evaluate(read_table(path), heads={"lstm": LSTM}, **options).scores)


@pytest.mark.slow
def test_a_model_on_beats_predicts_from_the_csv_and_says_what_is_missing(table, path) -> None:
    model = fit(read_table(path), target="arousal", head=LSTM)
    assert model.longest
    expected = model.predict(table)
    pd.testing.assert_frame_equal(model.predict(read_table(path)), expected)
    _missing(path)
    with pytest.raises(InputError, match=r"no beat sequences.*t\.sequences\.parquet is missing"):
        model.predict(read_table(path))


def test_a_table_that_never_had_sequences_is_no_fault(table, tmp_path) -> None:
    path = tmp_path / "t.csv"
    table.drop(columns=["seq_ibi_ms", "seq_confidence"]).to_csv(path, index=False)
    again = read_table(path)
    assert not again.attrs
    with pytest.raises(InputError, match=r"no column 'seq_ibi_ms'.*family 'sequence'$"):
        sequences.tokens(again)


def test_the_file_of_sequences_is_no_table(path) -> None:
    with pytest.raises(InputError, match=r"not the table: give t\.csv"):
        read_table(sequences_beside(path))


def test_the_run_identifies_both_files(path, tmp_path) -> None:
    run = json.loads(write_run(tmp_path, "evaluate", {}, [path]).read_text())
    (source,) = run["inputs"]
    assert source["sequences"]["file"] == "t.sequences.parquet"


def test_an_interrupted_write_leaves_no_sequences_of_another_table(
    table, path, monkeypatch
) -> None:
    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("emotion_rppg.runtime.tables.write_sequences", fails)
    with pytest.raises(KeyboardInterrupt):
        write_table(table.assign(seq_ibi_ms="5 5"), path)
    assert not sequences_beside(path).exists()
