"""Your own study: a folder with manifest.csv, or a folder of videos and signal files.

`manifest.csv` has a row for each person × session × trial::

    subject,session,trial,video,signal,start_s,end_s,label_arousal,label_valence
    01,1,1,videos/01_calm.mp4,,,,2,7

Paths are relative to the manifest; several signal files are separated by ``;``. A column ``events``
names a table of events, if it is not NAME_events.csv beside the video or signal. `manifest.json`
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

from emotion_rppg.datasets.manifest import FACTS, MANIFEST, read_manifest
from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids import ENDING as PHYSIO
from emotion_rppg.formats.bids import identity_in_physio
from emotion_rppg.formats.bids_tables import (
    PARTICIPANTS,
    labels_in_scans,
    study_of,
    with_participants,
)
from emotion_rppg.formats.channel_names import NAME_PREFIXES
from emotion_rppg.formats.embraceplus import AVRO
from emotion_rppg.formats.empatica import FILES
from emotion_rppg.formats.event_tables import is_event_table
from emotion_rppg.formats.events import events_of
from emotion_rppg.formats.rr_intervals import RR
from emotion_rppg.formats.signal_csv import SIGNAL_COLUMNS, read_signal
from emotion_rppg.formats.signal_files import (
    OPENERS,
    is_session,
    is_signal_file,
    may_be_intervals,
    signals_in,
)
from emotion_rppg.formats.text_files import NoSignal
from emotion_rppg.formats.wfdb_records import parts_of_records
from emotion_rppg.recorded_times import ENDING as FRAMES
from emotion_rppg.recordings import Card, DatasetNotFound, Origin, Recording, Video
from emotion_rppg.runtime.atomic_files import atomic_file
from emotion_rppg.signals import UNITS, Signal
from emotion_rppg.windows import LABEL

_log = logging.getLogger(__name__)
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp")

__all__ = ["Folder", "read_signal", "recording_of", "write_template"]


class Folder:
    """List the recordings of a folder, in the order of the manifest or of the file names.

    Without a manifest each video and each signal file (a table, a list of intervals, a recorder's
    file, the folder of an E4 or EmbracePlus; see ``OPENERS``) is one recording. Intervals beside a
    wave or a video are read only with ``kind="rr"``. Files in a sub-folder are trials of one
    person, named after the sub-folder; folders within it are sessions. A table NAME_events.csv
    beside a file NAME has its events (`formats.event_tables`), and participants.tsv or .csv in the
    folder what is known of the people: age, sex … (`formats.bids_tables`). A damaged file is listed
    as a recording that raises an error when read, so that it counts as a failure.

    Parameters
    ----------
    channel : str, optional
        Name of the column or channel to read, for signal files with several.
    kind : str, optional
        Kind of that channel (``"rppg"``, ``"bvp"``, ``"ecg"``), if its name does not show it;
        ``"rr"``: only intervals are read.

    Raises
    ------
    DatasetNotFound
        No such folder, or no recording in it that can be read.
    InputError
        A manifest with missing columns or files, labels outside their scale, or the same trial
        twice; the message names the row.
    """

    card = Card(
        name="folder",
        title="Your own study",
        people=None,
        modalities=("video", "bvp", "ecg", "rr"),
        rates_hz={},
        scales={},
        access="yours",
        licence="yours",
        reference="",
        traps=(
            "ratings other than 0 and 1 need their scale in manifest.json, or a coding fixed(x)",
        ),
        verified="verified on real files",
    )

    def __init__(
        self, root: str | Path, *, channel: str | None = None, kind: str | None = None
    ) -> None:
        self.root = Path(root)
        self._selection = {"channel": channel, "kind": kind}
        if not self.root.is_dir():
            what = "is a file" if self.root.exists() else "does not exist"
            raise DatasetNotFound(
                f"{str(root)!r} {what}: want a folder with a {MANIFEST} "
                "(`emotion-rppg init FOLDER` writes one), or of videos and signal CSVs"
            )
        self._recordings = with_participants(self._listed(), self.root)

    def _listed(self) -> list[Recording]:
        if is_session(self.root):
            return [recording_of(self.root, **self._selection)]
        if (self.root / MANIFEST).is_file():
            return read_manifest(self.root, **self._selection)
        return self._list_files()

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def __len__(self) -> int:
        return len(self._recordings)

    def _list_files(self) -> list[Recording]:
        """List one recording per file or E4 session of a folder without a manifest."""
        out: list[Recording] = []
        skipped: list[str] = []
        damaged: list[str] = []
        for path in _entries(self.root):
            identity = _identity(self.root, path)
            if path.suffix.lower() in VIDEOS:
                events = events_of(path)
                out.append(Recording(self._name, *identity, video=Video(path), events=events))
                continue
            if not is_signal_file(path) or (self._for_rr and not may_be_intervals(path)):
                continue
            try:
                out.append(_signal_recording(path, self._name, identity, **self._selection))
            except NoSignal as error:
                if path.suffix.lower() == ".csv" and not _is_own_table(path):
                    skipped.append(str(error))
            except InputError as error:
                if not _is_own_table(path):
                    out.append(_unreadable_recording(path, self._name, identity, str(error)))
                    damaged.append(str(error))
        if skipped:
            _log.warning("%d files skipped, which are not recordings: %s", len(skipped), skipped[0])
        if len(out) == len(damaged):
            reasons = damaged + skipped
            raise DatasetNotFound(
                f"no recording under {str(self.root)!r}: expected a {MANIFEST}, videos "
                f"({', '.join(VIDEOS)}), CSVs with time_s and one of "
                f"{', '.join(SIGNAL_COLUMNS)}, lists of RR intervals, E4 sessions or other signal "
                "files "
                f"({', '.join(OPENERS)})" + (f". Not read: {reasons[0]}" if reasons else "")
            )
        chosen = _with_intervals(out) if self._for_rr else _without_second_reading(out)
        return _make_trials_unique(_join_bids_files(chosen))

    @property
    def _for_rr(self) -> bool:
        return self._selection["kind"] == RR

    @property
    def _name(self) -> str:
        return self.root.resolve().name


def recording_of(
    path: str | Path, *, channel: str | None = None, kind: str | None = None
) -> Recording:
    """Return a single video, signal file or E4 session as a recording.

    ``channel`` is the name of the column or channel to read, for a file with several; ``kind`` is
    its kind, if its name does not show it.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"no file {str(path)!r}: correct the path")
    resolved = path.resolve()
    if is_signal_file(path):
        name = resolved.name if path.is_dir() else resolved.name.split(".")[0]
        identity, column = (name, "1", "1"), {"channel": channel, "kind": kind}
        recording = _signal_recording(path, resolved.parent.name, identity, **column)
        root = study_of(resolved) if path.name.endswith(PHYSIO) else None
        return recording if root is None else with_participants([recording], root)[0]
    if channel is not None:
        raise InputError(f"{path} is not a known signal file: omit --channel {channel}")
    events = events_of(path)
    return Recording(resolved.parent.name, path.stem, video=Video(path), events=events)


