"""Baseline columns compare with an earlier baseline of the same person, never with later data."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import extract
from emotion_rppg.emotion.design_matrix import feature_names
from emotion_rppg.errors import InputError
from emotion_rppg.features import compared
from emotion_rppg.features.baseline_columns import VS_BASELINE, add_baseline_columns
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Signal

HR = f"hr_bpm{VS_BASELINE}"


@pytest.fixture
def table() -> pd.DataFrame:
    """Two people; trials a, rest, b of 60 s in windows of 20 s every 10 s."""
    rows = [
        {
            "dataset": "d", "subject": subject, "session": "1", "trial": trial,
            "start_s": start, "duration_s": 20.0, "source": "bvp", "method": "",
            "label_arousal": 5.0, "coverage": 1.0, "n_beats": 20.0,
            "hr_bpm": 60.0 + 10 * subject_no + 5 * ["a", "rest", "b"].index(trial) + start / 10,
        }
        for subject_no, subject in enumerate(["x", "y"])
        for trial in ("a", "rest", "b")
        for start in np.arange(0.0, 41.0, 10.0)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_trial_is_compared_with_the_same_persons_baseline(table) -> None:
    found = add_baseline_columns(table, "rest", columns=compared(table))
    for _, own in found.groupby("subject"):
        rest = own.loc[own["trial"] == "rest", "hr_bpm"].mean()
        later = own[own["trial"] == "b"]
        np.testing.assert_allclose(later[HR], later["hr_bpm"] - rest)


def test_earlier_trials_and_the_baseline_itself_have_no_value(table) -> None:
    found = add_baseline_columns(table, "rest", columns=compared(table))
    assert found.loc[found["trial"] != "b", HR].isna().all()


def test_windows_that_overlap_a_baseline_of_seconds_have_no_value(table) -> None:
    found = add_baseline_columns(table, 30.0, columns=["hr_bpm"])  # windows of 0–20 and 10–30 s
    for _, own in found.groupby(["subject", "trial"]):
        assert own[HR].isna().tolist() == [True, True, True, False, False]
        level = own["hr_bpm"].iloc[:2].mean()
        np.testing.assert_allclose(own[HR].iloc[3:], own["hr_bpm"].iloc[3:] - level)


@pytest.mark.parametrize("baseline", ["rest", 30.0])
def test_no_later_value_is_used(table, baseline) -> None:
    before = add_baseline_columns(table, baseline, columns=["hr_bpm"])[HR]
    for row in range(len(table)):
        changed = table.copy()
        changed.loc[row + 1 :, "hr_bpm"] += 1000.0
        after = add_baseline_columns(changed, baseline, columns=["hr_bpm"])[HR]
        np.testing.assert_array_equal(after[: row + 1], before[: row + 1])


def test_raw_columns_stay_and_only_features_are_compared(table) -> None:
    found = add_baseline_columns(table, "rest", columns=compared(table))
    pd.testing.assert_frame_equal(found[table.columns], table)
    assert [c for c in found if c.endswith(VS_BASELINE)] == [HR]
    assert HR in feature_names(found)


def test_a_missing_baseline_is_refused_with_the_reason(table) -> None:
    with pytest.raises(InputError, match="trials: a, rest, b"):
        add_baseline_columns(table, "relax", columns=["hr_bpm"])
    with pytest.raises(InputError, match="more seconds"):
        add_baseline_columns(table, 10.0, columns=["hr_bpm"])
    with pytest.raises(InputError, match="above zero"):
        add_baseline_columns(table, -1.0, columns=["hr_bpm"])


def test_extract_adds_the_columns() -> None:
    t = np.arange(64 * 60) / 64
    recordings = [
        Recording("d", "1", trial=name, signals={"bvp": Signal(wave, 64, kind="bvp")})
        for name, wave in (("rest", np.sin(2 * np.pi * t)), ("task", np.sin(2.4 * np.pi * t)))
    ]
    found = extract(recordings, baseline="rest", families=["hrv", "morphology"], length_s=30)
    task = found[found["trial"] == "task"]
    np.testing.assert_allclose(task[HR], 12.0, atol=0.5)
    assert task[f"pulse_width_50_ms{VS_BASELINE}"].lt(0).all()
