"""A study of one's own: a folder with manifest.csv, or simply a folder of videos and signals.

`manifest.csv` has a row for each person × session × trial::

    subject,session,trial,video,signal,start_s,end_s,label_arousal,label_valence
    01,1,1,videos/01_calm.mp4,,,,2,7

Paths are relative to the manifest; several signal files are separated by ``;``. `manifest.json`
gives the scales of the labels: ``{"dataset": "my_study", "scales": {"arousal": [1, 9]}}``.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.checkpoints import MANIFEST_FACTS, whole_file
from emotion_rppg.datasets.bids import ENDING as PHYSIO
from emotion_rppg.datasets.bids import who_in_physio
from emotion_rppg.datasets.csvs import SIGNAL_COLUMNS, read_signal
from emotion_rppg.datasets.e4 import PULSE, is_e4
from emotion_rppg.datasets.fakes import DECOY_BPM, chest, pulse, rate_of, write_truth
from emotion_rppg.datasets.files import OPENERS, Reader, is_signal_file, signals_in
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, DatasetNotFound, Recording, Video
from emotion_rppg.signals import PULSE_KINDS, Signal
from emotion_rppg.windows import LABEL

_log = logging.getLogger(__name__)
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp")
MANIFEST, FACTS = "manifest.csv", MANIFEST_FACTS
NEEDED = ("subject", "trial")
KNOWN = (*NEEDED, "session", "video", "signal", "start_s", "end_s", "region")

__all__ = ["Folder", "read_signal", "recording_of", "write_template"]


class Folder:
    """Recordings of a folder, in the manifest's order, or in that of the files' names.

    Without a manifest each video and each signal file (a CSV, an E4 session's folder or zip, a BIDS
    ``_physio.tsv.gz``, an EDF or BDF) is a recording of its own; files in a sub-folder are trials
    of the person the sub-folder is named after; folders inside that one are sessions, not more
    people.

    Raises
    ------
    DatasetNotFound
        No such folder, or nothing in it that could be read.
    InputError
        A manifest with missing columns or files, labels outside their scale, or the same trial
        twice; the message names the row.
    """

    card = Card(
        name="folder",
        title="A study of one's own",
        people=None,
        modalities=("video", "bvp", "ecg"),
        rates_hz={},
        scales={},
        access="yours",
        licence="yours",
        reference="",
        traps=("ratings need their scale in manifest.json, or a coding fixed(x)",),
        verified="verified on real files",
    )

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            what = "is a file" if self.root.exists() else "does not exist"
            raise DatasetNotFound(
                f"{str(root)!r} {what}: want a folder with a {MANIFEST} "
                "(`emotion-rppg init FOLDER` writes one), or of videos and signal CSVs"
            )
        manifest = self.root / MANIFEST
        if is_e4(self.root):
            self._recordings = [recording_of(self.root)]
        else:
            self._recordings = self._listed(manifest) if manifest.is_file() else self._found()

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def __len__(self) -> int:
        return len(self._recordings)

    def _found(self) -> list[Recording]:
        """One recording a file (or E4 session), without a manifest."""
        out: list[Recording] = []
        left_out: list[str] = []
        for path in _entries(self.root):
            if path.suffix.lower() in VIDEOS:
                out.append(Recording(self._name, *_who(self.root, path), video=Video(path)))
            elif is_signal_file(path):
                try:
                    out.append(_of_signals(path, self._name, _who(self.root, path)))
                except InputError as error:
                    if not _is_table(path):
                        left_out.append(str(error))
        if left_out:
            _log.warning("%d files left out as no recordings: %s", len(left_out), left_out[0])
        if not out:
            raise DatasetNotFound(
                f"no recording under {str(self.root)!r}: expected a {MANIFEST}, videos "
                f"({', '.join(VIDEOS)}), CSVs with time_s and one of "
                f"{', '.join(SIGNAL_COLUMNS)}, E4 sessions or other signal files "
                f"({', '.join(OPENERS)})" + (f". Left out: {left_out[0]}" if left_out else "")
            )
        return _without_twins(_united(out))

    @property
    def _name(self) -> str:
        return self.root.resolve().name

    def _listed(self, manifest: Path) -> list[Recording]:
        """The manifest's rows, each checked before anything is read."""
        dataset, scales = _facts(self.root / FACTS)
        dataset = dataset or self.root.resolve().name
        rows = _rows(manifest)
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
            out.append(self._recording(dataset, key, row, scales, where))
        if not out:
            raise DatasetNotFound(f"{manifest} has no row: fill it in, one line a trial")
        _warn_of_doubles({r.subject for r in out})
        for name in set(scales) - {name for r in out for name in r.labels}:
            _log.warning("%s gives the scale of %r, but no trial has such a label", FACTS, name)
        return out

    def _recording(
        self,
        dataset: str,
        key: tuple[str, str, str],
        row: Mapping[str, str],
        scales: Mapping[str, tuple[float, float]],
        where: str,
    ) -> Recording:
        labels = _labels(row, scales, where)
        start = _seconds(row, "start_s", where)
        end = _seconds(row, "end_s", where)
        if end is not None and end <= (start or 0.0):
            raise InputError(f"{where}: end_s {end:g} is not after start_s {start or 0:g}")
        video = None
        if row.get("video"):
            path = self._inside(row["video"], where)
            video = Video(path, start or 0.0, end, row.get("region") or None)
        signals: dict[str, Any] = {}
        for name in filter(None, (part.strip() for part in row.get("signal", "").split(";"))):
            path = self._inside(name, where)
            for kind, read in signals_in(path).items():
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

    def _inside(self, name: str, where: str) -> Path:
        """The file a manifest names; never one outside the study's folder."""
        try:
            path = (self.root / name).resolve()
            found = path.is_file() or is_e4(path)
        except (OSError, ValueError) as error:
            raise InputError(f"{where}: {name[:60]!r} is no name of a file: {error}") from error
        if not path.is_relative_to(self.root.resolve()):
            raise InputError(f"{where}: {name!r} lies outside the study's folder: copy it inside")
        if not found:
            raise InputError(f"{where}: no file {name!r} in {str(self.root)!r}")
        return self.root / name

    @classmethod
    def write_fake(cls, folder: str | Path) -> Path:
        """A tiny study in the real layout: two people, two trials, contact signals, no video."""
        folder = Path(folder)
        truth: dict[str, dict[str, float]] = {}
        (folder / "signals").mkdir(parents=True)
        rows = ["subject,session,trial,signal,label_arousal,label_valence"]
        times = [f"{k / 128:.6f}" for k in range(8 * 128)]
        for k, (subject, trial) in enumerate(product("12", repeat=2)):
            bpm, name = rate_of(k), f"signals/{subject}_{trial}.csv"
            waves = (pulse(bpm, 8, 128), chest(bpm, 8, 128), pulse(DECOY_BPM, 8, 128))
            cells = zip(times, *(np.char.mod("%.4f", w) for w in waves), strict=True)
            lines = ["time_s,bvp,ecg,breath", *(",".join(row) for row in cells)]
            (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
            rows.append(f"{subject},1,{trial},{name},{3 + k},{7 - k}")
            truth[f"fake/{subject}/1/{trial}"] = {"bvp": bpm, "ecg": bpm}
        (folder / MANIFEST).write_text("\n".join(rows) + "\n", encoding="utf-8")
        facts = {"dataset": "fake", "scales": {"arousal": [1, 9], "valence": [1, 9]}}
        (folder / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
        return write_truth(folder, truth)


def recording_of(path: str | Path) -> Recording:
    """A single video, signal file or E4 session as a recording."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"no file {str(path)!r}")
    place = path.resolve()
    if is_signal_file(path):
        name = place.name if path.is_dir() else place.name.split(".")[0]
        return _of_signals(path, place.parent.name, (name, "1", "1"))
    return Recording(place.parent.name, path.stem, video=Video(path))


def _of_signals(path: Path, dataset: str, who: tuple[str, str, str]) -> Recording:
    """A signal file's recording; a BIDS file says itself whose it is."""
    signals = dict(signals_in(path))
    if not signals.keys() & set(PULSE_KINDS):
        raise InputError(f"{path} has no pulse: want one of {', '.join(SIGNAL_COLUMNS)}")
    if path.name.endswith(PHYSIO):
        said = who_in_physio(path)
        dataset, who = said["dataset"] or dataset, (said["subject"], said["session"], said["trial"])
    return Recording(dataset, *who, signals=signals)


def _entries(root: Path) -> list[Path]:
    """Files, and E4 sessions in place of the files in them."""
    files = _files(root)
    sessions = {p.parent for p in files if p.name == PULSE and is_e4(p.parent)}
    return sorted({p.parent if p.parent in sessions else p for p in files})


def _is_table(path: Path) -> bool:
    """Whether this package wrote it: tables of features and results may lie beside the data."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read(400).startswith(("dataset,", "subject,", "task,", "start_s,"))
    except (OSError, UnicodeDecodeError):
        return False


def _united(recordings: Sequence[Recording]) -> list[Recording]:
    """Signals of one BIDS recording that lie in several files become one recording."""
    out: dict[str, Recording] = {}
    for number, r in enumerate(recordings):
        first = out.get(r.name)
        mixed = first is not None and (r.video or first.video or r.signals.keys() & first.signals)
        if first is None or mixed or not _ending(r) == _ending(first) == ".gz":
            out[r.name if first is None else f"{r.name} {number}"] = r
        else:
            out[r.name] = replace(first, signals={**first.signals, **r.signals})
    return list(out.values())


def write_template(folder: str | Path) -> Path:
    """Write manifest.csv (a row for each video found there) and manifest.json; keep what exists."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file; want a folder for the study")
    folder.mkdir(parents=True, exist_ok=True)
    manifest, facts = folder / MANIFEST, folder / FACTS
    columns = ["subject", "session", "trial", "video", "signal", "start_s", "end_s"]
    columns += [LABEL + "arousal", LABEL + "valence"]
    if not manifest.exists():
        found = [p for p in _files(folder) if p.suffix.lower() in VIDEOS]
        with whole_file(manifest) as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for path in found:
                name = path.relative_to(folder).as_posix()
                writer.writerow([*_who(folder, path), name, "", "", "", "", ""])
    if not facts.exists():
        content = {
            "dataset": folder.resolve().name,
            "scales": {"arousal": [1, 9], "valence": [1, 9]},
        }
        with whole_file(facts) as fresh:
            fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return manifest


def _files(root: Path) -> list[Path]:
    """Files under a folder in the order of their names, hidden ones left out."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]


def _who(root: Path, path: Path) -> tuple[str, str, str]:
    """Subject, session and trial of a file without a manifest, from its place.

    The outermost folder is the person: were each inner one, too, a person with two sessions
    would sit on both sides of a split.
    """
    inside = path.parent.relative_to(root).parts
    name = path.name if path.is_dir() else path.stem
    if not inside:
        return name, "1", "1"
    return inside[0], "/".join(inside[1:]) or "1", name


def _warn_of_doubles(subjects: set[str]) -> None:
    """One person under two names would sit on both sides of a split."""
    first: dict[str, str] = {}
    for subject in sorted(subjects):
        other = first.setdefault(subject.casefold().lstrip("0"), subject)
        if other != subject:
            _log.warning("subjects %r and %r: one person? They count as two", other, subject)


def _stretch(path: Path, read: Reader, start_s: float | None, end_s: float | None) -> Signal:
    """The trial's part of a signal file, its clock set to the trial's beginning."""
    signal = read()
    if start_s is None and end_s is None:
        return signal
    begin = 0.0 if start_s is None else start_s
    part = signal.crop(begin, math.inf if end_s is None else end_s)
    if not len(part):
        raise InputError(f"{path} has no sample between {begin:g} and {end_s} s")
    return replace(part, start_s=part.start_s - begin)


def _rows(manifest: Path) -> list[tuple[int, dict[str, str]]]:
    """Line numbers and cells of the manifest."""
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{manifest} is not UTF-8 text: save it as CSV UTF-8") from error
    if not text.strip():
        raise InputError(f"{manifest} is empty: want a header with {', '.join(KNOWN)}, label_NAME")
    comma = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    lines = io.StringIO(text, newline="")  # line ends within quotes belong to the cell
    reader = csv.DictReader(lines, delimiter=comma, restkey="_more", restval="")
    try:
        return _checked(reader, manifest, decimal_comma=comma == ";")
    except csv.Error as error:
        raise InputError(f"{manifest}, line {reader.line_num}: no CSV ({error})") from error


def _checked(
    reader: csv.DictReader[str], manifest: Path, *, decimal_comma: bool
) -> list[tuple[int, dict[str, str]]]:
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice or LABEL in header:
        raise InputError(
            f"{manifest} has the columns {', '.join(header)}: want each name once, and a name "
            f"after {LABEL}"
        )
    missing = [name for name in NEEDED if name not in header]
    if missing or not {"video", "signal"} & set(header):
        lacking = ", ".join([*missing, *([] if {"video", "signal"} & set(header) else ["video"])])
        raise InputError(f"{manifest} lacks the columns {lacking}; it has: {', '.join(header)}")
    rows = []
    for row in reader:
        if any(row.pop("_more", [])):
            raise InputError(f"{MANIFEST}, line {reader.line_num}: more cells than the header has")
        cells = {name: (value or "").strip() for name, value in row.items()}
        if decimal_comma:
            numbers = [n for n in cells if n.startswith(LABEL) or n in ("start_s", "end_s")]
            cells |= {name: cells[name].replace(",", ".") for name in numbers}
        if not any(cells.values()) or cells["subject"].startswith("#"):
            continue
        for name in NEEDED:
            if not cells[name]:
                raise InputError(f"{MANIFEST}, line {reader.line_num}: no {name}")
        rows.append((reader.line_num, cells))
    return rows


def _facts(path: Path) -> tuple[str, dict[str, tuple[float, float]]]:
    """The data set's name, empty if not given, and the scales of its labels."""
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


def _labels(
    row: Mapping[str, str], scales: Mapping[str, tuple[float, float]], where: str
) -> dict[str, float | str]:
    """Numbers within their scale, words as they are; an empty cell, or nan, is no label."""
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


def _without_twins(recordings: Sequence[Recording]) -> list[Recording]:
    """Files that differ only in their ending become trials with that ending in the name."""
    names = [r.name for r in recordings]
    return [
        replace(r, trial=r.trial + _ending(r)) if names.count(r.name) > 1 else r for r in recordings
    ]


def _ending(recording: Recording) -> str:
    """Ending of the file a recording is read from."""
    if recording.video is not None:
        return recording.video.path.suffix
    path = next((a for a in _arguments(recording) if isinstance(a, Path)), None)
    return path.suffix if path is not None else ""


def _arguments(recording: Recording) -> tuple[Any, ...]:
    return tuple(a for read in recording.signals.values() for a in getattr(read, "args", ()))
