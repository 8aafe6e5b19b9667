"""Read a study's manifest.csv and manifest.json into recordings; check every row.

manifest.csv has one row per person, session and trial: files, time span and labels.
manifest.json has the study's name and the scales of the labels. `datasets.folder` reads studies
with these functions and describes both files.
"""

from __future__ import annotations

import csv
import io
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from emotion_rppg.datasets.manifest_events import (
    EventReader,
    events_of_trial,
    warn_of_events_between,
)
from emotion_rppg.errors import InputError
from emotion_rppg.formats.missing_values import is_missing
from emotion_rppg.formats.signal_files import Reader, is_session, signals_in
from emotion_rppg.recordings import DatasetNotFound, Origin, Recording, Video
from emotion_rppg.runtime.atomic_files import MANIFEST_FACTS, PACKAGE
from emotion_rppg.runtime.json_text import parse_json
from emotion_rppg.signals import Beats, Pulse
from emotion_rppg.windows import LABEL, PARTICIPANT

_log = logging.getLogger(__name__)
MANIFEST, FACTS = "manifest.csv", MANIFEST_FACTS
REQUIRED = ("subject", "trial")
SYNTHETIC = "synthetic"  # name and reader of studies that `datasets.synthetic` wrote
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
COLUMNS = (*REQUIRED, "session", "video", "signal", "start_s", "end_s", "region", "events")


def read_manifest(
    root: Path, *, channel: str | None = None, kind: str | None = None
) -> list[Recording]:
    """List the manifest's rows as recordings; check all rows before any signal is read.

    ``channel`` and ``kind`` select the signal of files with several.

    Raises
    ------
    InputError
        A wrong row, column, label or file; the message names the line.
    DatasetNotFound
        A manifest without a row.
    """
    dataset, scales = _facts(root / FACTS)
    reader = SYNTHETIC if dataset == SYNTHETIC and _written_by_package(root / FACTS) else ""
    dataset = dataset or root.resolve().name
    rows = _read_rows(root / MANIFEST)
    out: list[Recording] = []
    first_lines: dict[tuple[str, str, str], int] = {}
    for number, row in rows:
        where = f"{MANIFEST}, line {number}"
        key = (row["subject"], row.get("session") or "1", row["trial"])
        if key in first_lines:
            raise InputError(
                f"{where}: subject {key[0]}, session {key[1]}, trial {key[2]} is already on line "
                f"{first_lines[key]}: give each trial its own name"
            )
        first_lines[key] = number
        selection = {"channel": channel, "kind": kind}
        recording = _recording(root, dataset, key, row, scales, where, selection)
        out.append(replace(recording, reader=reader))
    if not out:
        raise DatasetNotFound(f"{root / MANIFEST} has no rows: add one line per trial")
    _warn_of_similar_subjects({r.subject for r in out})
    warn_of_events_between(out, MANIFEST)
    for name in set(scales) - {name for r in out for name in r.labels}:
        _log.warning("%s has the scale of %r, but no trial has this label", FACTS, name)
    return out


def _recording(
    root: Path,
    dataset: str,
    key: tuple[str, str, str],
    row: Mapping[str, str],
    scales: Mapping[str, tuple[float, float]],
    where: str,
    selection: Mapping[str, str | None],
) -> Recording:
    """Return the recording of one row; ``key`` is subject, session and trial."""
    labels = _labels(row, scales, where)
    start = _seconds(row, "start_s", where)
    end = _seconds(row, "end_s", where)
    if end is not None and end <= (start or 0.0):
        raise InputError(f"{where}: end_s {end:g} is not after start_s {start or 0:g}")
    video = None
    if row.get("video"):
        path = _file_in_study(root, row["video"], where)
        video = Video(path, start or 0.0, end, row.get("region") or None)
    signals: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name in filter(None, (part.strip() for part in row.get("signal", "").split(";"))):
        path = _file_in_study(root, name, where)
        for kind, read in signals_in(path, **selection).items():
            if kind in signals:
                raise InputError(f"{where}: {name!r} is a second {kind}: name only one of them")
            signals[kind] = partial(_read_part, path, read, start, end)
            origins[kind] = Origin(path, selection["channel"], start, end)
    if video is None and not signals:
        raise InputError(f"{where}: neither a video nor a signal: name at least one file")
    return Recording(
        dataset,
        key[0],
        key[1],
        key[2],
        labels=labels,
        scales={name: scales[name] for name in labels if name in scales},
        video=video,
        signals=signals,
        participant=_of_person(row),
        events=_events(root, row, where, start, end),
        origins=origins,
    )


