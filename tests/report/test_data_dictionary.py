"""The data dictionary explains every column that a table can have, and the page its sensors."""

from pathlib import Path

import pandas as pd

from emotion_rppg.features import FAMILIES, compared
from emotion_rppg.features.baseline_columns import add_baseline_columns
from emotion_rppg.features.sensors import SENSORS
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


def test_reasons_of_sensors_have_a_definition(tmp_path: Path) -> None:
    table = pd.DataFrame({f"{kind}_reason": ["ok"] for kind in SENSORS})
    text = write_dictionary(table, tmp_path / "t.columns.md").read_text(encoding="utf-8")
    for kind, sensor in SENSORS.items():
        assert f"| {kind}_reason | | ok where nothing of the {sensor.name}" in text


def test_the_page_of_the_sensors_has_their_columns_and_rules() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text(encoding="utf-8")
    for kind, sensor in SENSORS.items():
        first = f"| `{kind}` | {sensor.name} | {sensor.unit} | {sensor.least_rate_hz:g} Hz |"
        assert first in page
        assert f"| `{kind}` | {sensor.description} |" in page
    for family in FAMILIES.values():
        for name, c in family.columns.items():
            row = f"| `{name}` | {c.unit} | {c.definition} | {c.minimum_s:g} |"
            assert (row in page) == (family.kind != "pulse")
