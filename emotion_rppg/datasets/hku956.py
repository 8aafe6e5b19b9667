"""HKU956 (Hu, Li & Liu 2022): wrist signals of people who listen to songs and rate each.

`1. physiological_signals/<person>/<BVP, EDA, TEMP, IBI>/<order>_<song>.csv` has the samples of an
Empatica E4 during one song, a number per line without a header; `3. AV_ratings.csv` has the ratings
of each song.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, parse_labels
from emotion_rppg.errors import InputError
from emotion_rppg.formats.text_tables import load_numbers, load_rows, load_text, number
from emotion_rppg.recordings import Card, DatasetNotFound, Recording
from emotion_rppg.signals import Beats, Pulse, Signal

RATINGS = "3. AV_ratings.csv"
SCALE = (-10, 10)
RATES_HZ = {"bvp": 64.0, "eda": 4.0, "temp": 4.0}  # of the E4: its own unit, µS, °C
IDENTITY = ("participant_id", "song_no", "song_id")
COLUMNS = {"arousal": "arousal_rating", "valence": "valence_rating"}
_TOLERANCE_S = 1.0


class Hku956(DatasetReader):
    """List one recording for each person and song; 0 s is the begin of the song.

    The trial is the order of listening and the song, ``0_262957``, as the files are named. ``rr``
    has the E4's own intervals. Their files have no times, so a list that does not cover the song is
    spread over it, with a gap after each interval: rates are right, successive differences absent.
    """

    card = Card(
        name="hku956",
        title="HKU956",
        people=30,
        modalities=(*RATES_HZ, "rr"),
        rates_hz=RATES_HZ,
        scales=dict.fromkeys(COLUMNS, SCALE),
        access="open",
        licence="CC BY-NC 4.0",
        reference=(
            "Hu X, Li F, Liu R (2022). Detecting music-induced emotion based on acoustic analysis "
            "and physiological sensing: a multimodal approach. Applied Sciences 12(18), 9354."
        ),
        url="https://doi.org/10.3390/app12189354",
        traps=(
            "people heard 16 to 52 songs each: weigh people, not songs",
            "songs last 27 to 205 s, half of them less than 46 s: use windows of 30 s or --whole",
            "the lists of intervals (IBI) have no times and cover half of a song in the median: "
            "only in a list as long as the song, one of nineteen, are neighbours surely "
            "successive; ten lists are empty",
            "some people heard a song twice: two trials then have the same song",
            "there is no recording at rest before a song",
            "the device's own heart rate (HR) is not read: it differs from the device's own "
            "intervals of the same song by more than 5 bpm in one of eight songs, up to 40 bpm",
        ),
        verified="verified on real files (people 1903–1922)",
        bibtex="""@article{hu2022hku956,
  author = {Hu, Xiao and Li, Fanjie and Liu, Ruilun},
  title = {Detecting Music-Induced Emotion Based on Acoustic Analysis and Physiological Sensing: A
    Multimodal Approach},
  journal = {Applied Sciences},
  volume = {12}, number = {18}, pages = {9354}, year = {2022},
  doi = {10.3390/app12189354}
}""",
    )
    expected = "1. physiological*signals/*/BVP/*.csv"

    def recordings(self) -> Iterator[Recording]:
        rated = _read_ratings(self.root / RATINGS)
        people = {path.parents[1].name: path.parents[1] for path in self.root.glob(self.expected)}
        for person, folder in sorted(people.items()):
            songs = rated.get(person, {})
            files = {path.stem for path in folder.glob("BVP/*.csv")}
            for song in sorted(songs.keys() | files, key=_order):
                labels, duration_s = songs.get(song, ({}, None))
                yield Recording(
                    self.card.name,
                    person,
                    trial=song,
                    labels=labels,
                    scales=dict(self.card.scales),
                    signals=_signals(folder, song, duration_s),
                )


def _order(song: str) -> tuple[int, str]:
    """Return the sorting key of a song's file name: 2_… before 10_…."""
    first = song.partition("_")[0]
    return (int(first) if first.isdecimal() else -1, song)


