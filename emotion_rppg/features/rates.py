"""The heart rate over time: a smooth path through the short-time spectrum of a pulse wave."""

from __future__ import annotations

import numpy as np

SLOWEST_HZ, FASTEST_HZ = 0.6, 3.6  # 36 to 216 beats a minute
GRID_HZ = 0.02
WINDOW_S, STEP_S = 10.0, 1.0
BLOCK = 64  # windows looked at together: their spectra are some megabytes
STIFFNESS = 200.0  # cost of a step in rate, per (Hz a second) squared
HARMONIC = 0.5  # weight of the power at twice the rate


def rate_path(samples: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (s from the first sample) and heart rates (Hz), one a second.

    Each window of ten seconds (less where the wave is shorter) gives a spectrum; the path through
    the spectra that gathers most power while changing smoothly is found by dynamic programming
    (Viterbi 1967), so that one bad window does not throw the rate to its double or to noise.

    Parameters
    ----------
    samples : array (n,)
        A wave without NaN, at least three seconds long.
    """
    hz = np.arange(SLOWEST_HZ, FASTEST_HZ + GRID_HZ / 2, GRID_HZ)
    times, score = _scores(samples, rate_hz, hz)
    return times, hz[_best_path(score)]


def _scores(samples: np.ndarray, rate_hz: float, hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Window middles (k,) and the log score (k, len(hz)) of each rate in each window."""
    length = min(round(WINDOW_S * rate_hz), len(samples))
    step = max(1, round(STEP_S * rate_hz))
    starts = np.arange(0, len(samples) - length + 1, step)
    windows = np.lib.stride_tricks.sliding_window_view(samples, length)[::step]
    blocks = [_gathered(windows[i : i + BLOCK], rate_hz, hz) for i in range(0, len(starts), BLOCK)]
    score = np.concatenate(blocks)
    score = score / np.maximum(score.max(axis=1, keepdims=True), 1e-300)
    return (starts + length / 2) / rate_hz, np.log(score + 0.05)


def _gathered(windows: np.ndarray, rate_hz: float, hz: np.ndarray) -> np.ndarray:
    """Power at each rate and its double in windows (k, length), (k, len(hz))."""
    length = windows.shape[1]
    windows = (windows - windows.mean(axis=1, keepdims=True)) * np.hanning(length)
    points = int(2 ** np.ceil(np.log2(max(length, 8 * rate_hz / GRID_HZ / 4))))
    power = np.abs(np.fft.rfft(windows, points, axis=1)) ** 2
    at = np.fft.rfftfreq(points, 1 / rate_hz)
    power = power * at  # what disturbs a pulse (drift, motion, breath) falls off with frequency
    whole = np.stack([np.interp(hz, at, row) for row in power])
    twice = np.stack([np.interp(2 * hz, at, row, right=0.0) for row in power])
    return np.asarray(whole + HARMONIC * np.minimum(twice, whole))


def _best_path(score: np.ndarray) -> np.ndarray:
    """Index of the rate in each window, (k,), along the path of the highest total score."""
    bins = np.arange(score.shape[1])
    cost = STIFFNESS * (GRID_HZ * (bins[:, None] - bins)) ** 2 / STEP_S
    total, back = score[0], np.zeros(score.shape, dtype=int)
    for i in range(1, len(score)):
        arrive = total - cost
        back[i] = arrive.argmax(axis=1)
        total = arrive.max(axis=1) + score[i]
    path = [int(total.argmax())]
    for i in range(len(score) - 1, 0, -1):
        path.append(int(back[i, path[-1]]))
    return np.array(path[::-1])
