"""What a signal kind with beats is: how its beats are detected, judged and trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emotion_rppg.signals import Signal


class Detected(NamedTuple):
    """Beats of one stretch, (n,) each: seconds from its start, confidence 0–1, standard errors (s).

    ``difference_s``: that of the difference of the two intervals about a beat.
    ``sure``: whether the beat by itself is to be believed.
    """

    times_s: np.ndarray
    confidence: np.ndarray
    error_s: np.ndarray
    difference_s: np.ndarray
    sure: np.ndarray

    def at(self, keep: np.ndarray) -> Detected:
        return Detected(*(column[keep] for column in self))


def no_beats() -> Detected:
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
        errors are NaN where the wave does not say.
    min_quality : float
        Mean quality of a window below which it is withheld, 0–1.
    least_confidence, least_of_three : float
        Mean confidence of the nine, and of the three beats about, below which there is no pulse to
        be told from noise.
    least_ms : float
        Standard deviation of a beat's time of which the wave says nothing, ms; default: that of a
        contact PPG.
    shares : (float, float, float)
        Shares of mean interval, SDNN and RMSSD by which they differ from the heart's in clean
        waves; default: those of a contact PPG.
    pulse_wave : bool
        Whether it is a pulse wave: its spectrum confirms the beats' rate, the noise of the wave
        gives their times a standard error, and its quality is estimated for each sample. Otherwise
        (an ECG) beats are judged by their confidence alone.
    camera : bool
        Whether it is of a camera: a window without a clear rate in its spectrum is withheld unless
        its beats are evident, and beats of poor samples are rejected.
    denoised : bool
        Whether beats are denoised together, so that their errors depend on each other.
    shape : bool
        Whether the wave has the pulse's own shape, so that morphology can be measured.
    description : str
        One sentence for reports: how its beats are detected and timed, with references.
    """

    detect: Callable[[Signal, str], Detected]
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
