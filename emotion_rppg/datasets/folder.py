"""Your own study: a folder with manifest.csv, or simply a folder of videos and signals.

`manifest.csv` has a row for each person × session × trial::

    subject,session,trial,video,signal,start_s,end_s,label_arousal,label_valence
    01,1,1,videos/01_calm.mp4,,,,2,7

Paths are relative to the manifest; several signal files are separated by ``;``. `manifest.json`
gives the scales of the labels: ``{"dataset": "my_study", "scales": {"arousal": [1, 9]}}``.
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from emotion_rppg.datasets.manifest import FACTS, MANIFEST, listed
from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids import ENDING as PHYSIO
from emotion_rppg.formats.bids import who_in_physio
from emotion_rppg.formats.channel_names import BEGINNINGS
from emotion_rppg.formats.empatica import FILES, is_e4
from emotion_rppg.formats.signal_csv import SIGNAL_COLUMNS, read_signal
from emotion_rppg.formats.signal_files import OPENERS, is_signal_file, signals_in
from emotion_rppg.formats.text_files import NoSignal
from emotion_rppg.recordings import Card, DatasetNotFound, Recording, Video
from emotion_rppg.runtime.atomic_files import atomic_file
from emotion_rppg.signals import Signal
from emotion_rppg.windows import LABEL

_log = logging.getLogger(__name__)
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp")

__all__ = ["Folder", "read_signal", "recording_of", "write_template"]


class Folder:
    """List the recordings of a folder, in the order of the manifest or of the file names.

    Without a manifest each video and each signal file (a CSV, text or Excel table, an E4 session's
    folder or zip, a BIDS ``_physio.tsv.gz``, an EDF or BDF) is one recording. Files in a sub-folder
    are trials of one person, named after the sub-folder; folders within it are sessions. A damaged
    file is listed as a recording that cannot be read, so that it counts among the failures.

    Parameters
    ----------
    channel : str, optional
        Name of the column or channel to read, of signal files with several.
    kind : str, optional
        What that channel holds (``"rppg"``, ``"bvp"``, ``"ecg"``), where its name does not tell.

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
        title="Your own study",
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

    def __init__(
        self, root: str | Path, *, channel: str | None = None, kind: str | None = None
    ) -> None:
        self.root = Path(root)
        self._picked = {"channel": channel, "kind": kind}
        if not self.root.is_dir():
            what = "is a file" if self.root.exists() else "does not exist"
            raise DatasetNotFound(
                f"{str(root)!r} {what}: want a folder with a {MANIFEST} "
                "(`emotion-rppg init FOLDER` writes one), or of videos and signal CSVs"
            )
        manifest = self.root / MANIFEST
        if is_e4(self.root):
            self._recordings = [recording_of(self.root, **self._picked)]
        elif manifest.is_file():
            self._recordings = listed(self.root, **self._picked)
        else:
            self._recordings = self._found()

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def __len__(self) -> int:
        return len(self._recordings)

    def _found(self) -> list[Recording]:
        """List one recording for each file or E4 session, without a manifest."""
        out: list[Recording] = []
        left_out: list[str] = []
        damaged = 0
        for path in _entries(self.root):
            who = _who(self.root, path)
            if path.suffix.lower() in VIDEOS:
                out.append(Recording(self._name, *who, video=Video(path)))
                continue
            if not is_signal_file(path):
                continue
            try:
                out.append(_of_signals(path, self._name, who, **self._picked))
            except NoSignal as error:
                if path.suffix.lower() == ".csv" and not _is_table(path):
                    left_out.append(str(error))
            except InputError as error:
                if not _is_table(path):
                    out.append(_unreadable(path, self._name, who, str(error)))
                    left_out.append(str(error))
                    damaged += 1
        foreign = len(left_out) - damaged
        if foreign:
            _log.warning("%d files left out as no recordings: %s", foreign, left_out[0])
        if len(out) == damaged:
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


