"""Read manifest.csv and manifest.json: one row for each person × session × trial of a study."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import is_e4
from emotion_rppg.formats.missing_values import is_missing
from emotion_rppg.formats.signal_files import Reader, signals_in
from emotion_rppg.recordings import DatasetNotFound, Recording, Video
from emotion_rppg.runtime.atomic_files import MANIFEST_FACTS, PACKAGE
from emotion_rppg.signals import Signal
from emotion_rppg.windows import LABEL

_log = logging.getLogger(__name__)
MANIFEST, FACTS = "manifest.csv", MANIFEST_FACTS
REQUIRED = ("subject", "trial")
SYNTHETIC = "synthetic"  # studies that `datasets.synthetic` wrote, whatever reads them
_NUMBER = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")  # with a decimal comma
COLUMNS = (*REQUIRED, "session", "video", "signal", "start_s", "end_s", "region")


def read_manifest(
    root: Path, *, channel: str | None = None, kind: str | None = None
) -> list[Recording]:
    """List the manifest's rows as recordings; check all of them before reading a signal.

    ``channel`` and ``kind`` pick the signal of files with several.
    """
    dataset, scales = _facts(root / FACTS)
    reader = SYNTHETIC if dataset == SYNTHETIC and _is_ours(root / FACTS) else ""
    dataset = dataset or root.resolve().name
    rows = _rows(root / MANIFEST)
    out: list[Recording] = []
    seen: dict[tuple[str, str, str], int] = {}
    for number, row in rows:
        where = f"{MANIFEST}, line {number}"
        key = (row["subject"], row.get("session") or "1", row["trial"])
        if key in seen:
            raise InputError(
                f"{where}: subject {key[0]}, session {key[1]}, trial {key[2]} stands on line "
                f"{seen[key]} already: give each trial its own name"
            )
        seen[key] = number
        picked = {"channel": channel, "kind": kind}
        found = _recording(root, dataset, key, row, scales, where, picked)
        out.append(replace(found, reader=reader))
    if not out:
        raise DatasetNotFound(f"{root / MANIFEST} has no row: fill it in, one line a trial")
    _warn_of_doubles({r.subject for r in out})
    for name in set(scales) - {name for r in out for name in r.labels}:
        _log.warning("%s gives the scale of %r, but no trial has such a label", FACTS, name)
    return out


def _recording(
    root: Path,
    dataset: str,
    key: tuple[str, str, str],
    row: Mapping[str, str],
    scales: Mapping[str, tuple[float, float]],
    where: str,
    picked: Mapping[str, str | None],
) -> Recording:
    labels = _labels(row, scales, where)
    start = _seconds(row, "start_s", where)
    end = _seconds(row, "end_s", where)
    if end is not None and end <= (start or 0.0):
        raise InputError(f"{where}: end_s {end:g} is not after start_s {start or 0:g}")
    video = None
    if row.get("video"):
        path = _inside(root, row["video"], where)
        video = Video(path, start or 0.0, end, row.get("region") or None)
    signals: dict[str, Any] = {}
    for name in filter(None, (part.strip() for part in row.get("signal", "").split(";"))):
        path = _inside(root, name, where)
        for kind, read in signals_in(path, **picked).items():
            if kind in signals:
                raise InputError(f"{where}: {name!r} is a second {kind}: keep one of them")
            signals[kind] = partial(_stretch, path, read, start, end)
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
    )


def _inside(root: Path, name: str, where: str) -> Path:
    """Return the file that a manifest names; refuse one outside the study's folder."""
    try:
        path = (root / name).resolve()
        found = path.is_file() or is_e4(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: {name[:60]!r} is no name of a file: {error}") from error
    if not path.is_relative_to(root.resolve()):
        raise InputError(f"{where}: {name!r} lies outside the study's folder: copy it inside")
    if not found:
        raise InputError(f"{where}: no file {name!r} in {str(root)!r}")
    return root / name


def _warn_of_doubles(subjects: set[str]) -> None:
    """Warn of two spellings of one subject, which could be on both sides of a split."""
    first: dict[str, str] = {}
    for subject in sorted(subjects):
        other = first.setdefault(subject.casefold().lstrip("0"), subject)
        if other != subject:
            _log.warning("subjects %r and %r: one person? They count as two", other, subject)


def _stretch(path: Path, read: Reader, start_s: float | None, end_s: float | None) -> Signal:
    """Read a trial's part of a signal file; 0 s is the start of the trial."""
    signal = read()
    if start_s is None and end_s is None:
        return signal
    begin = 0.0 if start_s is None else start_s
    part = signal.crop(begin, math.inf if end_s is None else end_s)
    if not len(part):
        raise InputError(f"{path} has no sample between {begin:g} and {end_s} s")
    return replace(part, start_s=part.start_s - begin)


def _rows(manifest: Path) -> list[tuple[int, dict[str, str]]]:
    """Read line numbers and cells of the manifest."""
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{manifest} is not UTF-8 text: save it as CSV UTF-8") from error
    if not text.strip():
        raise InputError(
            f"{manifest} is empty: want a header with {', '.join(COLUMNS)}, label_NAME"
        )
    comma = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    lines = io.StringIO(text, newline="")  # line ends within quotes belong to the cell
    reader = csv.DictReader(lines, delimiter=comma, restkey="_more", restval="")
    try:
        return _checked(reader, manifest)
    except csv.Error as error:
        raise InputError(f"{manifest}, line {reader.line_num}: no CSV ({error})") from error


def _checked(reader: csv.DictReader[str], manifest: Path) -> list[tuple[int, dict[str, str]]]:
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice or LABEL in header:
        raise InputError(
            f"{manifest} has the columns {', '.join(header)}: want each name once, and a name "
            f"after {LABEL}"
        )
    missing = [name for name in REQUIRED if name not in header]
    if missing or not {"video", "signal"} & set(header):
        lacking = ", ".join([*missing, *([] if {"video", "signal"} & set(header) else ["video"])])
        raise InputError(f"{manifest} lacks the columns {lacking}; it has: {', '.join(header)}")
    _tell_of_others(header)
    rows = []
    for row in reader:
        if any(row.pop("_more", [])):
            raise InputError(f"{MANIFEST}, line {reader.line_num}: more cells than the header has")
        cells = {name: _plain(name, (value or "").strip()) for name, value in row.items()}
        if not any(cells.values()) or cells["subject"].startswith("#"):
            continue
        for name in REQUIRED:
            if not cells[name]:
                raise InputError(f"{MANIFEST}, line {reader.line_num}: no {name}")
        rows.append((reader.line_num, cells))
    return rows


def _plain(name: str, cell: str) -> str:
    """Return the cell with a decimal point, or empty where its value is missing."""
    if name in REQUIRED or name == "session":
        return cell  # NA may be a person's initials
    if is_missing(cell):
        return ""
    number = name.startswith(LABEL) or name in ("start_s", "end_s")
    return cell.replace(",", ".") if number and _NUMBER.fullmatch(cell) else cell


def _tell_of_others(header: list[str]) -> None:
    """Warn of columns that are not read, such as a label without its prefix."""
    others = [n for n in header if n and n not in COLUMNS and not n.startswith(LABEL)]
    if others:
        _log.warning(
            "%s: not read: %s; known are %s, and a label is called %sNAME",
            MANIFEST,
            ", ".join(others),
            ", ".join(COLUMNS),
            LABEL,
        )


def _facts(path: Path) -> tuple[str, dict[str, tuple[float, float]]]:
    """Read the data set's name (empty if missing) and the scales of its labels."""
    if not path.is_file():
        return "", {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8-sig"))
        scales = {str(name): (low, high) for name, (low, high) in facts.get("scales", {}).items()}
        for name, (low, high) in scales.items():
            if not -math.inf < low < high < math.inf:
                raise ValueError(f"the scale of {name} is {low}–{high}")
        dataset = facts.get("dataset") or ""
        if not isinstance(dataset, str):
            raise ValueError(f"dataset is {dataset!r}")
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not as wanted ({error}): "
            'want {"dataset": "name", "scales": {"arousal": [1, 9]}}'
        ) from error
    return dataset, scales


def _is_ours(path: Path) -> bool:
    """Tell whether this package wrote the study, whatever its name."""
    return json.loads(path.read_text(encoding="utf-8-sig")).get("written_by") == PACKAGE


def _labels(
    row: Mapping[str, str], scales: Mapping[str, tuple[float, float]], where: str
) -> dict[str, float | str]:
    """Read labels: numbers within their scale, words as they are; skip empty cells and nan."""
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
