"""ASCERTAIN (Subramanian et al. 2018): a two-lead ECG during 36 film clips, and ratings.

`ASCERTAIN_Raw/ECGData/Movie_PNN/ECG_ClipK.mat` has time in milliseconds in its first column;
`ASCERTAIN_Features/Dt_SelfReports.mat` has ``Ratings`` (dimensions, people, clips).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import (
    DatasetReader,
    files_by_number,
    load_cached,
    parse_labels,
    signal_from_times,
)
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_mat
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

RATE_HZ, PEOPLE, CLIPS = 256.0, 58, 36
DIMENSIONS = 5  # arousal and valence, then engagement, liking and familiarity
SCALES: dict[str, tuple[float, float]] = {"arousal": (0.0, 6.0), "valence": (-3.0, 3.0)}
REPORTS = "ASCERTAIN_Features/Dt_SelfReports.mat"


class Ascertain(DatasetReader):
    """List one recording for each person and clip; 0 s is the file's first sample.

    ``ecg`` is the first of the two leads. Clips have the numbers of the ratings, not those of the
    order in which they were shown.
    """

    card = Card(
        name="ascertain",
        title="ASCERTAIN",
        people=PEOPLE,
        modalities=("ecg",),
        rates_hz={"ecg": RATE_HZ},
        scales=SCALES,
        access="from the authors' page",
        licence="end user licence agreement",
        reference=(
            "Subramanian R, Wache J, Abadi MK, Vieriu RL, Winkler S, Sebe N (2018). ASCERTAIN: "
            "emotion and personality recognition using commercial sensors. IEEE Trans Affect "
            "Comput 9(2), 147–160."
        ),
        url="https://ascertain-dataset.github.io",
        traps=(
            "arousal is on 0–6 and valence on −3–3: their midpoints are 3 and 0",
            "arousal comes before valence in the ratings, unlike in DEAP",
            "files with six or more columns have the ECG in columns 4 and 5, others in 1 and 2",
            "engagement, liking and familiarity are not read: no document gives their scales",
            "faces were published as landmarks only, without video",
            "the authors' quality table marks some clips as bad; it is not read",
        ),
        bibtex="""@article{subramanian2018ascertain,
  author = {Subramanian, Ramanathan and Wache, Julia and Abadi, Mojtaba Khomami and Vieriu, Radu L.
    and Winkler, Stefan and Sebe, Nicu},
  title = {{ASCERTAIN}: Emotion and Personality Recognition Using Commercial Sensors},
  journal = {IEEE Transactions on Affective Computing},
  volume = {9}, number = {2}, pages = {147--160}, year = {2018},
  doi = {10.1109/TAFFC.2016.2625250}
}""",
    )
    inside = (".", "ASCERTAIN")
    expected = "ASCERTAIN_Raw/ECGData/Movie_P*/ECG_Clip*.mat"

    def recordings(self) -> Iterator[Recording]:
        reports = self.root / REPORTS
        ratings = load_cached(_read_ratings, reports)
        people = files_by_number(self.root, "ASCERTAIN_Raw/ECGData/Movie_P*", lambda p: p.name[7:])
        for person, folder in people:
            clips = files_by_number(folder, "ECG_Clip*.mat", lambda p: p.stem[8:])
            for clip, path in clips:
                if not (1 <= person <= ratings.shape[1] and 1 <= clip <= ratings.shape[2]):
                    raise InputError(
                        f"{reports} rates {ratings.shape[1]} people and {ratings.shape[2]} clips, "
                        f"{path} is not among them: want both from one release"
                    )
                clip_ratings = dict(zip(SCALES, ratings[:2, person - 1, clip - 1], strict=True))
                yield Recording(
                    self.card.name,
                    f"{person:02d}",
                    trial=f"{clip:02d}",
                    labels=parse_labels(
                        clip_ratings, SCALES, f"{reports}, person {person}, clip {clip}"
                    ),
                    scales=SCALES,
                    signals={"ecg": partial(_read_ecg, path)},
                )


def _read_ratings(path: Path) -> np.ndarray:
    """Read the ratings, (5 dimensions, people, clips)."""
    ratings = np.asarray(load_mat(path, ["Ratings"])["Ratings"])
    if ratings.dtype.kind not in "fiu" or ratings.ndim != 3 or len(ratings) != DIMENSIONS:
        raise InputError(
            f"{path}: Ratings has the shape {ratings.shape}, want numbers, ({DIMENSIONS}, "
            f"{PEOPLE}, {CLIPS}): is it the authors' file?"
        )
    return ratings.astype(float)


def _read_ecg(path: Path) -> Signal:
    table = np.asarray(load_mat(path, ["Data_ECG"])["Data_ECG"])
    if table.dtype.kind not in "fiu" or table.ndim != 2 or table.shape[1] < 3 or len(table) < 2:
        raise InputError(f"{path}: Data_ECG has the shape {table.shape}, want time and two leads")
    lead = table[:, 4 if table.shape[1] >= 6 else 1].astype(float)
    times_s = (table[:, 0] - table[0, 0]).astype(float) / 1e3
    return signal_from_times(path, times_s, lead, "ecg", rate_hz=RATE_HZ)
