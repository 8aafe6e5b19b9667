"""POPANE (Behnke et al. 2022): ECG of 1,157 people in seven studies with films, photos and stress.

`S<study>_P<person>_<Condition>.csv` begins with about ten lines of facts (``#Channel_Name,…``), a
header and 1,000 rows per second; ``affect`` is the continuous rating of valence.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, check_scale, read_columns, signal_from_times
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

RATE_HZ = 1000.0
SCALE = (0, 10)
MOST_FACTS = 40
READ = ("timestamp", "affect", "ECG")  # other names differ between facts and header ("dz/dt")


class Popane(DatasetReader):
    """List one recording for each condition of a person, on the clock of the file's ``timestamp``.

    A person's name includes the study (``S1P3``); ``valence`` is the column ``affect``.
    """

    card = Card(
        name="popane",
        title="POPANE",
        people=1157,
        modalities=("ecg", "eda"),
        rates_hz={"ecg": RATE_HZ, "eda": RATE_HZ, "valence": RATE_HZ},
        scales={"valence": SCALE},
        access="open",
        licence="CC BY",
        reference=(
            "Behnke M, Buchwald M, Bykowski A, Kupiński S, Kaczmarek LD (2022). "
            "Psychophysiology of positive and negative emotions, dataset of 1157 cases and 8 "
            "biosignals. Sci Data 9, 10."
        ),
        url="https://doi.org/10.1038/s41597-021-01117-0",
        traps=(
            "nine to eleven lines of facts come before the header: do not skip a fixed number",
            "channels differ between studies; the ECG of some people is empty",
            "the data set has neither PPG nor video",
            "blood pressure and related channels have one value per beat, repeated in every row",
        ),
        bibtex="""@article{behnke2022popane,
  author = {Behnke, Maciej and Buchwald, Miko{\\l}aj and Bykowski, Adam and others},
  title = {Psychophysiology of positive and negative emotions, dataset of 1157 cases and 8
    biosignals},
  journal = {Scientific Data},
  volume = {9}, pages = {10}, year = {2022},
  doi = {10.1038/s41597-021-01117-0}
}""",
    )
    expected = "**/S*_P*_*.csv"

    def recordings(self) -> Iterator[Recording]:
        for path in sorted(self.root.glob(self.expected), key=_who):
            study, person, condition = _who(path)
            channels = {"ecg", *(name.lower() for name in _header(path))}
            yield Recording(
                self.card.name,
                f"S{study}P{person}",
                trial=condition,
                scales=dict(self.card.scales),
                signals={
                    **{k: partial(_read_wave, path, k) for k in ("ecg", "eda") if k in channels},
                    "valence": partial(_read_valence, path),
                },
            )


def _who(path: Path) -> tuple[int, int, str]:
    """Return study, person and condition from a file's name."""
    study, person, condition = path.stem.split("_", 2)
    if not (study[1:].isdecimal() and person[1:].isdecimal()):
        raise InputError(f"{path} is not named as expected: want S1_P1_Condition.csv")
    return int(study[1:]), int(person[1:]), condition


def _read_column(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    _check_facts(path)
    table = read_columns(path, ("timestamp", name))
    return table["timestamp"], table[name]


def _header(path: Path) -> list[str]:
    """Return the names of a file's columns; none if it cannot be read, which reading reports."""
    try:
        lines = _first_lines(path)
    except InputError:
        return []
    return lines[-1].split(",") if lines else []


def _first_lines(path: Path) -> list[str]:
    """Read the lines of facts and the header."""
    lines: list[str] = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                lines.append(line.strip())
                if not line.startswith("#") or len(lines) > MOST_FACTS:
                    break
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): download it again") from error
    return lines


def _check_facts(path: Path) -> None:
    """Check that the facts and the header have the same channels in the same columns."""
    lines = _first_lines(path)
    channels = next(
        (line.split(",")[1:] for line in lines if line.startswith("#Channel_Name,")), []
    )
    header = lines[-1].split(",") if lines else []
    if not all(
        k in channels and k in header and channels.index(k) == header.index(k) for k in READ
    ):
        raise InputError(
            f"{path}: the header differs from the channels that #Channel_Name lists: want a "
            "complete file of POPANE"
        )


def _read_wave(path: Path, kind: str) -> Signal:
    """Read ECG, or skin conductance in µS."""
    return signal_from_times(path, *_read_column(path, kind.upper()), kind, rate_hz=RATE_HZ)


def _read_valence(path: Path) -> Signal:
    wave = signal_from_times(path, *_read_column(path, "affect"), "valence", rate_hz=RATE_HZ)
    return check_scale(path, wave, SCALE)
