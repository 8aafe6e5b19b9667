"""MAHNOB-HCI (Soleymani et al. 2012): ECG and face video during film excerpts, four ratings each.

`Sessions/N/session.xml` names the files and holds ratings, rates and the start of the section in
video and audio. The eye tracker's table joins the clocks: its events give the start of the film in
the tracker's milliseconds, and its audio sample numbers map these to the audio of the section,
which is synchronous with the video. In the BDF two status events mark the start of the film, at 30
s, and its end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, files_by_number
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_xml, read_edf
from emotion_rppg.formats.text_tables import load_text, number, whole_number
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)

RATINGS = {
    "arousal": "feltArsl",
    "valence": "feltVlnc",
    "control": "feltCtrl",
    "predictability": "feltPred",
}
EMOTIONS = {  # by the number of the key pressed
    0: "neutral",
    1: "anger",
    2: "disgust",
    3: "fear",
    4: "joy",
    5: "sadness",
    6: "surprise",
    11: "amusement",
    12: "anxiety",
}
# kind of signal -> label in the BDF: the lead on the upper left of the chest, belt, finger (°C)
LABELS = {"ecg": "EXG2", "resp": "Resp", "temp": "Temp"}
GAZE = ("Timestamp", "Event", "AudioSampleNumber")
CLOCKS = ("vidRate", "vidBeginSmp", "vidEndSmp", "audRate", "audBeginSmp", "audEndSmp")
BASELINE_S, VIDEO_HZ = 30.0, (55.0, 65.0)
_CLOCK_TOLERANCE_S, _MAX_OUTSIDE_S = 1.0, 5.0  # between two clocks; of a film outside its video


class MahnobHci(DatasetReader):
    """List one recording for each rated film; 0 s is its start, or the video's if that is later.

    ``trial`` is the number of the session's folder, ``stimulus`` the film, ``emotion`` the key that
    was pressed. Without the video file or the eye tracker's table, only the ECG is available.
    """

    card = Card(
        name="mahnob-hci",
        title="MAHNOB-HCI",
        people=27,
        modalities=("video", *LABELS),
        rates_hz={"video": 60.97, **dict.fromkeys(LABELS, 256.0)},
        scales=dict.fromkeys(RATINGS, (1, 9)),
        access="signed agreement, mahnob-db.eu",
        licence="end user licence agreement, research alone",
        reference=(
            "Soleymani M, Lichtenauer J, Pun T, Pantic M (2012). A multimodal database for affect "
            "recognition and implicit tagging. IEEE Trans Affect Comput 3(1), 42–55."
        ),
        url="https://doi.org/10.1109/T-AFFC.2011.25",
        traps=(
            "the BDF begins 30 s before the film, the video does not: their first samples differ",
            "the frame rate is 60.97 Hz: assuming 25 or 60 Hz shifts every beat",
            "sessions of implicit tagging have no ratings and are not read",
            "the unit of the skin conductance is not documented: it is not read",
            "a film's number is not its place in the order in which a person watched them",
        ),
        bibtex="""@article{soleymani2012mahnob,
  author = {Soleymani, Mohammad and Lichtenauer, Jeroen and Pun, Thierry and Pantic, Maja},
  title = {A Multimodal Database for Affect Recognition and Implicit Tagging},
  journal = {IEEE Transactions on Affective Computing},
  volume = {3}, number = {1}, pages = {42--55}, year = {2012}, doi = {10.1109/T-AFFC.2011.25}
}""",
    )
    inside = (".", "Sessions")
    expected = "*/session.xml"

    def recordings(self) -> Iterator[Recording]:
        for session, path in files_by_number(self.root, self.expected, lambda p: p.parent.name):
            root = load_xml(path)
            if RATINGS["arousal"] not in root.attrib:
                continue
            subject = whole_number(_fact(path, root.find("subject"), "id"), str(path), "subject")
            video, film_part = _find_video(path, root)
            body = _file(path, root, "type", "Physiological")
            yield Recording(
                self.card.name,
                f"{subject:02d}",
                trial=str(session),
                labels=_read_labels(path, root),
                scales=dict(self.card.scales),
                video=video,
                signals={kind: partial(_read_wave, body, kind, film_part) for kind in LABELS},
            )


def _fact(path: Path, element: ElementTree.Element | None, name: str) -> str:
    value = None if element is None else element.get(name)
    if value is None:
        raise InputError(f"{path} has no {name}: want the authors' session.xml")
    return value


def _file(path: Path, root: ElementTree.Element, name: str, value: str) -> Path | None:
    """Return the file that session.xml names for a kind of track, in the same folder."""
    track = next((item for item in root.iter() if item.get(name) == value), None)
    if track is None:
        return None
    file = _fact(path, track, "filename")
    if Path(file).name != file:
        raise InputError(f"{path} names {file[:60]!r}, want a file in the same folder")
    return path.with_name(file)


def _read_labels(path: Path, root: ElementTree.Element) -> dict[str, float | str]:
    where = str(path)
    code = whole_number(_fact(path, root, "feltEmo"), where, "feltEmo")
    if code not in EMOTIONS:
        raise InputError(
            f"{path}: feltEmo is {code}, want one of "
            + ", ".join(f"{k} {name}" for k, name in EMOTIONS.items())
        )
    ratings = {
        label: number(_fact(path, root, name), where, name, 1, 9) for label, name in RATINGS.items()
    }
    return {**ratings, "emotion": EMOTIONS[code], "stimulus": _fact(path, root, "mediaFile")}


def _find_video(
    path: Path, root: ElementTree.Element
) -> tuple[Video | None, tuple[float, float, float] | None]:
    """Return the video during the film; the film's length and the start and end shown of it (s)."""
    video_path, gaze_path = _file(path, root, "color", "1"), _file(path, root, "type", "Gaze")
    if video_path is None or not video_path.is_file():
        return None, None
    if gaze_path is None:
        _log.warning(
            "%s names no table of the eye tracker: its video cannot be aligned, excluded", path
        )
        return None, None
    begin, end = _film_times(
        gaze_path, number(_fact(path, root, "audRate"), str(path), "audRate", 1)
    )
    section_start_s, section_s = _read_section(path, root)
    start_s, end_s = max(begin - section_start_s, 0.0), min(end - section_start_s, section_s)
    late_s = start_s - (begin - section_start_s)
    if (
        late_s > _MAX_OUTSIDE_S
        or end - section_start_s - end_s > _MAX_OUTSIDE_S
        or end_s <= start_s
    ):
        raise InputError(
            f"{gaze_path}: the film goes from {begin - section_start_s:.1f} to "
            f"{end - section_start_s:.1f} s of a video of {section_s:.1f} s ({path.name}): are "
            "both of the same session?"
        )
    return Video(video_path, start_s, end_s), (end - begin, late_s, late_s + end_s - start_s)


