"""AMIGOS (Miranda-Correa et al. 2021): ECG during sixteen short and four long films, rated on 1–9.

`data_preprocessed/Data_Preprocessed_P01.mat` has ``joined_data{film}``, (n, 17) at 128 Hz: 14 EEG
channels, right ECG, left ECG and GSR; and ``labels_selfassessment{film}``. The first five seconds
of each film are rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, files_by_number, load_cached, parse_labels
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_mat
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

RATE_HZ, REST_S = 128.0, 5.0
CHANNELS, ECG_RIGHT = 17, 14
RATINGS = ("arousal", "valence", "dominance", "liking", "familiarity")  # in the file's order


class Amigos(DatasetReader):
    """List one recording for each person and film; 0 s is where the film begins, after the rest.

    ``ecg`` is the right arm's lead. Films that a person did not watch are empty in the file and are
    excluded, as are missing ratings.
    """

    card = Card(
        name="amigos",
        title="AMIGOS",
        people=40,
        modalities=("ecg",),
        rates_hz={"ecg": RATE_HZ},
        scales=dict.fromkeys(RATINGS, (1, 9)),
        access="signed agreement, Queen Mary University of London",
        licence="the authors' terms, research alone",
        reference=(
            "Miranda-Correa JA, Abadi MK, Sebe N, Patras I (2021). AMIGOS: a dataset for affect, "
            "personality and mood research on individuals and groups. IEEE Trans Affect Comput "
            "12(2), 479–493."
        ),
        url="https://doi.org/10.1109/TAFFC.2018.2884461",
        traps=(
            "arousal comes before valence in the ratings, unlike in DEAP",
            "the first five seconds of each film are rest",
            "people 8, 24 and 28 did not watch the long films",
            "some people watched the long films alone, others in groups of four",
            "the face videos come in separate archives and are not read",
            "the unit of the skin conductance (channel 17) is not documented: it is not read",
        ),
        bibtex="""@article{mirandacorrea2021amigos,
  author = {Miranda-Correa, Juan Abdon and Abadi, Mojtaba Khomami and Sebe, Nicu and Patras,
    Ioannis},
  title = {{AMIGOS}: A Dataset for Affect, Personality and Mood Research on Individuals and Groups},
  journal = {IEEE Transactions on Affective Computing},
  volume = {12}, number = {2}, pages = {479--493}, year = {2021},
  doi = {10.1109/TAFFC.2018.2884461}
}""",
    )
    inside = (".", "data_preprocessed")
    expected = "Data_Preprocessed_P*.mat"

    def recordings(self) -> Iterator[Recording]:
        files = files_by_number(self.root, self.expected, lambda p: p.stem.rsplit("_P", 1)[1])
        for person, path in files:
            rows = load_mat(path, ["labels_selfassessment"])["labels_selfassessment"]
            for film, row in enumerate(rows, 1):
                ratings = np.asarray(row, dtype=float).ravel()
                if not ratings.size:
                    continue
                if len(ratings) < len(RATINGS):
                    raise InputError(
                        f"{path}: film {film} has {len(ratings)} ratings, want 12: download "
                        "it again"
                    )
                values: dict[str, Any] = dict(zip(RATINGS, ratings[: len(RATINGS)], strict=True))
                yield Recording(
                    self.card.name,
                    f"{person:02d}",
                    trial=f"{film:02d}",
                    labels=parse_labels(values, dict(self.card.scales), f"{path}, film {film}"),
                    scales=dict(self.card.scales),
                    signals={"ecg": partial(_read_ecg, path, film)},
                )


def _read_leads(path: Path) -> list[np.ndarray]:
    """Read the right arm's ECG of each film, with the rest before it; drop the EEG."""
    out = []
    for film, table in enumerate(load_mat(path, ["joined_data"])["joined_data"], 1):
        table = np.asarray(table, dtype=float)
        if table.size and (table.ndim != 2 or table.shape[1] != CHANNELS):
            raise InputError(
                f"{path}: film {film} has the shape {table.shape}, want (samples, {CHANNELS}): is "
                "it the preprocessed data?"
            )
        out.append(table[:, ECG_RIGHT].copy() if table.size else np.empty(0))
    return out


def _read_ecg(path: Path, film: int) -> Signal:
    waves = load_cached(_read_leads, path)
    wave = waves[film - 1] if film <= len(waves) else np.empty(0)
    begin = round(REST_S * RATE_HZ)
    if len(wave) <= begin:
        raise InputError(f"{path}: film {film} was rated but has no signals: exclude it")
    if not np.isfinite(wave).any():
        raise InputError(f"{path}: the ECG of film {film} is empty: exclude it")
    return Signal(wave[begin:], RATE_HZ, kind="ecg")
