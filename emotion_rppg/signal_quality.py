"""Is there a pulse in this wave? Its rate, and how far that number can be trusted.

Windows are judged by three things: how far the power gathers at one rate and its double (SNR),
how well the wave repeats itself (the highest peak of its autocorrelation), and how long it is.
Both use the power at each frequency *times* the frequency, since what disturbs a camera (drift,
motion, breath) falls off with frequency: on camera waves of eleven real people that finds the
rate in 2 to 6 % more of the windows than the bare power.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from emotion_rppg.signals import Signal

SLOWEST_HZ, FASTEST_HZ = 40 / 60, 210 / 60  # rates that are looked for
BAND_END_HZ = 4.0  # power up to here counts, as pulse or as noise
NEAR_HZ = 0.1  # ±6 bpm about the rate and its double are pulse (de Haan and Jeanne 2013)
POINTS = 2**14  # of the zero-padded spectrum: steps of 0.1 bpm at 30 Hz
ENOUGH_HZ = 64.0  # waves sampled faster are brought down to this
LAG_S = 0.01  # steps of the autocorrelation
BLOCK = 64  # windows looked at together

WINDOW_S = 20.0  # of heart_rate and judge: a rate may move by 20 bpm within a minute
SLIDING_S, STEP_S = 8.0, 1.0  # of per_sample: long enough to tell, short enough to follow
LEAST_RUN_S = 4.0  # shorter stretches are not looked at
LEAST_S = 6.0  # of stretches that are, before judge gives a number
LEAST_COVERAGE = 0.2
LEAST_QUALITY = 0.6

# Logistic regression for "the rate is right within 3 bpm", fitted to 1,400 windows of 6–30 s of
# real camera waves (11 people, their contact PPG as truth) and 3,600 synthetic ones (white,
# band-passed and brown noise, also through POS, alone and under pulses of -10 to 12 dB)
WEIGHTS = {"constant": -2.8, "snr_db": 0.58, "rhythm": 8.0, "log_duration": 1.5}


@dataclass(frozen=True)
class Judgement:
    """``hr_bpm`` is None when it is not to be trusted; ``reason`` then says why, in a sentence.

    ``quality`` is 0–1, fitted as the chance that the rate is within 3 bpm of what the same spectrum
    finds in a contact sensor's wave. Measured against the mean rate of the true beats it says too
    little of weak but steady pulses and too much where a heart changes its rate within the window
    (docs/quality.md). ``by`` tells whose rate it is: the ``"spectrum"``'s, or that of the
    ``"beats"`` (:func:`emotion_rppg.features.beats.heart_rate.estimate_heart_rate`).
    """

    hr_bpm: float | None
    quality: float
    reason: str | None = None
    by: str = "spectrum"


@dataclass(frozen=True, eq=False)
class _Stretch:
    """What the k windows of one seen stretch show, each (k,)."""

    first: int
    stop: int
    middle_s: np.ndarray
    rate_hz: np.ndarray  # by the spectrum
    snr_db: np.ndarray
    rhythm: np.ndarray  # highest peak of the autocorrelation at a possible beat interval, ≤ 1
    rhythm_hz: np.ndarray  # the rate of that peak, NaN without one
    quality: np.ndarray


def heart_rate(signal: Signal) -> float:
    """Heart rate in beats a minute, 40–210, by the spectrum; NaN if there is nothing to look at.

    The median over windows of up to 20 s inside the stretches without NaN (of 4 s and more),
    clear windows weighing more. In each: the spectrum under a Hann window, zero-padded to 2^14
    points, its peak refined by a parabola; a peak whose half carries the rhythm is a second
    harmonic and is halved. The number alone says nothing of trust: see :func:`judge`.

    Examples
    --------
    >>> times_s = np.arange(300) / 30
    >>> round(heart_rate(Signal(np.sin(2 * np.pi * 1.2 * times_s), 30)), 1)
    72.0
    """
    slow = _slowed(signal)
    return _rate_bpm(list(_look(slow, WINDOW_S, WINDOW_S / 2)))


def snr_db(signal: Signal, hr_bpm: float) -> float:
    """Power within 6 bpm of a rate and of its double over the rest of 0.67–4 Hz, in dB.

    After de Haan and Jeanne 2013, by the bare power. NaN if the signal has no stretch of 4 s or
    the rate is NaN.
    """
    slow = _slowed(signal)
    if not math.isfinite(hr_bpm) or not _runs(slow):
        return float("nan")
    spectrum = _spectrum(slow.rate_hz)
    power = np.zeros_like(spectrum.hz)
    for first, stop in _runs(slow):
        windows, _ = _windows(slow, first, stop, WINDOW_S, WINDOW_S / 2)
        power += spectrum.power(windows, taper=True).sum(axis=0)
    return float(spectrum.snr_db(power[None], np.array([hr_bpm / 60]))[0])


def per_sample(signal: Signal) -> np.ndarray:
    """Quality of each sample, (n,) 0–1: that of the windows of 8 s about it; 0 where it is NaN.

    One window a second, linear between their middles. Stretches of less than 4 s are 0; those
    of less than 8 s are one window.
    """
    quality, times = np.zeros(len(signal)), signal.times_s
    slow = _slowed(signal)
    for part in _look(slow, SLIDING_S, STEP_S):
        first, stop = (round(i * signal.rate_hz / slow.rate_hz) for i in (part.first, part.stop))
        quality[first:stop] = np.interp(times[first:stop], part.middle_s, part.quality)
    quality[~np.isfinite(signal.samples)] = 0.0
    return quality


def rates_of_windows(
    signal: Signal, length_s: float, step_s: float
) -> list[tuple[float, float, float, float]]:
    """Estimate the heart rate of successive windows by the spectrum and by the autocorrelation.

    Returns
    -------
    list of (middle_s, spectrum_bpm, autocorrelation_bpm, quality)
        One a window; a rate is NaN where there is none.
    """
    slow = _slowed(signal)
    return [
        (float(middle), 60 * float(spectrum), 60 * float(rhythm), float(quality))
        for part in _look(slow, length_s, step_s)
        for middle, spectrum, rhythm, quality in zip(
            part.middle_s, part.rate_hz, part.rhythm_hz, part.quality, strict=True
        )
    ]


def judge(signal: Signal, *, least_quality: float = LEAST_QUALITY) -> Judgement:
    """The heart rate if it can be trusted, else None and the reason.

    Withheld: less than 6 s seen in stretches of 4 s or more; a pulse to look at in less than a
    fifth of the time; a quality below ``least_quality``; spectrum and autocorrelation that
    disagree by more than 6 bpm in most windows. Of 200 signals of each kind without a pulse it
    gives a rate for (6 s · 10 s · 30 s long): white noise 0 · 0 · 0 %, noise of 0.7–4 Hz
    0 · 0.5 · 0 %, noise of 0.7–2.5 Hz 2.5 · 3 · 0 %, brown noise 0.5 · 2.5 · 0 %; and for 95 to
    100 % of synthetic pulses 5 dB above noise of their own band. On minute-long camera waves of
    eleven real people 9 rates were given, each within 1.5 bpm of the contact sensor's. A periodic
    motion or a flickering lamp passes as a pulse, and so does the output of a network that makes
    one up: no wave alone can tell. Pictures can: where ``signal.quality`` is 0 (`estimate` puts it
    there: light or motion explains the wave), the wave counts as not seen.
    """
    judgement = _judge(signal, least_quality)
    denied = _denied(signal)
    if judgement.hr_bpm is None or not denied.any():
        return judgement
    samples = np.where(denied, np.nan, signal.samples)
    rest = _judge(replace(signal, samples=samples, quality=None), least_quality)
    if rest.hr_bpm is not None:
        return rest
    share = float(denied.sum() / max(np.isfinite(signal.samples).sum(), 1))
    return Judgement(None, min(rest.quality, LEAST_QUALITY / 2), _explained(share))


def _denied(signal: Signal) -> np.ndarray:
    """Samples that there are, but of which the quality says that they are no pulse."""
    quality = np.ones(len(signal)) if signal.quality is None else signal.quality
    return np.isfinite(signal.samples) & (quality == 0)


def _judge(signal: Signal, least_quality: float) -> Judgement:
    """By the wave alone."""
    slow = _slowed(signal)
    seen_s = sum(stop - first for first, stop in _runs(slow)) / slow.rate_hz
    if seen_s < LEAST_S - 1e-6:
        return Judgement(None, 0.0, _too_short(slow))
    parts = list(_look(slow, WINDOW_S, WINDOW_S / 2))
    coverage = seen_s / slow.duration_s
    share = min(1.0, coverage / (2 * LEAST_COVERAGE))
    quality = share * float(np.mean(np.concatenate([part.quality for part in parts])))
    if coverage < LEAST_COVERAGE:
        return Judgement(None, quality, _too_little(coverage))
    if quality < least_quality:
        snr = float(np.mean(np.concatenate([part.snr_db for part in parts])))
        return Judgement(None, quality, _no_pulse(quality, snr, least_quality))
    apart = np.concatenate([np.abs(part.rate_hz - part.rhythm_hz) for part in parts])
    if not np.mean(apart <= NEAR_HZ) >= 0.5:  # NaN counts as apart
        return Judgement(None, LEAST_QUALITY / 2, _two_rates())
    return Judgement(_rate_bpm(parts), quality)


def _too_short(signal: Signal) -> str:
    longest = max((stop - first for first, stop in signal.runs()), default=0) / signal.rate_hz
    return (
        f"the longest stretch seen without a break has {longest:.1f} s: at least {LEAST_S:g} s "
        f"are wanted, in stretches of {LEAST_RUN_S:g} s or more"
    )


def _too_little(coverage: float) -> str:
    return f"seen in {coverage:.0%} of the time: at least {LEAST_COVERAGE:.0%} is wanted"


def _no_pulse(quality: float, snr: float, least: float) -> str:
    return (
        f"no clear pulse: quality {quality:.2f}, at least {least:g} is wanted "
        f"(signal to noise {snr:.1f} dB)"
    )


def _explained(share: float) -> str:
    return (
        f"no pulse in {share:.0%} of the time: in the pictures the wave goes with light or motion, "
        "or not with the colours of blood"
    )


def _two_rates() -> str:
    return "the spectrum and the autocorrelation see different rates: want one that both see"


def _slowed(signal: Signal) -> Signal:
    return signal.resample(ENOUGH_HZ) if signal.rate_hz > ENOUGH_HZ else signal


def _runs(signal: Signal) -> list[tuple[int, int]]:
    least = LEAST_RUN_S * signal.rate_hz - 1e-6
    return [(first, stop) for first, stop in signal.runs() if stop - first >= least]


def _windows(
    signal: Signal, first: int, stop: int, length_s: float, step_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Windows (k, length) of one run, a view, and the times of their middles (k,)."""
    length = min(round(length_s * signal.rate_hz), stop - first)
    step = max(1, round(step_s * signal.rate_hz))
    starts = np.arange(first, stop - length + 1, step)
    if starts[-1] + length < stop:
        starts = np.r_[starts, stop - length]  # the last one ends with the run
    windows = np.lib.stride_tricks.sliding_window_view(signal.samples, length)[starts]
    return windows, signal.start_s + (starts + (length - 1) / 2) / signal.rate_hz


