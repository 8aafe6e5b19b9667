"""Intervals of a device become beats, with the artefact rules of beats that a wave shows."""

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.features import FAMILIES
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.beats.intervals import accept_intervals
from emotion_rppg.features.beats.quality import quality_of
from emotion_rppg.features.trust import beats_of, untrusted_reason
from emotion_rppg.signals import Beats


def steady(n: int = 120, seed: int = 0) -> np.ndarray:
    """Intervals of a heart that varies with breath and slowly, ms."""
    draw, k = np.random.default_rng(seed), np.arange(n)
    breath, slow = np.sin(2 * np.pi * k / 5), np.sin(2 * np.pi * k / 40)
    return 850 + 30 * breath + 40 * slow + draw.normal(0, 8, n)


# ---- Beats.from_intervals ----------------------------------------------------------------------


@pytest.mark.parametrize("family", ["hrv", "sequence"])
def test_clean_beats_have_the_features_of_their_intervals(family) -> None:
    times = 3 + np.r_[0, np.cumsum(steady(400))] / 1e3
    beats = Beats(times)
    again = Beats.from_intervals(beats.intervals_ms, start_s=3)
    accepted = accept_intervals(again)
    table = FAMILIES[family]([beats, again, accepted])
    for row in (1, 2):
        for name in table:
            if table[name].dtype == object:
                assert table[name][row].split()[:9] == table[name][0].split()[:9]
            elif name != "corrected_share":
                np.testing.assert_allclose(
                    table[name][row], table[name][0], rtol=1e-6, err_msg=name
                )
    np.testing.assert_allclose(again.times_s, times, atol=1e-9)
    assert again.kind == "rr"


IMPOSSIBLE = {
    "below 250 ms": (249.0, 0.249),
    "above 2500 ms": (2501.0, 2.501),
    "a drop-out": (20_000.0, 20.0),
    "missing": (np.nan, 0.8),
    "infinite": (np.inf, 0.8),
    "zero": (0.0, 0.8),
    "negative": (-700.0, 0.8),
    "more than a day": (1e15, 0.8),
}