def _signal_recording(
    path: Path,
    dataset: str,
    identity: tuple[str, str, str],
    *,
    channel: str | None,
    kind: str | None,
) -> Recording:
    """Return a signal file's recording; the JSON of a BIDS file gives its identity."""
    signals = dict(signals_in(path, channel=channel, kind=kind))
    if not signals.keys() & {*NAME_PREFIXES, *UNITS, RR, kind}:
        raise InputError(f"{path} has no pulse: want one of {', '.join(SIGNAL_COLUMNS)}")
    if path.name.endswith(PHYSIO):
        fields = identity_in_physio(path)
        dataset = fields["dataset"] or dataset
        identity = (fields["subject"], fields["session"], fields["trial"])
    origins = dict.fromkeys(signals, Origin(path, channel))
    recording = Recording(
        dataset, *identity, signals=signals, events=events_of(path), origins=origins
    )
    if not path.name.endswith(PHYSIO):
        return recording
    labels, scales = labels_in_scans(path)
    return replace(recording, labels=labels, scales=scales)


def _unreadable_recording(
    path: Path, dataset: str, identity: tuple[str, str, str], reason: str
) -> Recording:
    """Return the recording of a damaged file; reading it raises an error with the reason."""
    return Recording(dataset, *identity, signals={"bvp": partial(_raise, path, reason)})


def _with_intervals(recordings: list[Recording]) -> list[Recording]:
    """Select the recordings with intervals, if there are any."""
    return [r for r in recordings if RR in r.signals] or recordings


def _without_second_reading(recordings: list[Recording]) -> list[Recording]:
    """Leave out interval files beside a wave or a video, which are of the same heart."""
    alone = [set(r.signals) == {RR} and r.video is None for r in recordings]
    with_wave = {_place(r) for r, only in zip(recordings, alone, strict=True) if not only}
    second = [only and _place(r) in with_wave for r, only in zip(recordings, alone, strict=True)]
    if any(second):
        _log.warning(
            "%d files of intervals are in the folder of a wave or video and are not read beside "
            "it: add --source %s (source=… in Python) to read the intervals",
            sum(second),
            RR,
        )
    return [r for r, left_out in zip(recordings, second, strict=True) if not left_out]


