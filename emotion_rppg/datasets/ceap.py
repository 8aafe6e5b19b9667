"""CEAP-360VR (Xue et al. 2021): wrist pulse during videos in a headset, rated with a joystick.

`5_PhysioData/Raw/PN_Physio_RawData.json` has the Empatica E4's samples of each of eight videos,
with times in seconds from the start of the video; `3_AnnotationData/Frame` has continuous ratings
at 25 Hz, `2_QuestionnaireData` the rating after each video. The signals in `Transformed` and
`Frame` are low-pass filtered at 2 Hz or less.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.datasets.base import (
    DatasetReader,
    check_scale,
    files_by_number,
    load_cached,
    parse_labels,
    signal_from_times,
)
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_json
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

SCALE = (1, 9)
RATING_HZ = 25.0
# kind of signal -> name in the raw file, rate (Hz): EDA in µS, temperature in °C
PARTS = {"bvp": ("BVP", 64.0), "eda": ("EDA", 4.0), "temp": ("SKT", 4.0)}
QUESTIONNAIRES = "2_QuestionnaireData/P{0}_Questionnaire_Data.json"
RATINGS = "3_AnnotationData/Frame/P{0}_Annotation_FrameData.json"
PHYSIOLOGY = "5_PhysioData/Raw/P{0}_Physio_RawData.json"
LONGEST_S = 300.0


class Ceap360VR(DatasetReader):
    """List one recording for each person and video, on the video's clock.

    The signals ``valence`` and ``arousal`` are the continuous joystick ratings; the labels of the
    same names are the ratings after the video.
    """

    card = Card(
        name="ceap-360vr",
        title="CEAP-360VR",
        people=32,
        modalities=tuple(PARTS),
        rates_hz={
            **{kind: rate_hz for kind, (_, rate_hz) in PARTS.items()},
            "valence": RATING_HZ,
            "arousal": RATING_HZ,
        },
        scales={"valence": SCALE, "arousal": SCALE},
        access="open, in the authors' repository",
        licence="CC BY-NC 4.0",
        reference=(
            "Xue T, El Ali A, Zhang T, et al. (2021). CEAP-360VR: a continuous physiological and "
            "behavioral emotion annotation dataset for 360° VR videos. IEEE Trans Multimedia."
        ),
        url="https://github.com/cwi-dis/CEAP-360VR-Dataset",
        verified="verified in part on real files (ratings after the videos of people 1–3; the rest "
        "from documents)",
        traps=(
            "the pulse in Transformed and Frame is filtered (2 Hz or less) and scaled: Raw is read",
            "the E4's own intervals (IBI) are missing for people 2 and 12",
            "the headset covers the face: there is no face video",
            "the layout of the acceleration is not documented: it is not read",
            "the joystick rating during a video and the rating after it are two different things",
        ),
        bibtex="""@article{xue2021ceap,
  author = {Xue, Tong and El Ali, Abdallah and Zhang, Tianyi and others},
  title = {{CEAP-360VR}: A Continuous Physiological and Behavioral Emotion Annotation Dataset for
    360 {VR} Videos},
  journal = {IEEE Transactions on Multimedia},
  year = {2021},
  doi = {10.1109/TMM.2021.3124080}
}""",
    )
    inside = (".", "CEAP-360VR", "CEAP-360VR-Dataset/CEAP-360VR")
    expected = QUESTIONNAIRES.format("*")

    def recordings(self) -> Iterator[Recording]:
        for person, path in files_by_number(
            self.root, self.expected, lambda p: p.name.split("_")[0][1:]
        ):
            signals_path, ratings_path = (
                self.root / name.format(person) for name in (PHYSIOLOGY, RATINGS)
            )
            videos = _person_part(load_json(path), path)
            for video, facts in _by_video(videos, "Video_SAMRating_VideoTime_Data", path).items():
                ratings = {k: facts.get(k.title() + "Value") for k in self.card.scales}
                signals = {k: partial(_read_wave, signals_path, video, k) for k in PARTS}
                signals |= {
                    k: partial(_read_rating, ratings_path, video, k) for k in self.card.scales
                }
                yield Recording(
                    self.card.name,
                    str(person),
                    trial=video,
                    labels=parse_labels(ratings, dict(self.card.scales), f"{path}, {video}"),
                    scales=dict(self.card.scales),
                    signals=signals,
                )


def _person_part(content: Any, path: Path) -> dict[str, Any]:
    """Return the one person's part of a file, {"…Data": [{…}]}."""
    parts = list(content.values()) if isinstance(content, dict) else []
    if len(parts) != 1 or not isinstance(parts[0], list) or len(parts[0]) != 1:
        raise InputError(
            f"{path} does not have the layout of the data set's files: want one person in it"
        )
    if not isinstance(parts[0][0], dict):
        raise InputError(f"{path}: the person's part is not a JSON object: download it again")
    return parts[0][0]


def _by_video(person: dict[str, Any], name: str, path: Path) -> dict[str, dict[str, Any]]:
    videos = person.get(name)
    if not isinstance(videos, list) or not all(
        isinstance(v, dict) and isinstance(v.get("VideoID"), str) for v in videos
    ):
        raise InputError(f"{path} has no {name}: want a list of parts with a VideoID each")
    out = {v["VideoID"]: v for v in videos}
    if len(out) != len(videos):
        raise InputError(f"{path}: a VideoID occurs twice in {name}")
    return out


def _read_samples(path: Path, name: str, video: str, part: str, column: str) -> tuple[Any, Any]:
    """Read times (s) and values of one part of one video."""
    videos = _by_video(_person_part(load_cached(load_json, path), path), name, path)
    rows = videos.get(video, {}).get(part)
    try:
        pairs = np.array([(row["TimeStamp"], row[column]) for row in rows or ()], float)
        times, values = pairs[:, 0], pairs[:, 1]
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{path}: {video} has no {part} with TimeStamp and {column}: exclude it"
        ) from error
    if not -5 < times[0] < 5 or not times[-1] < LONGEST_S:
        raise InputError(
            f"{path}: {part} of {video} goes from {times[0]:g} to {times[-1]:g}: want seconds "
            "of a video of about a minute"
        )
    return times, values


def _read_wave(path: Path, video: str, kind: str) -> Signal:
    name, rate_hz = PARTS[kind]
    samples = _read_samples(path, "Video_Physio_RawData", video, f"{name}_RawData", name)
    return signal_from_times(path, *samples, kind, rate_hz=rate_hz)


def _read_rating(path: Path, video: str, kind: str) -> Signal:
    part = "TimeStamp_Valence_Arousal"
    samples = _read_samples(path, "Video_Annotation_FrameData", video, part, kind.title())
    return check_scale(path, signal_from_times(path, *samples, kind, rate_hz=RATING_HZ), SCALE)
