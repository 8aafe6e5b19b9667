"""Estimate the heart rate of a pulse wave by its spectrum, and how far it can be trusted.

The quality of a window follows from three measures: the share of power at one rate and its double
(SNR), the periodicity of the wave (the highest peak of its autocorrelation) and its duration.
SNR and autocorrelation use the power *times* the frequency, because camera disturbances (drift,
motion, breathing) decrease with frequency: on camera waves of eleven real people the rate is right
in 2 to 6 % more windows than with the unweighted power.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from emotion_rppg.signals import Signal

SLOWEST_HZ, FASTEST_HZ = 40 / 60, 210 / 60  # search range of the rate
BAND_END_HZ = 4.0  # upper end of the band whose power counts, as pulse or as noise
SEARCH_HZ = 0.06  # within which a tracked rate is refined to a peak of the spectrum
NEAR_HZ = 0.1  # power within ±6 bpm of the rate and its double is pulse (de Haan and Jeanne 2013)
POINTS = 2**14  # length of the zero-padded FFT: steps of 0.1 bpm at 30 Hz
ENOUGH_HZ = 64.0  # waves with a higher sampling rate are resampled to this one
LAG_S = 0.01  # step of the autocorrelation lags
BLOCK = 64  # windows processed together, which bounds memory

WINDOW_S = 20.0  # of heart_rate and judge: a rate may change by 20 bpm within a minute
SLIDING_S, STEP_S = 8.0, 1.0  # of sample_quality: long enough to measure, short enough to follow
LEAST_RUN_S = 4.0  # shorter runs without missing samples are not analysed
LEAST_S = 6.0  # total duration of analysed runs below which judge withholds the rate
LEAST_COVERAGE = 0.2  # share of the signal in analysed runs below which judge withholds it
LEAST_QUALITY = 0.6

# Logistic regression for "the rate is right within 3 bpm", fitted to 1,400 windows of 6–30 s of
# real camera waves (11 people, their contact PPG as truth) and 3,600 synthetic ones (white,
# band-passed and brown noise, also through POS, alone and with pulses of -10 to 12 dB)
WEIGHTS = {"constant": -2.8, "snr_db": 0.58, "rhythm": 8.0, "log_duration": 1.5}


@dataclass(frozen=True)
class Judgement:
    """Heart rate with its quality; a withheld rate is None, and ``reason`` says why in a sentence.

    ``quality`` is 0–1, fitted as the probability that the rate is within 3 bpm of the rate that the
    same spectrum gives for a contact sensor's wave. Compared with the mean rate of the true beats
    it is too low for weak but steady pulses and too high where the rate changes within the window
    (docs/quality.md). `estimate_heart_rate` gives the quality of contact sensors that is in feature
    tables instead. ``by`` names the estimator of the rate: ``"spectrum"`` or ``"beats"``
    (:func:`emotion_rppg.features.beats.heart_rate.estimate_heart_rate`).
    """

    hr_bpm: float | None
    quality: float
    reason: str | None = None
    by: str = "spectrum"


@dataclass(frozen=True, eq=False)
class _RunMeasures:
    """Measures of the k windows of one run without missing samples, each (k,)."""

    first: int
    stop: int
    middle_s: np.ndarray
    rate_hz: np.ndarray  # by the spectrum
    snr_db: np.ndarray
    rhythm: np.ndarray  # highest autocorrelation peak at a plausible beat interval, ≤ 1
    rhythm_hz: np.ndarray  # rate of that peak, NaN without a peak
    quality: np.ndarray


def heart_rate(signal: Signal) -> float:
    """Estimate the heart rate, bpm (40–210), by the spectrum; NaN without a run of 4 s.

    The result is the median over windows of up to 20 s within the runs without missing samples,
    weighted by quality. In each window: the spectrum under a Hann window, zero-padded to 2^14
    points, its peak refined by a parabola. A peak that is the second harmonic of the rhythm is
    halved. The rate alone does not show whether it can be trusted: see :func:`judge`.

    Examples
    --------
    >>> times_s = np.arange(300) / 30
    >>> round(heart_rate(Signal(np.sin(2 * np.pi * 1.2 * times_s), 30)), 1)
    72.0
    """
    reduced = _downsampled(signal)
    return _rate_bpm(list(_measure_runs(reduced, WINDOW_S, WINDOW_S / 2)))


def snr_db(signal: Signal, hr_bpm: float) -> float:
    """Compute the signal-to-noise ratio of a pulse at a rate, dB.

    It is the power within 6 bpm of the rate and of its double, over the other power at 0.67–4 Hz
    (de Haan and Jeanne 2013). NaN if the signal has no run of 4 s or the rate is NaN.
    """
    reduced = _downsampled(signal)
    if not math.isfinite(hr_bpm) or not _runs(reduced):
        return float("nan")
    spectrum = _spectrum(reduced.rate_hz)
    power = np.zeros_like(spectrum.hz)
    for first, stop in _runs(reduced):
        every, starts, _ = _windows(reduced, first, stop, WINDOW_S, WINDOW_S / 2)
        power += spectrum.power(every[starts], taper=True).sum(axis=0)
    return float(spectrum.snr_db(power[None], np.array([hr_bpm / 60]))[0])


def sample_quality(signal: Signal) -> np.ndarray:
    """Estimate the quality of each sample, (n,), 0–1, from the 8-s windows around it.

    There is one window per second; between window centres the quality is interpolated linearly.
    Runs of less than 4 s and missing samples have quality 0; a run of less than 8 s is one window.
    """
    quality, times = np.zeros(len(signal)), signal.times_s
    reduced = _downsampled(signal)
    for run in _measure_runs(reduced, SLIDING_S, STEP_S):
        first, stop = (round(i * signal.rate_hz / reduced.rate_hz) for i in (run.first, run.stop))
        quality[first:stop] = np.interp(times[first:stop], run.middle_s, run.quality)
    quality[~np.isfinite(signal.samples)] = 0.0
    return quality


def rates_of_windows(
    signal: Signal, length_s: float, step_s: float
) -> list[tuple[float, float, float, float]]:
    """Estimate the heart rate of successive windows by the spectrum and by the autocorrelation.

    Returns
    -------
    list of (middle_s, spectrum_bpm, autocorrelation_bpm, quality)
        One per window; a rate without a peak is NaN.
    """
    return [
        (float(middle), 60 * float(spectrum), 60 * float(rhythm), float(quality))
        for run in _measure_runs(_downsampled(signal), length_s, step_s)
        for middle, spectrum, rhythm, quality in zip(
            run.middle_s, run.rate_hz, run.rhythm_hz, run.quality, strict=True
        )
    ]


def long_runs(signal: Signal) -> list[tuple[Signal, float]]:
    """List runs of 4 s or more without missing samples, at 64 Hz or less, and their starts, s."""
    reduced = _downsampled(signal)
    return [
        (replace(reduced, samples=reduced.samples[a:b], start_s=0.0, quality=None), start_s)
        for a, b in _runs(reduced)
        for start_s in [reduced.start_s + a / reduced.rate_hz]
    ]


def snr_of_rates(
    run: Signal, middles_s: np.ndarray, rates_hz: np.ndarray, length_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Refine rates of windows, Hz, to the next peak of their spectra; compute the SNR there, dB.

    Parameters
    ----------
    run : Signal
        Without missing samples, at 64 Hz or less.
    middles_s : array (k,)
        Middles of the windows, seconds from the first sample.
    rates_hz : array (k,)
        A rate of each; the peak is searched within 0.06 Hz.
    length_s : float
        Duration of the windows.
    """
    spectrum, length = _spectrum(run.rate_hz), min(round(length_s * run.rate_hz), len(run))
    starts = np.rint(middles_s * run.rate_hz - length / 2).astype(int)
    starts = np.clip(starts, 0, len(run) - length)
    windows = np.lib.stride_tricks.sliding_window_view(run.samples, length)
    found = [
        spectrum.refined(windows[starts[i : i + BLOCK]], rates_hz[i : i + BLOCK])
        for i in range(0, len(starts), BLOCK)
    ]
    rates, snr = np.concatenate(found, axis=1)
    return rates, snr


