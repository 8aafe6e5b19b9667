"""Locate the beats of a camera wave by the phase of its fundamental.

Noise adds and hides peaks of a weak pulse, but the phase of its fundamental still advances by one
cycle per beat. template_timing.py then refines the time of each beat.
"""

from __future__ import annotations

import numpy as np

RATE = 8  # samples of the phase per beat
HALF = 0.5  # half width of the band around the fundamental, as a share of the heart rate


def beat_counts(wave: np.ndarray, per_beat: int) -> np.ndarray:
    """Locate the peaks of the fundamental of a wave, in beats of the warped clock, increasing.

    Parameters
    ----------
    wave : array (n,)
        On a warped clock with ``per_beat`` samples for each beat of the tracked rate.
    """
    from scipy.signal import butter, sosfiltfilt

    even = np.arange(len(wave)) / per_beat
    sos = butter(4, HALF, fs=per_beat, output="sos")
    pad, step = min(3 * per_beat, len(wave) - 1), per_beat // RATE
    real, imaginary = (  # copies, so that the full arrays do not stay in memory
        sosfiltfilt(sos, wave * carrier(-2 * np.pi * even), padlen=pad)[::step].copy()
        for carrier in (np.cos, np.sin)
    )
    clock, phase = even[::step], np.unwrap(np.arctan2(imaginary, real))
    beats = clock + phase / (2 * np.pi)
    beats = np.maximum.accumulate(beats + 1e-9 * np.arange(len(beats)))
    return np.interp(np.arange(np.ceil(beats[0]), np.floor(beats[-1]) + 1), beats, clock)
