"""The data dictionary explains every column that a table can have."""

from pathlib import Path

import pandas as pd

from emotion_rppg.features import FAMILIES, compared
from emotion_rppg.features.baseline_columns import add_baseline_columns
from emotion_rppg.report.data_dictionary import write_dictionary
from emotion_rppg.signals import Beats


def test_every_familys_column_has_a_definition(tmp_path: Path) -> None:
    parts = [family([Beats([0.0, 1.0, 2.0])]) for family in FAMILIES.values()]
    who = dict.fromkeys(("dataset", "subject", "session", "trial", "source", "method"), "1")
    first = pd.DataFrame([who | {"start_s": 0.0, "duration_s": 60.0}])
    table = pd.concat([first, *parts], axis=1).assign(quality=0.9, timing_sd_ms=3.0)
    table = add_baseline_columns(table, "1", columns=compared(table))
    lines = write_dictionary(table, tmp_path / "t.columns.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in lines.splitlines() if line.startswith("| ")][1:]
    assert [row[0].strip() for row in rows] == list(table)
    for row in rows:
        assert len(row) == 5
        assert row[2].strip(), row[0]
