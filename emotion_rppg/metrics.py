"""Compute errors of pulse estimates (rate, wave, beats) and scores of predictions.

A score that is undefined (only one class, no variance) is NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emotion_rppg.signals import Beats

# ---- heart rate, wave, beats -------------------------------------------------------------------


class RateErrors(NamedTuple):
    """Errors of heart rates: MAE and RMSE in bpm, MAPE in %, and Pearson's r."""

    mae: float
    rmse: float
    mape: float
    r: float


def rate_errors(estimated_bpm: np.ndarray, true_bpm: np.ndarray) -> RateErrors:
    """Compute the errors of heart rates, bpm, over the pairs in which both are finite."""
    estimated, true = np.asarray(estimated_bpm, float), np.asarray(true_bpm, float)
    both = np.isfinite(estimated) & np.isfinite(true)
    if not both.any():
        return RateErrors(*[float("nan")] * 4)
    error = estimated[both] - true[both]
    return RateErrors(
        float(np.abs(error).mean()),
        float(np.sqrt((error**2).mean())),
        float(100 * np.abs(error / true[both]).mean()),
        pearson(true[both], estimated[both]),
    )


def wave_correlation(
    estimated: np.ndarray, truth: np.ndarray, rate_hz: float, *, within_s: float = 0.5
) -> tuple[float, float]:
    """Find the highest Pearson correlation over shifts of up to ``within_s``.

    The correlation is signed, so an inverted wave scores below zero. Only samples that are finite
    in both waves count; less than a second of them gives NaN.

    Returns
    -------
    r, lag_s
        The correlation and its shift, s; positive: ``estimated`` is late.
    """
    best = (-np.inf, 0)
    for lag in range(-round(within_s * rate_hz), round(within_s * rate_hz) + 1):
        a = estimated[max(lag, 0) : len(estimated) + min(lag, 0)]
        b = truth[max(-lag, 0) : len(truth) + min(-lag, 0)]
        both = np.isfinite(a) & np.isfinite(b)
        r = pearson(a[both], b[both]) if both.sum() >= rate_hz else float("nan")
        if r > best[0]:
            best = (r, lag)
    return (best[0], best[1] / rate_hz) if np.isfinite(best[0]) else (float("nan"), float("nan"))


def macc(estimated: np.ndarray, truth: np.ndarray) -> float:
    """Compute the maximum amplitude of the cross-correlation of two waves (n,), 0–1.

    It is the highest |r| over all circular shifts, so it ignores delay and polarity. Waves that
    are unrelated do not score near 0: compare with :func:`macc_chance`.
    """
    return _highest(_cross_spectrum(estimated, truth), len(estimated))


def macc_chance(
    estimated: np.ndarray, truth: np.ndarray, *, draws: int = 20, seed: int = 0
) -> float:
    """Compute the mean `macc` of surrogates with the same spectrum and random phases, 0–1.

    Phase-randomised surrogates: Theiler et al. 1992. The value is high if both waves have narrow
    spectra around one rate: a sine of the right rate correlates with any pulse.
    """
    cross, draw = np.abs(_cross_spectrum(estimated, truth)), np.random.default_rng(seed)
    phases = np.exp(2j * np.pi * draw.uniform(size=(draws, len(cross))))
    return float(np.mean([_highest(cross * phase, len(estimated)) for phase in phases]))