def _look(signal: Signal, length_s: float, step_s: float) -> Iterator[_Stretch]:
    spectrum = _spectrum(signal.rate_hz)
    for first, stop in _runs(signal):
        windows, middles = _windows(signal, first, stop, length_s, step_s)
        blocks = [spectrum.look(windows[i : i + BLOCK]) for i in range(0, len(windows), BLOCK)]
        yield _Stretch(first, stop, middles, *np.concatenate(blocks, axis=1))


def _rate_bpm(parts: list[_Stretch]) -> float:
    """The weighted median of all windows' rates."""
    rates = np.concatenate([part.rate_hz for part in parts] or [np.zeros(0)])
    weights = np.concatenate([part.quality + 0.01 for part in parts] or [np.zeros(0)])
    order = np.argsort(rates[np.isfinite(rates)])
    rates, weights = rates[np.isfinite(rates)][order], weights[np.isfinite(rates)][order]
    if not len(rates):
        return float("nan")
    return 60 * float(np.interp(weights.sum() / 2, np.cumsum(weights) - weights / 2, rates))


class _Spectrum:
    """Spectra of windows at one sampling rate, up to 4 Hz."""

    def __init__(self, rate_hz: float) -> None:
        self.sampled_hz = rate_hz
        hz = np.fft.rfftfreq(POINTS, 1 / rate_hz)
        self.hz = hz[hz <= BAND_END_HZ]
        self.band = self.hz >= SLOWEST_HZ
        self.rates = self.band & (self.hz <= FASTEST_HZ)
        self.lags_s = np.arange(0.0, 2.2 / SLOWEST_HZ, LAG_S)
        self.waves = np.cos(2 * np.pi * self.hz[:, None] * self.lags_s)

    def power(self, windows: np.ndarray, *, taper: bool) -> np.ndarray:
        """(k, length) -> power (k, frequencies) in the band, the linear trend taken away."""
        length = windows.shape[1]
        ramp = np.linspace(-1, 1, length)
        flat = windows - windows.mean(axis=1, keepdims=True)
        flat = flat - (flat @ ramp / (ramp @ ramp))[:, None] * ramp
        if taper:
            flat = flat * np.hanning(length + 2)[1:-1]
        power = np.abs(np.fft.rfft(flat, POINTS, axis=1)[:, : len(self.hz)]) ** 2
        power[power < 1e-20 * np.mean(windows**2 + 1e-300) * length**2] = 0.0  # rounding errors
        return power * self.band

    def look(self, windows: np.ndarray) -> np.ndarray:
        """Rate (NaN without any power), SNR, rhythm, its rate and quality of windows, (5, k)."""
        duration = windows.shape[1] / self.sampled_hz
        power = self.power(windows, taper=True)
        total = power.sum(axis=1, keepdims=True)
        power = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
        rate = self.rate(power)
        snr = self.snr_db(power * self.hz, rate)
        rhythm, rhythm_hz = self._rhythm(self.power(windows, taper=False) * self.hz, duration)
        score = WEIGHTS["constant"] + WEIGHTS["snr_db"] * snr + WEIGHTS["rhythm"] * rhythm
        score = score + WEIGHTS["log_duration"] * math.log(duration / 10)
        seen = total[:, 0] > 0
        quality = np.where(seen, 1 / (1 + np.exp(-score)), 0.0)
        return np.stack([np.where(seen, rate, np.nan), snr, rhythm, rhythm_hz, quality])

    def rate(self, power: np.ndarray) -> np.ndarray:
        """Rates (k,) in Hz of bare power (k, frequencies)."""
        weighted = np.where(self.rates, power * self.hz, 0.0)
        peak = weighted.argmax(axis=1)
        half = self._half(power, peak)
        return self._refined(power, np.where(half > 0, half, peak))

    def _half(self, power: np.ndarray, peak: np.ndarray) -> np.ndarray:
        """Where the peak is a second harmonic, the index of its fundamental, else 0.

        It is one if the wave repeats itself clearly better after two of its periods than after
        one, and if there is power at its half.
        """
        every, wave = np.arange(len(power)), power @ self.waves
        wave = wave / np.maximum(wave[:, :1], 1e-300)
        period = 1 / np.maximum(self.hz[peak], SLOWEST_HZ)
        once, twice = (wave[every, np.rint(n * period / LAG_S).astype(int)] for n in (1, 2))
        around = np.abs(self.hz - self.hz[peak, None] / 2) <= NEAR_HZ / 2
        below = np.where(around & self.rates, power, 0.0)
        found = (twice - once > 0.3) & (below.max(axis=1) > 0.1 * power[every, peak])
        return np.where(found, below.argmax(axis=1), 0)

    def _refined(self, power: np.ndarray, peak: np.ndarray) -> np.ndarray:
        """The top of the bare power's hill at a peak, between its points by a parabola, in Hz."""
        every = np.arange(len(power))
        hill = np.clip(peak[:, None] + np.arange(-8, 9), 1, len(self.hz) - 2)
        at = hill[every, power[every[:, None], hill].argmax(axis=1)]
        before, here, after = (power[every, at + i] for i in (-1, 0, 1))
        bend = before - 2 * here + after
        shift = np.divide(before - after, 2 * bend, out=np.zeros(len(at)), where=bend < 0)
        return np.asarray(self.hz[at] + np.clip(shift, -0.5, 0.5) * self.hz[1])

    def snr_db(self, power: np.ndarray, rate_hz: np.ndarray) -> np.ndarray:
        """Of power (k, frequencies) about rates (k,) in Hz."""
        away = np.minimum(*(np.abs(self.hz - times * rate_hz[:, None]) for times in (1, 2)))
        pulse = np.where(away <= NEAR_HZ, power, 0.0).sum(axis=1)
        rest = power.sum(axis=1) - pulse
        return np.asarray(10 * np.log10(np.maximum(pulse, 1e-12) / np.maximum(rest, 1e-12)))

    def _rhythm(self, power: np.ndarray, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Highest autocorrelation at 40–210 bpm (k,) and its rate in Hz, NaN without a peak."""
        use = (self.lags_s <= 1 / SLOWEST_HZ + 0.02) & (self.lags_s < 0.7 * duration_s)
        lags = self.lags_s[use]
        wave = power @ self.waves[:, use]
        wave = wave / np.maximum(wave[:, :1], 1e-300) / (1 - lags / duration_s)
        peaks = np.zeros(wave.shape, dtype=bool)
        peaks[:, 1:-1] = (wave[:, 1:-1] >= wave[:, :-2]) & (wave[:, 1:-1] > wave[:, 2:])
        peaks &= lags >= 1 / FASTEST_HZ - LAG_S
        height = np.where(peaks, wave, 0.0)
        best = height.max(axis=1)
        first = (peaks & (height >= 0.85 * best[:, None])).argmax(axis=1)  # not its double
        rate = np.divide(1.0, lags[first], out=np.full(len(wave), np.nan), where=first > 0)
        return np.clip(height[np.arange(len(wave)), first], 0.0, 1.0), rate


@lru_cache(maxsize=8)
def _spectrum(rate_hz: float) -> _Spectrum:
    return _Spectrum(rate_hz)
