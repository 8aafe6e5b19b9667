"""Time beats by a matched filter and estimate the standard error of each time, s.

The noise of a camera moves the peak of a pulse by tens of milliseconds, as much as the heart rate
variability to be measured. A matched filter of the whole beat shape (Turin 1960) gives more exact
times than the peak. Its noise is estimated from the same wave: the fitted beats are subtracted, and
the filter is applied to the residual midway between beats. What it detects there is noise with the
spectrum of the wave's own noise. denoising.py then smooths the times of a camera.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emotion_rppg.features.beats.artefacts import moving_median
from emotion_rppg.features.beats.denoising import denoise_times

FINE_HZ = 100.0  # sampling rate of the fitted wave, which has little power above 10 Hz
# Half width of the template, in intervals: the whole beat of a camera, so that noise averages out;
# only the rise of a contact wave, because the rest depends on when the next beat comes
REACH, REACH_OF_RISE = 0.5, 0.33
AROUND = 60  # beats to either side whose mean is the template
FITS = 3  # Gauss–Newton iterations
FARTHEST = 0.2  # of an interval, that a fit may move a beat
MISFIT = 1.5  # limit of the noise variance, as a multiple of the squared misfit
LEAST_SIZE = 0.3  # of the usual height: smaller beats are timed as if they had it
# Standard error of a beat's time as a share of its misfit: against 17,000 successive intervals that
# a wristband accepts (seven people), the errors are 0.63 to 0.70 of it
PER_MISFIT = 0.65


class Fit(NamedTuple):
    """Fitted beats, (n,) each: times, and heights scaled to timing errors, s.

    ``misfit_s``: residual of each beat after subtracting the template, scaled alike.
    ``between_s`` (n, 2): time and height that the filter estimates midway to the next beat; NaN
    where unknown. ``size``: height relative to the median of the beats around.
    """

    times_s: np.ndarray
    height_s: np.ndarray
    misfit_s: np.ndarray
    between_s: np.ndarray
    size: np.ndarray


class Timing(NamedTuple):
    """Times of beats, their standard errors and their misfits to the template, s, (n,) each.

    ``difference_error_s``: standard error of the difference of the two intervals on either side.
    ``size``: height relative to the median of the sixty beats to either side.
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

    The error is that caused by the noise of the wave. It excludes a delay that all beats share, and
    the pulse transit time from heart to sensor. Fewer than four beats are not moved; their errors,
    misfits and sizes are NaN.

    Parameters
    ----------
    wave, clock_s : arrays (m,)
        A pulse wave without drift, and the increasing times of its samples, s.
    first_s : array (n,)
        First estimates of the beat times, increasing, s.
    denoise : bool
        Denoise all times jointly (camera). Otherwise (contact sensor) the error of each beat
        follows from its own misfit.
    """
    if len(first_s) < 4:
        unknown = np.full(len(first_s), np.nan)
        return Timing(first_s, unknown, unknown, unknown, unknown)
    even = np.arange(clock_s[0], clock_s[-1], 1 / FINE_HZ)
    reach = REACH if denoise else REACH_OF_RISE
    fit = fit_template(np.interp(even, clock_s, wave), first_s - clock_s[0], reach=reach)
    if not denoise:
        error = PER_MISFIT * fit.misfit_s
        return Timing(
            clock_s[0] + fit.times_s, error, _difference_error(error), fit.misfit_s, fit.size
        )
    most = MISFIT * float(np.nanmedian(fit.misfit_s)) ** 2
    denoised = denoise_times(fit.times_s, fit.height_s, most, fit.between_s)
    times, error, difference_error = denoised
    return Timing(clock_s[0] + times, error, difference_error, fit.misfit_s, fit.size)


def _difference_error(error_s: np.ndarray) -> np.ndarray:
    """Standard error of t[k-1] - 2 t[k] + t[k+1] for independent errors of the times, (n,)."""
    square = np.pad(error_s**2, 1, mode="edge")
    return np.asarray(np.sqrt(square[:-2] + 4 * square[1:-1] + square[2:]))


def fit_template(wave: np.ndarray, first_s: np.ndarray, *, reach: float = REACH) -> Fit:
    """Fit time and height of each beat to the mean shape of its neighbours by Gauss–Newton steps.

    ``wave`` (m,) is sampled at ``FINE_HZ``; ``first_s`` (n,) is in seconds after its first sample.
    The misfit of a beat that the edge of the wave cuts short is NaN.
    """
    from scipy.interpolate import CubicSpline

    interval = float(np.median(np.diff(first_s)))
    points = max(int(reach * interval * FINE_HZ), 4)
    offsets = np.arange(-points, points + 1) / FINE_HZ
    weight = np.sqrt(np.hanning(2 * points + 3)[1:-1])
    curve = CubicSpline(np.arange(len(wave)) / FINE_HZ, wave, extrapolate=False)
    times = first_s
    for _ in range(FITS):
        fitted_at, cut = times, np.nan_to_num(curve(times[:, None] + offsets))
        template = _template(cut, weight)
        size, shift, scale, misfit = _project(cut, template, weight)
        usual = max(float(np.median(size)), 1e-12)
        divisor = np.maximum(size, max(LEAST_SIZE * float(np.median(size)), 1e-12))
        times = times - np.clip(shift / divisor, -0.1 * interval, 0.1 * interval)
        times = first_s + np.clip(times - first_s, -FARTHEST * interval, FARTHEST * interval)
    misfit_s = np.sqrt(misfit) / np.maximum(size, LEAST_SIZE * usual)
    margin_s = REACH_OF_RISE * interval
    inside = (fitted_at >= margin_s) & (fitted_at <= (len(wave) - 1) / FINE_HZ - margin_s)
    misfit_s[~inside] = np.nan
    residual = wave - _render(len(wave), fitted_at, offsets, template * size[:, None])
    between = _noise_between(residual, fitted_at, offsets, template, weight) / usual
    around = np.maximum(moving_median(size, 2 * AROUND + 1), 1e-3 * usual)
    return Fit(times, size / usual * scale, misfit_s, between, size / around)


def _project(
    cut: np.ndarray, template: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Least-squares size and shift of each template in a cut of the wave, (n,) each.

    And the factor that scales a relative height to the timing error of the same noise, and the sum
    of squares of the residual relative to that of the slope.
    """
    slope = np.gradient(template, 1 / FINE_HZ, axis=1) * weight
    template, cut = template * weight, cut * weight
    a, b, c = (
        np.sum(x * y, axis=1) for x, y in ((template, template), (slope, slope), (template, slope))
    )
    p, q = np.sum(cut * template, axis=1), np.sum(cut * slope, axis=1)
    area, b = np.maximum(a * b - c**2, 1e-30), np.maximum(b, 1e-30)
    size, shift = (p * b - q * c) / area, (q * a - p * c) / area
    residual = cut - size[:, None] * template - shift[:, None] * slope
    return size, shift, np.sqrt(a / b), np.sum(residual**2, axis=1) / b


