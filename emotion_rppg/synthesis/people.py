"""Synthetic people: traits from a seed, and a heart whose beats follow arousal and valence.

Directions of the autonomic response, from reviews: with arousal the heart rate rises, respiratory
sinus arrhythmia (high-frequency variability) falls, breathing quickens and peripheral pulse
amplitude falls (Kreibig 2010; Berntson et al. 1997); low-frequency variability falls less (Task
Force 1996); pleasant states go with more respiratory sinus arrhythmia than unpleasant ones
(Kreibig 2010). Sizes are chosen so that a chain that works is seen to work in minutes of data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from emotion_rppg.errors import InputError

# Seeds of people in studies; those of training clips begin far above (cameras.py).
FIRST_PERSON_SEED, LAST_PERSON_SEED = 1, 999_999
_STEP_S = 0.004  # of the integration; beats are interpolated within a step


@dataclass(frozen=True)
class Person:
    """Traits that a seed fixes for ever.

    ``rest_bpm`` heart rate at rest; ``reactivity`` size of the response (1: average); ``rsa`` and
    ``lf`` relative modulation of the rate by breathing and by the 0.1 Hz rhythm; ``breath_hz``;
    ``tone`` of the skin, 0 (light) to 1 (dark).
    """

    seed: int
    rest_bpm: float = field(init=False)
    reactivity: float = field(init=False)
    rsa: float = field(init=False)
    lf: float = field(init=False)
    breath_hz: float = field(init=False)
    tone: float = field(init=False)

    def __post_init__(self) -> None:
        if not FIRST_PERSON_SEED <= self.seed <= LAST_PERSON_SEED:
            raise InputError(
                f"a person's seed is {FIRST_PERSON_SEED}–{LAST_PERSON_SEED}, got {self.seed}: "
                "larger ones belong to training clips"
            )
        draw = np.random.default_rng((self.seed, 0))
        traits = {
            "rest_bpm": np.clip(draw.normal(70, 6), 54, 88),
            "reactivity": np.exp(draw.normal(0, 0.15)),
            "rsa": 0.04 * np.exp(draw.normal(0, 0.3)),
            "lf": 0.025 * np.exp(draw.normal(0, 0.3)),
            "breath_hz": np.clip(draw.normal(0.25, 0.03), 0.18, 0.33),
            "tone": draw.uniform(0, 1),
        }
        for name, value in traits.items():
            object.__setattr__(self, name, float(value))


@dataclass(frozen=True, eq=False)
class Heart:
    """Beats (R peaks) in seconds, and what else the body did meanwhile.

    ``breath`` is a function of time: seconds to -1 (out) … 1 (in). ``amplitude`` is the
    peripheral pulse's, 1 at rest. ``arousal`` is in -1 … 1.
    """

    beats_s: np.ndarray
    duration_s: float
    breath_times_s: np.ndarray
    breath_values: np.ndarray
    amplitude: float
    arousal: float

    def breath(self, times_s: np.ndarray) -> np.ndarray:
        """Respiration at any times, -1 to 1."""
        return np.interp(times_s, self.breath_times_s, self.breath_values)


def heart(
    person: Person,
    arousal: float,
    valence: float,
    duration_s: float,
    *,
    seed: int | None = None,
) -> Heart:
    """The person's heart in a state, by integral pulse frequency modulation.

    A beat falls where the integral of the instantaneous rate passes a whole number (Mateo &
    Laguna 2000). Ratings are on 1–9, 5 is neutral.
    """
    draw = np.random.default_rng(person.seed if seed is None else seed)
    a = person.reactivity * (arousal - 5) / 4
    v = person.reactivity * (valence - 5) / 4
    lead = 4.0  # seconds before the clock starts, so that no beat is missing at its border
    t = np.arange(-lead, duration_s + lead, _STEP_S)
    breath = _breathing(draw, t, person.breath_hz * (1 + 0.15 * a))
    slow = _rhythm(draw, t, 0.1)
    drift = np.cumsum(draw.normal(0, 1, len(t)))
    drift = 0.01 * (drift - drift.mean()) / (drift.std() + 1e-9)
    rate_hz = person.rest_bpm / 60 * (1 + 0.17 * a - 0.03 * v)
    rsa = min(person.rsa * np.exp(-0.6 * a + 0.7 * v), 0.12)  # RMSSD stays below 150 ms
    lf = person.lf * np.exp(-0.2 * a)
    rate = rate_hz * np.clip(1 + rsa * breath + lf * slow + drift, 0.4, 2.5)
    phase = np.concatenate([[0.0], np.cumsum(rate[:-1]) * _STEP_S]) + draw.uniform()
    whole = np.arange(np.ceil(phase[0]), np.floor(phase[-1]) + 1)
    beats = np.interp(whole, phase, t)
    return Heart(
        beats_s=beats,
        duration_s=duration_s,
        breath_times_s=t,
        breath_values=breath,
        amplitude=float(np.exp(-0.25 * a)),
        arousal=float(np.clip(a, -1, 1)),
    )


def _breathing(draw: np.random.Generator, t: np.ndarray, rate_hz: float) -> np.ndarray:
    """A sine whose rate wanders by a few per cent from breath to breath."""
    knots = np.arange(t[0], t[-1] + 4, 4.0)
    wander = np.interp(t, knots, draw.normal(0, 0.05, len(knots)))
    phase = 2 * np.pi * np.cumsum(rate_hz * (1 + wander)) * _STEP_S
    return np.sin(phase + draw.uniform(0, 2 * np.pi))


def _rhythm(draw: np.random.Generator, t: np.ndarray, rate_hz: float) -> np.ndarray:
    """A few neighbouring sines about a rate, of unit size: a band, not a line."""
    total = np.zeros(len(t))
    for shift in (-0.02, 0.0, 0.02):
        total += np.sin(2 * np.pi * (rate_hz + shift) * t + draw.uniform(0, 2 * np.pi))
    return total / np.sqrt(3)
