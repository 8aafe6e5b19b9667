"""Errors of a pulse (rate, wave, beats) and scores of a classifier or a regression.

A score that cannot be computed (one class only, no spread) is NaN, never a guess.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emotion_rppg.signals import Beats

# ---- stage one: heart rate, wave, beats --------------------------------------------------------


class RateErrors(NamedTuple):
    """Of heart rates: mean absolute and root mean square (bpm), mean absolute (%), Pearson's r."""

    mae: float
    rmse: float
    mape: float
    r: float


def rate_errors(found_bpm: np.ndarray, true_bpm: np.ndarray) -> RateErrors:
    """Errors over the recordings where both are known."""
    found, true = np.asarray(found_bpm, float), np.asarray(true_bpm, float)
    known = np.isfinite(found) & np.isfinite(true)
    if not known.any():
        return RateErrors(*[float("nan")] * 4)
    error = found[known] - true[known]
    return RateErrors(
        float(np.abs(error).mean()),
        float(np.sqrt((error**2).mean())),
        float(100 * np.abs(error / true[known]).mean()),
        pearson(true[known], found[known]),
    )


def wave_correlation(
    found: np.ndarray, truth: np.ndarray, rate_hz: float, *, within_s: float = 0.5
) -> tuple[float, float]:
    """Highest Pearson correlation over shifts of up to ``within_s``, and that shift in seconds.

    Signed, so that an inverted wave scores below zero at no shift. Positive: ``found`` is late.
    Only samples that both waves have count; less than a second of them gives NaN.
    """
    best = (-np.inf, 0)
    for lag in range(-round(within_s * rate_hz), round(within_s * rate_hz) + 1):
        a = found[max(lag, 0) : len(found) + min(lag, 0)]
        b = truth[max(-lag, 0) : len(truth) + min(-lag, 0)]
        both = np.isfinite(a) & np.isfinite(b)
        r = pearson(a[both], b[both]) if both.sum() >= rate_hz else float("nan")
        if r > best[0]:
            best = (r, lag)
    return (best[0], best[1] / rate_hz) if np.isfinite(best[0]) else (float("nan"), float("nan"))


def macc(found: np.ndarray, truth: np.ndarray) -> float:
    """Maximum amplitude of the cross-correlation of two waves (n,): |r| over circular shifts, 0–1.

    Blind to delay and polarity. Never small by chance: see :func:`macc_chance`.
    """
    return _highest(_cross_spectrum(found, truth), len(found))


def macc_chance(found: np.ndarray, truth: np.ndarray, *, draws: int = 20, seed: int = 0) -> float:
    """What `macc` gives for a wave of the same spectrum whose beats are elsewhere.

    The mean over surrogates of random phases (Theiler et al. 1992). It is high where both waves
    are narrow about one rate: a bare sine of the right rate comes close to any pulse.
    """
    cross, draw = np.abs(_cross_spectrum(found, truth)), np.random.default_rng(seed)
    turns = np.exp(2j * np.pi * draw.uniform(size=(draws, len(cross))))
    return float(np.mean([_highest(cross * turn, len(found)) for turn in turns]))


