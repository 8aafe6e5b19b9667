"""Read and write BIDS physiological recordings: ``*_physio.tsv.gz`` with a JSON beside it.

Rules of the Brain Imaging Data Structure 1.10 (Gorgolewski et al. 2016, Sci Data 3, 160044) for
physiological recordings: SamplingFrequency, StartTime and Columns are required; signals of one
rate share a file, others get a ``recording-<label>``; a pulse's column is ``cardiac``; a missing
value is ``n/a``; labels are letters and digits; a JSON in a higher folder applies to all files
below it with the same entities.
"""

from __future__ import annotations

import gzip
import logging
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg._version import __version__
from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids_names import (
    DESCRIPTION,
    bids_entities,
    bids_label,
    folders_above,
)
from emotion_rppg.formats.bids_tables import write_events, write_participants, write_scans
from emotion_rppg.formats.event_tables import on_clock
from emotion_rppg.formats.missing_values import WORDS, codes_to_nan
from emotion_rppg.formats.safe_io import load_json
from emotion_rppg.formats.text_files import blank_lines_at_end, open_text
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.atomic_files import atomic_folder, write_json
from emotion_rppg.runtime.tables import AS_WRITTEN
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)
ENDING = "_physio.tsv.gz"
VERSION = "1.10.0"
_LARGEST_JSON = 10 << 20
REQUIRED = ("SamplingFrequency", "StartTime", "Columns")
COLUMNS = {"rppg": "cardiac", "bvp": "cardiac", "ecg": "ecg"}
_KINDS = {"cardiac": "bvp", "pulse": "bvp", "ppg": "bvp", "bvp": "bvp", "ecg": "ecg", "ekg": "ecg"}
_LONG = {"rppg": "pulse wave from a video", "bvp": "contact pulse wave", "ecg": "ECG"}
_IDENTITY = ("Dataset", "Subject", "Session", "Trial")


# ---- writing -----------------------------------------------------------------------------------


def write_bids(
    folder: str | Path, waves: Iterable[tuple[Recording, Signal]], *, name: str = "waveforms"
) -> list[Path]:
    """Write each recording's wave to a BIDS folder, atomically; return the files.

    Events, ratings with their scales, and the participants' columns are written to events.tsv,
    scans.tsv and participants.tsv, and `datasets.folder.Folder` reads them back.

    File names contain only the letters and digits of subject, session and trial, as BIDS requires;
    the JSON has the original names, so that reading back gives the same recordings.

    Returns
    -------
    list of Path
        The ``.tsv.gz`` files, relative to the folder.

    Raises
    ------
    InputError
        Two recordings whose names differ only in characters that BIDS does not allow.
    """
    files: dict[Path, tuple[Recording, float]] = {}
    with atomic_folder(folder) as temporary:
        for recording, wave in waves:
            path = physio_path(recording, wave)
            if path in files:
                raise InputError(
                    f"{recording.name} and {files[path][0].name} would both be {path}: BIDS names "
                    "have only letters and digits; rename one of them"
                )
            files[path] = (recording, wave.start_s)
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            _write_samples(temporary / path, wave)
            write_json(_sidecar(temporary / path), _metadata(recording, wave))
        _write_description(temporary, name)
        recordings = {path: recording for path, (recording, _) in files.items()}
        people: dict[str, list[Recording]] = {}
        for path, recording in recordings.items():
            people.setdefault(path.parts[0], []).append(recording)
        write_participants(temporary, people)
        write_scans(temporary, recordings)
        _write_events(temporary, files)
        _write_readme(temporary)
        write_json(temporary / "run.json", {"output": Path(folder).name, "verb": "features --bids"})
        (temporary / ".bidsignore").write_text("run.json\n", encoding="utf-8")
    return list(files)


