"""Write the data dictionary of a feature table: unit, definition, source, minimum duration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotion_rppg.features.baseline_columns import VS_BASELINE, raw_name
from emotion_rppg.features.outside import outside_column
from emotion_rppg.features.sensors import REASON, SENSORS
from emotion_rppg.runtime.atomic_files import atomic_file
from emotion_rppg.windows import (
    CHANGE,
    CHANGE_REASON,
    EMBEDDING,
    EVENT_BEATS,
    LABEL,
    OUTSIDE,
    PARTICIPANT,
    SCALE,
)

if TYPE_CHECKING:
    import pandas as pd

_FIXED = {
    "dataset": "data set; `dataset/subject` is a person",
    "subject": "person within the data set",
    "session": "session of the person",
    "trial": "trial within the session",
    "person": "number of the person in the video, from 1; the same number in another video is "
    "another person",
    "face_x": "middle of the person's face, share of the picture's width from the left",
    "face_y": "middle of the person's face, share of the picture's height from the top",
    "start_s": "start of the window on the recording's clock, s",
    "duration_s": "length of the window, s",
    "source": "kind of the pulse: rppg (camera), bvp (contact PPG), ecg, rr (intervals of a "
    "device); empty without one",
    "method": "rPPG method that estimated the pulse wave from the video; empty for contact signals",
    "network": "trained network: its folder, or `bundled`; empty for classical methods",
    "reader": "reader of a published data set that listed the recording; empty: user files",
    "trained_on": "JSON {data set: [subjects]}: people the network was trained on, or `unknown`",
    "reason": "ok where nothing of the pulse is withheld, else why its features are empty",
    **{
        kind + REASON: f"ok where nothing of the {sensor.name} ({kind}) is withheld, else why its "
        "features are empty; the pulse has its own reason"
        for kind, sensor in SENSORS.items()
    },
    "event": "kind of the event that the window is about",
    "event_number": "number of the event among those of its kind in the recording, from 1",
    "event_onset_s": "onset of the event on the recording's clock, s",
    "event_duration_s": "duration of the event, s; 0 for a moment, empty if unknown",
    "event_value": "code, picture or other value of the event in the file",
    EVENT_BEATS: "beat times about the onset, s, as text; nan between two beats without a "
    "normal-to-normal interval",
    CHANGE_REASON: f"ok where nothing of the columns …{CHANGE} is withheld by the signals before "
    "and after the onset, else why",
    "edited_beats": "number of beats that a person added, moved or deleted in the window",
    "edited_noise_s": "time in the window that a person marked as noise, s",
    "edited_by": "names of the people who corrected beats in the window, separated by `;`",
    "encoder": "the beat encoder that computed the embeddings",
    "encoder_trained_on": "JSON {data set: [subjects]}: people the encoder was trained on",
}


def write_dictionary(table: pd.DataFrame, path: Path) -> Path:
    """Write a Markdown table that defines every column of ``table``; return its path."""
    from emotion_rppg.features import columns

    records = columns()
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
        raw = raw_name(name)
        record = records.get(raw) or outside_column(raw)
        if record is None:
            lines.append(f"| {name} | | {_definition_without_record(name)} | | |")
            continue
        definition = record.definition if raw == name else _difference(name)
        lines.append(
            f"| {name} | {record.unit} | {definition} | {record.source} | {record.minimum_s:g} |"
        )
    with atomic_file(path) as fresh:
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _difference(name: str) -> str:
    """Define a column with the difference of a feature."""
    raw = raw_name(name)
    if name.endswith(CHANGE):
        return f"{raw} after the onset of the event minus {raw} before it"
    return f"{raw} minus its mean over the baseline recording; empty without a baseline"


def _definition_without_record(name: str) -> str:
    """Define an identity, label, scale, embedding or comparison column; empty if unknown."""
    if name.startswith(LABEL):
        return f"label {name.removeprefix(LABEL)}, as in the data set"
    if name.startswith(PARTICIPANT):
        return f"{name.removeprefix(PARTICIPANT)} of the person, as in the table of participants"
    if name.startswith(SCALE):
        return f"lowest..highest possible value of {name.removeprefix(SCALE)}"
    if name.endswith(VS_BASELINE):
        return _difference(name)
    if name.startswith(EMBEDDING):
        return "one dimension of the beat encoder's embedding"
    if name.startswith(OUTSIDE) and name.endswith(REASON):
        return "ok where the joined file has values in the window, else why its features are empty"
    return _FIXED.get(name, "")
