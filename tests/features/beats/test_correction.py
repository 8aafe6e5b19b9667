"""A person's edits of detected beats: what becomes of beats, gaps, errors and trust."""

from dataclasses import replace

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.correction import apply_edits, correct_beats
from emotion_rppg.features.beats.edits import Edit
from emotion_rppg.features.trust import untrusted_reason
from emotion_rppg.signals import Beats, Signal

PERIOD_S = 0.8


def regular(n: int = 25, **fields) -> Beats:
    """Beats every 0.8 s with all columns, in a span of 20 s."""
    columns = {
        "confidence": np.full(n, 0.9),
        "timing_sd_s": np.full(n, 0.004),
        "difference_sd_s": np.full(n, 0.006),
        "ectopic": np.zeros(n, bool),
        "kind": "bvp",
        "span_s": (0.0, n * PERIOD_S),
    }
    return Beats(PERIOD_S * np.arange(n), **{**columns, **fields})


def with_missed_beat() -> Beats:
    """The beat at 8.0 s is missed: a gap about it, as the detection makes one."""
    beats = regular().select(np.arange(25) != 10)
    return replace(beats, gaps=[(7.6, 8.4)])


def edit(action: str, time_s: float, to_s: float | None = None) -> Edit:
    return Edit(action, time_s, to_s, who="AB", when="2026-01-05T10:00:00+00:00", why="test")


def test_the_detection_stays_and_no_edit_changes_nothing() -> None:
    beats = with_missed_beat()
    before = beats.times_s.copy()
    assert apply_edits(beats, []) is beats
    apply_edits(beats, [edit("add", 8.0), edit("delete", 4.0), edit("noise", 12, 14)])
    assert np.array_equal(beats.times_s, before)
    assert beats.gaps == ((7.6, 8.4),)


def test_an_added_beat_closes_the_gap_that_the_missed_beat_made() -> None:
    corrected = apply_edits(with_missed_beat(), [edit("add", 8.0)])
    assert np.allclose(corrected.times_s, regular().times_s)
    assert corrected.gaps == ()
    assert np.allclose(corrected.intervals_ms, 800)
    assert np.flatnonzero(corrected.edited).tolist() == [10]
    assert corrected.confidence[10] == 1
    assert corrected.timing_sd_s[10] == pytest.approx(0.004)  # no smaller than that of the wave
    assert np.allclose(corrected.difference_sd_s[9:12], np.sqrt(6) * 0.004)
    assert np.allclose(corrected.difference_sd_s[[8, 12]], 0.006)


def test_a_gap_stays_a_gap_beyond_the_intervals_of_placed_beats() -> None:
    beats = regular(50)
    kept = (beats.times_s < 9) | (beats.times_s > 31)
    beats = replace(beats.select(kept), gaps=[(9.2, 31.6)])
    corrected = apply_edits(beats, [edit("add", 9.6), edit("add", 10.4)])
    assert len(corrected.intervals_ms) == len(beats.intervals_ms) + 2
    assert corrected.gaps == ((10.4, 31.6),)
    alone = apply_edits(beats, [edit("add", 20.0)])  # far from every other beat
    assert len(alone.intervals_ms) == len(beats.intervals_ms)
    assert alone.coverage == beats.coverage


def test_no_interval_spans_missing_samples_whoever_placed_its_beats() -> None:
    samples = np.ones(200)
    samples[76:84] = np.nan
    wave = Signal(samples, 10, kind="bvp")
    beats = regular().select(np.arange(25) != 10)
    beats = replace(beats, gaps=[(7.6, 8.4)])
    moved = [edit("move", 7.2, 7.3), edit("move", 8.8, 8.6)]
    corrected = apply_edits(beats, moved, wave=wave)
    assert corrected.gaps == ((7.6, 8.4),)
    assert max(corrected.intervals_ms) < 1200
    assert apply_edits(beats, moved).gaps == ()


def test_a_deleted_beat_is_rejected_and_its_interval_judged() -> None:
    corrected = correct_beats(regular(), [edit("delete", 8.0)])
    assert corrected.deleted_s.tolist() == [8.0]
    assert 8.0 in corrected.beats.rejected_s
    assert len(corrected.beats.gaps) == 1  # twice the rhythm contains a beat
    assert max(corrected.beats.intervals_ms) < 900
    extra = replace(regular(), times_s=np.sort(np.r_[regular().times_s[1:], 8.4]))
    corrected = apply_edits(extra, [edit("delete", 8.4)])
    assert corrected.gaps == ()  # of an extra beat
    assert np.allclose(corrected.intervals_ms, 800)


def test_a_pause_between_two_beats_that_a_person_placed_counts() -> None:
    beats = with_missed_beat()
    moved = [edit("move", 7.2, 7.21), edit("move", 8.8, 8.81)]
    assert max(apply_edits(beats, moved).intervals_ms) == pytest.approx(1600)
    assert max(apply_edits(beats, moved[:1]).intervals_ms) < 900


def test_deleted_beats_at_the_ends_leave_gaps() -> None:
    beats = regular()
    first = [edit("delete", t) for t in beats.times_s[:3]]
    assert apply_edits(beats, first).gaps == ((0.0, pytest.approx(2.0)),)
    everything = apply_edits(beats, [edit("delete", t) for t in beats.times_s])
    assert (len(everything), everything.coverage) == (0, 0)


