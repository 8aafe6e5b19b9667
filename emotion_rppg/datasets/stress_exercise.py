"""Induced stress and structured exercise (Hongn et al. 2025): sessions of a wristband.

`Wearable_Dataset/` has the folders STRESS, AEROBIC and ANAEROBIC with one session of the Empatica
E4 for each person, `S01` or `f01`; `tags.csv` has the presses that separate the phases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from emotion_rppg.datasets.base import DatasetReader
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import kinds_in_session, presses, read_kind
from emotion_rppg.recordings import Card, Recording

ACTIVITIES = ("STRESS", "AEROBIC", "ANAEROBIC")
_NAME = re.compile(r"([Sf]\d+)(?:_(\w+))?")


class StressExercise(DatasetReader):
    """List one recording for each session; its events are the presses that separate the phases.

    The trial is the activity; the session is 1, or the part of one that was interrupted (a, b).
    """

    card = Card(
        name="stress-exercise",
        title="Wearable device data set from induced stress and structured exercise sessions",
        people=None,
        modalities=("bvp", "eda", "temp", "acc"),
        rates_hz={"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0},
        scales={},
        access="open, on PhysioNet",
        licence="stated on its PhysioNet page",
        reference=(
            "Hongn A, Bosch F, Prado LE, Ferrández JM, Bonomini MP (2025). Wearable physiological "
            "signals under acute stress and exercise conditions. Scientific Data 12."
        ),
        url="https://doi.org/10.1038/s41597-025-04845-9",
        traps=(
            "36 people took part in stress, 30 in aerobic and 31 in anaerobic exercise, says the "
            "article; S and f are two stages with different protocols",
            "the label is the activity of a whole session, with its rests: the phases lie between "
            "the presses, which are the events (`--events tag`)",
            "which press begins which phase is not read: the number of presses differs from that "
            "of the phases in the documents",
            "exercise moves the wrist, so a classifier of activities may measure motion",
            "data_constraints.txt lists faulty sessions, such as f07 with a covered sensor and S02 "
            "with repeated rows: exclude them yourself",
            "the files of this set begin with a date and time in UTC in place of Unix seconds; "
            "dates are shifted for privacy",
            "Stress_Level_v1.csv and _v2.csv (self-reports for each phase) are not read",
        ),
        bibtex="""@article{hongn2025wearable,
  author = {Hongn, Andrea and Bosch, Facundo and Prado, Lara Eleonora and
    Ferr{\\'a}ndez, Jos{\\'e} Manuel and Bonomini, Mar{\\'i}a Paula},
  title = {Wearable Physiological Signals under Acute Stress and Exercise Conditions},
  journal = {Scientific Data},
  volume = {12}, year = {2025},
  doi = {10.1038/s41597-025-04845-9}
}""",
    )
    inside = (".", "Wearable_Dataset")
    expected = "*/*/BVP.csv"

    def recordings(self) -> Iterator[Recording]:
        for activity in ACTIVITIES:
            for place in sorted(p.parent for p in (self.root / activity).glob("*/BVP.csv")):
                found = _NAME.fullmatch(place.name)
                if found is None:
                    raise InputError(
                        f"{place} is not named as expected: want S01 or f01, or f14_a for a part"
                    )
                yield Recording(
                    self.card.name,
                    found[1],
                    session=found[2] or "1",
                    trial=activity.lower(),
                    labels={"activity": activity.lower()},
                    signals={
                        kind: partial(read_kind, place, kind) for kind in kinds_in_session(place)
                    },
                    events=partial(presses, place),
                )
