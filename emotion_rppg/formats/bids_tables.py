"""Tables of a BIDS data set beside its signals: participants.tsv, scans.tsv and events.tsv.

``participants.tsv`` has one row per person with columns such as age and sex; ``scans.tsv`` one row
per recording, here with the ratings (``label_NAME``) and the original name of the trial; each table
has a JSON that describes its columns. Rules: Brain Imaging Data Structure 1.10 (Gorgolewski et al.
2016, Sci Data 3, 160044).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids_names import DESCRIPTION, bids_label, folders_above
from emotion_rppg.formats.missing_values import is_missing
from emotion_rppg.formats.safe_io import MB, load_json
from emotion_rppg.formats.text_tables import load_text
from emotion_rppg.recordings import Event, Recording
from emotion_rppg.runtime.atomic_files import write_json
from emotion_rppg.windows import LABEL

PARTICIPANTS = ("participants.tsv", "participants.csv")
_IDS = ("participant_id", "subject", "participant")
_SCANS = "_scans.tsv"
_MISSING = "n/a"
Values = dict[str, float | str]


# ---- reading -----------------------------------------------------------------------------------


def read_participants(path: Path) -> dict[str, Values]:
    """Read a table of participants: columns by name for each person; ``sub-01`` is person 01.

    A column is numeric if all its values are numbers; missing values are left out.

    Raises
    ------
    InputError
        No column of names, or two rows of one person.
    """
    header, rows = _rows(path)
    key = next((name for name in _IDS if name in header), None)
    if key is None:
        raise InputError(f"{path} has no column {_IDS[0]} or {_IDS[1]}: name the people in it")
    filled = {n: [row[n] for row in rows if not is_missing(row[n])] for n in header if n != key}
    numeric = {name for name, cells in filled.items() if cells and all(map(_is_number, cells))}
    out: dict[str, Values] = {}
    for row in rows:
        person = row[key].removeprefix("sub-")
        if person in out:
            raise InputError(f"{path} has two rows of {row[key]}: remove one of them")
        out[person] = {
            name: float(row[name]) if name in numeric else row[name]
            for name in filled
            if name and not is_missing(row[name])
        }
    return out


def with_participants(recordings: Sequence[Recording], root: Path) -> list[Recording]:
    """Add the columns of ``participants.tsv`` (or .csv) in a study's folder to its recordings.

    Raises
    ------
    InputError
        The table cannot be read.
    """
    path = next((root / name for name in PARTICIPANTS if (root / name).is_file()), None)
    if path is None:
        return list(recordings)
    people = read_participants(path)

    def of(subject: str) -> Values:
        spellings = (subject, subject.removeprefix("sub-"), _label_or_empty(subject))
        return next((people[name] for name in spellings if name in people), {})

    return [replace(r, participant={**of(r.subject), **r.participant}) for r in recordings]


def _label_or_empty(text: str) -> str:
    try:
        return bids_label(text)
    except InputError:
        return ""


def study_of(path: Path) -> Path | None:
    """Return the root of the BIDS data set that a file is in; None without one."""
    root = folders_above(path)[-1]
    return root if (root / DESCRIPTION).is_file() else None


def labels_in_scans(path: Path) -> tuple[Values, dict[str, tuple[float, float]]]:
    """Read the ratings of a recording and their scales from the ``_scans.tsv`` above its file."""
    for folder in folders_above(path):
        for table in sorted(folder.glob(f"*{_SCANS}")):
            header, rows = _rows(table)
            names = [name for name in header if name.startswith(LABEL) and name != LABEL]
            own = path.relative_to(folder).as_posix()
            for row in rows:
                if row.get("filename") == own:
                    return _labels(row, names), _scales(table, names)
    return {}, {}


def _labels(row: Mapping[str, str], names: Iterable[str]) -> Values:
    return {
        name.removeprefix(LABEL): float(row[name]) if _is_number(row[name]) else row[name]
        for name in names
        if not is_missing(row[name])
    }


def _scales(table: Path, names: Iterable[str]) -> dict[str, tuple[float, float]]:
    path = table.with_suffix(".json")
    facts = load_json(path, limit_bytes=MB) if path.is_file() else {}
    out = {}
    for name in names:
        described = facts.get(name) if isinstance(facts, dict) else None
        limits = described if isinstance(described, dict) else {}
        low, high = limits.get("Minimum"), limits.get("Maximum")
        if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
            out[name.removeprefix(LABEL)] = (float(low), float(high))
    return out


def _rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Read the header and the rows of a table with tabs, commas or semicolons."""
    text = load_text(path, limit_bytes=20 * MB)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max("\t;,", key=first.count))
    try:
        cells = [[cell.strip() for cell in row] for row in reader if any(row)]
    except csv.Error as error:
        raise InputError(f"{path} is not a table ({error})") from error
    if not cells:
        raise InputError(f"{path} is empty: remove it, or write its header")
    header, *rows = cells
    padded = [row + [""] * (len(header) - len(row)) for row in rows]
    return header, [dict(zip(header, row, strict=False)) for row in padded]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


