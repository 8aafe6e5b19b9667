"""The record of a signal kind with beats: its detector and the limits that accept its beats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emotion_rppg.signals import Signal


class Detected(NamedTuple):
    """Detections of one stretch, (n,) each: seconds from its start, confidence 0–1, errors in s.

    ``error_s``: standard error of each time. ``difference_s``: standard error of the difference of
    the two intervals on either side of a beat. ``accepted``: whether the detector accepts the beat,
    its neighbours apart.
    """

    times_s: np.ndarray
    confidence: np.ndarray
    error_s: np.ndarray
    difference_s: np.ndarray
    accepted: np.ndarray

    def at(self, selected: np.ndarray) -> Detected:
        """Return the detections at an index or mask."""
        return Detected(*(column[selected] for column in self))


def no_beats() -> Detected:
    """Return an empty set of detections."""
    empty = np.zeros(0)
    return Detected(empty, empty, empty, empty, np.zeros(0, dtype=bool))


@dataclass(frozen=True)
class SignalKind:
    """A kind of signal in which beats are detected.

    Parameters
    ----------
    detect : function
        ``(block, fiducial) -> Detected``: beats of a stretch of up to ten minutes without missing
        samples, s from its start; ``fiducial`` is ``"peak"``, ``"foot"`` or ``"slope"``. Standard
        errors that the wave cannot provide are NaN. None: there is no wave, a file has intervals.
    min_quality : float
        Minimum mean quality of a window, 0–1; below it the window is withheld.
    least_confidence, least_of_three : float
        Minimum mean confidence of the nine, and of the three beats around a beat; below it the beat
        is rejected, because noise gives such beats, too.
    least_ms : float
        Standard deviation of beat times that the wave cannot show (pulse transit time, position of
        the R peak), ms; default: that of a contact PPG.
    shares : (float, float, float)
        Relative errors of mean interval, SDNN and RMSSD that remain in clean waves; default: those
        of a contact PPG.
    pulse_wave : bool
        Whether it is a pulse wave: the rate of the beats is checked against the spectrum, the noise
        of the wave gives their times a standard error, and quality is estimated for each sample.
        Otherwise (an ECG) its detector accepts beats that detectors agree on and that repeat.
    camera : bool
        Whether it comes from a camera: a window without a clear rate in its spectrum is withheld
        unless its beats are evident, and beats in samples of low quality are rejected.
    denoised : bool
        Whether beat times are denoised jointly, so that their errors are correlated.
    shape : bool
        Whether the wave has the shape of the arterial pulse, so that morphology can be measured.
    description : str
        One sentence for reports: how its beats are detected and timed, with references.
    """

    detect: Callable[[Signal, str], Detected] | None
    min_quality: float
    least_confidence: float
    least_of_three: float = 0.0
    least_ms: float = 4.0
    shares: tuple[float, float, float] = (0.004, 0.07, 0.12)
    pulse_wave: bool = True
    camera: bool = False
    denoised: bool = False
    shape: bool = False
    description: str = ""
