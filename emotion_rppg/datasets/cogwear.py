"""CogWear (Grzeszczyk et al. 2023): two wristbands at once at rest, in a Stroop test, in a survey.

`pilot/<person>/<condition>/` and `survey_gamification/<person>/<pre, post>/<condition>/` have
`empatica_bvp.csv` (64 Hz), `empatica_eda.csv` and `empatica_temp.csv` (4 Hz), and `samsung_bvp.csv`
(25 Hz), each with a column of Unix times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, read_columns, signal_from_times
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

CONDITIONS = {"baseline": "rest", "cognitive_load": "stroop", "survey": "survey"}
LOAD = {"rest": 0.0, "stroop": 1.0}  # a survey is neither
# kind -> file, column, rate (Hz): EDA in µS, temperature in °C
EMPATICA = {
    "bvp": ("empatica_bvp.csv", "bvp", 64.0),
    "eda": ("empatica_eda.csv", "eda", 4.0),
    "temp": ("empatica_temp.csv", "temp", 4.0),
}
SAMSUNG = {"bvp": ("samsung_bvp.csv", "PPG GREEN", 25.0)}


class CogWear(DatasetReader):
    """List one recording of the Empatica E4 for each person, session and condition.

    The session is ``1`` in the pilot study, ``pre`` or ``post`` in the other. 0 s is the first
    pulse sample of the device that began first, so that the times of both devices agree.
    """

    parts: ClassVar[dict[str, tuple[str, str, float]]] = EMPATICA
    card = Card(
        name="cogwear",
        title="CogWear, Empatica E4",
        people=24,
        modalities=tuple(EMPATICA),
        rates_hz={kind: rate_hz for kind, (_, _, rate_hz) in EMPATICA.items()},
        scales={"load": (0, 1)},
        class_names={"load": ("rest", "Stroop test")},
        access="open",
        licence="ODbL 1.0",
        reference=(
            "Grzeszczyk MK, Blanco R, Adamczyk P, Kus M, Marek S, Pręcikowski R, Lisowska A "
            "(2023). CogWear: can we detect cognitive effort with consumer-grade wearables? "
            "(version 1.0.0). PhysioNet."
        ),
        url="https://doi.org/10.13026/5f6t-b637",
        traps=(
            "the label is the task, not a rating: the Stroop test also differs in hand movement "
            "(keys are pressed), and rest comes after the test",
            "cogwear and cogwear-samsung are the same minutes of the same people, by two devices: "
            "use one of them, or the same moment is counted twice",
            "rows of samsung_bvp.csv are out of order by up to 2.4 s: they are sorted by time",
            "the watch's values are reflected light, less of which is more blood: their sign is "
            "changed",
            "the watch has pauses of up to 30 s, and begins up to 36 s before the E4",
            "in some sessions the first sample of the E4's files is the rate (64 or 4), which "
            "belongs to the device's header: it is read as missing",
            "11 people (0–10) and 13 others, says the abstract; the readme counts 14 (11–24)",
            "the brain waves (muse_eeg.csv) and the answers are not read",
        ),
        verified="verified on real files (people 0, 2, 6 and 13)",
        bibtex="""@misc{grzeszczyk2023cogwear,
  author = {Grzeszczyk, Michal K. and Blanco, Rosmary and Adamczyk, Paulina and Kus, Maciej and
    Marek, Sylwia and Pr{\\k{e}}cikowski, Ryszard and Lisowska, Aneta},
  title = {{CogWear}: Can we detect cognitive effort with consumer-grade wearables?},
  howpublished = {PhysioNet, version 1.0.0},
  year = {2023},
  doi = {10.13026/5f6t-b637}
}""",
    )
    expected = "*/*/**/empatica_bvp.csv"

    def recordings(self) -> Iterator[Recording]:
        places = {p.parent for p in self.root.glob("*/*/**/*_bvp.csv")}
        for person, session, place in sorted(_identity(self.root, place) for place in places):
            condition = CONDITIONS[place.name]
            load = LOAD.get(condition)
            yield Recording(
                CogWear.card.name,
                str(person),
                session=session,
                trial=place.name,
                labels={"condition": condition} | ({} if load is None else {"load": load}),
                scales=dict(self.card.scales),
                signals=self._signals(place),
            )

    def _signals(self, place: Path) -> dict[str, Callable[[], Signal]]:
        return {kind: partial(_read, place, kind, *part) for kind, part in self.parts.items()}


class CogWearSamsung(CogWear):
    """List one recording of the Samsung watch for each person, session and condition.

    Identity, labels and clock are those of `CogWear`.
    """

    parts = SAMSUNG
    card = replace(
        CogWear.card,
        name="cogwear-samsung",
        title="CogWear, Samsung Galaxy Watch4",
        modalities=tuple(SAMSUNG),
        rates_hz={"bvp": SAMSUNG["bvp"][2]},
    )
    expected = "*/*/**/samsung_bvp.csv"


def _identity(root: Path, place: Path) -> tuple[int, str, Path]:
    """Return person, session and folder of a condition."""
    names = place.relative_to(root).parts
    person, condition = names[1], names[-1]
    if not person.isdecimal() or condition not in CONDITIONS or len(names) not in (3, 4):
        raise InputError(
            f"{place} is not named as expected: want STUDY/PERSON/[SESSION/]CONDITION, the person "
            f"a number and the condition one of {', '.join(CONDITIONS)}"
        )
    return int(person), names[2] if len(names) == 4 else "1", place


def _read(place: Path, kind: str, name: str, column: str, rate_hz: float) -> Signal:
    """Read a signal of a condition, in seconds from the first pulse sample of either device."""
    path = place / name
    times, values = _samples(path, column)
    if name.startswith("empatica") and len(values) and values[0] == rate_hz:
        values[0] = np.nan  # the rate, of the header of the device's own file
    if name == SAMSUNG["bvp"][0]:  # packets overtake each other
        order = np.argsort(times, kind="stable")
        times, values = times[order], -values[order]  # reflected light: less is more blood
    return signal_from_times(path, times - _origin_s(place, path), values, kind, rate_hz=rate_hz)


def _samples(path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Read Unix times (s) and values, in the order of the file."""
    columns = read_columns(path, ("time", column))
    times = columns["time"]
    if not len(times) or not np.isfinite(times).all():
        raise InputError(f"{path} has no samples, or samples without a time: exclude the session")
    return times, columns[column]


def _origin_s(place: Path, path: Path) -> float:
    """Return the Unix time of the first pulse sample of the device that began first."""
    starts = []
    for part in (EMPATICA["bvp"], SAMSUNG["bvp"]):
        with suppress(InputError):  # a damaged file is reported where its own signal is read
            starts.append(float(_samples(place / part[0], part[1])[0].min()))
    if not starts:
        raise InputError(f"{path}: no pulse in {place} has times: exclude the session")
    return min(starts)
