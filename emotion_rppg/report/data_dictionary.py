"""The data dictionary beside a feature table: name, unit, definition, source, minimum duration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotion_rppg.features.baseline_columns import VS_BASELINE
from emotion_rppg.runtime.atomic_files import atomic_file
from emotion_rppg.windows import EMBEDDING, LABEL, SCALE

if TYPE_CHECKING:
    import pandas as pd

_FIXED = {
    "dataset": "data set; `dataset/subject` is a person",
    "subject": "person within the data set",
    "session": "session of the person",
    "trial": "trial within the session",
    "start_s": "start of the window on the recording's clock, s",
    "duration_s": "length of the window, s",
    "source": "kind of the signal: rppg (camera), bvp (contact PPG), ecg",
    "method": "how the camera was read; empty for contact signals",
    "network": "the trained network that read it; empty for classic methods",
    "reader": "reader of a published data set that listed the recording; empty: one's own files",
    "trained_on": "JSON {data set: [subjects]} that network was trained on, or `unknown`",
    "reason": "ok where nothing is withheld, else why features are empty",
    "encoder": "the beat encoder that made the embeddings",
    "encoder_trained_on": "JSON {data set: [subjects]} the encoder was trained on",
}


def write_dictionary(table: pd.DataFrame, path: Path) -> Path:
    """Write a Markdown table that explains every column of ``table``."""
    from emotion_rppg.features import columns

    known = columns()
    lines = [
        f"# Columns of {path.name.removesuffix('.columns.md')}",
        "",
        "Values are raw: normalisation happens inside the folds of `evaluate`. Features from a",
        "camera or a contact PPG are pulse-rate variability (PRV), not the heart's own HRV.",
        "",
        "| column | unit | definition | source | minimum duration, s |",
        "|---|---|---|---|---|",
    ]
    for name in map(str, table.columns):
        raw = name.removesuffix(VS_BASELINE)
        c = known.get(raw)
        if c is None:
            lines.append(f"| {name} | | {_fixed(name)} | | |")
            continue
        what = c.definition if raw == name else _compared(raw)
        lines.append(f"| {name} | {c.unit} | {what} | {c.source} | {c.minimum_s:g} |")
    with atomic_file(path) as fresh:
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _compared(raw: str) -> str:
    return f"{raw} less its mean over the baseline recorded before; empty where none was"


def _fixed(name: str) -> str:
    if name.startswith(LABEL):
        return f"label {name.removeprefix(LABEL)}, as the data set gives it"
    if name.startswith(SCALE):
        return f"lowest..highest possible value of {name.removeprefix(SCALE)}"
    if name.endswith(VS_BASELINE):
        return _compared(name.removesuffix(VS_BASELINE))
    if name.startswith(EMBEDDING):
        return "one dimension of the beat encoder's embedding"
    return _FIXED.get(name, "")
