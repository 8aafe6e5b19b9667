"""Beats of all sources: silence is a gap, no rate is doubled, irregular hearts stay irregular."""

import numpy as np
import pytest

from emotion_rppg.features.beats import find_beats
from emotion_rppg.metrics import beat_errors, beat_measures
from emotion_rppg.signals import Beats, Signal

ECG_HZ, PPG_HZ, CAMERA_HZ = 250.0, 64.0, 30.0
RATE_HZ = {"ecg": ECG_HZ, "bvp": PPG_HZ, "rppg": CAMERA_HZ}
WAVES = {  # (height, seconds after the beat, width) of each wave
    "ecg": (
        (0.12, -0.17, 0.025),
        (-0.1, -0.025, 0.008),
        (1, 0, 0.011),
        (-0.2, 0.028, 0.01),
        (0.3, 0.27, 0.05),
    ),
    "bvp": ((1, 0, 0.09), (0.4, 0.28, 0.09)),
    "rppg": ((1, 0, 0.09), (0.3, 0.28, 0.09)),
}


def steady(bpm: float, duration_s: float = 60, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    n = int(duration_s * bpm / 60) + 3
    share = 1 + 0.02 * np.sin(2 * np.pi * 0.25 * np.arange(n) * 60 / bpm) + draw.normal(0, 0.01, n)
    times = 0.5 + np.r_[0, np.cumsum(60 / bpm * share)]
    return times[times < duration_s - 0.4]


def pattern(*intervals_s: float, duration_s: float = 60) -> np.ndarray:
    count = int(duration_s / sum(intervals_s)) + 1
    times = 0.5 + np.cumsum(np.tile(intervals_s, count))
    return times[times < duration_s - 0.4]


def fibrillation(duration_s: float = 60) -> np.ndarray:
    times = 0.5 + np.cumsum(np.random.default_rng(0).uniform(0.5, 1.05, int(2 * duration_s)))
    return times[times < duration_s - 0.4]


def wave(
    beats: np.ndarray, kind: str, *, noise: float = 0.02, waves=None, duration_s: float = 60
) -> Signal:
    """A signal of the kind with such beats; an ECG's waves move together where beats are fast."""
    rate_hz = RATE_HZ[kind]
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    squeeze = np.sqrt(np.median(np.diff(beats))) if kind == "ecg" else 1.0
    samples = np.random.default_rng(1).normal(0, noise, len(times))
    for beat in beats:
        near = slice(max(int((beat - 1) * rate_hz), 0), int((beat + 1) * rate_hz))
        for height, after, width in waves or WAVES[kind]:
            since = times[near] - beat - squeeze * after
            samples[near] += height * np.exp(-0.5 * (since / (squeeze * width)) ** 2)
    return Signal(samples, rate_hz, kind=kind)


def rate_bpm(beats: Beats) -> float:
    return 60_000 / float(beats.intervals_ms.mean())


def spoiled(signal: Signal, start_s: float, end_s: float, value: np.ndarray | float) -> Signal:
    inside = (signal.times_s >= start_s) & (signal.times_s < end_s)
    samples = np.where(inside, value, signal.samples)
    return Signal(samples, signal.rate_hz, kind=signal.kind)


# ---- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bpm", [25, 33, 60, 120, 205, 240])
def test_an_ecg_has_the_right_rate_from_25_to_240_bpm(bpm: float) -> None:
    truth = steady(bpm)
    beats = find_beats(wave(truth, "ecg"))
    assert rate_bpm(beats) == pytest.approx(60 / np.diff(truth).mean(), rel=0.01)
    assert beats.coverage > 0.9
    assert beat_errors(beats, Beats(truth)).jitter_ms < 3


@pytest.mark.parametrize("bpm", [50, 60, 72])
@pytest.mark.parametrize("height", [0.5, 0.8])
def test_a_separate_dicrotic_wave_is_no_beat(bpm: float, height: float) -> None:
    truth = steady(bpm)
    narrow = ((1, 0, 0.055), (height, 0.37, 0.055))
    beats = find_beats(wave(truth, "bvp", waves=narrow))
    assert beats.coverage > 0.9
    assert rate_bpm(beats) == pytest.approx(60 / np.diff(truth).mean(), rel=0.01)


@pytest.mark.parametrize("bpm", [42, 48, 55])
def test_the_rate_of_a_filtered_slow_pulse_is_not_doubled(bpm: float) -> None:
    truth = steady(bpm)
    filtered = wave(truth, "bvp", noise=0.001).bandpass(1.0, 4.0)
    beats = find_beats(filtered)
    if beats.coverage > 0.5:
        assert rate_bpm(beats) == pytest.approx(60 / np.diff(truth).mean(), rel=0.02)


@pytest.mark.parametrize("bpm", [45, 60, 90, 150])
@pytest.mark.parametrize("kind", ["bvp", "rppg"])
def test_a_clean_pulse_has_the_right_rate(kind: str, bpm: float) -> None:
    truth = steady(bpm)
    scale = min(1.0, 80 / bpm)
    shape = tuple((height, scale * after, scale * width) for height, after, width in WAVES[kind])
    beats = find_beats(wave(truth, kind, waves=shape))
    assert rate_bpm(beats) == pytest.approx(60 / np.diff(truth).mean(), rel=0.01)
    assert beats.coverage > 0.9


# ---- silence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ecg", "bvp"])
@pytest.mark.parametrize("how", ["off", "saturated", "nearly off", "noise"])
def test_silence_is_a_gap_and_changes_no_other_beat(kind: str, how: str) -> None:
    truth = steady(70)
    signal = wave(truth, kind)
    loud = np.random.default_rng(2).normal(0, 1, len(signal))
    value = {"off": 0.0, "saturated": 4.0, "nearly off": 0.002 * loud, "noise": 0.5 * loud}[how]
    beats = find_beats(spoiled(signal, 30, 36, value))
    assert any(start < 32 and end > 34 for start, end in beats.gaps)
    assert 0.8 <= beats.coverage < 0.95
    assert beats.intervals_ms.max() < 1200
    away = truth[(truth < 29) | (truth > 37)]
    assert beat_measures(beats).rmssd_ms == pytest.approx(
        beat_measures(Beats(away, gaps=[(30, 36)])).rmssd_ms, abs=6
    )


@pytest.mark.parametrize("kind", ["ecg", "bvp"])
def test_a_sensor_attached_late_and_removed_early_leaves_gaps(kind: str) -> None:
    signal = spoiled(spoiled(wave(steady(70), kind), 0, 8, 0.0), 50, 60, 0.0)
    beats = find_beats(signal)
    assert beats.coverage == pytest.approx(42 / 60, abs=0.04)
    assert beats.gaps[0][0] == 0
    assert beats.gaps[-1][1] == pytest.approx(60, abs=0.02)


@pytest.mark.parametrize("kind", ["ecg", "bvp", "rppg"])
@pytest.mark.parametrize("colour", ["white", "brown", "mains", "drift"])
def test_an_unplugged_input_has_few_beats(kind: str, colour: str) -> None:
    rate_hz = RATE_HZ[kind]
    times = np.arange(round(60 * rate_hz)) / rate_hz
    noise = np.random.default_rng(3).normal(size=len(times))
    samples = {
        "white": noise,
        "brown": np.cumsum(noise),
        "mains": np.sin(2 * np.pi * 50.03 * times) + 0.05 * noise,
        "drift": np.sin(2 * np.pi * 0.1 * times) + 0.02 * noise,
    }[colour]
    assert find_beats(Signal(samples, rate_hz, kind=kind)).coverage < 0.3


def test_movement_far_larger_than_the_pulse_is_a_gap() -> None:
    truth = steady(70)
    signal = wave(truth, "bvp")
    draw = np.random.default_rng(4)
    shaken = 2 * np.sin(2 * np.pi * 1.7 * signal.times_s) + draw.normal(0, 0.7, len(signal))
    beats = find_beats(spoiled(signal, 20, 28, signal.samples + shaken))
    assert any(start < 22 and end > 26 for start, end in beats.gaps)
    assert rate_bpm(beats) == pytest.approx(60 / np.diff(truth).mean(), rel=0.02)


# ---- irregular hearts --------------------------------------------------------------------------


def test_every_second_beat_of_bigeminy_stays_and_is_ectopic() -> None:
    truth = pattern(0.55, 1.05)
    beats = find_beats(wave(truth, "ecg"))
    assert len(beats) == pytest.approx(len(truth), abs=2)
    assert beats.coverage > 0.95
    assert beats.ectopic.mean() == pytest.approx(0.5, abs=0.05)
    assert len(beats.nn_ms) <= 2  # at the ends


@pytest.mark.parametrize("kind", ["ecg", "bvp", "rppg"])
def test_extrasystoles_stay_and_are_excluded_from_variability(kind: str) -> None:
    truth = steady(70)
    early = np.arange(8, len(truth) - 3, 13)
    times = truth.copy()
    times[early] -= 0.28
    beats = find_beats(wave(times, kind))
    assert len(beats) >= 0.8 * len(truth)
    distance = np.abs(beats.times_s[beats.ectopic][:, None] - times[early]).min(axis=1)
    assert (distance < 0.2).all()
    assert beat_measures(beats).rmssd_ms == pytest.approx(
        beat_measures(Beats(truth)).rmssd_ms, abs=15 if kind == "rppg" else 8
    )
    if kind == "ecg":
        assert beats.ectopic.sum() == len(early)


@pytest.mark.parametrize("kind", ["ecg", "bvp"])
def test_atrial_fibrillation_is_neither_smoothed_nor_rejected(kind: str) -> None:
    truth = fibrillation()
    beats = find_beats(wave(truth, kind))
    assert beats.coverage > 0.9
    assert rate_bpm(beats) == pytest.approx(60 / np.diff(truth).mean(), rel=0.03)
    expected = beat_measures(Beats(truth))
    assert beat_measures(beats).sdnn_ms == pytest.approx(expected.sdnn_ms, rel=0.15)


def test_hidden_third_beats_give_no_wrong_rate() -> None:
    truth = pattern(0.8, 0.5, 1.1)
    beats = find_beats(wave(truth, "bvp"))
    assert beats.coverage < 0.3 or len(beats) > 0.9 * len(truth)


# ---- holes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bvp", "ecg"])
def test_single_missing_samples_are_interpolated_alike_from_nan_and_times(kind: str) -> None:
    truth = steady(70)
    whole = wave(truth, kind)
    holes = np.random.default_rng(5).random(len(whole)) < 0.05
    holes[[0, -1]] = False
    with_nan = Signal(np.where(holes, np.nan, whole.samples), whole.rate_hz, kind=kind)
    by_times = Signal.from_times(
        whole.times_s[~holes], whole.samples[~holes], rate_hz=whole.rate_hz, kind=kind
    )
    one, other, full = (beat_measures(find_beats(s)) for s in (with_nan, by_times, whole))
    np.testing.assert_allclose(one, other, rtol=0.02)
    assert one.rmssd_ms == pytest.approx(full.rmssd_ms, abs=4)
    assert not find_beats(with_nan).gaps
