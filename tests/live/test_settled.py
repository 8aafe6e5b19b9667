"""Samples and beats of a running wave are returned once, in order, when they no longer change."""

import numpy as np
import pytest

from emotion_rppg.live.settled import SETTLE_S, Settled
from emotion_rppg.signals import Beats, Signal


def wave(end_s: float, *, start_s: float = 0.0, rate_hz: float = 20.0) -> Signal:
    times = np.arange(round((end_s - start_s) * rate_hz)) / rate_hz + start_s
    return Signal(np.sin(times), rate_hz, start_s=start_s, quality=np.full(len(times), 0.5))


def test_each_sample_is_returned_once_and_two_seconds_after_its_time() -> None:
    settled = Settled()
    parts = [settled.samples(wave(end, start_s=max(0.0, end - 8.0))) for end in range(3, 20)]
    times = np.concatenate([part.times_s for part in parts])
    assert times == pytest.approx(np.arange(len(times)) / 20)
    assert np.concatenate([part.samples for part in parts]) == pytest.approx(np.sin(times))
    for end, part in zip(range(3, 20), parts, strict=True):
        assert end - SETTLE_S - 0.05 <= part.times_s[-1] <= end - SETTLE_S


def test_a_wave_that_is_too_short_gives_no_sample() -> None:
    part = Settled().samples(wave(1.5))
    assert len(part) == 0
    assert part.quality is not None
    assert len(part.quality) == 0


def test_each_beat_is_returned_once_although_its_time_is_estimated_again() -> None:
    settled, draw = Settled(), np.random.default_rng(0)
    true = np.arange(0.4, 30, 0.8)
    sent = []
    for end in np.arange(3.0, 30.0):
        times = true[true < end] + draw.normal(0, 0.01, (true < end).sum())
        sent += settled.beats(Beats(times), end)
    assert [beat.time_s for beat in sent] == pytest.approx(true[true <= 27.0], abs=0.05)
    assert np.isnan(sent[0].interval_ms)
    assert [beat.interval_ms for beat in sent[1:]] == pytest.approx([800] * (len(sent) - 1), abs=70)


def test_an_interval_is_missing_after_a_gap() -> None:
    beats = Beats([0.5, 1.3, 4.0, 4.8], [0.9, 0.8, 0.7, 0.6], gaps=[(1.5, 3.9)])
    sent = Settled().beats(beats, 10.0)
    assert [beat.interval_ms for beat in sent] == pytest.approx(
        [np.nan, 800, np.nan, 800], nan_ok=True
    )
    assert [beat.confidence for beat in sent] == [0.9, 0.8, 0.7, 0.6]


def test_beats_of_withheld_seconds_are_never_returned() -> None:
    settled = Settled()
    times = np.arange(0.4, 20, 0.8)
    first = settled.beats(Beats(times[times < 6]), 6.0)
    assert settled.beats(None, 12.0) == ()
    later = settled.beats(Beats(times[times < 14]), 14.0)
    assert max(beat.time_s for beat in first) <= 4.0
    assert [beat.time_s for beat in later] == pytest.approx(times[(times > 10.0) & (times <= 12.0)])
