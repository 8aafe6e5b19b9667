"""Simulated beats are detected at any sampling rate; noise has few beats; gaps stay gaps."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats import detect, find_beats
from emotion_rppg.features.beats.artefacts import (
    ectopic_beats,
    extra_beats,
    local_rhythm,
    too_long,
    unusual,
)
from emotion_rppg.features.beats.find import FIDUCIALS
from emotion_rppg.metrics import beat_errors
from emotion_rppg.signals import Beats, Signal


def heart(duration_s: float, *, bpm: float = 72, rmssd_ms: float = 40, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    k = np.arange(int(duration_s * bpm / 60) + 9)
    breath = np.sin(2 * np.pi * 0.25 * k * 60 / bpm + draw.uniform(0, 6))
    breath *= rmssd_ms / np.sqrt(np.mean((1e3 * np.diff(breath)) ** 2))
    times = 0.3 + np.cumsum(60 / bpm + breath + 0.02 * np.sin(2 * np.pi * 0.1 * k * 60 / bpm))
    return times[times < duration_s]


def pulse(beats: np.ndarray, duration_s: float, rate_hz: float, kind: str) -> Signal:
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    wave = np.zeros(len(t))
    for beat in beats:
        near = slice(max(int((beat - 1) * rate_hz), 0), int((beat + 1.2) * rate_hz))
        since = t[near] - beat
        wave[near] += np.exp(-0.5 * (since / 0.1) ** 2)
        wave[near] += 0.4 * np.exp(-0.5 * ((since - 0.3) / 0.1) ** 2)
    return Signal(wave, rate_hz, kind=kind)


def noisy(signal: Signal, snr_db: float, seed: int = 0) -> Signal:
    draw = np.random.default_rng(seed)
    noise = draw.normal(0, signal.samples.std() * 10 ** (-snr_db / 20), len(signal))
    return Signal(signal.samples + noise, signal.rate_hz, kind=signal.kind)


def rmssd(beats: Beats) -> float:
    return float(np.sqrt(np.mean(beats.successive_ms**2)))


@pytest.mark.parametrize("rate_hz", [15.0, 29.97, 64.0, 2000.0])
@pytest.mark.parametrize(("kind", "jitter_ms"), [("rppg", 5.0), ("bvp", 5.0)])
def test_simulated_beats_are_detected_at_any_sampling_rate(
    rate_hz: float, kind: str, jitter_ms: float
) -> None:
    truth = heart(60)
    beats = find_beats(pulse(truth, 60, rate_hz, kind))
    errors = beat_errors(beats, Beats(truth))
    assert errors.f1 >= 0.99
    assert errors.jitter_ms < jitter_ms
    assert not beats.gaps
    assert beats.span_s == pytest.approx((0, 60), abs=1 / rate_hz)


@pytest.mark.slow
@pytest.mark.parametrize("rate_hz", [50.0, 125.5, 2000.0])
@pytest.mark.parametrize("duration_s", [10, 60])
def test_r_peaks_are_detected_at_any_sampling_rate(rate_hz: float, duration_s: float) -> None:
    truth = heart(duration_s)
    since = np.arange(round(duration_s * rate_hz))[:, None] / rate_hz - truth
    parts = ((1, 0, 0.011), (-0.2, 0.028, 0.011), (0.12, -0.17, 0.025), (0.28, 0.3, 0.045))
    wave = sum(h * np.exp(-0.5 * ((since - at) / s) ** 2).sum(axis=1) for h, at, s in parts)
    beats = find_beats(Signal(wave, rate_hz, kind="ecg"))
    errors = beat_errors(beats, Beats(truth))
    assert errors.f1 == 1
    assert errors.jitter_ms < 2
    assert abs(errors.offset_ms) < 2
    assert beats.coverage == 1


@pytest.mark.parametrize("kind", ["rppg", "bvp"])
def test_ten_seconds_are_enough(kind: str) -> None:
    truth = heart(10)
    beats = find_beats(pulse(truth, 10, 29.97, kind))
    errors = beat_errors(beats, Beats(truth))
    assert errors.f1 >= 0.9
    assert errors.jitter_ms < 10
    assert 60_000 / beats.intervals_ms.mean() == pytest.approx(72, abs=1)


@pytest.mark.parametrize("kind", ["rppg", "bvp"])
def test_late_and_repeated_time_stamps_lose_no_beat(kind: str) -> None:
    truth, draw = heart(60), np.random.default_rng(0)
    wave = pulse(truth, 60, 30, kind)
    stamps = np.sort(wave.times_s + draw.exponential(0.004, len(wave)))
    repeated = draw.choice(np.arange(1, len(wave)), 60, replace=False)
    stamps[repeated] = stamps[repeated - 1]
    beats = find_beats(Signal.from_times(stamps, wave.samples, kind=kind))
    errors = beat_errors(beats, Beats(truth))
    assert errors.f1 >= 0.99
    assert errors.jitter_ms < 8


@pytest.mark.parametrize("kind", ["rppg", "bvp"])
@pytest.mark.parametrize("bend", [1, 2])
def test_a_drift_a_thousand_times_the_pulse_loses_no_beat(kind: str, bend: int) -> None:
    signal = pulse(heart(60), 60, 30, kind)
    even = find_beats(signal)
    drifting = find_beats(
        replace(signal, samples=signal.samples + 1e3 * (signal.times_s / 60) ** bend)
    )
    assert beat_errors(drifting, even).f1 > 0.98
    assert beat_errors(drifting, even).jitter_ms < 2


@pytest.mark.parametrize("rmssd_ms", [20, 40, 80, 120])
def test_the_filter_band_does_not_change_rmssd(rmssd_ms: float) -> None:
    truth = heart(120, rmssd_ms=rmssd_ms, bpm=80)
    found = find_beats(noisy(pulse(truth, 120, 30, "rppg"), 20))
    assert rmssd(found) == pytest.approx(rmssd(Beats(truth)), rel=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_noise_at_10_db_loses_no_beat(seed: int) -> None:
    truth = heart(60, seed=seed)
    errors = beat_errors(find_beats(noisy(pulse(truth, 60, 30, "rppg"), 10, seed)), Beats(truth))
    assert errors.f1 >= 0.99
    assert errors.jitter_ms < 9


def test_a_rising_heart_rate_is_tracked() -> None:
    truth = np.cumsum(60 / np.linspace(60, 120, 90))
    end = truth[-1] + 0.5
    errors = beat_errors(find_beats(pulse(truth, end, 30, "rppg")), Beats(truth))
    assert errors.f1 >= 0.98


@pytest.mark.parametrize("kind", ["rppg", "bvp"])
def test_missing_samples_are_a_gap_without_beats(kind: str) -> None:
    signal = pulse(heart(60), 60, 30, kind)
    signal.samples[600:750] = np.nan
    beats = find_beats(signal)
    assert beats.gaps == ((20.0, 25.0),)
    assert not ((beats.times_s > 20) & (beats.times_s < 25)).any()
    assert beats.intervals_ms.max() < 1500
    assert beats.coverage == pytest.approx(55 / 60)


@pytest.mark.parametrize("kind", ["rppg", "bvp", "ecg"])
@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0),
        np.zeros(3),
        np.zeros(900),
        np.full(900, 7.7),
        np.linspace(0, 1e3, 900),
        np.full(900, np.nan),
    ],
    ids=["empty", "three", "zeros", "flat", "drift alone", "missing"],
)
def test_a_signal_without_a_wave_has_no_beats(kind: str, samples: np.ndarray) -> None:
    beats = find_beats(Signal(samples, 30, kind=kind))
    assert len(beats) == 0
    assert beats.coverage == 0


@pytest.mark.parametrize("kind", ["rppg", "bvp"])
def test_most_of_white_noise_is_a_gap(kind: str) -> None:
    waves = [np.random.default_rng(seed).normal(size=1800) for seed in range(5)]
    found = [find_beats(Signal(wave, 30, kind=kind)) for wave in waves]
    assert np.mean([beats.coverage for beats in found]) < 0.25


def test_noise_in_the_band_of_the_heart_rate_is_partly_rejected() -> None:
    waves = [Signal(np.random.default_rng(s).normal(size=1800), 30, kind="rppg") for s in range(8)]
    found = [find_beats(wave.bandpass(0.7, 4.0)) for wave in waves]
    assert np.mean([beats.coverage for beats in found]) < 0.8


@pytest.mark.parametrize("kind", ["rppg", "bvp"])
def test_the_edges_of_a_wave_add_no_beats(kind: str) -> None:
    truth = heart(60)
    whole = pulse(truth, 60, 30, kind)
    for start in np.arange(3, 4, 0.1):  # somewhere within a beat
        beats = find_beats(whole.crop(start, start + 30))
        inside = truth[(truth >= start) & (truth < start + 30)]
        assert np.abs(beats.times_s[:, None] - inside).min(axis=1).max() < 0.06
        assert len(inside) - len(beats) <= 2


def test_a_burst_of_motion_is_a_gap_and_changes_no_other_beat() -> None:
    truth = heart(60)
    signal = noisy(pulse(truth, 60, 30, "rppg"), 10)
    signal.samples[900:1020] += np.random.default_rng(1).normal(0, 3, 120)
    beats = find_beats(signal)
    assert any(a < 33 and b > 31 for a, b in beats.gaps)
    assert beats.coverage > 0.85
    away = beats.times_s[(beats.times_s > 2) & (np.abs(beats.times_s - 32) > 4)]
    near = np.abs(away[:, None] - truth).argmin(axis=1)
    error = away - truth[near]
    assert 1e3 * np.std(error) < 10


def test_pulse_beats_have_standard_errors_that_crops_preserve() -> None:
    signal = noisy(pulse(heart(60), 60, 30, "rppg"), 10)
    beats = find_beats(signal)
    error = beats.timing_sd_s
    assert np.isfinite(error).all()
    assert 2 < 1e3 * np.median(error) < 15
    np.testing.assert_array_equal(
        beats.crop(20, 40).timing_sd_s, error[(beats.times_s >= 20) & (beats.times_s < 40)]
    )
    finger = find_beats(noisy(pulse(heart(60), 60, 64, "bvp"), 15))
    assert 2 < 1e3 * np.median(finger.timing_sd_s) < 15


@pytest.mark.parametrize("fiducial", FIDUCIALS)
def test_camera_and_contact_use_the_same_fiducial_point(fiducial: str) -> None:
    truth = heart(60)
    camera, finger = (
        beat_errors(find_beats(pulse(truth, 60, 64, kind), fiducial=fiducial), Beats(truth))
        for kind in ("rppg", "bvp")
    )
    assert camera.offset_ms == pytest.approx(finger.offset_ms, abs=20)


def test_beat_times_are_on_the_clock_of_the_signal() -> None:
    signal = pulse(heart(40), 40, 30, "rppg")
    later = Signal(signal.samples, 30, kind="rppg", start_s=1000.0)
    np.testing.assert_allclose(
        find_beats(later).times_s, find_beats(signal).times_s + 1000, atol=1e-6
    )


def test_foot_comes_before_slope_before_peak() -> None:
    truth = heart(40)
    signal = pulse(truth, 40, 64, "bvp")
    foot, slope, peak = (
        beat_errors(find_beats(signal, fiducial=f), Beats(truth), tolerance_s=0.3).offset_ms
        for f in ("foot", "slope", "peak")
    )
    assert foot < slope < peak


@pytest.mark.parametrize("kind", ["rppg", "bvp"])
@pytest.mark.parametrize("fiducial", FIDUCIALS)
def test_each_fiducial_detects_all_beats(kind: str, fiducial: str) -> None:
    truth = heart(40)
    found = find_beats(pulse(truth, 40, 64, kind), fiducial=fiducial)
    assert beat_errors(found, Beats(truth)).f1 > 0.97


def test_blocks_of_a_long_recording_join_without_lost_beats() -> None:
    truth = heart(1300)
    errors = beat_errors(find_beats(pulse(truth, 1300, 30, "bvp")), Beats(truth))
    assert errors.f1 > 0.999
    assert errors.jitter_ms < 5


@pytest.mark.slow
def test_ten_minutes_of_a_camera_take_little_memory() -> None:
    signal = pulse(heart(600), 600, 30, "rppg")
    find_beats(signal.crop(0, 20))  # imports
    tracemalloc.start()
    find_beats(signal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    ("signal", "options", "message"),
    [
        (Signal(np.zeros(300), 30, kind="valence"), {}, "rppg, bvp, ecg"),
        (Signal(np.zeros(300), 30), {}, "rppg, bvp, ecg"),
        (Signal(np.zeros(300), 4, kind="bvp"), {}, "15 or more"),
        (Signal(np.zeros(300), 30, kind="bvp"), {"fiducial": "notch"}, "peak, foot, slope"),
    ],
)
def test_invalid_input_is_refused_with_the_reason(
    signal: Signal, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        find_beats(signal, **options)


@pytest.mark.slow
def test_a_pulse_wave_needs_no_neurokit() -> None:
    code = (
        "import sys, numpy as np\n"
        "from emotion_rppg.features.beats import find_beats\n"
        "from emotion_rppg.signals import Signal\n"
        "find_beats(Signal(np.sin(np.arange(600) / 5), 30, kind='rppg'))\n"
        "assert 'neurokit2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- rhythm ------------------------------------------------------------------------------------


@pytest.fixture
def steady() -> np.ndarray:
    draw = np.random.default_rng(1)
    return np.cumsum(0.8 + 0.02 * np.sin(np.arange(100) / 2) + draw.normal(0, 0.008, 100))


def test_ordinary_intervals_have_no_artefacts(steady: np.ndarray) -> None:
    intervals = np.diff(steady)
    rhythm = local_rhythm(intervals)
    assert not too_long(intervals, *rhythm).any()
    assert not unusual(intervals, *rhythm).any()
    assert not ectopic_beats(intervals, *rhythm).any()
    assert not extra_beats(intervals, rhythm[0]).any()


def test_an_undetected_beat_leaves_a_too_long_interval(steady: np.ndarray) -> None:
    intervals = np.diff(np.delete(steady, 50))
    assert np.flatnonzero(too_long(intervals, *local_rhythm(intervals))).tolist() == [49]


def test_a_beat_between_two_of_the_rhythm_is_extra(steady: np.ndarray) -> None:
    intervals = np.diff(np.insert(steady, 51, steady[50] + 0.3))
    assert np.flatnonzero(extra_beats(intervals, local_rhythm(intervals)[0])).tolist() == [51]


@pytest.mark.parametrize("every", [2, 3, 9], ids=["bigeminy", "trigeminy", "now and then"])
def test_early_beats_followed_by_a_pause_are_ectopic(steady: np.ndarray, every: int) -> None:
    early = np.arange(1, 99, every)
    times = steady.copy()
    times[early] -= 0.25
    intervals = np.diff(times)
    found = np.flatnonzero(ectopic_beats(intervals, *local_rhythm(intervals)))
    assert set(early[1:-1]) <= set(found) <= set(early)


def test_no_beat_of_an_altogether_irregular_heart_is_ectopic() -> None:
    intervals = np.random.default_rng(0).uniform(0.45, 1.05, 200)
    assert np.mean(ectopic_beats(intervals, *local_rhythm(intervals))) < 0.05
    assert not too_long(intervals, *local_rhythm(intervals)).any()


# ---- real recordings -------------------------------------------------------------------------


@pytest.mark.slow
def test_finger_and_chest_agree_on_one_heart(real_data) -> None:
    table = pd.read_csv(real_data / "contact" / "neurokit" / "bio_resting_5min_100hz.csv")
    pulse_beats = find_beats(Signal(table["PPG"].to_numpy(), 100, kind="bvp"))
    ecg_beats = find_beats(Signal(table["ECG"].to_numpy(), 100, kind="ecg"))
    assert rmssd(pulse_beats) == pytest.approx(rmssd(ecg_beats), abs=3)
    assert np.std(pulse_beats.intervals_ms) == pytest.approx(np.std(ecg_beats.intervals_ms), abs=2)
    assert np.mean(pulse_beats.intervals_ms) == pytest.approx(
        np.mean(ecg_beats.intervals_ms), abs=2
    )


@pytest.mark.slow
def test_camera_waves_agree_with_the_finger(real_data) -> None:
    waves = np.load(real_data / "rppg_waveforms" / "ubfc_11_people.npz")
    errors, accepted = [], []
    for person in sorted({name.split("_")[0] for name in waves}):
        times, finger = waves[f"{person}_t"], waves[f"{person}_contact_ppg"]
        truth = find_beats(Signal.from_times(times, finger, kind="bvp"))
        for name, sign in (("pos_face", -1), ("chrom_face", 1)):
            wave = sign * waves[f"{person}_rppg_{name}"]
            beats = find_beats(Signal.from_times(times[: len(wave)], wave, kind="rppg"))
            accepted.append(beats.coverage >= 0.5)
            if accepted[-1]:
                sdnn = beats.intervals_ms.std() - truth.intervals_ms.std()
                errors.append((sdnn, rmssd(beats) - rmssd(truth)))
    assert np.mean(accepted) >= 0.8
    sdnn_error, rmssd_error = np.abs(errors).mean(axis=0)
    assert sdnn_error < 5
    assert rmssd_error < 10


def test_the_cubic_trend_of_blocks_is_that_of_the_whole(monkeypatch) -> None:
    monkeypatch.setattr(detect, "TREND_BLOCK", 70)
    samples = np.cumsum(np.random.default_rng(0).normal(size=1000)) + 1e5
    at = np.linspace(-1, 1, len(samples))
    whole = np.polynomial.Chebyshev.fit(at, samples, 3)(at)
    drift = samples - detect.without_drift(samples + 1e4 * at**3) + 1e4 * at**3
    np.testing.assert_allclose(drift, whole + 1e4 * at**3, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_beats_of_hours_need_a_few_copies_of_the_signal() -> None:
    """A second hour and a half adds at most nine copies of its samples."""
    rate, peaks = 64.0, []
    for hours in (1.5, 3.0):
        phase = 2 * np.pi * 1.15 * np.arange(round(3600 * hours * rate)) / rate
        signal = Signal(np.sin(phase) + 0.3 * np.sin(2 * phase - 1), rate, kind="bvp")
        find_beats(signal.crop(0, 60))  # imports
        tracemalloc.start()
        find_beats(signal)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    added = signal.samples.nbytes / 2
    assert peaks[1] - peaks[0] < 9 * added