def _place(recording: Recording) -> Path | None:
    """Return the folder of the file of a recording."""
    if recording.video is not None:
        return recording.video.path.parent
    return next((a.parent for a in _arguments(recording) if isinstance(a, Path)), None)


def _raise(path: Path, reason: str) -> Signal:
    raise InputError(reason)


def _entries(root: Path) -> list[Path]:
    """List the files under a folder, with each session's folder in place of its files."""
    files = _files(root)
    folders = {p.parent for p in files if p.name in FILES or p.suffix.lower() == AVRO}
    sessions = {folder for folder in folders if is_session(folder)}
    tables = {p for p in files if is_event_table(p) or p in {root / n for n in PARTICIPANTS}}
    tables |= {p for p in files if p.name.lower().endswith(FRAMES)}
    entries = {p.parent if p.parent in sessions else p for p in files if p not in tables}
    return sorted(entries - parts_of_records(entries))


def paths_in(root: Path) -> list[Path]:
    """List the videos, signal files and sessions under a folder, in the order of their paths."""
    return [p for p in _entries(root) if p.suffix.lower() in VIDEOS or is_signal_file(p)]


def _is_own_table(path: Path) -> bool:
    """Return whether a file is a table of this package, such as features stored beside the data."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read(400).startswith(
                ("dataset,", "subject,", "task,", "start_s,", "event,level,")
            )
    except (OSError, UnicodeDecodeError):
        return False


def _join_bids_files(recordings: Sequence[Recording]) -> list[Recording]:
    """Join the signals of BIDS recordings that are in several files."""
    out: dict[str, Recording] = {}
    for number, r in enumerate(recordings):
        first = out.get(r.name)
        not_joinable = first is not None and (
            r.video or first.video or r.signals.keys() & first.signals
        )
        if first is None or not_joinable or not _ending(r) == _ending(first) == ".gz":
            out[r.name if first is None else f"{r.name} {number}"] = r
        else:
            signals = {**first.signals, **r.signals}
            origins = {**first.origins, **r.origins}
            out[r.name] = replace(first, signals=signals, origins=origins)
    return list(out.values())


def write_template(folder: str | Path) -> Path:
    """Write manifest.csv (a row for each video in the folder) and manifest.json.

    Existing files are not changed.

    Returns
    -------
    Path
        The manifest.csv.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file: want a folder for the study")
    folder.mkdir(parents=True, exist_ok=True)
    manifest, facts = folder / MANIFEST, folder / FACTS
    columns = ["subject", "session", "trial", "video", "signal", "start_s", "end_s"]
    columns += [LABEL + "arousal", LABEL + "valence"]
    if not manifest.exists():
        videos = [p for p in _files(folder) if p.suffix.lower() in VIDEOS]
        with (
            atomic_file(manifest) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(columns)
            for path in videos:
                name = path.relative_to(folder).as_posix()
                writer.writerow([*_identity(folder, path), name, "", "", "", "", ""])
    if not facts.exists():
        content = {
            "dataset": folder.resolve().name,
            "scales": {"arousal": [1, 9], "valence": [1, 9]},
        }
        with atomic_file(facts) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return manifest


def _files(root: Path) -> list[Path]:
    """List the files under a folder in the order of their paths, without hidden ones."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]


def _identity(root: Path, path: Path) -> tuple[str, str, str]:
    """Return subject, session and trial of a file without a manifest, from its path.

    Only the outermost folder names a person: otherwise a person with two sessions would count as
    two people and could be on both sides of a split.
    """
    inside = path.parent.relative_to(root).parts
    name = path.name if path.is_dir() else _without_gz(path).stem
    if not inside:
        return name, "1", "1"
    return inside[0], "/".join(inside[1:]) or "1", name


def _without_gz(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def _make_trials_unique(recordings: Sequence[Recording]) -> list[Recording]:
    """Append the file ending to the trial names of files that differ only in their ending."""
    names = [r.name for r in recordings]
    return [
        replace(r, trial=r.trial + _ending(r)) if names.count(r.name) > 1 else r for r in recordings
    ]


def _ending(recording: Recording) -> str:
    """Return the ending of the file from which a recording is read."""
    if recording.video is not None:
        return recording.video.path.suffix
    path = next((a for a in _arguments(recording) if isinstance(a, Path)), None)
    return path.suffix if path is not None else ""


def _arguments(recording: Recording) -> tuple[Any, ...]:
    return tuple(a for read in recording.signals.values() for a in getattr(read, "args", ()))
