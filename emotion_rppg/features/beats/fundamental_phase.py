"""First places of a camera's beats: by the phase of its wave's fundamental.

Noise adds and hides tops of a weak pulse, but it does not stop its fundamental from turning: each
turn is one beat. timing.py then finds where in the turn the beat lies.
"""

from __future__ import annotations

import numpy as np

RATE = 8  # samples a beat of the phase
HALF = 0.5  # of the band about the fundamental, in beats per beat: half of the rate


def beat_counts(wave: np.ndarray, per_beat: int) -> np.ndarray:
    """Where in ``wave`` its fundamental peaks, in beats of the bent clock, increasing.

    Parameters
    ----------
    wave : array (n,)
        On a clock of ``per_beat`` samples for each beat that the rate's path tells of.
    """
    from scipy.signal import butter, sosfiltfilt

    even = np.arange(len(wave)) / per_beat
    sos = butter(4, HALF, fs=per_beat, output="sos")
    pad, step = min(3 * per_beat, len(wave) - 1), per_beat // RATE
    real, imaginary = (  # copies, so that the parts between do not stay in memory
        sosfiltfilt(sos, wave * turn(-2 * np.pi * even), padlen=pad)[::step].copy()
        for turn in (np.cos, np.sin)
    )
    clock, phase = even[::step], np.unwrap(np.arctan2(imaginary, real))
    beats = clock + phase / (2 * np.pi)
    beats = np.maximum.accumulate(beats + 1e-9 * np.arange(len(beats)))
    return np.interp(np.arange(np.ceil(beats[0]), np.floor(beats[-1]) + 1), beats, clock)
