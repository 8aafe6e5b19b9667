"""Check that the QRS complexes of an ECG repeat: noise of the electrodes has no such companions.

A moving electrode makes deflections as steep as a QRS complex, and detectors of R peaks agree on
them. A heart repeats its complexes, in shape and in height, however irregular its rhythm: every
second or third beat may be another kind, as long as it has companions. What a burst of noise looks
like is different each time.
"""

from __future__ import annotations

import numpy as np

REACH_S = 0.1  # to either side of the R peak: the QRS complex, without P and most of the T wave
STEP_S = 0.004  # of the compared shapes; their band ends at 45 Hz
NEIGHBOURS = 12  # beats to either side that may be companions, so slow changes of shape are none
# A beat has companions if this share of its neighbours is as similar as the limit. The share lets
# every fifth beat and more be ectopic.
COMPANIONS = 0.2
# The similarity is 1 for equal complexes, 0.92 where one is 1.5 times as high; 0.88 is a difference
# of an eighth of the energy. Real ECGs at rest and the beats of synthetic arrhythmias have 0.93 and
# more; false beats in the electrode noise of the MIT-BIH noise stress test mostly less.
LEAST_SIMILAR = 0.88
# Single ectopic beats and artefacts have no companions. Where more than this share of the beats
# within NEIGHBOURS has none, noise outweighs them, and …
MOST_ODD = 0.2
NEAR = 3  # … beats are rejected that have such a beat within so many beats


def repeated(band: np.ndarray, at: np.ndarray, rate_hz: float) -> np.ndarray:
    """Whether QRS complexes like that of each beat repeat around it, bool (n,).

    Parameters
    ----------
    band : array (m,)
        The ECG in the band of QRS complexes, without drift and hum.
    at : array (n,)
        Positions of the R peaks, in samples.
    rate_hz : float
        Sampling rate of ``band``.
    """
    odd = _best_companions(_complexes(band, at, rate_hz)) < LEAST_SIMILAR
    noisy = _share_around(odd, NEIGHBOURS) > MOST_ODD
    return np.asarray(~(noisy & (_share_around(odd, NEAR) > 0)))


def _complexes(band: np.ndarray, at: np.ndarray, rate_hz: float) -> np.ndarray:
    """The QRS complexes, (n, samples)."""
    around = np.arange(-REACH_S, REACH_S + STEP_S / 2, STEP_S) * rate_hz
    return np.interp(at[:, None] + around, np.arange(len(band)), band)


def _best_companions(complexes: np.ndarray) -> np.ndarray:
    """Similarity that the share ``COMPANIONS`` of each beat's neighbours reaches, (n,).

    It is ``1 - |a - b|² / (|a|² + |b|²)``: a difference in height lowers it, too.
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
    """Share of odd beats among those within ``beats`` to either side of each, and itself, (n,)."""
    count = np.r_[0, np.cumsum(odd)]
    first = np.maximum(np.arange(len(odd)) - beats, 0)
    stop = np.minimum(np.arange(len(odd)) + beats + 1, len(odd))
    return np.asarray((count[stop] - count[first]) / (stop - first))