@pytest.mark.parametrize(("value", "lasts_s"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_interval_is_a_gap_that_takes_time(value, lasts_s) -> None:
    beats = Beats.from_intervals([800, 800, value, 800, 800])
    np.testing.assert_allclose(beats.intervals_ms, [800] * 4)
    np.testing.assert_allclose(beats.gaps, [(1.6, 1.6 + lasts_s)])
    assert beats.span_s == pytest.approx((0, 3.2 + lasts_s))
    assert beats.coverage == pytest.approx(3.2 / (3.2 + lasts_s))


def test_limits_themselves_are_intervals() -> None:
    assert len(Beats.from_intervals([250, 2500]).intervals_ms) == 2


def test_a_beat_between_impossible_intervals_is_rejected_and_its_time_counts() -> None:
    beats = Beats.from_intervals([np.nan, 800, 800, 3000, 4000, 800], start_s=10)
    np.testing.assert_allclose(beats.times_s, [10.8, 11.6, 12.4, 19.4, 20.2])
    np.testing.assert_allclose(beats.rejected_s, [10.0, 15.4])
    np.testing.assert_allclose(beats.gaps, [(10.0, 10.8), (12.4, 19.4)])
    assert beats.span_s == pytest.approx((10.0, 20.2))
    assert beats.rejected_share == pytest.approx(2 / 7)


WRONG = {
    "empty": ([], "no interval of a heart among 0 values"),
    "none possible": ([3000, 9000], "among 2 values .a median of 6000.: want milliseconds"),
    "seconds": ([0.8, 0.82], "look like seconds: multiply them by 1000"),
    "not flat": ([[800, 810]], r"flat list of milliseconds, got shape \(1, 2\)"),
    "nothing known": ([np.nan], "no number"),
}


@pytest.mark.parametrize(("values", "reason"), WRONG.values(), ids=WRONG)
def test_values_that_are_no_intervals_are_refused(values, reason) -> None:
    with pytest.raises(InputError, match=reason):
        Beats.from_intervals(values)


def test_a_start_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="start_s must be a number of seconds"):
        Beats.from_intervals([800], start_s=float("nan"))


def test_beats_move_to_another_clock_whole() -> None:
    beats = Beats.from_intervals([np.nan, 800, 800, 3000, 800])
    moved = beats.shifted(100.0)
    np.testing.assert_allclose(moved.intervals_ms, beats.intervals_ms)
    for name in ("times_s", "gaps", "span_s", "rejected_s"):
        np.testing.assert_allclose(getattr(moved, name), np.add(getattr(beats, name), 100.0))


# ---- artefacts ---------------------------------------------------------------------------------


def accepted(ibi: np.ndarray) -> Beats:
    return accept_intervals(Beats.from_intervals(ibi))


def test_intervals_of_a_healthy_heart_are_accepted_whole() -> None:
    sigh = np.array([664, 663, 663, 827, 1062, 1069, 913, 898, 812, 742, 700, 690])
    apnoea = np.repeat([900.0, 650.0, 1100.0, 800.0], 30) + steady() - 850
    for ibi in (steady(), np.r_[steady()[:40] - 150, sigh, steady()[:40] - 150], apnoea):
        beats = accepted(ibi)
        np.testing.assert_allclose(beats.intervals_ms, ibi)
        assert not beats.ectopic.any()
        assert quality_of(beats, None) == 1.0


def test_atrial_fibrillation_is_irregular_and_not_full_of_artefacts() -> None:
    ibi = np.random.default_rng(0).uniform(450, 1150, 200)
    assert accepted(ibi).coverage > 0.9


def test_a_missed_beat_is_a_gap() -> None:
    ibi = steady()
    merged = np.r_[ibi[:60], ibi[60] + ibi[61], ibi[62:]]
    beats = accepted(merged)
    np.testing.assert_allclose(beats.intervals_ms, np.delete(ibi, [60, 61]))
    assert beats.coverage == pytest.approx(1 - merged[60] / merged.sum())


def test_an_extra_beat_is_removed_and_counted() -> None:
    ibi = steady()
    beats = accepted(np.r_[ibi[:60], 0.45 * ibi[60], 0.55 * ibi[60], ibi[61:]])
    np.testing.assert_allclose(beats.intervals_ms, ibi)
    assert len(beats.rejected_s) == 1


def test_an_ectopic_beat_is_a_beat_whose_intervals_are_not_normal() -> None:
    ibi = steady()
    ibi[60], ibi[61] = 0.65 * ibi[60], 1.35 * ibi[61]
    beats = accepted(ibi)
    assert np.flatnonzero(beats.ectopic).tolist() == [61]
    assert len(beats.intervals_ms) == 120
    np.testing.assert_allclose(beats.nn_ms, np.delete(ibi, [60, 61]))


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_single_interval_unlike_both_beside_it_is_a_gap(factor) -> None:
    ibi = steady()
    ibi[60] *= factor
    beats = accepted(ibi)
    np.testing.assert_allclose(beats.intervals_ms, np.delete(ibi, 60))
    assert not beats.ectopic.any()


def test_labels_of_the_file_count_and_nothing_is_guessed() -> None:
    ibi = steady()
    ibi[60], ibi[61] = 0.65 * ibi[60], 1.35 * ibi[61]
    whole = Beats.from_intervals(ibi)
    label = np.zeros(len(whole), dtype=bool)
    label[20] = True
    beats = accept_intervals(Beats(whole.times_s, kind="rr", ectopic=label))
    assert np.flatnonzero(beats.ectopic).tolist() == [20]
    np.testing.assert_allclose(beats.intervals_ms, ibi)


def test_a_labelled_beat_is_not_removed_as_an_extra_one() -> None:
    ibi = steady()
    whole = Beats.from_intervals(np.r_[ibi[:60], 0.45 * ibi[60], 0.55 * ibi[60], ibi[61:]])
    label = np.arange(len(whole)) == 61  # an interpolated ectopic beat
    beats = accept_intervals(Beats(whole.times_s, kind="rr", ectopic=label))
    assert len(beats) == len(whole)
    assert len(beats.nn_ms) == 119


def test_a_beat_without_an_accepted_interval_is_rejected() -> None:
    ibi = steady()
    ibi[60], ibi[61] = 2000, 2100  # two missed beats in a row
    beats = accepted(ibi)
    assert len(beats.rejected_s) == 1
    assert len(beats) == 120


def test_accepting_twice_changes_nothing() -> None:
    ibi = steady()
    ibi[[20, 60, 61, 90]] = 1700, 500, 1200, 430
    once = accepted(ibi)
    twice = accept_intervals(once)
    for name in ("times_s", "gaps", "ectopic", "rejected_s", "confidence"):
        np.testing.assert_array_equal(getattr(once, name), getattr(twice, name))


@pytest.mark.parametrize("ibi", [[800], [800, 810], [800, 810, 900]])
def test_a_handful_of_intervals_is_accepted(ibi) -> None:
    beats = accepted(np.array(ibi, dtype=float))
    assert len(beats.intervals_ms) == len(ibi)
    assert len(accept_intervals(Beats([1.0]))) == 1
    assert len(accept_intervals(Beats([]))) == 0


# ---- trust -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.2, 0.6, 1.0])
def test_the_quality_is_the_share_of_time_that_accepted_intervals_cover(share) -> None:
    ibi = steady(100)
    off = [ibi[: round(100 * share)].sum() * (1 / share - 1)] if share < 1 else []
    beats = beats_of(Beats.from_intervals(np.r_[ibi[: round(100 * share)], off]))
    assert quality_of(beats, None) == pytest.approx(share, abs=1e-6)
    reason = untrusted_reason(beats, None)
    rate = estimate_heart_rate(beats)
    if share < 0.5:
        assert reason == "too few accepted intervals: quality 0.20, at least 0.5 is wanted"
        assert rate.hr_bpm is None
        assert "beats cover 20% of the recording" in rate.reason
    else:
        assert reason == ""
        assert rate.hr_bpm == pytest.approx(60e3 / beats.intervals_ms.mean())
    assert rate.quality == pytest.approx(share, abs=1e-6)
