"""Beat times cleared of the noise of a camera, and the error that is left in each.

Noise falls on the time and on the height of a beat alike, while the heart moves the times in narrow
bands (breathing, the 0.1 Hz rhythm): so the heights tell how much of the times is noise, frequency
by frequency (Boll 1979), and the times are smoothed by just that (Wiener 1949), beats far off by
more than that counting less. Where every beat fits the shape there is no noise to take, whatever
times and heights do.

What is left in a time is the noise that the smoothing lets through and the part of the heart that
it takes away. Both follow from the smoothing itself and from the noise that was measured between
beats (timing.py). Smoothed times vary less than the heart where noise is strong: RMSSD is then too
small, by measures that docs/beats.md gives.
"""

from __future__ import annotations

import numpy as np

FEWEST = 16  # beats, below which times are not smoothed
WINDOW = 64  # beats of the spectra that tell heart from noise
TAIL = 0.3  # cycles a beat, faster than breathing: noise
SLOW = 0.02  # cycles a beat, below which everything is the heart's
SPREAD = 3  # bins to either side over which the spectrum is averaged
POWER = 1.7  # of the gain: noise that is taken for heart costs more than the reverse
LEAST_S = 1e-3  # of noise: nothing about a pulse is surer than a millisecond
ROUNDS, TAILS = 3, 4.0  # of counting outliers less; degrees of freedom of Student's t
FAR = 3.0  # robust standard deviations, beyond which noise between beats is clipped


def settled(
    times: np.ndarray, height_s: np.ndarray, most: float, beside_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Denoise beat times, s; estimate the standard errors left in each, s, (n,) all three.

    The second is that of a time, the third that of the difference of the two intervals about a
    beat: smoothed times err alike, so that their differences err less than they do.

    Parameters
    ----------
    times : array (n,)
        Beats as fitted, s.
    height_s : array (n,)
        Their heights in the seconds of noise that they tell of.
    most : float
        Variance that noise is allowed at most, s².
    beside_s : array (n, 2)
        Time and height, s, that the fit finds between beats; NaN where unknown.
    """
    n = len(times)
    length = min(WINDOW, n) // 2 * 2
    if n < FEWEST:
        error = np.sqrt(between_beats(beside_s))
        return times, np.full(n, error), np.full(n, np.sqrt(6) * error)
    line, rest = _trend(times)
    lead = min(length // 2, n - 1)
    rest = np.pad(rest, lead, mode="reflect", reflect_type="odd")
    height_s = np.pad(height_s, lead, mode="reflect")
    beside_s = np.pad(beside_s, ((lead, lead), (0, 0)), mode="reflect")
    weight = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    out, error, bend, norm = np.zeros((4, len(rest)))
    end = len(rest) - length
    for start in np.unique(np.r_[np.arange(0, end, length // 4), end]):
        part = slice(start, start + length)
        slow, quick = _trend(rest[part])
        heights, between = _trend(height_s[part])[1], between_beats(beside_s[part])
        heart, variance, of_difference = _cleared(quick, heights, weight, most, between)
        out[part] += weight * (slow + heart)
        error[part] += weight * variance
        bend[part] += weight * of_difference
        norm[part] += weight
    own = slice(lead, lead + n)
    of_time, of_difference = (np.sqrt((each / norm)[own]) for each in (error, bend))
    return np.asarray(line + (out / norm)[own]), of_time, of_difference


def between_beats(beside_s: np.ndarray) -> float:
    """Variance of a beat's fitted time by what the fit finds between beats, s²."""
    found = (_power(np.diff(beside_s[:, 0], 2)) / 6 + _power(beside_s[:, 1])) / 2
    return max(found, LEAST_S**2)


def _power(x: np.ndarray) -> float:
    """Mean square, what is far from the rest clipped; 0 where nothing is known."""
    x = x[np.isfinite(x)]
    if not len(x):
        return 0.0
    middle = float(np.median(x))
    far = FAR * 1.4826 * float(np.median(np.abs(x - middle)))
    return float(np.mean(np.clip(x, middle - far, middle + far) ** 2))


def _trend(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The straight line through x, and what is left."""
    ramp = np.linspace(-1, 1, len(x))
    line = x.mean() + ramp * (x @ ramp) / (ramp @ ramp)
    return line, x - line


def _cleared(
    times: np.ndarray, heights: np.ndarray, weight: np.ndarray, most: float, between: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The heart's part of a window's times, their mean given what the heights tell of noise.

    And the variance of its error and of that of its second difference, (n,) each.
    """
    n = len(times)
    apart = np.abs(np.arange(n)[:, None] - np.arange(n))
    excess, quiet = np.ones(n), times
    unit = weight / np.sqrt(np.sum(weight**2))  # power is then variance
    for _ in range(ROUNDS + 1):
        moved, heart, noise = _powers(quiet * unit, heights * unit, max(most, LEAST_S**2))
        covariance = np.fft.irfft(heart)[apart]
        taken = np.linalg.solve(covariance + np.diag(noise * excess), covariance).T
        heart_s = taken @ times
        off = (times - heart_s) ** 2 / noise
        excess = np.maximum((TAILS + off) / (TAILS + 1), 1.0)
        quiet = heart_s + (times - heart_s) / np.sqrt(excess)
    kept = np.where(heart > moved, heart, np.maximum(moved - between, 0.0))  # the slow part, whole
    spread, lost = np.fft.irfft(kept)[apart], taken - np.eye(n)
    bends = (np.pad(np.diff(x, 2, axis=0), ((1, 1), (0, 0)), mode="edge") for x in (lost, taken))
    variances = [
        np.maximum(np.sum((off_by @ spread) * off_by, axis=1) + between * noise_in, 0.0)
        for off_by, noise_in in (
            (one, np.sum(through**2 * excess, axis=1))
            for one, through in ((lost, taken), tuple(bends))
        )
    ]
    return np.asarray(heart_s), variances[0], variances[1]


def _powers(
    times: np.ndarray, heights: np.ndarray, most: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Power at each frequency of a window padded to twice its length: of its times, of the heart.

    And the noise's.
    """
    at = np.fft.rfftfreq(2 * len(times))
    moved, swollen = (np.abs(np.fft.rfft(x, 2 * len(x))) ** 2 for x in (times, heights))
    near = np.hanning(2 * SPREAD + 3)[1:-1]
    moved = np.convolve(moved, near / near.sum(), "same")
    tail = at > TAIL
    noise = min(float(moved[tail].mean()), float(swollen[tail].mean()), most)
    noise = max(noise, LEAST_S**2)
    gain = np.maximum(1 - noise / np.maximum(moved, noise), 0.0) ** POWER
    heart = noise * gain / (1 - gain)
    slow = at < SLOW
    return moved, np.where(slow, np.maximum(moved, 1e4 * noise), heart), noise
