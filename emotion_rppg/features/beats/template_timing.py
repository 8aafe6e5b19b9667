"""Time beats by their whole shape, and estimate the standard error of each time.

The noise of a camera moves the top of a pulse by tens of milliseconds, the size of what is to be
measured. The whole shape of a beat tells its time better than its top does (the matched filter:
Turin 1960). How far noise still moves it is read from the same wave: what is left of it when the
fitted beats are taken away is given to the same filter midway between beats, where none is. What
the filter finds there is noise alone, of the wave's own colour. settling.py clears the times of
noise, and says by how much they may still be wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emotion_rppg.features.beats.artefacts import moving_median
from emotion_rppg.features.beats.denoising import settled

FINE_HZ = 100.0  # of the wave that is fitted; it holds little above 10 Hz
# Intervals to either side that are a beat's shape: all of it where noise is to be averaged out; of
# a contact wave its rise, since what follows it depends on when the next beat comes
REACH, REACH_OF_RISE = 0.5, 0.33
AROUND = 60  # beats to either side whose mean is the shape
FITS = 3
FARTHEST = 0.2  # of an interval, that a fit may move a beat
MISFIT = 1.5  # times the variance that a beat's misfit to the shape allows is the most of noise
LEAST_SIZE = 0.3  # of the usual one: smaller beats are timed as if they were that large
# Standard error of a beat's time in parts of its misfit: against 17,000 successive intervals that a
# wristband itself calls clean (seven people) the errors of ours are 0.63 to 0.70 of it
PER_MISFIT = 0.65


class Fit(NamedTuple):
    """Beats as fitted, (n,) each: seconds, and heights in the seconds of noise they tell of.

    ``misfit_s`` (n,): the same of what is left of each beat when the fitted shape is taken away.
    ``beside_s`` (n, 2): time and height of the noise midway to the next beat, NaN where unknown.
    """

    times_s: np.ndarray
    height_s: np.ndarray
    misfit_s: np.ndarray
    beside_s: np.ndarray
    size: np.ndarray


class Timing(NamedTuple):
    """Times of beats, their standard errors and how badly each fits the shape, s, (n,) each.

    ``difference_error_s``: standard error of the difference of the two intervals about a beat.
    ``size`` (n,): the height of each, 1 that of the usual beat among the sixty about it.
    """

    times_s: np.ndarray
    error_s: np.ndarray
    difference_error_s: np.ndarray
    misfit_s: np.ndarray
    size: np.ndarray


def beat_times(
    wave: np.ndarray, clock_s: np.ndarray, first_s: np.ndarray, *, denoise: bool = True
) -> Timing:
    """Estimate the times of beats, their standard errors and their misfits, s, (n,) each.

    The error is what the noise of the wave makes of it; it knows of no delay that all beats share,
    and of none between heart and face. All but the times are NaN for fewer than four beats, which
    are not moved.

    Parameters
    ----------
    wave, clock_s : arrays (m,)
        A pulse wave without drift, and the times of its samples, increasing.
    first_s : array (n,)
        Increasing times close to the beats.
    denoise : bool
        Smooth the times as the noise of a camera demands (denoising of all beats together). Without
        it, as for a contact sensor, each beat's error follows from its own misfit.
    """
    if len(first_s) < 4:
        unknown = np.full(len(first_s), np.nan)
        return Timing(first_s, unknown, unknown, unknown, unknown)
    even = np.arange(clock_s[0], clock_s[-1], 1 / FINE_HZ)
    reach = REACH if denoise else REACH_OF_RISE
    fit = fitted(np.interp(even, clock_s, wave), first_s - clock_s[0], reach=reach)
    if not denoise:
        error = PER_MISFIT * fit.misfit_s
        return Timing(clock_s[0] + fit.times_s, error, _of_three(error), fit.misfit_s, fit.size)
    most = MISFIT * float(np.nanmedian(fit.misfit_s)) ** 2
    times, error, of_difference = settled(fit.times_s, fit.height_s, most, fit.beside_s)
    return Timing(clock_s[0] + times, error, of_difference, fit.misfit_s, fit.size)


def _of_three(error_s: np.ndarray) -> np.ndarray:
    """Standard error of t[k-1] - 2 t[k] + t[k+1] where the times err independently, (n,)."""
    square = np.pad(error_s**2, 1, mode="edge")
    return np.asarray(np.sqrt(square[:-2] + 4 * square[1:-1] + square[2:]))


def fitted(wave: np.ndarray, first_s: np.ndarray, *, reach: float = REACH) -> Fit:
    """Gauss–Newton steps towards the shift and height of each beat's neighbours that fit it best.

    The misfit of a beat that the edge of the wave cuts short is unknown: NaN.

    ``wave`` (m,) is at ``FINE_HZ``, ``first_s`` (n,) in seconds after its first sample.
    """
    from scipy.interpolate import CubicSpline

    interval = float(np.median(np.diff(first_s)))
    points = max(int(reach * interval * FINE_HZ), 4)
    offsets = np.arange(-points, points + 1) / FINE_HZ
    weight = np.sqrt(np.hanning(2 * points + 3)[1:-1])
    curve = CubicSpline(np.arange(len(wave)) / FINE_HZ, wave, extrapolate=False)
    times = first_s
    for _ in range(FITS):
        fitted_at, seen = times, np.nan_to_num(curve(times[:, None] + offsets))
        shape = _others(seen, weight)
        size, early, gauge, misfit = _projected(seen, shape, weight)
        usual = max(float(np.median(size)), 1e-12)
        size_s = np.maximum(size, max(LEAST_SIZE * float(np.median(size)), 1e-12))
        times = times - np.clip(early / size_s, -0.1 * interval, 0.1 * interval)
        times = first_s + np.clip(times - first_s, -FARTHEST * interval, FARTHEST * interval)
    misfit_s = np.sqrt(misfit) / np.maximum(size, LEAST_SIZE * usual)
    margin_s = REACH_OF_RISE * interval
    inside = (fitted_at >= margin_s) & (fitted_at <= (len(wave) - 1) / FINE_HZ - margin_s)
    misfit_s[~inside] = np.nan
    rest = wave - _drawn(len(wave), fitted_at, offsets, shape * size[:, None])
    beside = _between(rest, fitted_at, offsets, shape, weight) / usual
    about = np.maximum(moving_median(size, 2 * AROUND + 1), 1e-3 * usual)
    return Fit(times, size / usual * gauge, misfit_s, beside, size / about)


def _projected(
    seen: np.ndarray, shape: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """How much of each beat's shape, and of its slope, is in what is seen, by least squares (n,).

    Then the factor that turns a relative height into the time that the same noise would move; and
    the square of what is left, over that of the slope.
    """
    slope = np.gradient(shape, 1 / FINE_HZ, axis=1) * weight
    shape, seen = shape * weight, seen * weight
    a, b, c = (np.sum(x * y, axis=1) for x, y in ((shape, shape), (slope, slope), (shape, slope)))
    p, q = np.sum(seen * shape, axis=1), np.sum(seen * slope, axis=1)
    area, b = np.maximum(a * b - c**2, 1e-30), np.maximum(b, 1e-30)
    size, early = (p * b - q * c) / area, (q * a - p * c) / area
    rest = seen - size[:, None] * shape - early[:, None] * slope
    return size, early, np.sqrt(a / b), np.sum(rest**2, axis=1) / b


def _others(seen: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of the beats about each, each of unit size and itself left out, like ``seen``."""
    norm = np.linalg.norm(seen * weight, axis=1, keepdims=True)
    unit = seen / np.maximum(norm, max(LEAST_SIZE * float(np.median(norm)), 1e-12))
    total = np.cumsum(np.r_[np.zeros((1, unit.shape[1])), unit], axis=0)
    k = np.arange(len(unit))
    last, first = np.minimum(k + AROUND + 1, len(k)), np.maximum(k - AROUND, 0)
    return np.asarray((total[last] - total[first] - unit) / (last - first - 1)[:, None])