def judge(
    signal: Signal, *, least_quality: float = LEAST_QUALITY, quality_name: str = "quality"
) -> Judgement:
    """Estimate the heart rate, bpm, and withhold it with a reason if it cannot be trusted.

    The rate is withheld if the runs of 4 s or more sum up to less than 6 s or to less than a fifth
    of the signal, if the quality is below ``least_quality``, or if spectrum and autocorrelation
    differ by more than 6 bpm in most windows. Share of signals without a pulse that nevertheless
    get a rate (200 of each kind; 6 s · 10 s · 30 s long): white noise 0 · 0 · 0 %, noise of
    0.7–4 Hz 0 · 0.5 · 0 %, noise of 0.7–2.5 Hz 2.5 · 3 · 0 %, brown noise 0.5 · 2.5 · 0 %. Of
    synthetic pulses 5 dB above noise of their own band, 95 to 100 % get a rate. On minute-long
    camera waves of eleven real people 9 rates were reported, each within 1.5 bpm of the contact
    sensor's.

    Periodic motion, a flickering lamp and a pulse that a network invented pass as a pulse: they
    cannot be distinguished from the wave alone. `estimate` compares the wave with the images and
    sets ``signal.quality`` to 0 where light or motion explains it; such samples count as missing.

    ``quality_name`` is what ``reason`` calls the quality, for callers that report another one.
    """
    judgement = _judge_wave(signal, least_quality, quality_name)
    rejected = _rejected_samples(signal)
    if judgement.hr_bpm is None or not rejected.any():
        return judgement
    samples = np.where(rejected, np.nan, signal.samples)
    rest = replace(signal, samples=samples, quality=None)
    judgement = _judge_wave(rest, least_quality, quality_name)
    if judgement.hr_bpm is not None:
        return judgement
    share = float(rejected.sum() / max(np.isfinite(signal.samples).sum(), 1))
    return Judgement(None, min(judgement.quality, LEAST_QUALITY / 2), _explained_by_images(share))