def test_noise_becomes_a_gap_and_signal_takes_it_back() -> None:
    beats = regular()
    corrected = correct_beats(beats, [edit("noise", 4.2, 6.0), edit("noise", 5.5, 7.0)])
    assert corrected.noise == ((4.2, 7.0),)
    assert corrected.beats.gaps == ((4.2, 7.0),)
    assert not np.any((corrected.beats.times_s > 4.2) & (corrected.beats.times_s < 7.0))
    assert corrected.beats.rejected_s.tolist() == pytest.approx([4.8, 5.6, 6.4])
    back = correct_beats(beats, [edit("noise", 4.2, 7.0), edit("signal", 4.0, 5.0)])
    assert back.noise == ((5.0, 7.0),)
    assert apply_edits(beats, [edit("noise", 4, 7), edit("signal", 3, 8)]).gaps == ()


def test_the_wave_is_missing_where_noise_is_marked() -> None:
    wave = Signal(np.ones(100), 10, kind="bvp", quality=np.ones(100))
    corrected = correct_beats(regular(12), [edit("noise", 2.0, 3.0)])
    clean = corrected.without_noise(wave)
    inside = (wave.times_s >= 2) & (wave.times_s <= 3)
    assert np.array_equal(np.isnan(clean.samples), inside)
    assert np.array_equal(clean.quality == 0, inside)
    assert np.isfinite(wave.samples).all()


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (edit("add", 8.1), "less than 0.25 s away"),
        (edit("add", 99.0), "outside of the recording"),
        (edit("add", 15.2), "no samples"),
        (edit("add", 12.4), "marked as noise"),
        (edit("delete", 8.4), "no beat at 8.40 s"),
        (edit("delete", 12.0), "no beat at 12.00 s"),
        (edit("move", 8.4, 8.5), "no beat at 8.40 s"),
        (edit("move", 8.0, 8.7), "less than 0.25 s away"),
        (edit("signal", 1.0, 2.0), "no noise is marked"),
    ],
)
def test_an_edit_that_does_not_apply_is_listed_with_its_reason(one, reason) -> None:
    samples = np.ones(200)
    samples[148:156] = np.nan
    wave = Signal(samples, 10, kind="bvp")
    noise = edit("noise", 11.9, 12.5)
    corrected = correct_beats(regular(), [noise, one], wave=wave)
    assert [f.edit for f in corrected.failed] == [one]
    assert reason in corrected.failed[0].reason
    with pytest.raises(InputError, match="1 edit does not apply"):
        apply_edits(regular(), [noise, one], wave=wave)


def test_ectopic_beats_are_marked_anew_around_edits_alone() -> None:
    beats = regular(40)
    marks = np.zeros(40, bool)
    marks[2] = True  # by the detection
    beats = replace(beats, ectopic=marks)
    corrected = apply_edits(beats, [edit("move", 16.0, 15.7)])
    assert np.flatnonzero(corrected.ectopic).tolist() == [2, 20]
    assert not apply_edits(corrected, [edit("move", 15.7, 16.0)]).ectopic[20]


def test_what_changed_is_counted_in_each_window() -> None:
    other = replace(edit("add", 8.4), who="CD")
    given = [edit("delete", 4.0), edit("delete", 8.0), other, edit("noise", 10, 13)]
    corrected = correct_beats(regular(), given)
    assert corrected.changed_beats(0, 6) == 1
    assert corrected.changed_beats(6, 20) == 2
    assert corrected.noise_s(12, 20) == pytest.approx(1.0)
    assert corrected.authors(0, 6) == ["AB"]
    assert corrected.authors(6, 20) == ["AB", "CD"]


def test_beats_placed_in_noise_do_not_make_a_camera_window_trusted() -> None:
    rng = np.random.default_rng(3)
    wave = Signal(rng.normal(size=600), 30, kind="rppg")
    beats = Beats(np.zeros(0), np.zeros(0), [(0, 20)], kind="rppg", span_s=(0, 20))
    placed = apply_edits(beats, [edit("add", t) for t in np.arange(0.4, 20, 0.8)], wave=wave)
    assert placed.coverage > 0.9
    assert untrusted_reason(placed, wave)
    assert not untrusted_reason(replace(placed, edited=None), wave)  # such beats, if detected


def test_placed_beats_do_not_extend_the_evidence_of_detected_ones() -> None:
    rng = np.random.default_rng(3)
    wave = Signal(rng.normal(size=600), 30, kind="rppg")
    times = np.arange(0.4, 10, 0.8)
    beats = Beats(times, np.full(12, 0.95), [(9.6, 20)], kind="rppg", span_s=(0, 20))
    placed = apply_edits(beats, [edit("add", t) for t in np.arange(10, 20, 0.8)], wave=wave)
    assert placed.coverage > 0.9
    assert untrusted_reason(placed, wave)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"action": "jump"}, "unknown action 'jump'"),
        ({"action": ["add"]}, "unknown action"),
        ({"time_s": float("nan")}, "time_s is nan"),
        ({"time_s": True}, "time_s is True"),
        ({"action": "move"}, "to_s is None"),
        ({"to_s": 3.0}, "'add' has one time"),
        ({"action": "noise", "to_s": 1.0}, "is empty"),
        ({"who": "x" * 300}, "at most 200 characters"),
        ({"why": "half \ud800"}, "why is"),  # cannot be written as UTF-8
        ({"who": 3, "why": None}, "who is '3'.*why is 'None'"),
        ({"when": "yesterday"}, "want a date"),
        ({"when": "2026-01-05T10:00:00"}, "with its zone"),
    ],
)
def test_an_edit_that_is_not_possible_is_refused(fields, message) -> None:
    with pytest.raises(InputError, match=message):
        Edit(**{"action": "add", "time_s": 2.0, **fields})
