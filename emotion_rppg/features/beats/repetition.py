"""Check that the beats of an ECG repeat, in shape or in time: noise of the electrodes does neither.

A moving electrode makes deflections as steep as a QRS complex, and all detectors of R peaks fire on
them. A heart repeats its complexes in shape and height, however irregular its rhythm; every second
or third beat may be of another kind. Or it beats regularly, in whatever noise. Detections that do
neither are no beats, or some of them are none.
"""

from __future__ import annotations

import numpy as np

REACH_S = 0.1  # to either side of the R peak: the QRS complex, without P and most of the T wave
STEP_S = 0.004  # of the compared complexes; their band ends at 45 Hz
NEIGHBOURS = 12  # beats to either side that are compared; over more, the shape changes by posture
# A beat has companions if this share of its neighbours is as similar as the limit: fewer than the
# ectopic beats where every sixth or more is one
COMPANIONS = 0.15
# 1 for equal complexes; 0.92 where one is 1.5 times as high. In ECGs at rest, 19 of 20 beats have
# 0.94 and more; in a noise stress test (MIT-BIH 118, 0 dB), half have less than 0.9
LEAST_SIMILAR = 0.9
# Single ectopic beats have no companions, and single artefacts spoil little. Where a larger share
# of the beats has none, some are noise, and …
MOST_ODD = 0.15
NEAR = 3  # … beats with such a one within so many beats are rejected, unless the rhythm is regular:
RHYTHM = 6  # of the intervals of so many beats to either side …
SAME_SHARE, LEAST_REGULAR = 0.15, 0.8  # … this share is within 15 % of their median; 0.5 in noise


def repeated(band: np.ndarray, at: np.ndarray, rate_hz: float) -> np.ndarray:
    """Whether the beats around each repeat, in shape or in time, bool (n,).

    Parameters
    ----------
    band : array (m,)
        The ECG in the band of QRS complexes, without drift and hum.
    at : array (n,)
        Positions of the R peaks, in samples.
    rate_hz : float
        Sampling rate of ``band``.
    """
    if len(at) < 2:
        return np.zeros(len(at), dtype=bool)
    odd = _companions(_complexes(band, at, rate_hz)) < LEAST_SIMILAR
    noisy = (_share_around(odd, NEIGHBOURS) > MOST_ODD) & (_share_around(odd, NEAR) > 0)
    return np.asarray(~noisy | (_regularity(np.diff(at)) >= LEAST_REGULAR))


def _complexes(band: np.ndarray, at: np.ndarray, rate_hz: float) -> np.ndarray:
    """The QRS complexes, (n, samples)."""
    around = np.arange(-REACH_S, REACH_S + STEP_S / 2, STEP_S) * rate_hz
    return np.interp(at[:, None] + around, np.arange(len(band)), band)


def _companions(complexes: np.ndarray) -> np.ndarray:
    """Similarity that the share ``COMPANIONS`` of each beat's neighbours exceeds, (n,).

    The similarity of two complexes is ``1 - |a - b|² / (|a|² + |b|²)``, so that a difference in
    height lowers it, too.
    """
    n = len(complexes)
    energy = np.maximum((complexes**2).sum(axis=1), 1e-30)
    similar = np.full((n, 2 * NEIGHBOURS), -np.inf)
    for lag in range(1, min(NEIGHBOURS, n - 1) + 1):
        product = (complexes[lag:] * complexes[:-lag]).sum(axis=1)
        alike = 2 * product / (energy[lag:] + energy[:-lag])
        similar[lag:, lag - 1] = alike
        similar[:-lag, NEIGHBOURS + lag - 1] = alike
    rank = (COMPANIONS * np.isfinite(similar).sum(axis=1)).astype(int)
    return np.asarray(-np.sort(-similar, axis=1)[np.arange(n), rank])


def _share_around(odd: np.ndarray, beats: int) -> np.ndarray:
    """Share of odd beats among each beat and those within ``beats`` to either side, (n,)."""
    count = np.r_[0, np.cumsum(odd)]
    first = np.maximum(np.arange(len(odd)) - beats, 0)
    stop = np.minimum(np.arange(len(odd)) + beats + 1, len(odd))
    return np.asarray((count[stop] - count[first]) / (stop - first))


def _regularity(intervals: np.ndarray) -> np.ndarray:
    """Share of the intervals around each beat that are near their median, (n + 1,)."""
    padded = np.pad(intervals, RHYTHM, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * RHYTHM)
    median = np.nanmedian(around, axis=1, keepdims=True)
    near = np.abs(around - median) <= SAME_SHARE * median  # False for NaN
    return np.asarray(near.sum(axis=1) / np.isfinite(around).sum(axis=1))