def _rejected_samples(signal: Signal) -> np.ndarray:
    """Mark the samples that are present but have quality 0, bool (n,)."""
    quality = np.ones(len(signal)) if signal.quality is None else signal.quality
    return np.isfinite(signal.samples) & (quality == 0)


def _judge_wave(signal: Signal, least_quality: float, quality_name: str) -> Judgement:
    """Judge the heart rate by the wave alone, regardless of ``signal.quality``."""
    reduced = _downsampled(signal)
    analysed_s = sum(stop - first for first, stop in _runs(reduced)) / reduced.rate_hz
    if analysed_s < LEAST_S - 1e-6:
        return Judgement(None, 0.0, _too_short(reduced))
    runs = list(_measure_runs(reduced, WINDOW_S, WINDOW_S / 2))
    coverage = analysed_s / reduced.duration_s
    share = min(1.0, coverage / (2 * LEAST_COVERAGE))
    quality = share * float(np.mean(np.concatenate([run.quality for run in runs])))
    if coverage < LEAST_COVERAGE:
        return Judgement(None, quality, _too_little(coverage))
    if quality < least_quality:
        snr = float(np.mean(np.concatenate([run.snr_db for run in runs])))
        return Judgement(None, quality, _no_pulse(quality_name, quality, snr, least_quality))
    difference = np.concatenate([np.abs(run.rate_hz - run.rhythm_hz) for run in runs])
    if not np.mean(difference <= NEAR_HZ) >= 0.5:  # NaN counts as a disagreement
        return Judgement(None, LEAST_QUALITY / 2, _two_rates())
    return Judgement(_rate_bpm(runs), quality)


def _too_short(signal: Signal) -> str:
    longest = max((stop - first for first, stop in signal.runs()), default=0) / signal.rate_hz
    return (
        f"the longest segment without missing samples has {longest:.1f} s: at least {LEAST_S:g} s "
        f"are wanted, in segments of {LEAST_RUN_S:g} s or more"
    )


def _too_little(coverage: float) -> str:
    return (
        f"the signal is present in {coverage:.0%} of the time: at least {LEAST_COVERAGE:.0%} "
        "is wanted"
    )


def _no_pulse(name: str, quality: float, snr: float, least: float) -> str:
    return (
        f"no clear pulse: {name} {quality:.2f}, at least {least:g} is wanted "
        f"(signal to noise {snr:.1f} dB)"
    )


def _explained_by_images(share: float) -> str:
    return (
        f"no pulse in {share:.0%} of the time: in the images the wave follows light or motion, "
        "or not the colour of blood"
    )


def _two_rates() -> str:
    return "the spectrum and the autocorrelation give different rates: one rate of both is wanted"


def _downsampled(signal: Signal) -> Signal:
    return signal.resample(ENOUGH_HZ) if signal.rate_hz > ENOUGH_HZ else signal


def _runs(signal: Signal) -> list[tuple[int, int]]:
    least = LEAST_RUN_S * signal.rate_hz - 1e-6
    return [(first, stop) for first, stop in signal.runs() if stop - first >= least]