def _drawn(n: int, times: np.ndarray, offsets: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """The wave (n,) that the fitted beats make, at each moment that of the nearest one."""
    at = np.arange(n) / FINE_HZ
    nearest = np.searchsorted((times[1:] + times[:-1]) / 2, at)
    place = np.clip((at - times[nearest] - offsets[0]) * FINE_HZ, 0, len(offsets) - 1.001)
    low = place.astype(int)
    part = place - low
    return np.asarray((1 - part) * beats[nearest, low] + part * beats[nearest, low + 1])


def _between(
    rest: np.ndarray,
    times: np.ndarray,
    offsets: np.ndarray,
    shape: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """Time and height, s, (n, 2), of what the filter takes for a beat midway to the next one.

    For beats of unit size.
    """
    middle = np.r_[(times[1:] + times[:-1]) / 2, np.nan]
    at = middle[:, None] + offsets
    known = (at[:, 0] >= 0) & (at[:, -1] <= (len(rest) - 1) / FINE_HZ)
    seen = np.interp(at[known], np.arange(len(rest)) / FINE_HZ, rest)
    size, early, gauge, _ = _projected(seen, shape[known], weight)
    found = np.full((len(times), 2), np.nan)
    found[known] = np.column_stack([-early, size * gauge])
    return found