def _read_section(path: Path, root: ElementTree.Element) -> tuple[float, float]:
    """Return start and length (s) of the section on the audio's clock; check the video's."""
    facts = {name: number(_fact(path, root, name), str(path), name, 0) for name in CLOCKS}
    if not VIDEO_HZ[0] < facts["vidRate"] < VIDEO_HZ[1]:
        raise InputError(f"{path}: vidRate is {facts['vidRate']:g}, want 60.97 frames per second")
    video_s, audio_s = (
        (facts[f"{k}EndSmp"] - facts[f"{k}BeginSmp"]) / facts[f"{k}Rate"] for k in ("vid", "aud")
    )
    if abs(video_s - audio_s) > _CLOCK_TOLERANCE_S:
        raise InputError(
            f"{path}: the section has {video_s:.1f} s of video and {audio_s:.1f} s of audio: its "
            "clocks cannot be aligned, download it again"
        )
    return facts["audBeginSmp"] / facts["audRate"], video_s


def _film_times(path: Path, audio_hz: float) -> tuple[float, float]:
    """Find the start and end of the film, in seconds of the audio."""
    table = [line.split("\t") for line in load_text(path).splitlines()]
    header_row = next((k for k, row in enumerate(table) if set(GAZE) <= set(row)), None)
    if header_row is None:
        raise InputError(f"{path} has no header with {', '.join(GAZE)}: download it again")
    time, event, audio = (table[header_row].index(name) for name in GAZE)
    rows = [row for row in table[header_row + 1 :] if len(row) > max(time, event, audio)]

    def seconds(row: list[str]) -> float:
        return number(row[time], str(path), GAZE[0]) / 1e3

    offsets_s = np.array(
        [number(r[audio], str(path), GAZE[2]) / audio_hz - seconds(r) for r in rows if r[audio]]
    )
    if not offsets_s.size or np.ptp(offsets_s) > _CLOCK_TOLERANCE_S:
        raise InputError(
            f"{path}: Timestamp (ms) and AudioSampleNumber at {audio_hz:g} Hz do not match: "
            "are they in another unit, or from another session?"
        )
    event_times = [
        [seconds(r) for r in rows if r[event] == name] for name in ("MovieStart", "MovieEnd")
    ]
    if [len(times) for times in event_times] != [1, 1] or event_times[0] >= event_times[1]:
        raise InputError(
            f"{path} has {len(event_times[0])} MovieStart and {len(event_times[1])} MovieEnd, want "
            "one of each in this order: the file may be cut off"
        )
    offset_s = float(np.median(offsets_s))
    return event_times[0][0] + offset_s, event_times[1][0] + offset_s


def _read_wave(
    path: Path | None, kind: str, film_part: tuple[float, float, float] | None
) -> Signal:
    """Read a signal during the film, or during the part of it that the video shows."""
    if path is None:
        raise InputError("the session.xml names no physiological file: exclude the session")
    channels = read_edf(path, {LABELS[kind]: kind, "Status": None})
    begin, end = _find_events(path, channels["Status"])
    film_s, first, stop = film_part or (end - begin, 0.0, end - begin)
    if abs(end - begin - film_s) > _CLOCK_TOLERANCE_S:
        raise InputError(
            f"{path}: the status events are {end - begin:.1f} s apart, the eye tracker's "
            f"{film_s:.1f} s: they do not belong to one film"
        )
    part = channels[LABELS[kind]].crop(begin + first, begin + stop)
    return Signal(part.samples, part.rate_hz, kind=kind, start_s=part.start_s - begin - first)


def _find_events(path: Path, status: Signal) -> tuple[float, float]:
    """Find the first two triggers (s), where the lower 16 bits become nonzero."""
    code = np.rint(status.samples).astype(np.int64) & 0xFFFF
    onsets = np.flatnonzero((code[1:] != 0) & (code[:-1] == 0)) + 1
    times = onsets / status.rate_hz
    if len(times) < 2 or abs(times[0] - BASELINE_S) > 2 * _CLOCK_TOLERANCE_S:
        detected = ", ".join(f"{t:.1f}" for t in times[:4]) or "none"
        raise InputError(
            f"{path}: status events at {detected} s, want the film's start at {BASELINE_S:g} s and "
            "its end: the file may be cut off, or from another part of the study"
        )
    return float(times[0]), float(times[1])
