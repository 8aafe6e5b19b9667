"""Tables are read back as written: identities stay text, and no partial file remains."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_csv import read_signal
from emotion_rppg.runtime.atomic_files import atomic_file, atomic_folder
from emotion_rppg.runtime.tables import (
    check_out,
    read_table,
    read_tables,
    write_partitioned,
    write_table,
    write_wave,
)
from emotion_rppg.signals import Signal


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dataset": ["mine", "mine"],
            "subject": ["01", "02"],
            "trial": ["1", "007"],
            "trained_on": ["", '{"synthetic": ["3"]}'],
            "hr_bpm": [61.5, np.nan],
            "seq_ibi_ms": ["812.3 nan 799.1", ""],
            "scale_arousal": ["1..9", "1..9"],
            "label_arousal": [2.0, 7.5],
            "reason": ["", "no pulse"],
        }
    )


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_reads_back_as_it_was_written(tmp_path, table, ending) -> None:
    path = write_table(table, tmp_path / f"t{ending}")
    pd.testing.assert_frame_equal(read_table(path), table)


def test_several_tables_are_read_as_one_with_missing_columns_empty(tmp_path, table) -> None:
    other = table.assign(dataset="other", sdnn_ms=[40.0, 50.0]).drop(
        columns=["hr_bpm", "seq_ibi_ms", "trained_on"]
    )
    paths = [write_table(table, tmp_path / "a.csv"), write_table(other, tmp_path / "b.parquet")]
    joined = read_tables(paths)
    assert joined["dataset"].tolist() == ["mine", "mine", "other", "other"]
    assert joined.index.tolist() == [0, 1, 2, 3]
    assert joined["subject"].tolist() == ["01", "02"] * 2
    assert joined["seq_ibi_ms"].tolist()[1:] == [""] * 3
    assert joined["trained_on"].tolist()[2:] == [""] * 2
    assert joined["hr_bpm"][2:].isna().all()
    assert joined["sdnn_ms"].dropna().tolist() == [40.0, 50.0]


def test_a_partitioned_table_is_read_back_with_text_identities_by_any_reader(
    tmp_path, table
) -> None:
    unusual = table.assign(subject=["", "../b=c"])
    rows = pd.concat([table, unusual, table.iloc[:1]], ignore_index=True)
    rows["note"] = [None, "a", None, None, None]  # empty for the first person
    folder = write_partitioned(rows, tmp_path / "t.parquet")
    assert len(list(folder.glob("dataset-mine/*.parquet"))) == 4
    pd.testing.assert_frame_equal(
        read_table(folder), rows.loc[[0, 4, 1, 2, 3]].reset_index(drop=True)
    )
    joined = pd.read_parquet(folder)
    pd.testing.assert_frame_equal(joined, read_table(folder))
    one = pd.read_parquet(folder, filters=[("subject", "==", "02")])
    assert (one["subject"].tolist(), one["note"].tolist()) == (["02"], ["a"])


def test_a_partitioned_table_is_replaced_completely_and_no_other_folder_is(tmp_path, table) -> None:
    path = tmp_path / "t.parquet"
    write_partitioned(table, path)
    write_partitioned(table.iloc[:1], path)
    assert read_table(path)["subject"].tolist() == ["01"]
    assert len(read_table(write_partitioned(table.iloc[:0], path))) == 0
    with pytest.raises(InputError, match="is a folder"):
        check_out(path)
    with pytest.raises(InputError, match=r"end its name with \.parquet"):
        check_out(tmp_path / "t.csv", partitioned=True)
    (tmp_path / "mine.parquet").mkdir()
    (tmp_path / "mine.parquet" / "x.parquet").touch()
    with pytest.raises(InputError, match="not an output of emotion-rppg"):
        check_out(tmp_path / "mine.parquet", partitioned=True)
    with pytest.raises(InputError, match="not a table"):
        read_table(tmp_path / "mine.parquet")


def test_a_study_with_more_people_than_open_files_is_partitioned(tmp_path) -> None:
    many = pd.DataFrame({"dataset": "d", "subject": [f"{n:04}" for n in range(1200)], "x": 1.0})
    folder = write_partitioned(many, tmp_path / "t.parquet")
    assert len(list(folder.rglob("*.parquet"))) == 1200
    pd.testing.assert_frame_equal(read_table(folder), many)


def test_an_unknown_ending_is_refused_before_work(tmp_path, table) -> None:
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        write_table(table, tmp_path / "t.xlsx")


def test_a_file_that_is_no_table_is_refused(tmp_path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("not parquet")
    with pytest.raises(InputError, match="is not a table"):
        read_table(path)
    with pytest.raises(InputError, match="no table"):
        read_table(tmp_path / "missing.csv")


def test_a_failure_leaves_the_old_file_and_no_temporary_file(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")

    def broken() -> None:
        with atomic_file(path) as fresh:
            fresh.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        broken()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_a_folder_of_the_user_is_never_replaced(tmp_path) -> None:
    precious = tmp_path / "photos"
    precious.mkdir()
    (precious / "family.jpg").write_text("x")
    with pytest.raises(InputError, match="not an output"), atomic_folder(precious):
        pass
    assert (precious / "family.jpg").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.json", '{"output": "wave.csv"}'),  # single files were written beside others'
        ("manifest.csv", "subject,trial,video"),
        ("manifest.json", '{"dataset": "mine"}'),
        ("config.json", '{"theirs": 1}'),
    ],
)
def test_a_folder_with_other_files_is_never_replaced(tmp_path, name, text) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / name).write_text(text)
    with pytest.raises(InputError, match="not an output"), atomic_folder(folder):
        pass
    assert (folder / name).read_text() == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.json", '{"output": "results"}'),
        ("manifest.json", '{"written_by": "emotion_rppg"}'),
        ("config.json", '{"kind": "pulse", "version": "0.1.0"}'),
    ],
)
def test_an_output_of_the_package_is_replaced_completely(tmp_path, name, text) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / name).write_text(text)
    (folder / "old.txt").write_text("x")
    with atomic_folder(folder) as fresh:
        (fresh / "new.txt").write_text("y")
    assert [p.name for p in folder.iterdir()] == ["new.txt"]


def test_temporary_folders_of_killed_processes_are_removed_after_a_day(tmp_path) -> None:
    names = [".results-abcdefgh", ".results-12345678.old", ".results-1234567_", ".results-notes"]
    for name in [*names, ".results-2-abcdefgh"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
        if name != ".results-1234567_":  # somebody writes it now
            os.utime(tmp_path / name, (0, 0))
    with atomic_folder(tmp_path / "results") as fresh:
        (fresh / "new.txt").write_text("y")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"results", ".results-1234567_", ".results-notes", ".results-2-abcdefgh"}


def test_a_wave_is_written_with_its_times_and_missing_samples_empty(tmp_path) -> None:
    samples = np.array([0.1, np.nan, 0.3])
    wave = Signal(samples, 30, kind="rppg", start_s=2.0, quality=np.array([1.0, 0.0, 0.5]))
    path = write_wave(wave, tmp_path / "wave.csv")
    back = pd.read_csv(path)
    assert path.read_text() == back.to_csv(index=False)
    assert list(back) == ["time_s", "rppg", "quality"]
    np.testing.assert_allclose(back["time_s"], wave.times_s, atol=1e-6)
    np.testing.assert_allclose(back["rppg"], samples)
    pd.testing.assert_frame_equal(pd.read_parquet(write_wave(wave, tmp_path / "w.parquet")), back)


def test_a_wave_without_quality_is_read_back_without(tmp_path: Path) -> None:
    path = write_wave(Signal(np.sin(np.arange(90)), 30, kind="bvp"), tmp_path / "wave.csv")
    assert read_signal(path, "bvp").quality is None