def physio_path(recording: Recording, wave: Signal) -> Path:
    """Return a path such as sub-01/ses-1/beh/sub-01_ses-1_task-rest_recording-bvp_physio.tsv.gz."""
    subject = f"sub-{bids_label(recording.subject)}"
    session = f"ses-{bids_label(recording.session)}"
    file = f"{subject}_{session}_task-{bids_label(recording.trial)}_recording-{wave.kind}{ENDING}"
    return Path(subject, session, "beh", file)


def _write_samples(path: Path, wave: Signal) -> None:
    """Write samples, and quality if there is one, as columns without a header."""
    columns = [wave.samples] + ([] if wave.quality is None else [wave.quality])
    rows = np.column_stack(columns).tolist()
    text = "\n".join("\t".join(_cell(value) for value in row) for row in rows)
    with gzip.GzipFile(path, "wb", mtime=0) as file:  # no time stamp: equal waves give equal bytes
        file.write((text + "\n").encode())


def _cell(value: float) -> str:
    """Format a value with nine digits, or ``n/a`` if it is missing."""
    return f"{value:.9g}" if math.isfinite(value) else "n/a"


def _metadata(recording: Recording, wave: Signal) -> dict[str, Any]:
    """Return the fields of the JSON beside a wave's file."""
    kind = wave.kind or "rppg"
    column = COLUMNS.get(kind, kind)
    names = [column] + ([] if wave.quality is None else ["quality"])
    identity = (recording.dataset, recording.subject, recording.session, recording.trial)
    fields: dict[str, Any] = {
        "SamplingFrequency": wave.rate_hz,
        "StartTime": wave.start_s,
        "Columns": names,
        "PhysioType": "generic",
        "TaskName": recording.trial,
        column: {
            "LongName": _LONG.get(kind, kind),
            "Description": "more blood is up" if column == "cardiac" else "as recorded",
            "Units": "arbitrary",
        },
        **dict(zip(_IDENTITY, identity, strict=True)),
    }
    if wave.quality is not None:
        fields["quality"] = {"Description": "1 a clear pulse, 0 none", "Units": "arbitrary"}
    return fields


def _write_description(folder: Path, name: str) -> None:
    generator = {"Name": "emotion_rppg", "Version": __version__}
    content = {"Name": name, "BIDSVersion": VERSION, "DatasetType": "derivative"}
    write_json(folder / DESCRIPTION, {**content, "GeneratedBy": [generator]})


def _write_readme(folder: Path) -> None:
    (folder / "README").write_text(
        "Pulse waves written by emotion_rppg, one file per recording; see the JSON beside each.\n",
        encoding="utf-8",
    )


def _write_events(folder: Path, files: Mapping[Path, tuple[Recording, float]]) -> None:
    """Write the events of each recording once, on the clock of its wave, which starts at a time."""
    done: set[Path] = set()
    for path, (recording, start_s) in files.items():
        table = path.with_name(re.sub(r"_recording-[^_]*_physio.*", "_events.tsv", path.name))
        if table in done:
            continue
        done.add(table)
        try:
            events = on_clock(recording.read_events(), start_s)
        except InputError as error:
            _log.warning("%s: its events are not exported: %s", recording.name, error)
            continue
        if events:
            write_events(folder / table, events)


# ---- reading -----------------------------------------------------------------------------------


def kinds_in_physio(path: str | Path) -> list[str]:
    """List the kinds of signal in a file, reading only its JSON."""
    return list(_columns(Path(path)))


def identity_in_physio(path: str | Path) -> dict[str, str]:
    """Return data set ("" if unknown), subject, session, trial from the JSON or the file name."""
    path = Path(path)
    fields, entities = sidecar(path), bids_entities(path)
    run = f"-{entities['run']}" if "run" in entities else ""
    defaults = {
        "Dataset": "",
        "Subject": entities.get("sub", path.name.removesuffix(ENDING)),
        "Session": entities.get("ses", "1"),
        "Trial": entities.get("task", "1") + run,
    }
    return {key.lower(): str(fields.get(key, value)) for key, value in defaults.items()}


