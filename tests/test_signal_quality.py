"""A pulse has a trusted rate; noise, short signals and missing samples have none."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.signal_quality import heart_rate, judge, sample_quality, snr_db
from emotion_rppg.signals import Signal

RATE = 30.0


def pulse(
    seconds: float,
    bpm: float = 72,
    *,
    rate: float = RATE,
    snr: float = 5,
    second: float = 0.3,
    seed: int = 0,
) -> Signal:
    """A pulse with a second harmonic, ``snr`` dB above noise of its own band."""
    t = np.arange(int(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * bpm / 60 * t) + second * np.sin(4 * np.pi * bpm / 60 * t + 1)
    disturbance = noise("0.65-4", seconds, seed, rate).samples
    return Signal(wave / wave.std() + 10 ** (-snr / 20) * disturbance / disturbance.std(), rate)


def noise(kind: str, seconds: float, seed: int, rate: float = RATE) -> Signal:
    from scipy.signal import butter, sosfiltfilt

    n = int(seconds * rate)
    disturbance = np.random.default_rng(seed).standard_normal(n + 240)
    if kind == "brown":
        disturbance = np.cumsum(disturbance)
    elif kind != "white":
        low, high = (float(edge) for edge in kind.split("-"))
        disturbance = sosfiltfilt(
            butter(3, (low, high), "bandpass", fs=rate, output="sos"), disturbance
        )
    return Signal(disturbance[120 : 120 + n], rate)


@pytest.mark.parametrize("bpm", [45, 60, 72.3, 110, 150, 190])
@pytest.mark.parametrize("rate", [15.0, 30.0, 125.0])
def test_the_rate_of_a_pulse_is_estimated(bpm: float, rate: float) -> None:
    signal = pulse(20, bpm, rate=rate)
    assert heart_rate(signal) == pytest.approx(bpm, abs=0.5)
    judgement = judge(signal)
    assert judgement.hr_bpm == heart_rate(signal)
    assert judgement.reason is None
    assert judgement.quality > 0.9


def test_without_noise_the_rate_is_exact() -> None:
    assert heart_rate(pulse(20, 71.37, snr=80)) == pytest.approx(71.37, abs=0.01)


def test_scale_offset_and_drift_do_not_matter() -> None:
    signal = pulse(15)
    wanted = judge(signal)
    drift = np.linspace(0, 50, len(signal))
    other = judge(Signal(100 + 1e-3 * (signal.samples + drift), RATE))
    assert other.hr_bpm == pytest.approx(wanted.hr_bpm, abs=0.05)
    assert other.quality == pytest.approx(wanted.quality, abs=0.02)


@pytest.mark.parametrize("second", [0.3, 1.0, 1.8])
def test_a_strong_second_harmonic_does_not_double_the_rate(second: float) -> None:
    assert heart_rate(pulse(20, 70, second=second, snr=10)) == pytest.approx(70, abs=1)


def test_slow_motion_is_not_mistaken_for_a_slow_heart() -> None:
    signal = pulse(20, 110, snr=20)
    sway = 1.6 * np.sin(2 * np.pi * 0.75 * signal.times_s)  # more power than the pulse
    assert heart_rate(Signal(signal.samples + sway, RATE)) == pytest.approx(110, abs=1)
    wander = noise("brown", 20, 3).samples
    assert heart_rate(Signal(signal.samples + 0.4 * wander, RATE)) == pytest.approx(110, abs=1)


@pytest.mark.parametrize("seconds", [8, 10, 30])
def test_a_pulse_at_five_decibels_is_nearly_always_accepted(seconds: float) -> None:
    found = [judge(pulse(seconds, 60 + seed, seed=seed)).hr_bpm for seed in range(40)]
    right = [hr is not None and abs(hr - 60 - seed) < 3 for seed, hr in enumerate(found)]
    assert np.mean(right) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["white", "0.7-4", "0.7-2.5", "brown"])
@pytest.mark.parametrize(("seconds", "most"), [(10, 0.05), (30, 0.01)])
def test_noise_is_nearly_always_refused(kind: str, seconds: float, most: float) -> None:
    judgements = [judge(noise(kind, seconds, seed)) for seed in range(200)]
    assert np.mean([judgement.hr_bpm is not None for judgement in judgements]) <= most
    assert "no clear pulse" in str(next(v.reason for v in judgements if v.hr_bpm is None))


@pytest.mark.parametrize("seconds", [0, 0.1, 3, 5.9])
def test_too_short_is_refused_with_the_length_in_the_reason(seconds: float) -> None:
    judgement = judge(pulse(max(seconds, 1), snr=30).crop(0, seconds))
    assert judgement.hr_bpm is None
    assert "at least 6 s" in str(judgement.reason)


def test_a_signal_without_samples_has_no_rate() -> None:
    missing = Signal(np.full(300, np.nan), RATE)
    assert np.isnan(heart_rate(missing))
    assert np.isnan(snr_db(missing, 70))
    assert judge(missing).hr_bpm is None
    assert not sample_quality(missing).any()


@pytest.mark.parametrize("value", [0.0, 128.0, 1e6])
def test_a_constant_wave_has_no_pulse(value: float) -> None:
    flat = Signal(np.full(600, value), RATE)
    assert judge(flat).hr_bpm is None
    assert np.isnan(heart_rate(flat))
    assert not sample_quality(flat).any()


def test_only_the_runs_without_missing_samples_count() -> None:
    samples = pulse(40, 66).samples.copy()
    samples[300:600] = np.nan
    assert judge(Signal(samples, RATE)).hr_bpm == pytest.approx(66, abs=1)


def test_a_face_that_is_rarely_visible_is_refused() -> None:
    samples = pulse(100, 66).samples.copy()
    samples[300:] = np.nan
    judgement = judge(Signal(samples, RATE))
    assert judgement.hr_bpm is None
    assert "10%" in str(judgement.reason)


def test_the_snr_follows_the_noise() -> None:
    found = [snr_db(pulse(30, 72, snr=snr), 72) for snr in (-6, 0, 6, 12)]
    assert (np.diff(found) > 3).all()
    assert snr_db(pulse(30, 72, snr=6), 72) > 6 > snr_db(pulse(30, 72, snr=6), 100)


def test_quality_per_sample_follows_the_wave() -> None:
    clear, dim = pulse(40, 72, snr=8).samples, noise("0.7-4", 40, 1).samples
    samples = np.r_[clear, dim / dim.std(), np.full(300, np.nan), clear]
    quality = sample_quality(Signal(samples, RATE))
    assert quality.shape == samples.shape
    assert quality.min() >= 0
    assert quality.max() <= 1
    assert quality[:1050].min() > 0.8
    assert np.median(quality[1350:2250]) < 0.2
    assert not quality[2400:2700].any()
    assert quality[2700:].min() > 0.8


def test_quality_at_another_rate_has_the_same_times() -> None:
    samples = np.r_[np.full(1000, np.nan), pulse(30, rate=125.0).samples]
    quality = sample_quality(Signal(samples, 125.0))
    assert not quality[:1000].any()
    assert quality[1000:].min() > 0.8


@pytest.mark.slow
def test_an_hour_needs_little_memory() -> None:
    signal = Signal(np.tile(pulse(60).samples, 60), RATE)
    sample_quality(signal.crop(0, 20))
    tracemalloc.start()
    sample_quality(signal)
    judge(signal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_the_rate_of_real_camera_waves_is_reported_and_right(real_data: Path) -> None:
    """Compared with the contact PPG: reported rates are right, and most rates are reported."""
    with np.load(real_data / "rppg_waveforms" / "ubfc_11_people.npz") as file:
        data = dict(file)
    error = []
    for name in (key[:-2] for key in data if key.endswith("_t")):
        times, wave = data[f"{name}_t"], data[f"{name}_rppg_pos_face"]
        if len(times) != len(wave):
            continue
        camera = Signal.from_times(times, wave)
        contact = Signal.from_times(times, data[f"{name}_contact_ppg"])
        reported = judge(camera).hr_bpm
        error.append(np.nan if reported is None else abs(reported - heart_rate(contact)))
    assert np.mean(np.isfinite(error)) > 0.7
    assert np.nanmax(error) < 3


@pytest.mark.parametrize("name", ["pos", "chrom", "green", "lgi"])
def test_videos_whose_pulse_was_removed_by_compression_are_refused(
    name: str, real_data: Path
) -> None:
    from emotion_rppg.pulse import methods
    from emotion_rppg.recordings import Video
    from emotion_rppg.video.face_tracking import read_trace

    for path in sorted((real_data / "no_pulse").glob("*.avi")):
        times, rgb = read_trace(Video(path), region="full")
        rate = (len(times) - 1) / (times[-1] - times[0])
        judgement = judge(Signal(getattr(methods, name)(rgb, rate), rate))
        assert judgement.hr_bpm is None, path.name
        assert judgement.quality < 0.6


@pytest.mark.slow
def test_memory_grows_by_a_few_copies_of_the_signal_not_by_one_for_each_window() -> None:
    def peak(minutes: int) -> tuple[int, int]:
        wave = np.sin(np.arange(minutes * 60 * 64) / 9.0)
        tracemalloc.start()
        sample_quality(Signal(wave, 64.0))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most, wave.nbytes

    (short, size), (long, larger) = peak(30), peak(120)
    assert long - short < 6 * (larger - size)
