"""Emognition (Saganowski et al. 2022): nine emotions by short films, two wristbands.

`<person>/<person>_<FILM>_STIMULUS_EMPATICA.json` has a list of [local time, value] for each signal;
`<person>_QUESTIONNAIRES.json` has the ratings after each film.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.datasets.base import (
    DatasetReader,
    files_by_number,
    load_cached,
    parse_labels,
    signal_from_times,
)
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import e4_acceleration
from emotion_rppg.formats.safe_io import load_json
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)

BANDS = {  # file ending -> signal and its rate; the first available one is read
    "EMPATICA": ("BVP", 64.0),
    "SAMSUNG_WATCH": ("BVPProcessed", 20.0),
}
SENSORS_HZ = {"eda": 4.0, "temp": 4.0, "acc": 32.0}  # of the Empatica: µS, °C, 1/64 g
SAM = ("valence", "arousal", "motivation")
EMOTIONS = (
    "amusement",
    "anger",
    "awe",
    "disgust",
    "enthusiasm",
    "fear",
    "liking",
    "sadness",
    "surprise",
)


class Emognition(DatasetReader):
    """List one recording for each person and film; 0 s is the wristband's first sample.

    The pulse comes from the Empatica at 64 Hz or, without a file of it, from the watch at 20 Hz.
    """

    card = Card(
        name="emognition",
        title="Emognition Wearable Dataset 2020",
        people=43,
        modalities=("bvp", *SENSORS_HZ),
        rates_hz={"bvp": 64.0, **SENSORS_HZ},
        scales=dict.fromkeys(SAM, (1, 9)) | dict.fromkeys(EMOTIONS, (1, 5)),
        access="on request, signed agreement",
        licence="the authors' terms, research alone",
        reference=(
            "Saganowski S, Komoszyńska J, Behnke M, et al. (2022). Emognition dataset: emotion "
            "recognition with self-reports, facial expressions, and physiology using wearables. "
            "Sci Data 9, 158."
        ),
        url="https://doi.org/10.7910/DVN/R9WAF4",
        traps=(
            "times are local and have no time zone: do not mix them with Unix times",
            "each person watched the films in another order, which only the questionnaires give",
            "wristbands are missing for some people (the Empatica for 48, the watch for 30)",
            "nine emotions are rated on 1–5, valence, arousal and motivation on 1–9",
            "the face videos are distributed separately and are not read",
        ),
        bibtex="""@article{saganowski2022emognition,
  author = {Saganowski, Stanis{\\l}aw and Komoszy{\\\'n}ska, Joanna and Behnke, Maciej and others},
  title = {Emognition dataset: emotion recognition with self-reports, facial expressions, and
    physiology using wearables},
  journal = {Scientific Data},
  volume = {9}, pages = {158}, year = {2022},
  doi = {10.1038/s41597-022-01262-0}
}""",
    )
    inside = (".", "study_data")
    expected = "*/*_QUESTIONNAIRES.json"

    def recordings(self) -> Iterator[Recording]:
        for person, path in files_by_number(self.root, self.expected, lambda p: p.parent.name):
            for film, ratings in sorted(_read_ratings(path).items()):
                pulse_file = _pulse_file(path.parent, person, film)
                if pulse_file is None:
                    _log.warning("%s: no pulse of the film %s, excluded", path, film)
                    continue
                yield Recording(
                    self.card.name,
                    str(person),
                    trial=film.lower(),
                    labels=parse_labels(ratings, dict(self.card.scales), f"{path}, {film}"),
                    scales=dict(self.card.scales),
                    signals={
                        "bvp": partial(_read_pulse, *pulse_file),
                        **_sensors(pulse_file[0]),
                    },
                )


def _read_ratings(path: Path) -> dict[str, dict[str, Any]]:
    """Read the ratings of each film from a person's questionnaires."""
    content = load_json(path)
    questionnaires = content.get("questionnaires") if isinstance(content, dict) else None
    out: dict[str, dict[str, Any]] = {}
    for part in questionnaires if isinstance(questionnaires, list) else []:
        film = part.get("movie") if isinstance(part, dict) else None
        answers = [part.get("sam"), part.get("emotions")] if isinstance(film, str) else []
        if not answers or not all(isinstance(a, dict) for a in answers) or film in out:
            raise InputError(f"{path}: want each film once, with movie, sam and emotions")
        out[str(film)] = {k: answers[0].get(k.upper()) for k in SAM} | {
            k: answers[1].get(k.upper()) for k in EMOTIONS
        }
    if not out:
        raise InputError(f"{path} has no questionnaires: download it again")
    return out


def _pulse_file(folder: Path, person: int, film: str) -> tuple[Path, str, float] | None:
    for band, (name, rate_hz) in BANDS.items():
        path = folder / f"{person}_{film}_STIMULUS_{band}.json"
        if path.is_file():
            return path, name, rate_hz
    return None


def _sensors(path: Path) -> dict[str, Callable[[], Signal]]:
    """List the other signals of an Empatica's file, on the clock of its pulse."""
    if not path.stem.endswith("_EMPATICA"):
        return {}
    return {kind: partial(_read_sensor, path, kind) for kind in SENSORS_HZ}


def _read_pulse(path: Path, name: str, rate_hz: float) -> Signal:
    times, columns = _read_samples(path, name)
    seconds = (times - times[0]) / np.timedelta64(1, "s")
    return signal_from_times(path, seconds, columns[:, 0], "bvp", rate_hz=rate_hz)


def _read_sensor(path: Path, kind: str) -> Signal:
    times, columns = _read_samples(path, kind.upper())
    origin = _read_samples(path, BANDS["EMPATICA"][0])[0][0]
    seconds = (times - origin) / np.timedelta64(1, "s")
    rate_hz = SENSORS_HZ[kind]
    values = e4_acceleration(columns, rate_hz).samples if kind == "acc" else columns[:, 0]
    return signal_from_times(path, seconds, values, kind, rate_hz=rate_hz)


def _read_samples(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read times (n,) and values (n, columns) of one sensor: a list of [time, value, …]."""
    content = load_cached(load_json, path)
    rows = content.get(name) if isinstance(content, dict) else None
    try:
        stamps = [_iso(row[0]) for row in rows or ()]
        times = np.array(stamps, dtype="datetime64[us]")
        columns = np.array([row[1:] for row in rows or ()], dtype=float)
        wanted = 3 if name == "ACC" else 1
        if len(times) and columns.shape != (len(times), wanted):
            raise ValueError(f"want {wanted} values beside each time")
    except (TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        raise InputError(f"{path}: {name} is not a list of [time, value] ({error})") from error
    if len(times) < 2:
        raise InputError(f"{path} has no {name}: exclude the film")
    return times, columns


_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[:.](\d+))?", re.ASCII)


def _iso(stamp: str) -> str:
    """Return ``…T11:02:03:250000`` with a point before the fraction."""
    parts = _STAMP.fullmatch(stamp)
    if parts is None:
        raise ValueError(f"{stamp!r} is not a date and time")
    return parts[1] + (f".{parts[2]}" if parts[2] else "")
