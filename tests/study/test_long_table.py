"""The long layout has every value once, with its unit and reason, under names that SPSS accepts."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import Beats, Event, Recording, extract
from emotion_rppg.cli import app
from emotion_rppg.emotion.table_checks import checked_table
from emotion_rppg.errors import InputError
from emotion_rppg.features import columns
from emotion_rppg.runtime.tables import write_table
from emotion_rppg.study import long_table
from emotion_rppg.study.long_table import MEASURED, variable_names


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two windows of a person: a good one of 40 s, and one with a gap before the onset."""
    times = np.cumsum(np.r_[0, 0.8 + 0.03 * np.sin(np.arange(200))])
    hole = (92.0, 99.0)
    beats = Beats(times[(times < hole[0]) | (times > hole[1])], gaps=[hole], kind="rr")
    recording = Recording(
        "d",
        "01",
        labels={"mood (1-9)": 7.0},
        scales={"mood (1-9)": (1, 9)},
        signals={"rr": beats},
        events=[Event(40.0, "film"), Event(100.0, "film"), Event(155.0, "film")],
    )
    return extract([recording], events="film")


def test_each_value_is_a_row_with_its_unit_quality_and_reason(table) -> None:
    long = long_table(table)
    features = [
        n for n in table if (c := columns().get(n.removesuffix("_change"))) and c.role == "feature"
    ]
    assert len(long) == len(table) * len(features)
    assert tuple(long.columns[-5:]) == MEASURED
    assert list(long["feature"].head(len(features))) == features  # window by window
    for name in ("hr_bpm", "rmssd_ms", "hr_bpm_change", "lf_ms2"):
        own = long[long["feature"] == name]
        np.testing.assert_array_equal(own["value"], table[name])
        np.testing.assert_array_equal(own["quality"], table["quality"])
        assert set(own["unit"]) == {columns()[name.removesuffix("_change")].unit}
        assert list(own["event_onset_s"]) == [40.0, 100.0, 155.0]
        assert set(own["label_mood_1_9"]) == {7.0}
        assert (own["reason"] == "ok").equals(own["value"].notna())


def test_a_missing_value_has_the_reason_of_its_own(table) -> None:
    long = long_table(table).set_index(["feature", "event_number"])["reason"]
    assert long["lf_ms2", 1] == "needs a window of 120 s, this one has 40 s"
    assert long["hr_bpm", 2] == "ok"
    assert long["hr_bpm_change", 2].startswith("before the onset, ")
    assert long["hr_bpm", 3].startswith("not within the recording")
    assert long["hr_bpm_change", 3].startswith("not within the recording")


def test_only_what_identifies_a_window_is_repeated(table) -> None:
    first = list(long_table(table).columns[:-5])
    assert first[:7] == ["dataset", "subject", "session", "trial", "start_s", "duration_s", "event"]
    assert not {"reason", "change_reason", "event_beats_s", "seq_ibi_ms", "trained_on"} & set(first)
    assert not [name for name in first if name.startswith(("seq_", "scale_", "n_beats"))]


def test_a_csv_has_empty_cells_where_a_number_is_missing(table, tmp_path) -> None:
    path = write_table(long_table(table), tmp_path / "long.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if ",lf_ms2," in line][:1]
    assert ",lf_ms2,,ms²," in row
    assert "nan" not in path.read_text().lower().replace("resonan", "")
    back = pd.read_csv(path, dtype={"subject": str})
    np.testing.assert_allclose(back["value"], long_table(table)["value"], rtol=1e-12)
    assert set(back["subject"]) == {"01"}


def test_names_are_valid_distinct_and_short() -> None:
    given = ["hr_bpm", "HR_bpm", "1st", "label_Grad der Erregung", "by", "_x", "é", "a" * 70]
    names = variable_names([*given, "a" * 80])
    assert names[:6] == ["hr_bpm", "HR_bpm_2", "v_1st", "label_Grad_der_Erregung", "by_v", "x"]
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert len(name) <= 64
        assert name.isascii()
        assert name[0].isalpha()
        assert name.replace("_", "").isalnum()
        assert not name.endswith("_")
    every = [f"{name}{ending}" for name in columns() for ending in ("", "_vs_baseline", "_change")]
    assert variable_names(every) == every


def test_other_tables_are_refused(table) -> None:
    long = long_table(table)
    with pytest.raises(InputError, match="is in the long layout"):
        long_table(long)
    with pytest.raises(InputError, match="no column of a feature"):
        long_table(table[["subject", "start_s"]])
    with pytest.raises(InputError, match=r"a row per window and feature \(--layout long\)"):
        checked_table(long)


def test_the_command_writes_the_long_layout(tmp_path) -> None:
    (tmp_path / "a.rr").write_text("\n".join(["800", "810", "790"] * 60))
    out = tmp_path / "long.csv"
    arguments = ["features", str(tmp_path / "a.rr"), "--out", str(out), "--layout"]
    result = CliRunner().invoke(app, [*arguments, "long", "--whole"])
    assert result.exit_code == 0, result.output
    assert "hr_bpm" in set(pd.read_csv(out)["feature"])
    assert not (tmp_path / "long.extraction.json").exists()
    assert "| hr_bpm | 1/min |" in (tmp_path / "long.columns.md").read_text()
    wrong = CliRunner().invoke(app, [*arguments, "tall"])
    assert wrong.exit_code == 2
    assert "unknown layout 'tall'; known: wide, long" in wrong.stderr
