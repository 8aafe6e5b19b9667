"""Stress-Predict (Iqbal et al. 2022): an hour at the wrist, three stress tasks between rests.

`Raw_data/SNN/` is a session of the Empatica E4 (BVP.csv at 64 Hz, EDA.csv, TEMP.csv, ACC.csv); the
label of each second is in `Processed_data/Improved_All_Combined_hr_rsp_binary.csv`: 0 rest, 1
Stroop test, interview or hyperventilation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import (
    FILE_OF,
    e4_clock,
    kinds_in_session,
    presses,
    read_e4,
    read_kind,
)
from emotion_rppg.formats.text_tables import load_rows, whole_number
from emotion_rppg.recordings import Card, DatasetNotFound, Event, Recording
from emotion_rppg.signals import Signal

LABELS = Path("Processed_data") / "Improved_All_Combined_hr_rsp_binary.csv"
COLUMNS = ("Participant", "Time(sec)", "Label")


class StressPredict(DatasetReader):
    """List one recording for each run of equal labels in a person's hour.

    Trials are numbered in order; ``start_s`` of their signals counts from the E4's first sample.
    A person without labels (S01) is one recording without labels.
    """

    card = Card(
        name="stress-predict",
        title="Stress-Predict",
        people=35,
        modalities=("bvp", "eda", "temp", "acc"),
        rates_hz={"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0},
        scales={"stress": (0, 1)},
        class_names={"stress": ("rest", "stress")},
        access="open, in the authors' repository",
        licence="MIT",
        reference=(
            "Iqbal T, Simpkin AJ, Roshan D, et al. (2022). Stress monitoring using wearable "
            "sensors: a pilot study and stress-predict dataset. Sensors 22(21), 8135."
        ),
        url="https://doi.org/10.3390/s22218135",
        traps=(
            "the label is the task, not a rating: stress tasks also differ in speech and motion",
            "the E4's own IBI.csv lacks most of the stress tasks",
        ),
        verified="verified on real files (pulse of people 1–18; no other signal)",
        bibtex="""@article{iqbal2022stresspredict,
  author = {Iqbal, Talha and Simpkin, Andrew J. and Roshan, Davood and others},
  title = {Stress Monitoring Using Wearable Sensors: A Pilot Study and Stress-Predict Dataset},
  journal = {Sensors},
  volume = {22}, number = {21}, pages = {8135}, year = {2022},
  doi = {10.3390/s22218135}
}""",
    )

    expected = "Raw_data/S*/BVP.csv"

    def recordings(self) -> Iterator[Recording]:
        runs = _label_runs(self.root / LABELS)
        for path in sorted(self.root.glob(self.expected)):
            yield from _person_recordings(path, runs)

    def sessions(self) -> Iterator[Recording]:
        """Yield the hour of each person; its events are rest and stress, and the presses (tag)."""
        runs = _label_runs(self.root / LABELS)
        for path in sorted(self.root.glob(self.expected)):
            subject = path.parent.name[1:]
            own_runs = runs.get(int(subject), []) if subject.isdigit() else []
            yield Recording(
                self.card.name,
                subject,
                trial="session",
                scales=dict(self.card.scales),
                signals={
                    kind: partial(_read_part, path, kind, -np.inf, np.inf)
                    for kind in kinds_in_session(path.parent)
                },
                events=partial(_read_events, path, own_runs),
            )


def _person_recordings(path: Path, runs: dict[int, list[tuple[int, int, int]]]) -> list[Recording]:
    name = path.parent.name
    if not name[1:].isdigit():
        raise InputError(f"{path.parent} is not named as expected: want S01, S02 …")
    subject, own_runs = name[1:], runs.get(int(name[1:]), [])
    kinds = kinds_in_session(path.parent)

    def signals(start_s: float, end_s: float) -> dict[str, Callable[[], Signal]]:
        return {kind: partial(_read_part, path, kind, start_s, end_s) for kind in kinds}

    if not own_runs:
        return [
            Recording(StressPredict.card.name, subject, trial="1", signals=signals(-np.inf, np.inf))
        ]
    start_s, _ = e4_clock(path)
    return [
        Recording(
            StressPredict.card.name,
            subject,
            trial=str(k),
            labels={"stress": float(label)},
            scales=dict(StressPredict.card.scales),
            signals=signals(first - start_s, stop - start_s),
        )
        for k, (first, stop, label) in enumerate(own_runs, 1)
    ]


def _read_events(path: Path, runs: list[tuple[int, int, int]]) -> tuple[Event, ...]:
    """Read the runs of equal labels as events, and the presses of the button."""
    start_s, _ = e4_clock(path)
    names = StressPredict.card.class_names["stress"]
    parts = [
        Event(first - start_s, names[label], stop - first, labels={"stress": float(label)})
        for first, stop, label in runs
    ]
    return (*parts, *presses(path.parent))


def _read_part(path: Path, kind: str, start_s: float, end_s: float) -> Signal:
    """Read a part of the hour's signal, on the clock of the hour's pulse."""
    if kind == "bvp":
        signal, _ = read_e4(path, kind)
    else:
        signal = read_kind(path.parent, kind)
    part = signal.crop(max(start_s, signal.start_s), min(end_s, signal.end_s))
    if not len(part):
        raise InputError(
            f"{path.with_name(FILE_OF[kind])} has no sample from {start_s:g} to {end_s:g} s, where "
            "labels are: "
            f"the {kind} and the labels are not from the same recording"
        )
    return part


def _label_runs(path: Path) -> dict[int, list[tuple[int, int, int]]]:
    """Find each person's runs of equal labels: (first second, second after the last, label)."""
    if not path.is_file():
        raise DatasetNotFound(
            f"no labels: expected {LABELS.as_posix()} in {str(path.parents[1])!r}"
        )
    out: dict[int, list[tuple[int, int, int]]] = {}
    for line, row in load_rows(path, COLUMNS):
        where = f"{path}, line {line}"
        person, second, label = (whole_number(row[name], where, name) for name in COLUMNS)
        if label not in (0, 1):
            raise InputError(f"{where}: Label is {label}, want 0 or 1")
        runs = out.setdefault(person, [])
        if runs and runs[-1][1:] == (second, label):
            runs[-1] = (runs[-1][0], second + 1, label)
        elif runs and second < runs[-1][1]:
            raise InputError(f"{where}: the seconds decrease: download it again")
        else:
            runs.append((second, second + 1, label))
    return out
