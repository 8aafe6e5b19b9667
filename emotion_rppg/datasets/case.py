"""CASE (Sharma et al. 2019): pulse and ECG with continuous joystick ratings of valence and arousal.

`data/interpolated/physiological/sub_N.csv` has 1000 samples per second, `…/annotations/sub_N.csv`
20; both have times in milliseconds on one clock and the number of the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import (
    DatasetReader,
    check_scale,
    files_by_number,
    read_columns,
    signal_from_times,
)
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Event, Recording
from emotion_rppg.signals import Signal

CLIPS = range(1, 9)  # 10, 11 and 12 are the start, the end and the blue screens between
SCALE = (0.5, 9.5)
RATE_HZ, RATING_HZ = 1000.0, 20.0
# kind of signal -> column: skin conductance in µS, respiration in %, temperature in °C
COLUMNS = {"bvp": "bvp", "ecg": "ecg", "eda": "gsr", "resp": "rsp", "temp": "skt"}
HEADER = "daqtime,ecg,bvp,gsr,rsp,skt,emg_zygo,emg_coru,emg_trap,video"


class Case(DatasetReader):
    """List one recording for each person and clip, on the clock of the person's whole session."""

    card = Card(
        name="case",
        title="CASE",
        people=30,
        modalities=tuple(COLUMNS),
        rates_hz={**dict.fromkeys(COLUMNS, RATE_HZ), "valence": RATING_HZ, "arousal": RATING_HZ},
        scales={"valence": SCALE, "arousal": SCALE},
        access="open",
        licence="CC BY 4.0",
        reference=(
            "Sharma K, Castellini C, van den Broek EL, et al. (2019). A dataset of continuous "
            "affect annotations and physiological signals for emotion analysis. Sci Data 6, 196."
        ),
        url="https://doi.org/10.1038/s41597-019-0209-0",
        traps=(
            "times are milliseconds in data/interpolated and seconds in data/raw",
            "the joystick rests in the middle: a person who does not rate also gives 5",
            "people watched the clips in different orders, which the clip's number does not show",
            "the recordings of the EPiC challenge of 2023 are from the same people: never train on "
            "one and test on the other",
            "no face video was published",
        ),
        bibtex="""@article{sharma2019case,
  author = {Sharma, Karan and Castellini, Claudio and van den Broek, Egon L. and others},
  title = {A dataset of continuous affect annotations and physiological signals for emotion
    analysis},
  journal = {Scientific Data},
  volume = {6}, pages = {196}, year = {2019},
  doi = {10.1038/s41597-019-0209-0}
}""",
    )
    inside = (".", "case_dataset", "case_dataset-master")
    expected = "data/interpolated/annotations/sub_*.csv"

    def recordings(self) -> Iterator[Recording]:
        files = files_by_number(self.root, self.expected, lambda p: p.stem.removeprefix("sub_"))
        for person, ratings in files:
            pulses = self.root / "data/interpolated/physiological" / ratings.name
            for clip, span_s in _find_clips(ratings).items():
                signals = {k: partial(_read_wave, pulses, k, clip, span_s) for k in COLUMNS}
                signals |= {k: partial(_read_rating, ratings, k, span_s) for k in self.card.scales}
                yield Recording(
                    self.card.name,
                    str(person),
                    trial=str(clip),
                    scales=dict(self.card.scales),
                    signals=signals,
                )

    def sessions(self) -> Iterator[Recording]:
        """Yield the session of each person; its events are the clips."""
        files = files_by_number(self.root, self.expected, lambda p: p.stem.removeprefix("sub_"))
        for person, ratings in files:
            pulses = self.root / "data/interpolated/physiological" / ratings.name
            yield Recording(
                self.card.name,
                str(person),
                trial="session",
                signals={kind: partial(_read_whole, pulses, kind) for kind in COLUMNS},
                events=partial(_read_events, ratings),
            )


def _read_events(path: Path) -> tuple[Event, ...]:
    """Read the clips as events, by their numbers."""
    return tuple(
        Event(start_s, "clip", end_s - start_s, value=str(clip))
        for clip, (start_s, end_s) in _find_clips(path).items()
    )


def _read_whole(path: Path, kind: str) -> Signal:
    """Read a signal of the whole session."""
    table = read_columns(path, ("daqtime", COLUMNS[kind]))
    return signal_from_times(
        path, table["daqtime"] / 1e3, table[COLUMNS[kind]], kind, rate_hz=RATE_HZ
    )


def _find_clips(path: Path) -> dict[int, tuple[float, float]]:
    """Find the start and end (s, session's clock) of each clip, by the clips' numbers."""
    table = read_columns(path, ("jstime", "video"))
    times, video = table["jstime"], table["video"]
    step_ms = float(np.median(np.diff(times))) if len(times) > 1 else np.nan
    if not abs(step_ms - 1e3 / RATING_HZ) < 5:
        raise InputError(
            f"{path}: jstime increases by {step_ms:g}, want 50 (milliseconds at 20 Hz): "
            "is it from data/raw?"
        )
    edges = np.flatnonzero(np.diff(video)) + 1
    out: dict[int, tuple[float, float]] = {}
    for first, stop in zip(np.r_[0, edges], np.r_[edges, len(video)], strict=True):
        clip = int(video[first]) if np.isfinite(video[first]) else 0
        if clip not in CLIPS:
            continue
        if clip in out:
            raise InputError(f"{path}: clip {clip} occurs twice: want each of 1–8 once")
        out[clip] = (times[first] / 1e3, times[stop - 1] / 1e3 + 1 / RATING_HZ)
    return dict(sorted(out.items()))


def _read_wave(path: Path, kind: str, clip: int, span_s: tuple[float, float]) -> Signal:
    column = COLUMNS[kind]
    table = read_columns(path, ("daqtime", column, "video"))
    times = table["daqtime"] / 1e3
    inside = (times >= span_s[0]) & (times < span_s[1])
    clips = table["video"][inside]
    if not len(clips) or np.mean(clips == clip) < 0.9:
        raise InputError(
            f"{path} does not have clip {clip} from {span_s[0]:g} to {span_s[1]:g} s, as the "
            "annotations have: the file is cut off, or of another person"
        )
    return signal_from_times(
        path, times[inside], table[column][inside], kind, rate_hz=RATE_HZ, span_s=span_s
    )


def _read_rating(path: Path, kind: str, span_s: tuple[float, float]) -> Signal:
    table = read_columns(path, ("jstime", kind))
    times = table["jstime"] / 1e3
    inside = (times >= span_s[0]) & (times < span_s[1])
    wave = signal_from_times(path, times[inside], table[kind][inside], kind, rate_hz=RATING_HZ)
    return check_scale(path, wave, SCALE)
