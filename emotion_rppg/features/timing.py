"""When a camera's beats were: each fitted by the shape of the others, then cleared of noise.

The noise of a camera moves the top of a pulse by tens of milliseconds, the size of what is to be
measured. Two things help. The whole shape of a beat tells its time better than its top does (the
matched filter: Turin 1960). And noise falls on the time and on the height of a beat alike, while
the heart moves the times in narrow bands (breathing, the 0.1 Hz rhythm): so the heights tell how
much of the times is noise, frequency by frequency (Boll 1979), and the times are smoothed by just
that (Wiener 1949), beats far off by more than that counting less. Where every beat fits the shape
there is no noise to take, whatever times and heights do.
"""

from __future__ import annotations

import numpy as np

FINE_HZ = 100.0  # of the wave that is fitted; it holds little above 10 Hz
REACH = 0.5  # intervals to either side that are a beat's shape
AROUND = 60  # beats to either side whose mean is the shape
FITS = 3
FARTHEST = 0.2  # of an interval, that a fit may move a beat
FEWEST = 16  # beats, below which times are not smoothed
WINDOW = 64  # beats of the spectra that tell heart from noise
TAIL = 0.3  # cycles a beat, faster than breathing: noise
SLOW = 0.02  # cycles a beat, below which everything is the heart's
SPREAD = 3  # bins to either side over which the spectrum is averaged
POWER = 2  # of the gain: noise that is taken for heart costs more than the reverse
MISFIT = 1.5  # times the variance that a beat's misfit to the shape allows is the most of noise
LEAST_S = 1e-3  # of noise: nothing about a pulse is surer than a millisecond
ROUNDS, TAILS = 3, 4.0  # of counting outliers less; degrees of freedom of Student's t


def beat_times(wave: np.ndarray, clock_s: np.ndarray, first_s: np.ndarray) -> np.ndarray:
    """Times of beats (n,), s, from where they are about.

    Parameters
    ----------
    wave, clock_s : arrays (m,)
        A pulse wave without drift, and the times of its samples, increasing.
    first_s : array (n,)
        Increasing times close to the beats.
    """
    if len(first_s) < 4:
        return first_s
    even = np.arange(clock_s[0], clock_s[-1], 1 / FINE_HZ)
    times, height_s, misfit_s = _fitted(np.interp(even, clock_s, wave), first_s - clock_s[0])
    return clock_s[0] + _settled(times, height_s, MISFIT * misfit_s**2)