def _cross_spectrum(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of the standardised waves; NaN where either does not vary."""
    x, y = (np.asarray(w, float) - np.mean(w) for w in (found, truth))
    scale = float(np.sqrt((x @ x) * (y @ y)))
    if not scale > 1e-12:
        return np.full(len(x) // 2 + 1, np.nan, dtype=complex)
    return np.asarray(np.fft.rfft(x) * np.conj(np.fft.rfft(y)) / scale)


def _highest(cross: np.ndarray, n: int) -> float:
    return float(np.abs(np.fft.irfft(cross, n)).max())


class BeatMeasures(NamedTuple):
    """Heart rate by the mean interval, SDNN and RMSSD, whatever the duration."""

    hr_bpm: float
    sdnn_ms: float
    rmssd_ms: float


def beat_measures(beats: Beats) -> BeatMeasures:
    """Heart rate (all beats), SDNN and RMSSD (NN intervals); NaN below three differences."""
    if len(beats.successive_ms) < 3:
        return BeatMeasures(*[float("nan")] * 3)
    rmssd = np.sqrt(np.mean(beats.successive_ms**2))
    rate = 60e3 / float(beats.intervals_ms.mean())
    return BeatMeasures(rate, float(beats.nn_ms.std(ddof=1)), float(rmssd))


class BeatErrors(NamedTuple):
    """F1 of found beats, and the spread (ms) of their timing about its own mean."""

    f1: float
    jitter_ms: float
    offset_ms: float
    matched: int


def beat_errors(found: Beats, truth: Beats, *, tolerance_s: float = 0.15) -> BeatErrors:
    """Match beats one to one, nearest first within the tolerance, after the common delay.

    The median delay (a pulse arrives after its R peak) is taken off before matching and given as
    ``offset_ms``; the jitter is the standard deviation of what is left. Where the truth has a gap
    nothing is judged. A true beat in a gap of ``found`` is a missed one: who looks away does not
    see better.
    """
    a, b = found.times_s, truth.times_s
    for start, end in truth.gaps:
        a = a[(a <= start) | (a >= end)]
    if not len(a) or not len(b):
        return BeatErrors(0.0, float("nan"), float("nan"), 0)
    offset = _common_delay(a, b)
    nearest = np.clip(np.searchsorted(b, a - offset), 1, max(len(b) - 1, 1))
    left = np.abs(a - offset - b[nearest - 1]) <= np.abs(
        a - offset - b[np.minimum(nearest, len(b) - 1)]
    )
    match = np.where(left, nearest - 1, np.minimum(nearest, len(b) - 1))
    error = a - offset - b[match]
    order = np.argsort(np.abs(error), kind="stable")
    order = order[np.abs(error[order]) <= tolerance_s]
    _, first = np.unique(match[order], return_index=True)  # each true beat is matched once
    matched = order[first]
    f1 = 2 * len(matched) / (len(a) + len(b))
    jitter = 1e3 * float(np.std(error[matched])) if len(matched) else float("nan")
    offset_ms = 1e3 * float(offset + (np.mean(error[matched]) if len(matched) else 0.0))
    return BeatErrors(float(f1), jitter, offset_ms, len(matched))


def _common_delay(found_s: np.ndarray, true_s: np.ndarray) -> float:
    """Median delay to the true beat before, or to the nearest one where that fits better."""
    before = np.searchsorted(true_s, found_s, side="right") - 1
    known = before >= 0
    forward = found_s[known] - true_s[before[known]]
    at = np.clip(np.searchsorted(true_s, found_s), 1, max(len(true_s) - 1, 1))
    choices = np.stack(
        [found_s - true_s[at - 1], found_s - true_s[np.minimum(at, len(true_s) - 1)]]
    )
    nearest = choices[np.abs(choices).argmin(axis=0), np.arange(len(found_s))]
    candidates = [float(np.median(d)) for d in (forward, nearest) if len(d)]
    spread = [float(np.median(np.abs(d - np.median(d)))) for d in (forward, nearest) if len(d)]
    return candidates[int(np.argmin(spread))]


# ---- stage three: classes ----------------------------------------------------------------------


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the classes that are there; of a person with one class, its recall."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if not len(truth):
        return float("nan")
    return float(np.mean([(predicted[truth == c] == c).mean() for c in np.unique(truth)]))


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """Chance that a high row scores above a low one (ties half); NaN where one class is missing."""
    from scipy.stats import rankdata

    truth, score = np.asarray(truth, bool), np.asarray(score, float)
    high, low = int(truth.sum()), int((~truth).sum())
    if not high or not low or not np.isfinite(score).all():
        return float("nan")
    return float((rankdata(score)[truth].sum() - high * (high + 1) / 2) / (high * low))


def ece(truth: np.ndarray, chance: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error of the high class's chance, in equal bins (Naeini et al. 2015)."""
    truth, chance = np.asarray(truth, float), np.asarray(chance, float)
    if not len(truth) or not np.isfinite(chance).all():
        return float("nan")
    where = np.minimum((chance * bins).astype(int), bins - 1)
    gaps = [
        np.sum(where == k) * abs(truth[where == k].mean() - chance[where == k].mean())
        for k in np.unique(where)
    ]
    return float(np.sum(gaps) / len(truth))


# ---- stage three: numbers ----------------------------------------------------------------------


def pearson(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Pearson's r; NaN where either does not vary."""
    x, y = np.asarray(truth, float), np.asarray(predicted, float)
    if len(x) < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-12 else float("nan")


def ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Concordance correlation coefficient (Lin 1989); NaN where neither varies."""
    x, y = np.asarray(truth, float), np.asarray(predicted, float)
    if len(x) < 2:
        return float("nan")
    cov = float(((x - x.mean()) * (y - y.mean())).mean())
    scale = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return 2 * cov / scale if scale > 0 else float("nan")


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean square error, in the target's unit."""
    x, y = np.asarray(truth, float), np.asarray(predicted, float)
    return float(np.sqrt(((x - y) ** 2).mean())) if len(x) else float("nan")
