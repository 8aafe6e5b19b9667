"""The reported heart rate is the mean rate of the beats if these cover enough of the signal."""

from dataclasses import replace

import numpy as np
import pytest

from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.metrics import beat_measures
from emotion_rppg.signal_quality import judge
from emotion_rppg.signals import Signal

KINDS = ("rppg", "bvp")


def rising_rate(kind: str, rate_hz: float = 30.0) -> tuple[Signal, float]:
    """40 s of a heart that sits at 66 bpm and rises to 96, and its mean rate."""
    times = np.arange(round(40 * rate_hz)) / rate_hz
    hz = 1.1 + 0.5 / (1 + np.exp(-(times - 25) / 3))
    turns = 2 * np.pi * np.cumsum(hz) / rate_hz
    noise = np.random.default_rng(0).normal(0, 0.1, len(times))
    wave = np.cos(turns) + 0.3 * np.cos(2 * turns - 1) + noise
    return Signal(wave, rate_hz, kind=kind), 60 * float(hz.mean())


@pytest.mark.parametrize("kind", KINDS)
def test_a_heart_that_changes_has_its_mean_rate(kind: str) -> None:
    wave, truth = rising_rate(kind)
    result = estimate_heart_rate(wave)
    assert result.by == "beats"
    assert result.hr_bpm == pytest.approx(truth, abs=1)
    assert abs((judge(wave).hr_bpm or 0) - truth) > 3


def test_all_other_fields_are_those_of_judge() -> None:
    wave, _ = rising_rate("rppg")
    assert replace(estimate_heart_rate(wave), hr_bpm=None, by="") == replace(
        judge(wave), hr_bpm=None, by=""
    )


def test_given_beats_are_not_detected_again() -> None:
    wave, _ = rising_rate("rppg")
    beats = find_beats(wave).crop(0, 20)
    assert estimate_heart_rate(wave, beats).hr_bpm == beat_measures(beats).hr_bpm


def test_without_a_pulse_there_is_no_rate() -> None:
    noise = Signal(np.random.default_rng(0).normal(size=900), 30, kind="rppg")
    assert estimate_heart_rate(noise) == judge(noise)
    assert estimate_heart_rate(noise).hr_bpm is None


@pytest.mark.parametrize("missing", [0.6, 0.0])
def test_without_enough_beats_the_rate_is_that_of_the_spectrum(missing: float) -> None:
    wave, _ = rising_rate("rppg", 30 if missing else 9)
    wave.samples[: round(missing * len(wave))] = np.nan
    result = estimate_heart_rate(wave)
    assert result == judge(wave)
    assert result.by == "spectrum"
    assert result.hr_bpm is not None


@pytest.mark.parametrize("bpm", [30, 205])
def test_an_ecg_has_the_rate_of_its_r_peaks_or_none(bpm: int) -> None:
    times = np.arange(60 * 250) / 250
    beats = np.arange(0.5, 59.5, 60 / bpm)
    since = times[:, None] - beats
    ecg = np.exp(-0.5 * (since / 0.012) ** 2).sum(axis=1)
    ecg += np.random.default_rng(0).normal(0, 0.02, len(times))
    assert estimate_heart_rate(Signal(ecg, 250, kind="ecg")).hr_bpm == pytest.approx(bpm, abs=1)
    ecg[: 40 * 250] = 0.0
    off = estimate_heart_rate(Signal(ecg, 250, kind="ecg"))
    assert off.hr_bpm is None
    assert "beats cover" in (off.reason or "")


def test_the_spectrum_rate_is_reported_if_rejected_beats_have_it() -> None:
    wave, _truth = rising_rate("rppg")
    beats = find_beats(wave)
    rejected = replace(
        beats.crop(0, 2), gaps=[(2.0, 40.0)], rejected_s=beats.times_s[3:], span_s=(0.0, 40.0)
    )
    assert estimate_heart_rate(wave, rejected) == judge(wave)
    others = replace(rejected, rejected_s=np.arange(3, 40, 0.4))
    assert estimate_heart_rate(wave, others).hr_bpm is None
    none = replace(
        beats.crop(50, 60), gaps=[(0.0, 40.0)], rejected_s=beats.times_s, span_s=(0.0, 40.0)
    )
    result = estimate_heart_rate(wave, none)
    assert result.hr_bpm is None
    assert "no beat has the shape and the rhythm of a pulse" in (result.reason or "")


def test_a_few_beats_over_half_of_a_short_clip_give_the_spectrum_rate_or_none() -> None:
    """A few accepted beats of a slow heart cover half of the time: too few for a mean rate."""
    times = np.arange(300) / 30
    wave = Signal(np.cos(2 * np.pi * 0.9 * times), 30, kind="rppg")
    beats = find_beats(wave)
    few = replace(
        beats.crop(0, 3.9), gaps=[(4.5, 10.0)], rejected_s=beats.times_s[4:], span_s=(-2.0, 10.0)
    )
    assert few.coverage >= 0.5
    assert np.isnan(beat_measures(few).hr_bpm)
    assert estimate_heart_rate(wave, few) == judge(wave)
    others = replace(few, rejected_s=np.arange(5.6, 10, 0.4))
    result = estimate_heart_rate(wave, others)
    assert result.hr_bpm is None
    assert "two rates" in (result.reason or "")


def test_a_spectrum_rate_without_confirming_beats_is_withheld() -> None:
    """A dicrotic wave half-way between the pulses doubles the spectrum's rate, and no beat fits."""
    times = np.arange(60 * 64) / 64
    beats = 0.5 + np.cumsum(0.706 + 0.02 * np.sin(np.arange(84)))
    since = times[:, None] - beats
    wave = np.exp(-0.5 * (since / 0.05) ** 2) + 0.8 * np.exp(-0.5 * ((since - 0.37) / 0.05) ** 2)
    signal = Signal(wave.sum(axis=1), 64, kind="bvp")
    rate = judge(signal).hr_bpm
    assert rate is not None
    assert rate > 150
    result = estimate_heart_rate(signal)
    assert result.hr_bpm is None
    assert "two rates: the spectrum has" in (result.reason or "")
