"""Report section on signal quality: trusted pulses, coverage and artefacts, by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.tasks import Task, code
from emotion_rppg.features.sensors import SENSORS
from emotion_rppg.report.page import Section
from emotion_rppg.windows import trusted

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.report.sections.findings import Names

_SHARES = {  # column -> title; means over windows
    "coverage": "time outside gaps",
    "corrected_share": "rejected or corrected beats",
    "ectopic_share": "ectopic beats",
}


def quality(table: pd.DataFrame, names: Names, *, coding: str) -> Section:
    """Tabulate quality and artefact shares of all windows and of the windows of each class."""
    import pandas as pd

    groups: dict[str, np.ndarray] = {"all windows": np.ones(len(table), dtype=bool)}
    for target, classes in names.items():
        codes = code(table, Task(target, coding)) if classes else np.array([])
        title = "{name}" if len(names) == 1 else target + ": {name}"
        for k, name in enumerate(classes):
            groups[title.format(name=name)] = codes == k
    rows = [{"windows of": name, **_row(table[own])} for name, own in groups.items()]
    text = (
        "Where quality differs between classes, a head may use quality or movement instead of the "
        "heart; compare the score of “quality_alone”."
    )
    caption = (
        "Signal quality. trusted pulse: share of windows whose heart rate is reported. quality: "
        "median and quartiles, 0–1. The shares of time and of beats are means over the windows "
        "that have them."
    )
    return Section("Signal quality", [text], table=pd.DataFrame(rows), table_caption=caption)


def _row(table: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"windows": len(table), "trusted pulse": _share(trusted(table))}
    qualities = {"quality": "quality"} | {f"{kind}_quality": f"{kind} quality" for kind in SENSORS}
    for column, title in qualities.items():
        if column in table:
            row[title] = _quartiles(_numbers(table, column))
    for column, title in _SHARES.items():
        if column in table:
            row[title] = _share(_numbers(table, column))
    if "timing_sd_ms" in table:
        known = _numbers(table, "timing_sd_ms")
        row["timing error of beats (ms)"] = f"{np.median(known):.1f}" if len(known) else ""
    return row


def _numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    values = table[column].to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(values[np.isfinite(values)])


def _share(values: np.ndarray) -> str:
    return f"{float(np.mean(values)):.1%}" if len(values) else ""


def _quartiles(values: np.ndarray) -> str:
    if not len(values):
        return ""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"
