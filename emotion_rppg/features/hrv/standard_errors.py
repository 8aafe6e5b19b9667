"""Standard errors of heart rate, mean NN, SDNN and RMSSD from timing noise and missing beats.

Three causes make a measured value differ from that of the heart in the same window:

- Noise of the beat times. It adds variance to the intervals and their differences, so SDNN and
  RMSSD are too large. This bias counts as error, together with the scatter of the added variance.
- Missing beats: gaps, rejected and ectopic beats. The value of the window is then estimated from a
  part of it; the variation between such parts gives the error (block jackknife).
- In a pulse wave, the transit time from the heart, which varies from beat to beat. The wave does
  not show it: it counts as noise of a fixed size (`SignalKind.least_ms` and ``shares``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.signals import Beats

# Error of SDNN and RMSSD as a share of the error of denoised intervals and differences, measured on
# camera waves of 22 people against a contact sensor
DENOISED = 0.27
# Intervals of a jackknife block: a breath at rest for differences, the 0.1-Hz rhythm for intervals
BREATH, SLOW = 5, 12
FEWEST = 3  # differences, below which nothing is estimated


class Errors(NamedTuple):
    """Standard errors; NaN if there are too few beats."""

    hr_se_bpm: float
    mean_nn_se_ms: float
    sdnn_se_ms: float
    rmssd_se_ms: float


UNKNOWN = Errors(*[float("nan")] * 4)


def standard_errors(beats: Beats) -> Errors:
    """Estimate the standard errors of heart rate, bpm, and mean NN, SDNN and RMSSD, ms."""
    differences = beats.successive_ms
    if len(differences) < FEWEST:
        return UNKNOWN
    nn, kind = beats.nn_ms, KINDS.get(beats.kind or "", KINDS["ecg"])
    variance, missing = _timing_variance(beats, kind.least_ms), _missing_share(beats)
    parts: tuple[tuple[np.ndarray, Callable[..., Any], float, int], ...] = (
        # values, statistic, variance added by noise, intervals of a block
        (nn, np.mean, 0.0, SLOW),
        (nn, _std, 2 * _of_intervals(beats, variance), SLOW),
        (differences, _root_mean_square, _of_differences(beats, variance, kind.least_ms), BREATH),
    )
    errors = []
    for share, (values, statistic, added, block) in zip(kind.shares, parts, strict=True):
        value, sampled = float(statistic(values)), _sampling(values, statistic, missing, block)
        noise = _by_noise(value, added, len(values), denoised=kind.denoised)
        errors.append(float(np.linalg.norm([share * value, sampled, noise])))
    mean, sdnn, rmssd = errors
    return Errors(60e3 / float(np.mean(beats.intervals_ms)) ** 2 * mean, mean, sdnn, rmssd)


def _timing_variance(beats: Beats, least_ms: float) -> np.ndarray:
    """Variance of each beat's time, ms², (n,)."""
    if beats.timing_sd_s is None:
        return np.full(len(beats), least_ms**2)
    return np.asarray(np.nan_to_num(1e3 * beats.timing_sd_s) ** 2 + least_ms**2)


def _missing_share(beats: Beats) -> float:
    """Share of the window that no NN interval covers, 0–1."""
    a, b = beats.span_s or (0.0, 0.0)
    return float(np.clip(1 - beats.nn_ms.sum() / 1e3 / max(b - a, 1e-9), 0.0, 1.0))


def _of_intervals(beats: Beats, variance: np.ndarray) -> float:
    """Mean timing variance of the beats at both ends of NN intervals, ms²."""
    normal = beats.normal
    return float(np.mean((variance[1:] + variance[:-1])[normal]) / 2)


def _of_differences(beats: Beats, variance: np.ndarray, least_ms: float) -> float:
    """Mean variance that timing noise adds to a successive difference, ms²."""
    both = beats.normal[1:] & beats.normal[:-1]
    if beats.difference_sd_s is None:
        added = variance[2:] + 4 * variance[1:-1] + variance[:-2]
    else:
        added = np.nan_to_num(1e3 * beats.difference_sd_s[1:-1]) ** 2 + 6 * least_ms**2
    return float(np.mean(added[both]))


def _by_noise(value: float, added: float, count: int, *, denoised: bool) -> float:
    """Error of a standard deviation or root mean square to whose square noise has added, ms."""
    if denoised:
        return DENOISED * float(np.sqrt(added))
    true = np.sqrt(max(value**2 - added, 0.0))
    scatter = np.sqrt((2 * added**2 + 4 * added * true**2) / count) / max(2 * value, 1e-9)
    return float(np.hypot(value - true, scatter))


def _sampling(x: np.ndarray, statistic: Callable[..., Any], missing: float, block: int) -> float:
    """Standard error of a statistic of a window that is partly missing, by the block jackknife."""
    count = max(len(x) // block, 2)
    parts = np.array_split(np.arange(len(x)), count)
    left_out = np.array([statistic(np.delete(x, part)) for part in parts])
    se = np.sqrt((count - 1) / count * np.sum((left_out - left_out.mean()) ** 2))
    return float(se * np.sqrt(missing / max(1 - missing, 0.05)) if missing < 1 else se)


def _std(x: np.ndarray) -> float:
    return float(np.std(x, ddof=1))


def _root_mean_square(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))
