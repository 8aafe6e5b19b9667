"""Generate synthetic people: traits from a seed, and beats that follow arousal and valence.

Directions of the autonomic response are from reviews. With arousal the heart rate rises,
respiratory sinus arrhythmia (high-frequency variability) falls, breathing becomes faster and the
peripheral pulse amplitude falls (Kreibig 2010; Berntson et al. 1997); low-frequency variability
falls less (Task Force 1996). Pleasant states have more respiratory sinus arrhythmia than unpleasant
ones (Kreibig 2010). Effect sizes are chosen so that a working pipeline detects them in minutes of
data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from emotion_rppg.errors import InputError

# Seeds of people in studies; those of training clips are far above (clips.py).
FIRST_PERSON_SEED, LAST_PERSON_SEED = 1, 999_999
_STEP_S = 0.004  # of the integration; beats are interpolated within a step


@dataclass(frozen=True)
class Person:
    """A synthetic person, whose traits follow from the seed.

    ``rest_bpm`` is the heart rate at rest; ``reactivity`` the size of the response (1: average);
    ``rsa`` and ``lf`` the relative modulation of the rate by breathing and by the 0.1 Hz rhythm;
    ``breath_hz`` the breathing rate; ``tone`` the skin tone, 0 (light) to 1 (dark).

    Raises
    ------
    InputError
        A seed outside ``FIRST_PERSON_SEED`` … ``LAST_PERSON_SEED``.
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
    """Beats (R peaks) in seconds, respiration, pulse amplitude and arousal of one recording.

    ``breath(times_s)`` is the respiration at any times, -1 (out) … 1 (in). ``amplitude`` is that of
    the peripheral pulse, 1 at rest. ``arousal`` is in -1 … 1.
    """

    beats_s: np.ndarray
    duration_s: float
    breath_times_s: np.ndarray
    breath_values: np.ndarray
    amplitude: float
    arousal: float

    def breath(self, times_s: np.ndarray) -> np.ndarray:
        """Interpolate the respiration at times in seconds, -1 to 1."""
        return np.interp(times_s, self.breath_times_s, self.breath_values)


def heart(
    person: Person,
    arousal: float,
    valence: float,
    duration_s: float,
    *,
    seed: int | None = None,
) -> Heart:
    """Generate a person's heart beats in a state, by integral pulse frequency modulation.

    A beat occurs where the integral of the instantaneous rate passes an integer (Mateo & Laguna
    2000). ``arousal`` and ``valence`` are ratings on 1–9, 5 is neutral. ``seed`` is the person's by
    default.
    """
    draw = np.random.default_rng(person.seed if seed is None else seed)
    a = person.reactivity * (arousal - 5) / 4
    v = person.reactivity * (valence - 5) / 4
    lead_s = 4.0  # before the clock starts, so that no beat is missing at the start
    t = np.arange(-lead_s, duration_s + lead_s, _STEP_S)
    breath = _breathing(draw, t, person.breath_hz * (1 + 0.15 * a))
    slow = _slow_rhythm(draw, t, 0.1)
    drift = np.cumsum(draw.normal(0, 1, len(t)))
    drift = 0.01 * (drift - drift.mean()) / (drift.std() + 1e-9)
    rate_hz = person.rest_bpm / 60 * (1 + 0.17 * a - 0.03 * v)
    rsa = min(person.rsa * np.exp(-0.6 * a + 0.7 * v), 0.12)  # RMSSD stays below 150 ms
    lf = person.lf * np.exp(-0.2 * a)
    rate = rate_hz * np.clip(1 + rsa * breath + lf * slow + drift, 0.4, 2.5)
    phase = np.concatenate([[0.0], np.cumsum(rate[:-1]) * _STEP_S]) + draw.uniform()
    beat_numbers = np.arange(np.ceil(phase[0]), np.floor(phase[-1]) + 1)
    beats = np.interp(beat_numbers, phase, t)
    return Heart(
        beats_s=beats,
        duration_s=duration_s,
        breath_times_s=t,
        breath_values=breath,
        amplitude=float(np.exp(-0.25 * a)),
        arousal=float(np.clip(a, -1, 1)),
    )


def _breathing(draw: np.random.Generator, t: np.ndarray, rate_hz: float) -> np.ndarray:
    """Generate respiration, -1 to 1: a sine whose rate varies by a few per cent between breaths."""
    knots = np.arange(t[0], t[-1] + 4, 4.0)
    wander = np.interp(t, knots, draw.normal(0, 0.05, len(knots)))
    phase = 2 * np.pi * np.cumsum(rate_hz * (1 + wander)) * _STEP_S
    return np.sin(phase + draw.uniform(0, 2 * np.pi))


def _slow_rhythm(draw: np.random.Generator, t: np.ndarray, rate_hz: float) -> np.ndarray:
    """Sum a few sines around a rate, of unit amplitude: a spectral band, not a line."""
    total = np.zeros(len(t))
    for shift in (-0.02, 0.0, 0.02):
        total += np.sin(2 * np.pi * (rate_hz + shift) * t + draw.uniform(0, 2 * np.pi))
    return total / np.sqrt(3)
