"""K-EmoCon (Park et al. 2020): debates of two people, rated by both and by five observers.

`raw/e4_data/<pid>/E4_BVP.csv` has times in Unix milliseconds, `metadata/subjects.csv` the start and
end of each debate. Each row of a rating covers the five seconds before its ``seconds``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import (
    DatasetReader,
    check_scale,
    load_cached,
    read_columns,
    signal_from_times,
)
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import e4_acceleration
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.runtime.tables import AS_WRITTEN
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)
SCALE = (1, 5)
RATING_S = 5.0
RATES_HZ = {"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}  # µS, °C, 1/64 g
PEOPLE = Path("metadata") / "subjects.csv"
BAND = "raw/e4_data/{0}/E4_{1}.csv"
RATERS = {  # prefix of the signal's name -> file
    "": "raw/emotion_annotations/self_annotations/P{0}.self.csv",
    "partner_": "raw/emotion_annotations/partner_annotations/P{0}.partner.csv",
    "external_": "raw/emotion_annotations/aggregated_external_annotations/P{0}.external.csv",
}
DEVICES = {31: "A013E1", 32: "A01A3A"}  # two wristbands are in one file


class KEmoCon(DatasetReader):
    """List one recording for each person's debate; 0 s is where the debate begins.

    ``valence`` and ``arousal`` are the person's own ratings, ``partner_…`` those of the partner in
    the debate, ``external_…`` the aggregate of five raters. People without a pulse are excluded and
    named in the log.
    """

    card = Card(
        name="k-emocon",
        title="K-EmoCon",
        people=32,
        modalities=tuple(RATES_HZ),
        rates_hz={**RATES_HZ, "valence": 1 / RATING_S, "arousal": 1 / RATING_S},
        scales={"valence": SCALE, "arousal": SCALE},
        access="on request, at Zenodo; the videos apart, under their own agreement",
        licence="the authors' terms",
        reference=(
            "Park CY, Cha N, Kang S, et al. (2020). K-EmoCon, a multimodal sensor dataset for "
            "continuous emotion recognition in naturalistic conversations. Sci Data 7, 293."
        ),
        url="https://doi.org/10.1038/s41597-020-00630-y",
        traps=(
            "the files of people 31 and 32 hold two wristbands each: one of them is read",
            "the Polar's file holds a heart rate at 1 Hz, not an ECG, whatever its name",
            "times of signals are Unix milliseconds, times of ratings are seconds of the debate",
            "about two thirds of the people have a pulse",
            "two people share a debate: split by debate where their moods may affect each other",
        ),
        bibtex="""@article{park2020kemocon,
  author = {Park, Cheul Young and Cha, Narae and Kang, Soowon and others},
  title = {{K-EmoCon}, a multimodal sensor dataset for continuous emotion recognition in
    naturalistic conversations},
  journal = {Scientific Data},
  volume = {7}, pages = {293}, year = {2020},
  doi = {10.1038/s41597-020-00630-y}
}""",
    )
    expected = PEOPLE.as_posix()

    def recordings(self) -> Iterator[Recording]:
        table = read_columns(self.root / PEOPLE, ("pid", "initTime", "startTime", "endTime"))
        if not np.isin(table["pid"], np.arange(1000)).all():
            raise InputError(
                f"{self.root / PEOPLE}: pid is not the number of a person: want 0 to 999"
            )
        without_band = []
        for pid, start_ms, end_ms in sorted(
            zip(table["pid"].astype(int), table["startTime"], table["endTime"], strict=True)
        ):
            _check_times(self.root / PEOPLE, pid, start_ms, end_ms)
            path = self.root / BAND.format(pid, "BVP")
            if not path.parent.is_dir():
                without_band.append(str(pid))
                continue
            files = {kind: self.root / BAND.format(pid, kind.upper()) for kind in RATES_HZ}
            signals = {
                kind: partial(_read_band, file, kind, pid, start_ms, end_ms)
                for kind, file in files.items()
                if kind == "bvp" or file.is_file()
            }
            for prefix, name in RATERS.items():
                file = self.root / name.format(pid)
                if file.is_file():
                    signals |= {
                        prefix + kind: partial(_read_rating, file, kind, prefix + kind)
                        for kind in self.card.scales
                    }
            yield Recording(
                self.card.name,
                str(pid),
                trial="debate",
                scales=dict(self.card.scales),
                signals=signals,
            )
        if without_band:
            _log.warning(
                "k-emocon: people without a wristband are excluded: %s", ", ".join(without_band)
            )


def _check_times(path: Path, pid: int, start_ms: float, end_ms: float) -> None:
    if not (1e12 < start_ms < end_ms < start_ms + 1e7):
        raise InputError(
            f"{path}: the debate of person {pid} goes from {start_ms:g} to {end_ms:g}: want Unix "
            "milliseconds, some minutes apart"
        )


def _read_band(path: Path, kind: str, pid: int, start_ms: float, end_ms: float) -> Signal:
    columns = ("x", "y", "z") if kind == "acc" else ("value",)
    table = read_columns(path, ("timestamp", *columns))
    times, values = (table["timestamp"] - start_ms) / 1e3, table[columns[0]]
    if kind == "acc":
        axes = np.column_stack([table[name] for name in columns])
        values = e4_acceleration(axes, RATES_HZ[kind]).samples
    selected = _rows_of_one_band(path, pid)
    order = np.argsort(times[selected], kind="stable")  # late samples were written out of order
    span_s = (0.0, (end_ms - start_ms) / 1e3)
    return signal_from_times(
        path,
        times[selected][order],
        values[selected][order],
        kind,
        rate_hz=RATES_HZ[kind],
        span_s=span_s,
    )


def _rows_of_one_band(path: Path, pid: int) -> np.ndarray:
    """Mark the rows (n,) of the one wristband to read."""
    serials = load_cached(_read_serials, path)
    bands = sorted(set(serials))
    if len(bands) == 1:
        return np.ones(len(serials), bool)
    if DEVICES.get(pid) not in bands:
        raise InputError(
            f"{path} has several devices ({', '.join(bands)}): keep only the rows of the device "
            f"that person {pid} wore"
        )
    return serials == DEVICES[pid]


def _read_serials(path: Path) -> np.ndarray:
    import pandas as pd

    try:
        table = pd.read_csv(path, usecols=["device_serial"], dtype=str, **AS_WRITTEN)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} has no column device_serial: unpack it again") from error
    return np.asarray(table["device_serial"].fillna("").str.strip().to_numpy(dtype=str))


def _read_rating(path: Path, column: str, kind: str) -> Signal:
    """Read a rating, one value per 5 s; a row's ``seconds`` is the end of its 5 s."""
    table = read_columns(path, ("seconds", column))
    row = table["seconds"] / RATING_S - 1
    regular = len(row) and np.isfinite(row).all() and (np.abs(row - np.round(row)) < 1e-6).all()
    if not regular or (np.diff(row) <= 0).any():
        raise InputError(f"{path}: seconds are not 5, 10, 15 …: want one row per 5 s")
    if row[0] < 0 or row[-1] > 10 * len(row) + 100:
        raise InputError(
            f"{path}: seconds go from {5 * row[0] + 5:g} to {5 * row[-1] + 5:g}: want 5, 10, 15 …"
        )
    samples = np.full(round(row[-1]) + 1, np.nan)
    samples[row.round().astype(int)] = table[column]
    return check_scale(path, Signal(samples, 1 / RATING_S, kind=kind), SCALE)
