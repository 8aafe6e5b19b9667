"""One heart seen three ways: an ECG at the chest, a PPG at the finger, blood in the face.

The pulse arrives later than the R peak, at each place with a delay of its own that breathing and
arousal change a little and chance a little more: that is why pulse-rate variability is not quite
heart-rate variability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.people import Heart


@dataclass(frozen=True)
class Site:
    """Where the pulse is seen: transit time (s), how breathing moves it, its chance (s)."""

    transit_s: float
    by_breath_s: float
    jitter_s: float


FINGER = Site(0.23, 0.006, 0.003)
FACE = Site(0.16, 0.004, 0.003)


def ecg(heart: Heart, *, rate_hz: float = 250.0, seed: int = 0) -> Signal:
    """Sharp R peaks with P and T waves, in millivolts, with a little noise and breathing."""
    draw = np.random.default_rng((seed, 1))
    t = np.arange(round(heart.duration_s * rate_hz)) / rate_hz
    wave = np.zeros(len(t))
    intervals = np.diff(heart.beats_s, append=2 * heart.beats_s[-1] - heart.beats_s[-2])
    for beat, interval in zip(heart.beats_s, intervals, strict=True):
        shape = (
            (0.12, -0.17, 0.025),
            (-0.12, -0.025, 0.010),
            (1.0, 0.0, 0.011),
            (-0.2, 0.028, 0.011),
            (0.28, 0.30 * np.sqrt(interval), 0.045),
        )
        for height, at, width in shape:
            _add(wave, t, beat + at, width, height, rate_hz)
    wave += 0.05 * heart.breath(t) + draw.normal(0, 0.01, len(t))
    return Signal(wave, rate_hz, kind="ecg")


def arrivals(heart: Heart, site: Site, *, seed: int = 0) -> np.ndarray:
    """When each beat's pulse reaches the site, seconds, as many as there are beats."""
    draw = np.random.default_rng((seed, 2, round(1e4 * site.transit_s)))
    transit = site.transit_s * (1 - 0.08 * heart.arousal) + site.by_breath_s * heart.breath(
        heart.beats_s
    )
    return heart.beats_s + transit + draw.normal(0, site.jitter_s, len(heart.beats_s))


def bvp(heart: Heart, *, rate_hz: float = 64.0, seed: int = 0) -> Signal:
    """Contact PPG at the finger, more blood up, arbitrary units, with a little noise."""
    draw = np.random.default_rng((seed, 3))
    wave = blood(heart, FINGER, rate_hz=rate_hz, seed=seed)
    samples = heart.amplitude * wave.samples + draw.normal(0, 0.01, len(wave))
    return Signal(samples, rate_hz, kind="bvp")


def blood(heart: Heart, site: Site, *, rate_hz: float, seed: int = 0) -> Signal:
    """Blood volume at a site without any noise: the truth a camera or a clip tries to see.

    Each pulse is a steep systolic wave and a later, lower diastolic one; its height follows
    breathing and the length of the interval before it.
    """
    t = np.arange(round(heart.duration_s * rate_hz)) / rate_hz
    wave = np.zeros(len(t))
    at = arrivals(heart, site, seed=seed)
    intervals = np.diff(at, prepend=2 * at[0] - at[1])
    heights = (1 + 0.08 * heart.breath(at)) * (0.6 + 0.4 * np.clip(intervals, 0.3, 1.5) / 0.85)
    for arrival, interval, height in zip(at, intervals, heights, strict=True):
        scale = np.sqrt(np.clip(interval, 0.35, 1.4) / 0.85)
        _add(wave, t, arrival, 0.075 * scale, height, rate_hz)
        _add(wave, t, arrival + 0.15 * scale, 0.11 * scale, 0.55 * height, rate_hz)
        _add(wave, t, arrival + 0.36 * scale, 0.10 * scale, 0.35 * height, rate_hz)
    return Signal(wave, rate_hz, kind="bvp")


def _add(
    wave: np.ndarray, t: np.ndarray, at: float, width: float, height: float, rate_hz: float
) -> None:
    """Add a Gaussian in place, over the samples where it is not yet nothing."""
    first = max(int((at - 5 * width) * rate_hz), 0)
    stop = max(int((at + 5 * width) * rate_hz) + 2, 0)
    piece = slice(first, stop)
    wave[piece] += height * np.exp(-0.5 * ((t[piece] - at) / width) ** 2)
