"""The data dictionary beside a feature table: name, unit, definition, source, minimum duration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotion_rppg.baselines import VS_BASELINE
from emotion_rppg.checkpoints import whole_file
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
    "source": "what was read: rppg (camera), bvp (contact PPG), ecg",
    "method": "how the camera was read; empty for contact signals",
    "network": "the trained network that read it; empty for classic methods",
    "reader": "reader of a published data set that listed the recording; empty: one's own files",
    "trained_on": "JSON {data set: [subjects]} that network was trained on, or `unknown`",
    "quality": "pulse quality of the window, 0–1; of an ECG the beats' confidence × coverage",
    "timing_sd_ms": "standard error of beat times by the noise of the wave, root mean square, ms; "
    "without delays between heart and sensor; empty for an ECG",
    "reason": "ok where nothing is withheld, else why features are empty",
    "encoder": "the beat encoder that made the embeddings",
    "encoder_trained_on": "JSON {data set: [subjects]} the encoder was trained on",
    "seq_ibi_ms": "inter-beat intervals in order, ms, as text; nan marks a gap",
    "seq_confidence": "lower confidence of each interval's two beats, 0–1, as text",
    "seq_amplitude_au": "height of the pulse that begins each interval, sensor's unit, as text",
    "seq_rise_ms": "foot to peak of that pulse, ms, as text",
    "seq_width_ms": "width of that pulse at half its height, ms, as text",
}


def write_dictionary(table: pd.DataFrame, path: Path) -> Path:
    """Write a Markdown table that explains every column of ``table``."""
    from emotion_rppg.features import hrv, morphology

    columns = hrv.COLUMNS | morphology.COLUMNS

    lines = [
        f"# Columns of {path.name.removesuffix('.columns.md')}",
        "",
        "Values are raw: normalisation happens inside the folds of `evaluate`. Features from a",
        "camera or a contact PPG are pulse-rate variability (PRV), not the heart's own HRV.",
        "",
        "| column | unit | definition | source | minimum duration, s |",
        "|---|---|---|---|---|",
    ]
    for name in table:
        if name in columns:
            c = columns[name]
            lines.append(f"| {name} | {c.unit} | {c.definition} | {c.source} | {c.minimum_s:g} |")
        else:
            lines.append(f"| {name} | | {_fixed(name)} | | |")
    with whole_file(path) as fresh:
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _fixed(name: str) -> str:
    if name.startswith(LABEL):
        return f"label {name.removeprefix(LABEL)}, as the data set gives it"
    if name.startswith(SCALE):
        return f"lowest..highest possible value of {name.removeprefix(SCALE)}"
    if name.endswith(VS_BASELINE):
        raw = name.removesuffix(VS_BASELINE)
        return f"{raw} less its mean over the baseline recorded before; empty where none was"
    if name.startswith(EMBEDDING):
        return "one dimension of the beat encoder's embedding"
    return _FIXED.get(name, "")
