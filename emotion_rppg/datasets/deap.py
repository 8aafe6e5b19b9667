"""DEAP (Koelstra et al. 2012): finger pulse, and face video of 22 people, during 40 music videos.

`data_preprocessed_python/sNN.dat` holds the trials in the order of ``Experiment_id``; the videos
`face_video/sNN/sNN_trialTT.avi` are numbered in the order in which they were shown.
`metadata/participant_ratings.csv` maps one to the other. Without a person's .dat the original
`data_original/sNN.bdf` is read, whose status channel marks the trials.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, load_cached
from emotion_rppg.errors import InputError
from emotion_rppg.formats.edf import read_header
from emotion_rppg.formats.safe_io import load_pickle, read_edf
from emotion_rppg.formats.text_tables import load_rows, number, whole_number
from emotion_rppg.recordings import Card, DatasetNotFound, Recording, Video
from emotion_rppg.signals import Signal

RATINGS = "participant_ratings.csv"
LABELS = ("valence", "arousal", "dominance", "liking")  # the order of the columns of `labels`
COLUMNS = ("Participant_id", "Trial", "Experiment_id", *(name.capitalize() for name in LABELS))
CHANNELS = 40
# kind of signal -> channel of the arrays, label in the original file; 36 is skin conductance
PLACES = {"bvp": (38, "Plet"), "resp": (37, "Resp"), "temp": (39, "Temp")}
_RATE_HZ, _BASELINE_S = 128.0, 3.0
_STIMULUS, _STIMULUS_S = 4, 60.0  # status of the BDF when a video begins, and how long it lasts


class Deap(DatasetReader):
    """List one recording for each trial, in the order shown; signals begin with the stimulus, 0 s.

    The three seconds before it, in the preprocessed files, are dropped. Reading checks that the
    ratings inside a .dat match those of the table.
    """

    card = Card(
        name="deap",
        title="DEAP",
        people=32,
        modalities=("video", *PLACES),
        rates_hz={"video": 50.0, **dict.fromkeys(PLACES, _RATE_HZ)},
        scales=dict.fromkeys(LABELS, (1, 9)),
        access="on request, Queen Mary University of London",
        licence="end user licence agreement",
        reference=(
            "Koelstra S, Mühl C, Soleymani M, et al. (2012). DEAP: a database for emotion analysis "
            "using physiological signals. IEEE Transactions on Affective Computing 3(1), 18–31."
        ),
        url="https://doi.org/10.1109/T-AFFC.2011.15",
        traps=(
            "channel 38 is the pulse; 39 is temperature",
            "skin conductance is not read: its unit differs between the two places of recording",
            "videos are numbered in the order shown, arrays by Experiment_id",
            "the preprocessed pulse is filtered like the EEG: its shape is not that of the finger "
            "pulse",
            "face videos exist for people 1–22 only, and some trials are missing",
        ),
        bibtex="""@article{koelstra2012deap,
  author = {Koelstra, Sander and M{\\"u}hl, Christian and Soleymani, Mohammad and others},
  title = {{DEAP}: A Database for Emotion Analysis Using Physiological Signals},
  journal = {IEEE Transactions on Affective Computing},
  volume = {3}, number = {1}, pages = {18--31}, year = {2012}, doi = {10.1109/T-AFFC.2011.15}
}""",
    )

    expected = f"**/{RATINGS}"

    def recordings(self) -> Iterator[Recording]:
        candidates = [self.root / place / RATINGS for place in ("metadata", "metadata_csv", "")]
        ratings = next((path for path in candidates if path.is_file()), None)
        if ratings is None:
            raise DatasetNotFound(
                f"{RATINGS} is too deep within {str(self.root)!r}: expected it in metadata/, "
                "beside data_preprocessed_python/ or face_video/; give the folder above these"
            )
        rows = read_ratings(ratings)
        recordings = [
            r for person in sorted(rows) for r in self._person_recordings(person, rows[person])
        ]
        if not recordings:
            raise DatasetNotFound(
                f"{ratings} has no files of any of its people beside it: expected "
                "data_preprocessed_python/s01.dat …, data_original/s01.bdf … or face_video/s01/"
            )
        return iter(recordings)

    def _person_recordings(self, person: int, trials: list[Trial]) -> list[Recording]:
        """List a person's recordings in the order shown, without opening a file."""
        name = f"s{person:02d}"
        files = (
            (self.root / "data_preprocessed_python" / f"{name}.dat", _read_dat),
            (self.root / "data_original" / f"{name}.bdf", _read_bdf),
        )
        source = next(((path, read) for path, read in files if path.is_file()), None)
        videos = {p.stem: p for p in (self.root / "face_video" / name).glob("*.avi")}
        out = []
        for trial in trials:
            video = videos.get(f"{name}_trial{trial.shown:02d}")
            signals = (
                {}
                if source is None
                else {k: partial(source[1], source[0], k, trial, len(trials)) for k in PLACES}
            )
            if video is None and not signals:
                continue
            out.append(
                Recording(
                    self.card.name,
                    f"{person:02d}",
                    trial=f"{trial.shown:02d}",
                    labels={
                        **dict(zip(LABELS, trial.ratings, strict=True)),
                        "stimulus": str(trial.experiment),
                    },
                    scales=dict(self.card.scales),
                    video=None if video is None else Video(video),
                    signals=signals,
                )
            )
        return out


@dataclass(frozen=True)
class Trial:
    """A trial's row of the ratings: place in the order shown, stimulus (from 1), ratings 1–9."""

    shown: int
    experiment: int
    ratings: tuple[float, ...]


def read_ratings(path: Path) -> dict[int, list[Trial]]:
    """Read each person's trials, in the order shown.

    Raises
    ------
    InputError
        Missing columns, ratings outside 1–9, or one trial or stimulus twice for a person.
    """
    out: dict[int, list[Trial]] = {}
    for line, row in load_rows(path, COLUMNS):
        where = f"{path}, line {line}"
        person, shown, experiment = (whole_number(row[name], where, name) for name in COLUMNS[:3])
        ratings = tuple(number(row[name], where, name, 1, 9) for name in COLUMNS[3:])
        trials = out.setdefault(person, [])
        if person < 1 or min(shown, experiment) < 1:
            raise InputError(f"{where}: people, trials and stimuli count from 1")
        if any(shown == t.shown or experiment == t.experiment for t in trials):
            raise InputError(
                f"{where}: participant {person} has the trial {shown} or the stimulus {experiment} "
                "twice: want the authors' table"
            )
        trials.append(Trial(shown, experiment, ratings))
    return {person: sorted(trials, key=lambda t: t.shown) for person, trials in out.items()}


def _read_dat(path: Path, kind: str, trial: Trial, trials: int) -> Signal:
    """Read a trial's signal from the preprocessed arrays, without the time before the stimulus."""
    waves, labels = load_cached(_read_arrays, path)
    index = trial.experiment - 1
    if len(waves) != trials or index >= trials:
        raise InputError(
            f"{path} has {len(waves)} trials, {RATINGS} has {trials}, with stimulus "
            f"{trial.experiment}: want both complete, as the authors distribute them"
        )
    if not np.allclose(labels[index], trial.ratings, atol=0.02):
        raise InputError(
            f"{path} has the ratings {labels[index].round(2).tolist()} of stimulus "
            f"{trial.experiment}, {RATINGS} has {list(trial.ratings)} (valence, arousal, "
            "dominance, liking): want both from one release"
        )
    wave = waves[index, list(PLACES).index(kind), round(_BASELINE_S * _RATE_HZ) :]
    return Signal(wave, _RATE_HZ, kind=kind)


def _read_arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the signals of ``PLACES`` (trials, 3, n) and ratings (trials, 4)."""
    content = load_pickle(path)
    if not isinstance(content, dict) or not {"data", "labels"} <= content.keys():
        raise InputError(f"{path} has no data and labels: want DEAP's preprocessed Python file")
    data, labels = np.asarray(content["data"]), np.asarray(content["labels"])
    shapes_match = data.ndim == 3 and data.shape[1] == CHANNELS and labels.shape == (len(data), 4)
    if not (shapes_match and data.dtype.kind in "fiu" and labels.dtype.kind in "fiu"):
        raise InputError(
            f"{path} has data of shape {data.shape} and labels of {labels.shape}: want numbers, "
            f"(trials, {CHANNELS}, n) and (trials, 4)"
        )
    if data.shape[2] <= _BASELINE_S * _RATE_HZ:
        raise InputError(
            f"{path}: {data.shape[2]} samples per trial end before the stimulus begins"
        )
    channels = [channel for channel, _ in PLACES.values()]
    return data[:, channels].astype(float), labels.astype(float)


def _read_bdf(path: Path, kind: str, trial: Trial, trials: int) -> Signal:
    """Read a trial's signal from the original recording, whose trials are in the order shown."""
    waves, starts = load_cached(_read_original, path)
    if len(starts) != trials or trial.shown > trials:
        raise InputError(
            f"{path}: the status channel marks {len(starts)} stimuli (code {_STIMULUS}), {RATINGS} "
            f"{trials}: trial {trial.shown} cannot be located"
        )
    begin = starts[trial.shown - 1]
    if kind not in waves:
        raise InputError(f"{path} has no channel {PLACES[kind][1]}")
    part = waves[kind].crop(begin, begin + _STIMULUS_S)
    if not len(part):
        raise InputError(f"{path} ends before trial {trial.shown} begins: it may be cut off")
    return Signal(part.samples, part.rate_hz, kind=kind, start_s=part.start_s - begin)


def _read_original(path: Path) -> tuple[dict[str, Signal], tuple[float, ...]]:
    """Read the complete signals and the start (s) of each stimulus."""
    available = {channel.label for channel in read_header(path).signals}
    labels = {label: kind for kind, (_, label) in PLACES.items() if label in available}
    channels = read_edf(path, {**labels, "Plet": "bvp", "Status": None})
    status = channels["Status"]
    code = np.rint(status.samples).astype(np.int64) & 0xFF
    begins = np.flatnonzero((code == _STIMULUS) & (np.r_[0, code[:-1]] != _STIMULUS))
    waves = {kind: channels[label] for label, kind in labels.items()}
    return waves, tuple(float(k) / status.rate_hz for k in begins)