def _fitted(wave: np.ndarray, first_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Times (n,), heights in the s of time noise that they tell of (n,), and the misfit in s.

    Gauss–Newton steps towards the shift and height of each beat's neighbours that fit it best.
    """
    from scipy.interpolate import CubicSpline

    interval = float(np.median(np.diff(first_s)))
    reach = max(int(REACH * interval * FINE_HZ), 4)
    offsets = np.arange(-reach, reach + 1) / FINE_HZ
    weight = np.sqrt(np.hanning(2 * reach + 3)[1:-1])
    curve = CubicSpline(np.arange(len(wave)) / FINE_HZ, wave, extrapolate=False)
    times = first_s
    for _ in range(FITS):
        seen = np.nan_to_num(curve(times[:, None] + offsets))
        shape = _others(seen, weight)
        slope = np.gradient(shape, 1 / FINE_HZ, axis=1) * weight
        shape, seen = shape * weight, seen * weight
        a, b, c = (
            np.sum(x * y, axis=1) for x, y in ((shape, shape), (slope, slope), (shape, slope))
        )
        p, q = np.sum(seen * shape, axis=1), np.sum(seen * slope, axis=1)
        area = np.maximum(a * b - c**2, 1e-30)
        size, early = (p * b - q * c) / area, (q * a - p * c) / area
        floor = max(0.3 * float(np.median(size)), 1e-12)
        times = times - np.clip(early / np.maximum(size, floor), -0.1 * interval, 0.1 * interval)
        times = first_s + np.clip(times - first_s, -FARTHEST * interval, FARTHEST * interval)
    usual = max(float(np.median(size)), 1e-12)
    b = np.maximum(b, 1e-30)
    rest = seen - size[:, None] * shape - early[:, None] * slope
    misfit = np.sum(rest**2, axis=1) / np.maximum(size**2, floor**2) / b
    return times, size / usual * np.sqrt(a / b), float(np.sqrt(np.median(misfit)))


def _others(seen: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of the beats about each, each of unit size and itself left out, like ``seen``."""
    norm = np.linalg.norm(seen * weight, axis=1, keepdims=True)
    unit = seen / np.maximum(norm, max(0.3 * float(np.median(norm)), 1e-12))
    total = np.cumsum(np.r_[np.zeros((1, unit.shape[1])), unit], axis=0)
    k = np.arange(len(unit))
    last, first = np.minimum(k + AROUND + 1, len(k)), np.maximum(k - AROUND, 0)
    return np.asarray((total[last] - total[first] - unit) / (last - first - 1)[:, None])


def _settled(times: np.ndarray, height_s: np.ndarray, most: float) -> np.ndarray:
    """Times less their noise, (n,), a variance of ``most`` s² at most."""
    n = len(times)
    length = min(WINDOW, n) // 2 * 2
    if n < FEWEST:
        return times
    line, rest = _trend(times)
    lead = min(length // 2, n - 1)
    rest = np.pad(rest, lead, mode="reflect", reflect_type="odd")
    height_s = np.pad(height_s, lead, mode="reflect")
    weight = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    out, norm = np.zeros(len(rest)), np.zeros(len(rest))
    end = len(rest) - length
    for start in np.unique(np.r_[np.arange(0, end, length // 4), end]):
        part = slice(start, start + length)
        slow, quick = _trend(rest[part])
        out[part] += weight * (slow + _cleared(quick, _trend(height_s[part])[1], weight, most))
        norm[part] += weight
    return np.asarray(line + (out / norm)[lead : lead + n])


def _trend(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The straight line through x, and what is left."""
    ramp = np.linspace(-1, 1, len(x))
    line = x.mean() + ramp * (x @ ramp) / (ramp @ ramp)
    return line, x - line


def _cleared(times: np.ndarray, heights: np.ndarray, weight: np.ndarray, most: float) -> np.ndarray:
    """The heart's part of a window's times: their mean given what the heights tell of noise."""
    n = len(times)
    apart = np.abs(np.arange(n)[:, None] - np.arange(n))
    excess, quiet = np.ones(n), times
    unit = weight / np.sqrt(np.sum(weight**2))  # power is then variance
    for _ in range(ROUNDS + 1):
        heart, noise = _powers(quiet * unit, heights * unit, max(most, LEAST_S**2))
        covariance = np.fft.irfft(heart)[apart]
        heard = covariance @ np.linalg.solve(covariance + np.diag(noise * excess), times)
        off = (times - heard) ** 2 / noise
        excess = np.maximum((TAILS + off) / (TAILS + 1), 1.0)
        quiet = heard + (times - heard) / np.sqrt(excess)
    return np.asarray(heard)


def _powers(times: np.ndarray, heights: np.ndarray, most: float) -> tuple[np.ndarray, float]:
    """Power of the heart at each frequency of a window padded to twice its length; of noise."""
    at = np.fft.rfftfreq(2 * len(times))
    moved, swollen = (np.abs(np.fft.rfft(x, 2 * len(x))) ** 2 for x in (times, heights))
    near = np.hanning(2 * SPREAD + 3)[1:-1]
    moved = np.convolve(moved, near / near.sum(), "same")
    tail = at > TAIL
    noise = min(float(moved[tail].mean()), float(swollen[tail].mean()), most)
    noise = max(noise, LEAST_S**2)
    gain = np.maximum(1 - noise / np.maximum(moved, noise), 0.0) ** POWER
    heart = noise * gain / (1 - gain)
    return np.where(at < SLOW, np.maximum(moved, 1e4 * noise), heart), noise
