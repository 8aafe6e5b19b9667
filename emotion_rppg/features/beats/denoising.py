"""Denoise camera beat times and estimate their residual standard error, s.

Noise affects the time and the height of a beat alike, while the heart moves the times in narrow
bands (breathing, the 0.1-Hz rhythm). So the heights give the noise power of the times at each
frequency (Boll 1979), and a Wiener filter (Wiener 1949) removes that much; outliers get a lower
weight. Where every beat fits the shape, the misfit limits the noise to almost none, whatever times
and heights do.

The residual error of a time has two parts: noise that passes the filter, and heart rate variability
that the filter removes. Both follow from the filter and from the noise measured between beats
(template_timing.py). Smoothed times vary less than the heart where noise is strong: RMSSD is then
too small (docs/beats.md gives the bias).
"""

from __future__ import annotations

import numpy as np

FEWEST = 16  # beats, below which times are not smoothed
WINDOW = 64  # beats of a spectrum
TAIL = 0.3  # cycles a beat, faster than breathing: above it there is only noise
SLOW = 0.02  # cycles a beat, below which all power is the heart's
SPREAD = 3  # bins to either side over which the spectrum is averaged
POWER = 1.7  # exponent of the gain: noise taken for the heart costs more than the reverse
LEAST_S = 1e-3  # smallest noise: no beat time is more exact than a millisecond
ROUNDS, TAILS = 3, 4.0  # iterations of the outlier weights; degrees of freedom of Student's t
FAR = 3.0  # robust standard deviations, beyond which noise between beats is clipped


def denoise_times(
    times: np.ndarray, height_s: np.ndarray, most: float, between_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Denoise beat times, s, and estimate two standard errors of each, s, (n,) all three.

    The first error is that of the time, the second that of the difference of the two intervals on
    either side of the beat. Errors of smoothed times are correlated, so differences have smaller
    errors than independent times would have.

    Parameters
    ----------
    times : array (n,)
        Fitted beat times, s.
    height_s : array (n,)
        Beat heights, scaled to the timing error that the same noise causes, s.
    most : float
        Upper limit of the noise variance, s².
    between_s : array (n, 2)
        Time and height, s, that the filter estimates midway between beats; NaN where unknown.
    """
    n = len(times)
    length = min(WINDOW, n) // 2 * 2
    if n < FEWEST:
        error = np.sqrt(variance_between(between_s))
        return times, np.full(n, error), np.full(n, np.sqrt(6) * error)
    line, rest = _trend(times)
    lead = min(length // 2, n - 1)
    rest = np.pad(rest, lead, mode="reflect", reflect_type="odd")
    height_s = np.pad(height_s, lead, mode="reflect")
    between_s = np.pad(between_s, ((lead, lead), (0, 0)), mode="reflect")
    weight = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    out, of_time, of_difference, total = np.zeros((4, len(rest)))
    end = len(rest) - length
    for start in np.unique(np.r_[np.arange(0, end, length // 4), end]):
        part = slice(start, start + length)
        trend, times_part = _trend(rest[part])
        heights, noise = _trend(height_s[part])[1], variance_between(between_s[part])
        heart, variance, difference = _denoised(times_part, heights, weight, most, noise)
        out[part] += weight * (trend + heart)
        of_time[part] += weight * variance
        of_difference[part] += weight * difference
        total[part] += weight
    own = slice(lead, lead + n)
    errors = [np.sqrt((variance / total)[own]) for variance in (of_time, of_difference)]
    return np.asarray(line + (out / total)[own]), errors[0], errors[1]


def variance_between(between_s: np.ndarray) -> float:
    """Estimate the noise variance of a fitted time from the estimates between beats, s²."""
    variance = (_power(np.diff(between_s[:, 0], 2)) / 6 + _power(between_s[:, 1])) / 2
    return max(variance, LEAST_S**2)


def _power(x: np.ndarray) -> float:
    """Mean square of the finite values, outliers clipped; 0 if there is none."""
    x = x[np.isfinite(x)]
    if not len(x):
        return 0.0
    middle = float(np.median(x))
    far = FAR * 1.4826 * float(np.median(np.abs(x - middle)))
    return float(np.mean(np.clip(x, middle - far, middle + far) ** 2))


def _trend(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least-squares line through ``x`` and the residual, (n,) each."""
    ramp = np.linspace(-1, 1, len(x))
    line = x.mean() + ramp * (x @ ramp) / (ramp @ ramp)
    return line, x - line


def _denoised(
    times: np.ndarray, heights: np.ndarray, weight: np.ndarray, most: float, between: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Denoised times of a window, s; error variances of these and of their second differences, s².

    The times are the posterior mean under Gaussian spectra of heart and noise, with Student's t
    weights for outliers. (n,) each; ``between`` is the noise variance between beats.
    """
    n = len(times)
    lags = np.abs(np.arange(n)[:, None] - np.arange(n))
    excess, clipped = np.ones(n), times
    unit = weight / np.sqrt(np.sum(weight**2))  # power is then variance
    for _ in range(ROUNDS + 1):
        total, heart, noise = _powers(clipped * unit, heights * unit, max(most, LEAST_S**2))
        covariance = np.fft.irfft(heart)[lags]
        smoother = np.linalg.solve(covariance + np.diag(noise * excess), covariance).T
        heart_s = smoother @ times
        off = (times - heart_s) ** 2 / noise
        excess = np.maximum((TAILS + off) / (TAILS + 1), 1.0)
        clipped = heart_s + (times - heart_s) / np.sqrt(excess)
    # the true power of the heart: that of the slow part as it is, else what exceeds the noise
    power = np.where(heart > total, heart, np.maximum(total - between, 0.0))
    spread, removed = np.fft.irfft(power)[lags], smoother - np.eye(n)
    second_differences = (
        np.pad(np.diff(x, 2, axis=0), ((1, 1), (0, 0)), mode="edge") for x in (removed, smoother)
    )
    variances = [
        np.maximum(np.sum((bias @ spread) * bias, axis=1) + between * passed, 0.0)
        for bias, passed in (
            (lost, np.sum(through**2 * excess, axis=1))
            for lost, through in ((removed, smoother), tuple(second_differences))
        )
    ]
    return np.asarray(heart_s), variances[0], variances[1]


def _powers(
    times: np.ndarray, heights: np.ndarray, most: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Power spectra of the times of a window and of the heart in them, and the noise power.

    At the frequencies of the window padded to twice its length.
    """
    cycles = np.fft.rfftfreq(2 * len(times))
    total, of_heights = (np.abs(np.fft.rfft(x, 2 * len(x))) ** 2 for x in (times, heights))
    near = np.hanning(2 * SPREAD + 3)[1:-1]
    total = np.convolve(total, near / near.sum(), "same")
    tail = cycles > TAIL
    noise = min(float(total[tail].mean()), float(of_heights[tail].mean()), most)
    noise = max(noise, LEAST_S**2)
    gain = np.maximum(1 - noise / np.maximum(total, noise), 0.0) ** POWER
    heart = noise * gain / (1 - gain)
    slow = cycles < SLOW
    return total, np.where(slow, np.maximum(total, 1e4 * noise), heart), noise