def _windows(
    signal: Signal, first: int, stop: int, length_s: float, step_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut one run into windows.

    Returns the window from each sample of the signal on (n, length), a view; the samples where the
    windows of the run begin (k,), by which it is indexed; and their centres in s (k,).
    """
    length = min(round(length_s * signal.rate_hz), stop - first)
    step = max(1, round(step_s * signal.rate_hz))
    starts = np.arange(first, stop - length + 1, step)
    if starts[-1] + length < stop:
        starts = np.r_[starts, stop - length]  # the last window ends with the run
    every = np.lib.stride_tricks.sliding_window_view(signal.samples, length)
    return every, starts, signal.start_s + (starts + (length - 1) / 2) / signal.rate_hz


def _measure_runs(signal: Signal, length_s: float, step_s: float) -> Iterator[_RunMeasures]:
    spectrum = _spectrum(signal.rate_hz)
    for first, stop in _runs(signal):
        every, starts, middles = _windows(signal, first, stop, length_s, step_s)
        # windows of one block at a time are copied: all would be eight times as large as the signal
        parts = (starts[i : i + BLOCK] for i in range(0, len(starts), BLOCK))
        blocks = [spectrum.measure(every[part]) for part in parts]
        yield _RunMeasures(first, stop, middles, *np.concatenate(blocks, axis=1))


def _rate_bpm(runs: list[_RunMeasures]) -> float:
    """Compute the median of the rates of all windows, bpm, weighted by quality."""
    rates = np.concatenate([run.rate_hz for run in runs] or [np.zeros(0)])
    weights = np.concatenate([run.quality + 0.01 for run in runs] or [np.zeros(0)])
    order = np.argsort(rates[np.isfinite(rates)])
    rates, weights = rates[np.isfinite(rates)][order], weights[np.isfinite(rates)][order]
    if not len(rates):
        return float("nan")
    return 60 * float(np.interp(weights.sum() / 2, np.cumsum(weights) - weights / 2, rates))


class _Spectrum:
    """Spectrum and autocorrelation of windows at one sampling rate, up to 4 Hz."""

    def __init__(self, rate_hz: float) -> None:
        self.sampled_hz = rate_hz
        hz = np.fft.rfftfreq(POINTS, 1 / rate_hz)
        self.hz = hz[hz <= BAND_END_HZ]
        self.band = self.hz >= SLOWEST_HZ
        self.rates = self.band & (self.hz <= FASTEST_HZ)
        self.lags_s = np.arange(0.0, 2.2 / SLOWEST_HZ, LAG_S)
        self.waves = np.cos(2 * np.pi * self.hz[:, None] * self.lags_s)

    def power(self, windows: np.ndarray, *, taper: bool) -> np.ndarray:
        """Compute the power of detrended windows in the band: (k, length) -> (k, frequencies)."""
        length = windows.shape[1]
        ramp = np.linspace(-1, 1, length)
        flat = windows - windows.mean(axis=1, keepdims=True)
        flat = flat - (flat @ ramp / (ramp @ ramp))[:, None] * ramp
        if taper:
            flat = flat * np.hanning(length + 2)[1:-1]
        power = np.abs(np.fft.rfft(flat, POINTS, axis=1)[:, : len(self.hz)]) ** 2
        power[power < 1e-20 * np.mean(windows**2 + 1e-300) * length**2] = 0.0  # rounding errors
        return power * self.band

    def measure(self, windows: np.ndarray) -> np.ndarray:
        """Measure rate (NaN without power), SNR, rhythm, its rate and quality, (5, k)."""
        duration = windows.shape[1] / self.sampled_hz
        power = self.power(windows, taper=True)
        total = power.sum(axis=1, keepdims=True)
        power = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
        rate = self.rate(power)
        snr = self.snr_db(power * self.hz, rate)
        rhythm, rhythm_hz = self._rhythm(self.power(windows, taper=False) * self.hz, duration)
        score = WEIGHTS["constant"] + WEIGHTS["snr_db"] * snr + WEIGHTS["rhythm"] * rhythm
        score = score + WEIGHTS["log_duration"] * math.log(duration / 10)
        has_power = total[:, 0] > 0
        quality = np.where(has_power, 1 / (1 + np.exp(-score)), 0.0)
        return np.stack([np.where(has_power, rate, np.nan), snr, rhythm, rhythm_hz, quality])

    def refined(self, windows: np.ndarray, rates_hz: np.ndarray) -> np.ndarray:
        """Find the peaks next to rates of windows (k, length), Hz, and their SNR, dB: (2, k)."""
        power = self.power(windows, taper=True)
        near = np.abs(self.hz - rates_hz[:, None]) <= SEARCH_HZ
        rates = self._refined(power, np.where(near, power, -1.0).argmax(axis=1))
        return np.stack([rates, self.snr_db(power * self.hz, rates)])

    def rate(self, power: np.ndarray) -> np.ndarray:
        """Estimate the rates, Hz, (k,), from unweighted power (k, frequencies)."""
        weighted = np.where(self.rates, power * self.hz, 0.0)
        peak = weighted.argmax(axis=1)
        half = self._half(power, peak)
        return self._refined(power, np.where(half > 0, half, peak))

    def _half(self, power: np.ndarray, peak: np.ndarray) -> np.ndarray:
        """Find the index of the fundamental of peaks that are second harmonics, else 0, (k,).

        A peak is a second harmonic if the autocorrelation is clearly higher after two of its
        periods than after one, and if there is power at half its frequency.
        """
        rows, wave = np.arange(len(power)), power @ self.waves
        wave = wave / np.maximum(wave[:, :1], 1e-300)
        period = 1 / np.maximum(self.hz[peak], SLOWEST_HZ)
        once, twice = (wave[rows, np.rint(n * period / LAG_S).astype(int)] for n in (1, 2))
        around = np.abs(self.hz - self.hz[peak, None] / 2) <= NEAR_HZ / 2
        below = np.where(around & self.rates, power, 0.0)
        is_second = (twice - once > 0.3) & (below.max(axis=1) > 0.1 * power[rows, peak])
        return np.where(is_second, below.argmax(axis=1), 0)

    def _refined(self, power: np.ndarray, peak: np.ndarray) -> np.ndarray:
        """Refine the frequencies of peaks of the unweighted power by a parabola, Hz, (k,)."""
        rows = np.arange(len(power))
        near = np.clip(peak[:, None] + np.arange(-8, 9), 1, len(self.hz) - 2)
        top = near[rows, power[rows[:, None], near].argmax(axis=1)]
        before, centre, after = (power[rows, top + i] for i in (-1, 0, 1))
        curvature = before - 2 * centre + after
        offset = np.zeros(len(top))
        shift = np.divide(before - after, 2 * curvature, out=offset, where=curvature < 0)
        return np.asarray(self.hz[top] + np.clip(shift, -0.5, 0.5) * self.hz[1])

    def snr_db(self, power: np.ndarray, rate_hz: np.ndarray) -> np.ndarray:
        """Compute the SNR, dB, (k,), of power (k, frequencies) at rates (k,) in Hz."""
        away = np.minimum(*(np.abs(self.hz - times * rate_hz[:, None]) for times in (1, 2)))
        pulse = np.where(away <= NEAR_HZ, power, 0.0).sum(axis=1)
        rest = power.sum(axis=1) - pulse
        return np.asarray(10 * np.log10(np.maximum(pulse, 1e-12) / np.maximum(rest, 1e-12)))

    def _rhythm(self, power: np.ndarray, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Find the highest autocorrelation at 40–210 bpm, (k,), and its rate, Hz (NaN: no peak)."""
        use = (self.lags_s <= 1 / SLOWEST_HZ + 0.02) & (self.lags_s < 0.7 * duration_s)
        lags = self.lags_s[use]
        wave = power @ self.waves[:, use]
        wave = wave / np.maximum(wave[:, :1], 1e-300) / (1 - lags / duration_s)
        peaks = np.zeros(wave.shape, dtype=bool)
        peaks[:, 1:-1] = (wave[:, 1:-1] >= wave[:, :-2]) & (wave[:, 1:-1] > wave[:, 2:])
        peaks &= lags >= 1 / FASTEST_HZ - LAG_S
        height = np.where(peaks, wave, 0.0)
        best = height.max(axis=1)
        first = (peaks & (height >= 0.85 * best[:, None])).argmax(axis=1)  # not double the interval
        rate = np.divide(1.0, lags[first], out=np.full(len(wave), np.nan), where=first > 0)
        return np.clip(height[np.arange(len(wave)), first], 0.0, 1.0), rate


@lru_cache(maxsize=8)
def _spectrum(rate_hz: float) -> _Spectrum:
    return _Spectrum(rate_hz)