def _read_ratings(path: Path) -> dict[str, dict[str, tuple[dict[str, float | str], float | None]]]:
    """Read labels and duration (s) of each person's songs; older files have no duration."""
    if not path.is_file():
        raise DatasetNotFound(f"no ratings: expected {RATINGS} in {str(path.parent)!r}")
    out: dict[str, dict[str, tuple[dict[str, float | str], float | None]]] = {}
    for line, row in load_rows(path, (*IDENTITY, *COLUMNS.values())):
        where = f"{path}, line {line}"
        person, song = row["participant_id"], f"{row['song_no']}_{row['song_id']}"
        songs = out.setdefault(person, {})
        if song in songs:
            raise InputError(f"{where}: {person} has the song {song} twice: download it again")
        ratings = {label: row[column] for label, column in COLUMNS.items()}
        text = row.get("play_duration", "")
        duration_s = number(text, where, "play_duration", 0, 3600) if text else None
        songs[song] = (parse_labels(ratings, dict(Hku956.card.scales), where), duration_s)
    return out


def _signals(folder: Path, song: str, duration_s: float | None) -> dict[str, Callable[[], Pulse]]:
    paths = {kind: folder / kind.upper() / f"{song}.csv" for kind in RATES_HZ}
    out: dict[str, Callable[[], Pulse]] = {
        kind: partial(_read_wave, path, kind, duration_s) for kind, path in paths.items()
    }
    intervals = folder / "IBI" / f"{song}.csv"
    return out | {"rr": partial(_read_intervals, intervals, paths["bvp"])}


def _column(path: Path) -> np.ndarray:
    """Read a file of one number per line."""
    values = load_numbers(path, delimiter=",")
    if values.shape[1] != 1:
        raise InputError(f"{path} has {values.shape[1]} columns, want one number per line")
    return values[:, 0]


def _read_wave(path: Path, kind: str, duration_s: float | None) -> Signal:
    wave = Signal(_column(path), RATES_HZ[kind], kind=kind)
    if duration_s is not None and abs(wave.duration_s - duration_s) > _TOLERANCE_S:
        raise InputError(
            f"{path}: {kind} lasts {wave.duration_s:g} s at {wave.rate_hz:g} Hz, the song was "
            f"played for {duration_s:g} s: the file is cut off, or of another rate"
        )
    return wave


def _read_intervals(path: Path, pulse_path: Path) -> Beats:
    """Read the E4's intervals in a song, whose duration is that of the pulse."""
    if not load_text(path).strip():
        raise InputError(f"{path} is empty: the wristband detected no interval during the song")
    intervals_s = _column(path)
    duration_s = len(_column(pulse_path)) / RATES_HZ["bvp"]
    if not (np.isfinite(intervals_s).all() and (intervals_s > 0).all()):
        raise InputError(f"{path}: want intervals in seconds, above 0: download it again")
    missing_s = duration_s - intervals_s.sum()
    # The first interval began before the song and the last ended in it: where the sum is as long
    # as the song, none is missing between them. In a shorter list one may be.
    if missing_s <= 0:
        return Beats.from_intervals(intervals_s * 1e3)
    return _spread(intervals_s, missing_s)


def _spread(intervals_s: np.ndarray, missing_s: float) -> Beats:
    """Spread intervals of unknown times over a song, each between two gaps of equal length."""
    gap_s = missing_s / (len(intervals_s) + 1)
    ends = np.cumsum(intervals_s + gap_s)
    begins = ends - intervals_s
    last = float(ends[-1] + gap_s)
    gaps = list(zip(np.r_[0.0, ends], np.r_[begins, last], strict=True))
    times = np.stack([begins, ends], axis=1).ravel()
    return Beats(times, gaps=gaps, kind="rr", span_s=(0.0, last))
