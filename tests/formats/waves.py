"""Waves with a planted rate, and the rate that a wave has."""

import numpy as np

from emotion_rppg.signals import Signal


def pulse(bpm: float, rate_hz: float, seconds: float = 40.0) -> np.ndarray:
    """Return a wave with a second harmonic; its rate (per minute) identifies the channel."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return 30 * np.sin(2 * np.pi * bpm / 60 * t) + 8 * np.sin(4 * np.pi * bpm / 60 * t)


def rate_of(wave: Signal) -> float:
    """Return the strongest frequency (per minute) of a wave; missing samples count as its mean."""
    samples = np.nan_to_num(wave.samples - np.nanmean(wave.samples))
    samples = np.pad(samples, (0, 9 * len(wave)))
    return 60 * wave.rate_hz / len(samples) * float(np.abs(np.fft.rfft(samples)).argmax())
