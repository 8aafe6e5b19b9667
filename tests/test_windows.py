"""Windows lie inside their recording; each has one row, its beats and its wave."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.windows import Windows, cut, people


def recording(duration_s: float = 150.0, start_s: float = 7.0) -> tuple[Beats, Signal]:
    times = np.arange(start_s + 0.4, start_s + duration_s, 0.9)
    beats = Beats(times, span_s=(start_s, start_s + duration_s))
    return beats, Signal(np.zeros(round(30 * duration_s)), 30, start_s=start_s)


def test_windows_lie_inside_the_recording_and_have_its_facts() -> None:
    windows = cut(*recording(), length_s=60, step_s=30, facts={"subject": "s1"})
    assert windows.table["start_s"].tolist() == [7, 37, 67, 97]
    assert (windows.table["subject"] == "s1").all()
    for row, beats, signal in zip(
        windows.table.itertuples(), windows.beats, windows.signals, strict=True
    ):
        assert beats.span_s == pytest.approx((row.start_s, row.start_s + 60))
        assert ((beats.times_s >= row.start_s) & (beats.times_s < row.start_s + 60.001)).all()
        assert signal.duration_s == pytest.approx(60)


def test_without_overlap_every_beat_is_in_one_window() -> None:
    beats, _ = recording(150)
    windows = cut(beats, length_s=30, step_s=None)
    together = np.concatenate([part.times_s for part in windows.beats])
    np.testing.assert_array_equal(together, beats.times_s)


@pytest.mark.parametrize("length_s", [None, 60.0])
def test_a_short_or_complete_recording_is_one_window(length_s: float | None) -> None:
    beats, signal = recording(45)
    windows = cut(beats, signal, length_s=length_s)
    assert windows.table["duration_s"].tolist() == [45]
    assert len(windows.beats[0]) == len(beats)


def test_a_recording_without_beats_has_windows() -> None:
    windows = cut(Beats([], span_s=(0, 120)), length_s=60, step_s=60)
    assert len(windows) == 2


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"length_s": 0}, {"step_s": -1}, {"length_s": NAN}, {"step_s": INFINITY}),
        {"length_s": 1, "step_s": 1e-9},
    ],
)
def test_invalid_lengths_and_steps_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        cut(*recording(), **wrong)


def test_joining_retains_the_match_of_rows_and_slices() -> None:
    parts = [cut(*recording(d), length_s=60) for d in (60, 120)]
    joined = Windows.concat(parts)
    assert len(joined.table) == len(joined.beats) == len(parts[0]) + len(parts[1])
    with pytest.raises(InputError, match="one of each"):
        Windows(joined.table, joined.beats[:-1])


def test_subjects_of_two_data_sets_are_two_people() -> None:
    table = pd.DataFrame({"dataset": ["a", "b"], "subject": ["s1", "s1"]})
    assert people(table).nunique() == 2