# ---- writing -----------------------------------------------------------------------------------


def write_participants(folder: Path, recordings: Mapping[str, Sequence[Recording]]) -> None:
    """Write participants.tsv with the columns that the study has; keys are ``sub-LABEL``.

    Raises
    ------
    InputError
        Two people with one label and different values.
    """
    rows: dict[str, Values] = {}
    for participant, several in sorted(recordings.items()):
        merged: Values = {}
        for recording in several:
            for name, value in recording.participant.items():
                if merged.setdefault(name, value) != value:
                    raise InputError(
                        f"{participant} has the {name} {merged[name]!r} and {value!r}: BIDS names "
                        "have only letters and digits; rename one of the two people"
                    )
        rows[participant] = merged
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [[key, *(_cell(row.get(n)) for n in names)] for key, row in rows.items()]
    _write(folder / PARTICIPANTS[0], ["participant_id", *names], cells)


def write_scans(folder: Path, files: Mapping[Path, Recording]) -> None:
    """Write a scans.tsv into each session's folder: trial and ratings of each file."""
    sessions: dict[Path, dict[Path, Recording]] = {}
    for path, recording in files.items():
        sessions.setdefault(path.parents[1], {})[path] = recording
    for session, own in sessions.items():
        names = list(dict.fromkeys(name for r in own.values() for name in r.labels))
        if not names:
            continue
        table = folder / session / f"{'_'.join(session.parts)}{_SCANS}"
        header = ["filename", "trial", *(LABEL + name for name in names)]
        rows = []
        for path, r in own.items():
            ratings = [_cell(r.labels.get(name)) for name in names]
            rows.append([path.relative_to(session).as_posix(), _cell(r.trial), *ratings])
        _write(table, header, rows)
        scales = {name: scale for r in own.values() for name, scale in r.scales.items()}
        facts: dict[str, Any] = {"trial": {"Description": "condition, by its name in the study"}}
        for name in names:
            facts[LABEL + name] = {"Description": f"rating of {name} for the whole recording"}
            if name in scales:
                low, high = scales[name]
                facts[LABEL + name] |= {"Minimum": low, "Maximum": high}
        write_json(table.with_suffix(".json"), facts)


def write_events(path: Path, events: Sequence[Event]) -> None:
    """Write an events.tsv with a JSON that describes its columns; onsets and durations in s."""
    labels = list(dict.fromkeys(name for event in events for name in event.labels))
    header = ["onset", "duration", "trial_type", "value", *(LABEL + name for name in labels)]
    rows = [
        [
            *(_cell(event.onset_s), _cell(event.duration_s), event.name, _cell(event.value)),
            *(_cell(event.labels.get(name)) for name in labels),
        ]
        for event in events
    ]
    _write(path, header, rows)
    facts: dict[str, Any] = {
        "onset": {"Description": "onset of the event on the clock of StartTime", "Units": "s"},
        "duration": {"Description": "duration of the event", "Units": "s"},
        "trial_type": {
            "LongName": "kind of event",
            "Levels": {event.name: f"the event {event.name}" for event in events},
        },
        "value": {"Description": "code, picture or other value of the event"},
    }
    facts |= {LABEL + n: {"Description": f"rating of {n} for this event"} for n in labels}
    write_json(path.with_suffix(".json"), facts)


def _cell(value: float | str | None) -> str:
    """Write a cell: a number with all its digits, ``n/a`` for a missing value."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return _MISSING
    return f"{value:.12g}" if isinstance(value, int | float) else " ".join(value.split())


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = ["\t".join(cells) for cells in (header, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
