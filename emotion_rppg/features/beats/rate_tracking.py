"""Track the heart rate over time: a smooth path through the short-time spectrum of a pulse wave."""

from __future__ import annotations

import numpy as np

SLOWEST_HZ, FASTEST_HZ = 0.6, 3.6  # 36 to 216 beats a minute
GRID_HZ = 0.02
WINDOW_S, STEP_S = 10.0, 1.0
BLOCK = 64  # windows per block: their spectra need a few megabytes
STIFFNESS = 200.0  # cost of a step in rate, per (Hz a second) squared
AWAY_HZ = 0.2  # another path is farther away than this
HARMONIC = 0.5  # weight of the power at twice the rate
JUMP = 0.15  # share of change from one second to the next, above which a path is interrupted
SEGMENT = 20  # seconds of a path that are tested together for a harmonic
# By how much the autocorrelation after two periods must exceed that after one for the path to be a
# harmonic: by more the noisier the wave is, since correlations of noise differ by chance
LEAST_GAIN, PER_NOISE = 0.06, 1.0
DICROTIC_S = 0.47  # a dicrotic wave follows its pulse within this time
HALF_WAY = 0.06  # of a period: tolerance for a maximum half-way between two others


def rate_path(samples: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the heart rate (Hz) at times (s from the first sample), one a second.

    Each window of ten seconds (or the whole wave, if shorter) gives a spectrum. Dynamic programming
    (Viterbi 1967) finds the smooth path of highest power through the spectra, so that a single bad
    window does not move the rate to its double or to noise.

    Parameters
    ----------
    samples : array (n,)
        A wave without NaN, at least three seconds long.
    """
    hz = np.arange(SLOWEST_HZ, FASTEST_HZ + GRID_HZ / 2, GRID_HZ)
    times, score = _scores(samples, rate_hz, hz)
    return times, hz[_best_path(score)]


def rate_path_with_margin(
    samples: np.ndarray, rate_hz: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the heart rate as `rate_path`, and by how much no other path comes near it.

    Returns
    -------
    times_s, rates_hz : arrays (k,)
        As of `rate_path`.
    margin : array (k,)
        Score of the best path minus that of the best among all paths that are more than 0.2 Hz
        away at that time (max-marginals of the Viterbi algorithm). In noise many paths have nearly
        the same score.
    """
    hz = np.arange(SLOWEST_HZ, FASTEST_HZ + GRID_HZ / 2, GRID_HZ)
    times, score = _scores(samples, rate_hz, hz)
    path = _best_path(score)
    through = _totals(score) + _totals(score[::-1])[::-1] - score  # of the best path through each
    elsewhere = np.where(np.abs(hz - hz[path][:, None]) > AWAY_HZ, through, -np.inf)
    return times, hz[path], through.max(axis=1) - elsewhere.max(axis=1)


def without_harmonics(
    samples: np.ndarray, rate_hz: float, times_s: np.ndarray, path_hz: np.ndarray
) -> np.ndarray:
    """Divide a rate path (Hz) by 2 or 3 where it follows a harmonic, (k,).

    The path follows a harmonic where the autocorrelation of the wave is clearly higher after two or
    three periods of the path than after one: a separate dicrotic wave is counted, or a filter left
    only the harmonic of a slow pulse. Bigeminy has such an autocorrelation, too; its second beat is
    neither as near as a dicrotic wave nor half-way between two beats.
    """
    parts = [slice(i, min(i + SEGMENT, len(path_hz))) for i in range(0, len(path_hz), SEGMENT)]
    ends = [
        len(samples) / rate_hz if p.stop == len(path_hz) else times_s[p.stop - 1] for p in parts
    ]
    starts = [0.0, *(times_s[p.start] for p in parts[1:])]
    periods_a_beat = [
        _periods_a_beat(
            samples[int(start * rate_hz) : int(end * rate_hz)],
            rate_hz,
            float(np.median(path_hz[part])),
        )
        for part, start, end in zip(parts, starts, ends, strict=True)
    ]
    divided = path_hz.copy()
    for part, periods in zip(parts, _agreed_periods(periods_a_beat, parts, path_hz), strict=True):
        divided[part] /= periods
    return divided


def _agreed_periods(periods: list[int], parts: list[slice], path_hz: np.ndarray) -> list[int]:
    """Periods per beat of each part: the majority among the parts of an uninterrupted path.

    No heart rate doubles from one second to the next: where the path does not jump, it follows the
    same harmonic.
    """
    chains, chain = [], 0
    for part in parts:
        if part.start and abs(path_hz[part.start] / path_hz[part.start - 1] - 1) > JUMP:
            chain += 1
        chains.append(chain)
    votes = [[n for n, c in zip(periods, chains, strict=True) if c == own] for own in chains]
    return [max(set(counts), key=lambda n: (counts.count(n), n)) for counts in votes]


def _periods_a_beat(samples: np.ndarray, rate_hz: float, path_hz: float) -> int:
    """Number of periods of the path in one beat: 1, 2 or 3."""
    once, best = _autocorrelation(samples, rate_hz, 1 / path_hz), 1
    highest = once
    for periods in (2, 3):
        slow_hz = path_hz / periods
        r = _autocorrelation(samples, rate_hz, 1 / slow_hz)
        clearly = r - once > max(LEAST_GAIN, PER_NOISE * (1 - r))
        if slow_hz < SLOWEST_HZ - 1e-9 or not clearly or r <= highest + LEAST_GAIN / 2:
            continue
        apart = _peak_distance(samples, rate_hz, slow_hz)
        if apart is None or apart < DICROTIC_S or abs(apart * slow_hz - 0.5) < HALF_WAY:
            best, highest = periods, r
    return best


def _autocorrelation(samples: np.ndarray, rate_hz: float, period_s: float) -> float:
    """Highest autocorrelation of the wave at lags near a period."""
    x = samples - samples.mean()
    lags = np.unique(np.rint(rate_hz * period_s * np.linspace(0.92, 1.08, 17)).astype(int))
    pairs = [(x[:-lag], x[lag:]) for lag in lags if 0 < lag < len(x) - rate_hz]
    values = [float(a @ b / np.sqrt(max((a @ a) * (b @ b), 1e-300))) for a, b in pairs]
    return max(values, default=0.0)


def _peak_distance(samples: np.ndarray, rate_hz: float, slow_hz: float) -> float | None:
    """Shorter distance (s) between the two highest maxima of the mean period; None without two."""
    from scipy.signal import find_peaks

    lags = np.rint(rate_hz / slow_hz * np.linspace(0.92, 1.08, 33)).astype(int)
    x = samples - samples.mean()
    inner = [lag for lag in np.unique(lags) if 0 < lag < len(x) - rate_hz]
    if not inner:
        return None
    period = max(inner, key=lambda lag: float(x[:-lag] @ x[lag:]) / (len(x) - lag))
    mean = x[: len(x) // period * period].reshape(-1, period).mean(axis=0)
    smooth = np.convolve(np.r_[mean, mean, mean], np.hanning(max(int(0.1 * rate_hz), 3)), "same")
    peaks, _ = find_peaks(smooth, prominence=0.02 * np.ptp(smooth))
    inside = (peaks >= period) & (peaks < 2 * period)
    peaks, height = peaks[inside], smooth[peaks[inside]]
    if len(peaks) < 2:
        return None
    first, second = peaks[np.argsort(height)[::-1][:2]]
    apart = abs(int(first) - int(second))
    return float(min(apart, period - apart) / rate_hz)


def _scores(samples: np.ndarray, rate_hz: float, hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Window middles (k,), s, and the log score (k, len(hz)) of each rate in each window."""
    length = min(round(WINDOW_S * rate_hz), len(samples))
    step = max(1, round(STEP_S * rate_hz))
    starts = np.arange(0, len(samples) - length + 1, step)
    windows = np.lib.stride_tricks.sliding_window_view(samples, length)[::step]
    blocks = [_power(windows[i : i + BLOCK], rate_hz, hz) for i in range(0, len(starts), BLOCK)]
    score = np.concatenate(blocks)
    score = score / np.maximum(score.max(axis=1, keepdims=True), 1e-300)
    return (starts + length / 2) / rate_hz, np.log(score + 0.05)


def _power(windows: np.ndarray, rate_hz: float, hz: np.ndarray) -> np.ndarray:
    """Power at each rate plus weighted power at its double, (k, length) -> (k, len(hz))."""
    length = windows.shape[1]
    windows = (windows - windows.mean(axis=1, keepdims=True)) * np.hanning(length)
    points = int(2 ** np.ceil(np.log2(max(length, 8 * rate_hz / GRID_HZ / 4))))
    power = np.abs(np.fft.rfft(windows, points, axis=1)) ** 2
    at = np.fft.rfftfreq(points, 1 / rate_hz)
    power = power * at  # disturbances (drift, motion, breathing) fall off with frequency
    single = np.stack([np.interp(hz, at, row) for row in power])
    double = np.stack([np.interp(2 * hz, at, row, right=0.0) for row in power])
    return np.asarray(single + HARMONIC * np.minimum(double, single))


def _totals(score: np.ndarray) -> np.ndarray:
    """Score of the best path from the first window to each rate of each window, (k, rates)."""
    cost, totals = _step_costs(score.shape[1]), score.copy()
    for i in range(1, len(score)):
        totals[i] += (totals[i - 1] - cost).max(axis=1)
    return totals


def _step_costs(rates: int) -> np.ndarray:
    """Cost of each step from one rate (columns) to another (rows) in a second."""
    bins = np.arange(rates)
    return STIFFNESS * (GRID_HZ * (bins[:, None] - bins)) ** 2 / STEP_S


def _best_path(score: np.ndarray) -> np.ndarray:
    """Index of the rate in each window, (k,), along the path of the highest total score."""
    cost = _step_costs(score.shape[1])
    total, back = score[0], np.zeros(score.shape, dtype=int)
    for i in range(1, len(score)):
        arrive = total - cost
        back[i] = arrive.argmax(axis=1)
        total = arrive.max(axis=1) + score[i]
    path = [int(total.argmax())]
    for i in range(len(score) - 1, 0, -1):
        path.append(int(back[i, path[-1]]))
    return np.array(path[::-1])