def _of_person(row: Mapping[str, str]) -> dict[str, float | str]:
    """Read a row's columns on the person: numbers or words; skip empty cells."""
    out: dict[str, float | str] = {}
    for column, text in row.items():
        if not column.startswith(PARTICIPANT) or not text:
            continue
        try:
            out[column.removeprefix(PARTICIPANT)] = float(text)
        except ValueError:
            out[column.removeprefix(PARTICIPANT)] = text
    return out


def _events(
    root: Path, row: Mapping[str, str], where: str, start_s: float | None, end_s: float | None
) -> EventReader | tuple[()]:
    """Return the reader of a trial's events: of the column ``events``, or of the row's files."""
    names = [row.get("video", ""), *row.get("signal", "").split(";")]
    paths = [root / name.strip() for name in names if name.strip()]
    table = row.get("events")
    named = None if not table else _file_in_study(root, table, where)
    return events_of_trial(paths, named, start_s, end_s)


def _file_in_study(root: Path, name: str, where: str) -> Path:
    """Return the file that a manifest names; refuse one outside the study's folder."""
    if "\\" in name and not (root / name).exists():
        name = name.replace("\\", "/")  # a manifest that was written on Windows
    try:
        path = (root / name).resolve()
        exists = path.is_file() or is_session(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: {name[:60]!r} is not a file name: {error}") from error
    if not path.is_relative_to(root.resolve()):
        raise InputError(f"{where}: {name!r} is outside the study's folder: copy it inside")
    if not exists:
        raise InputError(f"{where}: no file {name!r} in {str(root)!r}: correct its name")
    return root / name


def _warn_of_similar_subjects(subjects: set[str]) -> None:
    """Warn of subjects such as 1 and 01, which may be one person on both sides of a split."""
    spellings: dict[str, str] = {}
    for subject in sorted(subjects):
        other = spellings.setdefault(subject.casefold().lstrip("0"), subject)
        if other != subject:
            _log.warning("subjects %r and %r count as two people: are they one?", other, subject)


def _read_part(path: Path, read: Reader, start_s: float | None, end_s: float | None) -> Pulse:
    """Read a trial's part of a signal file; 0 s is the start of the trial."""
    signal = read()
    if start_s is None and end_s is None:
        return signal
    begin = 0.0 if start_s is None else start_s
    part = signal.crop(begin, math.inf if end_s is None else end_s)
    if not len(part):
        what = "beat" if isinstance(part, Beats) else "sample"
        raise InputError(
            f"{path} has no {what} between {begin:g} and {end_s} s: correct start_s and end_s"
        )
    if isinstance(part, Beats):
        return part.shifted(-begin)
    return replace(part, start_s=part.start_s - begin)


def _read_rows(manifest: Path) -> list[tuple[int, dict[str, str]]]:
    """Read line number and cells by column name of each row of the manifest."""
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{manifest} is not UTF-8 text: save it as CSV UTF-8") from error
    if not text.strip():
        raise InputError(
            f"{manifest} is empty: want a header with {', '.join(COLUMNS)}, label_NAME"
        )
    delimiter = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    lines = io.StringIO(text, newline="")  # line breaks within quotes belong to the cell
    reader = csv.DictReader(lines, delimiter=delimiter, restkey="_more", restval="")
    try:
        return _check_rows(reader, manifest)
    except csv.Error as error:
        raise InputError(f"{manifest}, line {reader.line_num}: not CSV ({error})") from error


def _check_rows(reader: csv.DictReader[str], manifest: Path) -> list[tuple[int, dict[str, str]]]:
    """Check header and rows; skip empty rows and comments (subjects that begin with #)."""
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    duplicates = sorted({name for name in header if name and header.count(name) > 1})
    if duplicates or LABEL in header:
        raise InputError(
            f"{manifest} has the columns {', '.join(header)}: want each name once, and a name "
            f"after {LABEL}"
        )
    missing = [name for name in REQUIRED if name not in header]
    if not {"video", "signal"} & set(header):
        missing.append("video or signal")
    if missing:
        raise InputError(
            f"{manifest} does not have the columns {', '.join(missing)}; "
            f"it has: {', '.join(header)}"
        )
    _warn_of_unread_columns(header)
    rows = []
    for row in reader:
        if any(row.pop("_more", [])):
            raise InputError(f"{MANIFEST}, line {reader.line_num}: more cells than the header has")
        cells = {name: _normalise(name, (value or "").strip()) for name, value in row.items()}
        if not any(cells.values()) or cells["subject"].startswith("#"):
            continue
        for name in REQUIRED:
            if not cells[name]:
                raise InputError(f"{MANIFEST}, line {reader.line_num}: no {name}")
        rows.append((reader.line_num, cells))
    return rows


def _normalise(name: str, cell: str) -> str:
    """Return a cell with a decimal point, or an empty cell if its value is missing."""
    if name in REQUIRED or name == "session":
        return cell  # NA may be a person's initials
    if is_missing(cell):
        return ""
    number = name.startswith((LABEL, PARTICIPANT)) or name in ("start_s", "end_s")
    return cell.replace(",", ".") if number and _DECIMAL_COMMA.fullmatch(cell) else cell


def _warn_of_unread_columns(header: list[str]) -> None:
    """Warn of columns that are not read, such as a label without its prefix."""
    read = (LABEL, PARTICIPANT)
    others = [n for n in header if n and n not in COLUMNS and not n.startswith(read)]
    if others:
        _log.warning(
            "%s: columns that are not read: %s; want one of %s, a label as %sNAME, or what is "
            "known of the person as %sNAME",
            MANIFEST,
            ", ".join(others),
            ", ".join(COLUMNS),
            LABEL,
            PARTICIPANT,
        )


def _facts(path: Path) -> tuple[str, dict[str, tuple[float, float]]]:
    """Read the study's name ("" if missing) and the scales of its labels from manifest.json."""
    if not path.is_file():
        return "", {}
    try:
        facts = parse_json(path.read_text(encoding="utf-8-sig"))
        scales = {str(name): (low, high) for name, (low, high) in facts.get("scales", {}).items()}
        for name, (low, high) in scales.items():
            if not -math.inf < low < high < math.inf:
                raise ValueError(f"the scale of {name} is {low}–{high}")
        dataset = facts.get("dataset") or ""
        if not isinstance(dataset, str):
            raise ValueError(f"dataset is {dataset!r}")
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be used ({error}): "
            'want {"dataset": "name", "scales": {"arousal": [1, 9]}}'
        ) from error
    return dataset, scales