def read_physio(path: str | Path, kind: str | None = None, *, channel: str | None = None) -> Signal:
    """Read a signal of a ``_physio.tsv.gz``, on the clock that its JSON gives.

    Rows are evenly spaced in time: an empty row is a missing sample. ``channel`` names a column
    without one of the usual names.

    Raises
    ------
    InputError
        No JSON, a missing required field, rows that do not match the JSON, or no such kind.
    """
    path = Path(path)
    fields, columns = sidecar(path), _columns(path)
    kind = kind or next(iter(columns), None)
    if channel is not None and kind is not None:
        columns[kind] = [str(name) for name in fields["Columns"]].index(channel)
    if kind not in columns:
        raise InputError(f"{path} has no {kind or 'pulse'}; its columns: {fields['Columns']}")
    rows = _rows(path, len(fields["Columns"]))
    quality = (
        rows[:, fields["Columns"].index("quality")] if "quality" in fields["Columns"] else None
    )
    return Signal(
        codes_to_nan(rows[:, columns[kind]], path.name),
        fields["SamplingFrequency"],
        kind=kind,
        start_s=fields["StartTime"],
        quality=quality,
    )


def _rows(path: Path, width: int) -> np.ndarray:
    import pandas as pd

    try:
        with open_text(path) as file:
            table = pd.read_csv(
                file,
                sep="\t",
                header=None,
                na_values=sorted(WORDS),
                skip_blank_lines=False,
                **AS_WRITTEN,
            )
        blank = blank_lines_at_end(path)
        rows = table.to_numpy(dtype=float)[: max(0, len(table) - blank)]
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{path} cannot be read ({error}): want numbers between tabs, without a header"
        ) from error
    if rows.shape[1] != width:
        raise InputError(
            f"{path} has {rows.shape[1]} columns, its JSON names {width}: want the same number"
        )
    return rows


def _columns(path: Path) -> dict[str, int]:
    """Map each kind of signal to its column; ``recording-rppg`` in the name makes a pulse rPPG."""
    label = bids_entities(path).get("recording", "")
    out: dict[str, int] = {}
    for index, name in enumerate(sidecar(path)["Columns"]):
        kind = _KINDS.get(str(name).lower())
        if kind == "bvp" and label in COLUMNS:
            kind = label
        if kind and kind not in out:
            out[kind] = index
    return out


def sidecar(path: Path) -> dict[str, Any]:
    """Merge the JSON fields that apply to a file; nearer JSON files override those further up.

    Raises
    ------
    InputError
        A required field is missing or has the wrong type.
    """
    fields: dict[str, Any] = {}
    for folder in reversed(folders_above(path)):
        for json_path in sorted(folder.glob("*_physio.json")) + sorted(folder.glob("physio.json")):
            entities = bids_entities(json_path)
            if entities.items() <= bids_entities(path).items():
                fields |= _read_json(json_path)
    missing = [name for name in REQUIRED if name not in fields]
    if missing:
        raise InputError(
            f"{path} is without {', '.join(missing)}: want a {_sidecar(path).name} beside it with "
            f"{', '.join(REQUIRED)}"
        )
    rate, start, names = (fields[name] for name in REQUIRED)
    if not (_is_number(rate) and rate > 0 and _is_number(start) and isinstance(names, list)):
        raise InputError(
            f"{_sidecar(path)}: want SamplingFrequency in Hz, StartTime in seconds and a list of "
            f"Columns, got {rate!r}, {start!r}, {names!r}"
        )
    return fields


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_json(path: Path) -> dict[str, Any]:
    content = load_json(path, limit_bytes=_LARGEST_JSON)
    if not isinstance(content, dict):
        raise InputError(f"{path} contains a {type(content).__name__}, want a JSON object")
    return content


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".tsv.gz") + ".json")
