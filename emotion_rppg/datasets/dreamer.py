"""DREAMER (Katsigiannis & Ramzan 2018): a two-lead ECG during eighteen films, rated on 1–5.

One file, `DREAMER.mat`, holds all people: ``Data{person}.ECG.stimuli{film}``, (n, 2) at 256 Hz, and
``ScoreValence``, ``ScoreArousal`` and ``ScoreDominance``, one value per film.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, load_cached, parse_labels
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_mat
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

RATE_HZ, FILMS, SCALE = 256.0, 18, (1, 5)
FILE = "DREAMER.mat"
RATINGS = ("valence", "arousal", "dominance")


class Dreamer(DatasetReader):
    """List one recording for each person and film; 0 s is where the film begins.

    ``ecg`` is the first of the two leads. The one file holds all labels, so listing reads it.
    """

    card = Card(
        name="dreamer",
        title="DREAMER",
        people=23,
        modalities=("ecg",),
        rates_hz={"ecg": RATE_HZ},
        scales=dict.fromkeys(RATINGS, SCALE),
        access="on request, at Zenodo",
        licence="the authors' terms",
        reference=(
            "Katsigiannis S, Ramzan N (2018). DREAMER: a database for emotion recognition through "
            "EEG and ECG signals from wireless low-cost off-the-shelf devices. IEEE J Biomed "
            "Health Inform 22(1), 98–107."
        ),
        url="https://doi.org/10.1109/JBHI.2017.2688239",
        traps=(
            "ratings are on 1–5: their midpoint is 3, and counting 3 as high gives other classes",
            "ECG and EEG have different rates (256 and 128 Hz)",
            "the 61 s of rest before each film are in another part of the file and are not read",
        ),
        bibtex="""@article{katsigiannis2018dreamer,
  author = {Katsigiannis, Stamos and Ramzan, Naeem},
  title = {{DREAMER}: A Database for Emotion Recognition Through {EEG} and {ECG} Signals From
    Wireless Low-cost Off-the-Shelf Devices},
  journal = {IEEE Journal of Biomedical and Health Informatics},
  volume = {22}, number = {1}, pages = {98--107}, year = {2018},
  doi = {10.1109/JBHI.2017.2688239}
}""",
    )
    expected = FILE

    def recordings(self) -> Iterator[Recording]:
        path = self.root / FILE
        for number, person in enumerate(load_cached(_read_people, path), 1):
            for film in range(person["films"]):
                ratings = {name: person[name][film] for name in RATINGS}
                yield Recording(
                    self.card.name,
                    f"{number:02d}",
                    trial=f"{film + 1:02d}",
                    labels=parse_labels(
                        ratings, dict(self.card.scales), f"{path}, person {number}"
                    ),
                    scales=dict(self.card.scales),
                    signals={"ecg": partial(_read_ecg, path, number - 1, film)},
                )


def _read_people(path: Path) -> list[dict[str, Any]]:
    """Read the ratings and the first lead of each person; drop the EEG."""
    content = load_mat(path, ["DREAMER"])["DREAMER"]
    try:
        rate_hz = float(content.get("ECG_SamplingRate", RATE_HZ))
        people = [_parse_person(part) for part in content["Data"]]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            f"{path} is not laid out as DREAMER's file ({type(error).__name__}: {error}): want "
            "DREAMER.Data with ECG.stimuli and scores for each person; download it again"
        ) from error
    if rate_hz != RATE_HZ:
        raise InputError(f"{path}: the ECG has {rate_hz:g} samples per second, want {RATE_HZ:g}")
    return people


def _parse_person(part: Any) -> dict[str, Any]:
    leads = [np.asarray(wave, dtype=float)[:, 0] for wave in part["ECG"]["stimuli"]]
    scores = {k: np.atleast_1d(part[f"Score{k.title()}"]).astype(float) for k in RATINGS}
    if any(len(score) != len(leads) for score in scores.values()):
        raise ValueError(f"{len(leads)} films, but other numbers of scores")
    return {"ecg": leads, "films": len(leads)} | scores


def _read_ecg(path: Path, person: int, film: int) -> Signal:
    return Signal(load_cached(_read_people, path)[person]["ecg"][film], RATE_HZ, kind="ecg")