def recording_of(
    path: str | Path, *, channel: str | None = None, kind: str | None = None
) -> Recording:
    """Return a single video, signal file or E4 session as a recording.

    ``channel`` is the name of the column or channel to read, of a file with several; ``kind`` what
    it holds, where its name does not tell.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"no file {str(path)!r}")
    place = path.resolve()
    if is_signal_file(path):
        name = place.name if path.is_dir() else place.name.split(".")[0]
        who = (name, "1", "1")
        return _of_signals(path, place.parent.name, who, channel=channel, kind=kind)
    if channel is not None:
        raise InputError(f"{path} is no signal file that is known: leave --channel {channel} out")
    return Recording(place.parent.name, path.stem, video=Video(path))


def _of_signals(
    path: Path, dataset: str, who: tuple[str, str, str], *, channel: str | None, kind: str | None
) -> Recording:
    """Return a signal file's recording; a BIDS file names its own subject."""
    signals = dict(signals_in(path, channel=channel, kind=kind))
    if not signals.keys() & {*BEGINNINGS, kind}:
        raise InputError(f"{path} has no pulse: want one of {', '.join(SIGNAL_COLUMNS)}")
    if path.name.endswith(PHYSIO):
        said = who_in_physio(path)
        dataset, who = said["dataset"] or dataset, (said["subject"], said["session"], said["trial"])
    return Recording(dataset, *who, signals=signals)


def _unreadable(path: Path, dataset: str, who: tuple[str, str, str], reason: str) -> Recording:
    """Return the recording of a damaged file; reading it raises the reason."""
    return Recording(dataset, *who, signals={"bvp": partial(_refuse, path, reason)})


def _refuse(path: Path, reason: str) -> Signal:
    raise InputError(reason)


def _entries(root: Path) -> list[Path]:
    """List files, and E4 sessions in place of the files in them."""
    files = _files(root)
    places = {p.parent for p in files if p.name in FILES}
    sessions = {place for place in places if is_e4(place)}
    return sorted({p.parent if p.parent in sessions else p for p in files})


def _is_table(path: Path) -> bool:
    """Tell whether this package wrote the table: features and results may lie beside the data."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read(400).startswith(("dataset,", "subject,", "task,", "start_s,"))
    except (OSError, UnicodeDecodeError):
        return False


def _united(recordings: Sequence[Recording]) -> list[Recording]:
    """Join the signals of one BIDS recording that are in several files."""
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
        with atomic_file(manifest) as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
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
        with atomic_file(facts) as fresh:
            fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return manifest


def _files(root: Path) -> list[Path]:
    """List the files under a folder in the order of their names, without hidden ones."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]


def _who(root: Path, path: Path) -> tuple[str, str, str]:
    """Return subject, session and trial of a file without a manifest, from its place.

    Only the outermost folder names a person; otherwise a person with two sessions would be on both
    sides of a split.
    """
    inside = path.parent.relative_to(root).parts
    name = path.name if path.is_dir() else _without_gz(path).stem
    if not inside:
        return name, "1", "1"
    return inside[0], "/".join(inside[1:]) or "1", name


def _without_gz(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def _without_twins(recordings: Sequence[Recording]) -> list[Recording]:
    """Append the ending to the trial name of files that differ only in their ending."""
    names = [r.name for r in recordings]
    return [
        replace(r, trial=r.trial + _ending(r)) if names.count(r.name) > 1 else r for r in recordings
    ]


def _ending(recording: Recording) -> str:
    """Return the ending of the file that a recording is read from."""
    if recording.video is not None:
        return recording.video.path.suffix
    path = next((a for a in _arguments(recording) if isinstance(a, Path)), None)
    return path.suffix if path is not None else ""


def _arguments(recording: Recording) -> tuple[Any, ...]:
    return tuple(a for read in recording.signals.values() for a in getattr(read, "args", ()))