def _cross_spectrum(estimated: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the cross-spectrum of the standardised waves; NaN where either does not vary."""
    x, y = (np.asarray(wave, float) - np.mean(wave) for wave in (estimated, truth))
    scale = float(np.sqrt((x @ x) * (y @ y)))
    if not scale > 1e-12:
        return np.full(len(x) // 2 + 1, np.nan, dtype=complex)
    return np.asarray(np.fft.rfft(x) * np.conj(np.fft.rfft(y)) / scale)


def _highest(cross: np.ndarray, n: int) -> float:
    return float(np.abs(np.fft.irfft(cross, n)).max())


class BeatMeasures(NamedTuple):
    """Heart rate from the mean interval (bpm), SDNN and RMSSD (ms), of any duration."""

    hr_bpm: float
    sdnn_ms: float
    rmssd_ms: float


def beat_measures(beats: Beats) -> BeatMeasures:
    """Compute heart rate (all beats, bpm), SDNN and RMSSD (NN intervals, ms).

    All are NaN with fewer than three successive differences.
    """
    if len(beats.successive_ms) < 3:
        return BeatMeasures(*[float("nan")] * 3)
    rmssd = np.sqrt(np.mean(beats.successive_ms**2))
    rate = 60e3 / float(beats.intervals_ms.mean())
    return BeatMeasures(rate, float(beats.nn_ms.std(ddof=1)), float(rmssd))


class BeatErrors(NamedTuple):
    """F1 of detected beats, standard deviation and mean of their delay (ms), number of matches."""

    f1: float
    jitter_ms: float
    offset_ms: float
    matched: int


def beat_errors(detected: Beats, truth: Beats, *, tolerance_s: float = 0.15) -> BeatErrors:
    """Match detected to true beats one to one, nearest first, and compute F1 and timing errors, ms.

    The median delay (a pulse arrives after its R peak) is subtracted before matching and returned
    in ``offset_ms``; the jitter is the standard deviation of the remaining errors. Detected beats
    inside gaps of the truth are ignored. A true beat inside a gap of ``detected`` counts as missed,
    so that gaps do not improve the score.
    """
    a, b = detected.times_s, truth.times_s
    for start, end in truth.gaps:
        a = a[(a <= start) | (a >= end)]
    if not len(a) or not len(b):
        return BeatErrors(0.0, float("nan"), float("nan"), 0)
    offset = _common_delay(a, b)
    nearest = np.clip(np.searchsorted(b, a - offset), 1, max(len(b) - 1, 1))
    before, after = nearest - 1, np.minimum(nearest, len(b) - 1)
    earlier = np.abs(a - offset - b[before]) <= np.abs(a - offset - b[after])
    match = np.where(earlier, before, after)
    error = a - offset - b[match]
    order = np.argsort(np.abs(error), kind="stable")
    order = order[np.abs(error[order]) <= tolerance_s]
    _, first = np.unique(match[order], return_index=True)  # a true beat is matched only once
    matched = order[first]
    f1 = 2 * len(matched) / (len(a) + len(b))
    jitter = 1e3 * float(np.std(error[matched])) if len(matched) else float("nan")
    offset_ms = 1e3 * float(offset + (np.mean(error[matched]) if len(matched) else 0.0))
    return BeatErrors(float(f1), jitter, offset_ms, len(matched))


def _common_delay(detected_s: np.ndarray, true_s: np.ndarray) -> float:
    """Compute the median delay, s, to the preceding true beat or to the nearest one.

    The one of the two with the smaller spread is returned.
    """
    before = np.searchsorted(true_s, detected_s, side="right") - 1
    preceded = before >= 0
    forward = detected_s[preceded] - true_s[before[preceded]]
    at = np.clip(np.searchsorted(true_s, detected_s), 1, max(len(true_s) - 1, 1))
    choices = np.stack(
        [detected_s - true_s[at - 1], detected_s - true_s[np.minimum(at, len(true_s) - 1)]]
    )
    nearest = choices[np.abs(choices).argmin(axis=0), np.arange(len(detected_s))]
    candidates = [float(np.median(d)) for d in (forward, nearest) if len(d)]
    spread = [float(np.median(np.abs(d - np.median(d)))) for d in (forward, nearest) if len(d)]
    return candidates[int(np.argmin(spread))]


# ---- classes -----------------------------------------------------------------------------------


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Compute the mean recall over the classes that occur in ``truth``, 0–1."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if not len(truth):
        return float("nan")
    return float(np.mean([(predicted[truth == c] == c).mean() for c in np.unique(truth)]))


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """Compute the area under the ROC curve, 0–1; NaN if one class is missing.

    It is the probability that a random positive row scores above a random negative one; ties count
    half.
    """
    from scipy.stats import rankdata

    truth, score = np.asarray(truth, bool), np.asarray(score, float)
    high, low = int(truth.sum()), int((~truth).sum())
    if not high or not low or not np.isfinite(score).all():
        return float("nan")
    return float((rankdata(score)[truth].sum() - high * (high + 1) / 2) / (high * low))


def ece(truth: np.ndarray, probability: np.ndarray, *, bins: int = 10) -> float:
    """Compute the expected calibration error of the positive class's probability, 0–1.

    Bins of equal width (Naeini et al. 2015).
    """
    truth, probability = np.asarray(truth, float), np.asarray(probability, float)
    if not len(truth) or not np.isfinite(probability).all():
        return float("nan")
    where = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        np.sum(where == k) * abs(truth[where == k].mean() - probability[where == k].mean())
        for k in np.unique(where)
    ]
    return float(np.sum(gaps) / len(truth))


# ---- numeric targets ---------------------------------------------------------------------------


def pearson(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Compute Pearson's correlation coefficient; NaN if either does not vary."""
    x, y = np.asarray(truth, float), np.asarray(predicted, float)
    if len(x) < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-12 else float("nan")


def ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Compute the concordance correlation coefficient (Lin 1989); NaN if neither varies."""
    x, y = np.asarray(truth, float), np.asarray(predicted, float)
    if len(x) < 2:
        return float("nan")
    cov = float(((x - x.mean()) * (y - y.mean())).mean())
    scale = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return 2 * cov / scale if scale > 0 else float("nan")


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Compute the root mean square error, in the unit of the target."""
    x, y = np.asarray(truth, float), np.asarray(predicted, float)
    return float(np.sqrt(((x - y) ** 2).mean())) if len(x) else float("nan")