def _template(cut: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Template of each beat: the mean of the beats around it, of unit size, without itself."""
    norm = np.linalg.norm(cut * weight, axis=1, keepdims=True)
    unit = cut / np.maximum(norm, max(LEAST_SIZE * float(np.median(norm)), 1e-12))
    total = np.cumsum(np.r_[np.zeros((1, unit.shape[1])), unit], axis=0)
    k = np.arange(len(unit))
    last, first = np.minimum(k + AROUND + 1, len(k)), np.maximum(k - AROUND, 0)
    return np.asarray((total[last] - total[first] - unit) / (last - first - 1)[:, None])


def _render(n: int, times: np.ndarray, offsets: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """The wave (n,) of the fitted beats; each sample is that of the nearest beat."""
    at = np.arange(n) / FINE_HZ
    nearest = np.searchsorted((times[1:] + times[:-1]) / 2, at)
    place = np.clip((at - times[nearest] - offsets[0]) * FINE_HZ, 0, len(offsets) - 1.001)
    low = place.astype(int)
    part = place - low
    return np.asarray((1 - part) * beats[nearest, low] + part * beats[nearest, low + 1])


def _noise_between(
    residual: np.ndarray,
    times: np.ndarray,
    offsets: np.ndarray,
    template: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """Time and height, s, (n, 2), that the filter estimates midway to the next beat.

    For beats of unit size: noise alone, as there is no beat.
    """
    middle = np.r_[(times[1:] + times[:-1]) / 2, np.nan]
    at = middle[:, None] + offsets
    known = (at[:, 0] >= 0) & (at[:, -1] <= (len(residual) - 1) / FINE_HZ)
    cut = np.interp(at[known], np.arange(len(residual)) / FINE_HZ, residual)
    size, shift, scale, _ = _project(cut, template[known], weight)
    out = np.full((len(times), 2), np.nan)
    out[known] = np.column_stack([-shift, size * scale])
    return out
