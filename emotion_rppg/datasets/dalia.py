"""PPG-DaLiA (Reiss et al. 2019): wrist pulse and chest ECG during daily activities.

`SX/SX.pkl` holds all signals on one clock, ``activity`` at 4 Hz and, as ``label``, the heart rate
of the ECG in windows of 8 s, one every 2 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, files_by_number, load_cached
from emotion_rppg.datasets.respiban import RATES_HZ, channel, read_body
from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_pickle
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal

ACTIVITIES = ("sitting", "stairs", "soccer", "cycling", "driving", "lunch", "walking", "working")
_ACTIVITY_HZ = 4.0
_WINDOW_S, _STEP_S = 8.0, 2.0  # of the heart rates
_SLOWEST_BPM, _FASTEST_BPM = 25, 250


class PpgDalia(DatasetReader):
    """List one recording for each person and activity: its longest stretch, on the pickle's clock.

    ``hr`` is the heart rate (bpm) that the authors computed from the ECG, at the middle of each of
    their windows within the stretch. The time between activities is not read.
    """

    card = Card(
        name="ppg-dalia",
        title="PPG-DaLiA",
        people=15,
        modalities=tuple(RATES_HZ),
        rates_hz={**RATES_HZ, "hr": 1 / _STEP_S},
        scales={},
        access="open, in the UCI repository",
        licence="CC BY 4.0",
        reference=(
            "Reiss A, Indlekofer I, Schmidt P, Van Laerhoven K (2019). Deep PPG: large-scale heart "
            "rate estimation with convolutional neural networks. Sensors 19(14), 3079."
        ),
        url="https://doi.org/10.3390/s19143079",
        traps=(
            "no ratings: activities are not emotions, and movement raises the heart rate",
            "heart rates are of windows of 8 s, one every 2 s, not one per second",
            "activity codes are at 4 Hz; 0 is the time between two activities",
            "motion hides most of the wrist's pulse in soccer, stairs and walking",
            "people 1 and 2 went down the stairs once, the others twice",
        ),
        bibtex="""@article{reiss2019deepppg,
  author = {Reiss, Attila and Indlekofer, Ina and Schmidt, Philip and Van Laerhoven, Kristof},
  title = {Deep {PPG}: Large-Scale Heart Rate Estimation with Convolutional Neural Networks},
  journal = {Sensors},
  volume = {19}, number = {14}, pages = {3079}, year = {2019},
  doi = {10.3390/s19143079}
}""",
    )
    inside = (".", "PPG_FieldStudy", "data/PPG_FieldStudy")
    expected = "S*/S*.pkl"

    def recordings(self) -> Iterator[Recording]:
        for number, path in files_by_number(self.root, self.expected, lambda p: p.stem[1:]):
            for activity in ACTIVITIES:
                yield Recording(
                    self.card.name,
                    str(number),
                    trial=activity,
                    labels={"activity": activity},
                    signals={
                        k: partial(_read_signal, path, activity, k) for k in (*RATES_HZ, "hr")
                    },
                )


def _read_signal(path: Path, activity: str, kind: str) -> Signal:
    """Read one signal during an activity; heart rates only of complete windows within it."""
    codes, signals = load_cached(_read_pickle, path)
    begin, end = _find_span(path, codes, activity)
    margin = _WINDOW_S / 2 if kind == "hr" else 0.0
    part = signals[kind].crop(begin + margin, end - margin + 1e-3 * (kind == "hr"))
    if not len(part):
        raise InputError(
            f"{path}: {activity} lasts {end - begin:g} s, no complete window of {kind}: exclude it"
        )
    return part


def _find_span(path: Path, codes: np.ndarray, activity: str) -> tuple[float, float]:
    """Find start and end (s) of the longest uninterrupted stretch of an activity."""
    on = np.r_[False, codes == 1 + ACTIVITIES.index(activity), False]
    edges = np.flatnonzero(np.diff(on.astype(int))).reshape(-1, 2)
    if not len(edges):
        raise InputError(
            f"{path} has no stretch of {activity}: its recording ended early, exclude it"
        )
    begin, end = edges[np.argmax(edges[:, 1] - edges[:, 0])] / _ACTIVITY_HZ
    return float(begin), float(end)


def _read_pickle(path: Path) -> tuple[np.ndarray, dict[str, Signal]]:
    """Read activity codes, signals and heart rates of a person; drop the rest."""
    content = load_pickle(path)
    codes = channel(path, content, "activity")
    rates = channel(path, content, "label")
    duration_s = len(codes) / _ACTIVITY_HZ
    signals = read_body(path, content, duration_s)
    windows = (duration_s - _WINDOW_S) / _STEP_S + 1
    if abs(len(rates) - windows) > 2:
        raise InputError(
            f"{path}: {len(rates)} heart rates for {duration_s:.0f} s, want {windows:.0f}: one for "
            f"each window of {_WINDOW_S:g} s, every {_STEP_S:g} s"
        )
    if not np.all((rates > _SLOWEST_BPM) & (rates < _FASTEST_BPM)):
        raise InputError(f"{path}: the labels are not heart rates in beats per minute")
    if not np.isin(codes, range(len(ACTIVITIES) + 1)).all():
        raise InputError(f"{path}: activities have codes other than 0–{len(ACTIVITIES)}")
    signals["hr"] = Signal(rates, 1 / _STEP_S, kind="hr", start_s=_WINDOW_S / 2)
    return codes, signals
