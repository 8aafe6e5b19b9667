"""UBFC-Phys (Meziati Sabour et al. 2021): face and wrist pulse at rest, in speech and arithmetic.

`s1/vid_s1_T1.avi`, `bvp_s1_T1.csv` (64 Hz, one column, no header) and `eda_s1_T1.csv` (4 Hz) for
the tasks T1–T3; `info_s1.txt` has the group, `selfReportedAnx_s1.csv` the anxiety of the person
before (first column) and after the experiment: cognitive, somatic, self-confidence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from emotion_rppg.datasets.base import DatasetReader, files_by_number
from emotion_rppg.errors import InputError
from emotion_rppg.formats.text_tables import load_numbers, load_text
from emotion_rppg.recordings import Card, Recording, Video
from emotion_rppg.signals import Signal

_log = logging.getLogger(__name__)

TASKS = {"T1": "rest", "T2": "speech", "T3": "arithmetic"}
GROUPS = ("test", "ctrl")
ANXIETY = tuple(
    f"{name}_{when}"
    for name in ("cognitive", "somatic", "confidence")
    for when in ("before", "after")
)
RATE_HZ, SKIN_HZ = 64.0, 4.0
_SCALE = (1, 4)  # of the anxiety items; unconfirmed, so scores outside are excluded with a warning


class UbfcPhys(DatasetReader):
    """List one recording for each task, on the video's clock; the pulse begins with the video.

    ``condition`` is the task, ``stress`` is 0 at rest and 1 in the other tasks, ``group`` their
    difficulty. The anxiety scores belong to the person and are the same in all three recordings.
    """

    card = Card(
        name="ubfc-phys",
        title="UBFC-Phys",
        people=56,
        modalities=("video", "bvp", "eda"),
        rates_hz={"video": 35.0, "bvp": RATE_HZ, "eda": SKIN_HZ},
        scales={"stress": (0, 1)} | dict.fromkeys(ANXIETY, _SCALE),
        class_names={"stress": ("rest", "stress")},
        access="IEEE DataPort, or dat@UBFC",
        licence="the authors' terms, research alone",
        reference=(
            "Meziati Sabour R, Benezeth Y, De Oliveira P, Chappé J, Yang F (2021). UBFC-Phys: a "
            "multimodal database for psychophysiological studies of social stress. IEEE Trans "
            "Affect Comput."
        ),
        url="https://doi.org/10.1109/TAFFC.2021.3056960",
        traps=(
            "stress is the task, not a rating: stress tasks also differ in speech and motion",
            "the wrist moves in T2 and T3, where the contact pulse is often unusable",
            "video and pulse share no clock: they are assumed to begin together",
            "anxiety was rated once before and once after all three tasks, not for each",
            "about 14 GB of video per person: people without videos are listed, too",
        ),
        bibtex="""@article{sabour2021ubfcphys,
  author = {Meziati Sabour, Rita and Benezeth, Yannick and De Oliveira, Pierre and Chapp{\\'e},
    Julien and Yang, Fan},
  title = {{UBFC-Phys}: A Multimodal Database For Psychophysiological Studies Of Social Stress},
  journal = {IEEE Transactions on Affective Computing},
  year = {2021}, doi = {10.1109/TAFFC.2021.3056960}
}""",
    )
    inside = (".", "Data", "UBFC-Phys", "UBFC-Phys/Data")
    expected = "s*/info_s*.txt"

    def recordings(self) -> Iterator[Recording]:
        for person, info in files_by_number(self.root, self.expected, lambda p: p.stem[6:]):
            scores = _read_anxiety(info.with_name(f"selfReportedAnx_s{person}.csv"))
            group = _read_group(info)
            for task, condition in TASKS.items():
                pulse, video = (
                    info.with_name(f"{kind}_s{person}_{task}.{ending}")
                    for kind, ending in (("bvp", "csv"), ("vid", "avi"))
                )
                if not (pulse.is_file() or video.is_file()):
                    _log.warning("%s: neither %s nor its video, excluded", info.parent, pulse.name)
                    continue
                skin = info.with_name(f"eda_s{person}_{task}.csv")
                signals = {"bvp": partial(_read_bvp, pulse)}
                signals |= {"eda": partial(_read_eda, skin)} if skin.is_file() else {}
                stress = float(condition != "rest")
                yield Recording(
                    self.card.name,
                    str(person),
                    trial=task,
                    labels={"condition": condition, "stress": stress, "group": group, **scores},
                    scales=dict(self.card.scales),
                    video=Video(video) if video.is_file() else None,
                    signals=signals,
                )


def _read_group(path: Path) -> str:
    """Read the group, which sets the tasks' difficulty, from line three of a person's info."""
    lines = load_text(path).split()
    if len(lines) < 3 or lines[2].lower() not in GROUPS:
        raise InputError(
            f"{path}: the third line is {' '.join(lines[2:3])[:40]!r}, want test or ctrl after the "
            "person and m or f: download it again"
        )
    return lines[2].lower()


def _read_anxiety(path: Path) -> dict[str, float]:
    """Read the person's scores before and after; none if they lie outside the expected scale."""
    table = load_numbers(path, delimiter=",")
    if table.shape != (3, 2):
        raise InputError(
            f"{path} has {table.shape[0]} rows and {table.shape[1]} columns, want three "
            "(cognitive, somatic, confidence) and two (before, after)"
        )
    if table.min() < _SCALE[0] or table.max() > _SCALE[1]:
        report_to = UbfcPhys.card.report_to
        _log.warning("%s: scores beyond %d–%d, excluded: report to %s", path, *_SCALE, report_to)
        return {}
    return dict(zip(ANXIETY, map(float, table.ravel()), strict=True))


def _read_eda(path: Path) -> Signal:
    """Read skin conductance at 4 Hz, µS."""
    table = load_numbers(path, delimiter=",")
    if table.shape[1] != 1:
        raise InputError(f"{path} has {table.shape[1]} columns, want one: EDA at 4 Hz")
    return Signal(table[:, 0], SKIN_HZ, kind="eda")


def _read_bvp(path: Path) -> Signal:
    """Read the pulse at 64 Hz; if skin conductance is available, both must be equally long."""
    table = load_numbers(path, delimiter=",")
    if table.shape[1] != 1:
        raise InputError(f"{path} has {table.shape[1]} columns, want one: the pulse at 64 Hz")
    wave = Signal(table[:, 0], RATE_HZ, kind="bvp")
    skin = path.with_name(path.name.replace("bvp_", "eda_"))
    if skin.is_file():
        skin_s = len(load_numbers(skin, delimiter=",")) / SKIN_HZ
        if abs(skin_s - wave.duration_s) > 2:
            raise InputError(
                f"{path} lasts {wave.duration_s:.1f} s at 64 Hz, {skin.name} {skin_s:.1f} s at "
                "4 Hz: one of them is cut off, or the two are swapped"
            )
    return wave