def _written_by_package(path: Path) -> bool:
    """Return whether this package wrote the study, whatever its name."""
    return parse_json(path.read_text(encoding="utf-8-sig")).get("written_by") == PACKAGE


def _labels(
    row: Mapping[str, str], scales: Mapping[str, tuple[float, float]], where: str
) -> dict[str, float | str]:
    """Read a row's labels: numbers within their scale, or words; skip empty cells and nan."""
    labels: dict[str, float | str] = {}
    for column, text in row.items():
        if not column.startswith(LABEL) or not text:
            continue
        name = column.removeprefix(LABEL)
        try:
            value = float(text)
            if math.isnan(value):
                continue
        except ValueError:
            if name in scales:
                raise InputError(f"{where}: {column} is {text!r}, want a number") from None
            labels[name] = text
            continue
        if math.isinf(value):
            raise InputError(f"{where}: {column} is {text!r}, want a number")
        low, high = scales.get(name, (-math.inf, math.inf))
        if not low <= value <= high:
            raise InputError(
                f"{where}: {column} is {text}, outside its scale {low:g}–{high:g} ({FACTS})"
            )
        labels[name] = value
    return labels


def _seconds(row: Mapping[str, str], column: str, where: str) -> float | None:
    """Parse a time (s) from the file's start; None if the cell is empty or missing."""
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{where}: {column} is {text!r}, want seconds from the file's start")
    return value
