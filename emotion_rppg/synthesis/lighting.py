"""Draw the light on a head: directions, colours and how they change in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion_rppg.synthesis.cameras import wander


@dataclass(frozen=True, eq=False)
class Lighting:
    """Directional lights and ambient light in each frame, fixed to the room and not to the head.

    Parameters
    ----------
    directions : (lights, n, 3)
        Unit vectors towards each light.
    colours : (lights, n, 3)
        Linear RGB of each light.
    ambient : (n, 3)
        Linear RGB of the ambient light.
    gain : (n, 3)
        Gain of the camera's channels: exposure and white balance.
    """

    directions: np.ndarray
    colours: np.ndarray
    ambient: np.ndarray
    gain: np.ndarray


def draw_lighting(
    draw: np.random.Generator, n: int, rate_hz: float, *, unrest: float = 1.0
) -> Lighting:
    """Draw one to three lights and ambient light for n frames, and the camera's answer to them.

    ``unrest`` (0–1) scales all changes in time.
    """
    lights = int(draw.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
    strengths = np.r_[1.0, draw.uniform(0.1, 0.7, lights - 1)]
    contrast = draw.uniform(0.15, 1.0)  # of directional to ambient light
    white = _illuminant(draw)
    tints = [white * _illuminant(draw, 0.4) for _ in range(lights)]
    series = [_changes(draw, n, rate_hz, unrest) for _ in range(lights)]
    directions = np.stack([_directions(draw, n, rate_hz, unrest) for _ in range(lights)])
    colours = np.stack(
        [contrast * s * tint * gain for s, tint, gain in zip(strengths, tints, series, strict=True)]
    )
    ambient = (1.1 - contrast) * white * _illuminant(draw, 0.3) * _changes(draw, n, rate_hz, unrest)
    # white balance: the illuminant is divided out, with an error that differs by camera
    total = ambient.mean(0) + 0.5 * colours.mean(1).sum(0)
    balance = 1 / total * _illuminant(draw, 0.35)
    gain = balance * _steps(draw, n, rate_hz, unrest)
    return Lighting(*(np.asarray(p, np.float32) for p in (directions, colours, ambient, gain)))


def _illuminant(draw: np.random.Generator, spread: float = 1.0) -> np.ndarray:
    """Draw the colour of a light (3,): warm to cold, a little green or magenta."""
    warm, green = spread * draw.normal(0, 0.22), spread * draw.normal(0, 0.06)
    return np.exp(np.array([warm, green, -warm]))


def _directions(draw: np.random.Generator, n: int, rate_hz: float, unrest: float) -> np.ndarray:
    """Draw the direction of a light in each frame (n, 3); some lights move."""
    azimuth, height = draw.normal(0, 0.75), draw.normal(0.45, 0.4)
    turn, rise = np.full(n, np.clip(azimuth, -1.4, 1.4)), np.full(n, np.clip(height, -0.5, 1.2))
    if draw.uniform() < 0.2 * unrest:
        turn = turn + draw.uniform(0.02, 0.5) * wander(draw, n, rate_hz, draw.uniform(0.1, 0.5))
        rise = rise + draw.uniform(0, 0.2) * wander(draw, n, rate_hz, 0.2)
    return np.stack(
        [np.sin(turn) * np.cos(rise), -np.sin(rise), np.cos(turn) * np.cos(rise)], axis=-1
    )


def _changes(draw: np.random.Generator, n: int, rate_hz: float, unrest: float) -> np.ndarray:
    """Draw the gain (n, 3) of a light: drift, mains flicker that aliases, scenes of a screen."""
    t = np.arange(n) / rate_hz
    change = unrest * draw.uniform(0, 0.03) * wander(draw, n, rate_hz, 0.15)
    if draw.uniform() < 0.3 * unrest:
        change = change + draw.uniform(0, 0.012) * wander(draw, n, rate_hz, draw.uniform(1, 4))
    if draw.uniform() < 0.25 * unrest:  # 100 or 120 Hz, aliased by the camera's rate
        alias_hz = draw.uniform(0.2, min(6.0, rate_hz / 2))
        change = change + 10 ** draw.uniform(-3.3, -1.9) * np.sin(
            2 * np.pi * alias_hz * t + draw.uniform(0, 6.3)
        )
    gain = np.repeat(1 + change[:, None], 3, axis=1)
    if draw.uniform() < 0.15 * unrest:
        scene = np.cumsum(draw.uniform(size=n) < draw.uniform(0.2, 2) / rate_hz)
        scenes = draw.normal(0, draw.uniform(0.01, 0.12), (scene[-1] + 1, 1))
        gain = gain * (1 + scenes + draw.normal(0, 0.02, (scene[-1] + 1, 3)))[scene]
    return np.clip(gain, 0.5, 1.6)


def _steps(draw: np.random.Generator, n: int, rate_hz: float, unrest: float) -> np.ndarray:
    """Draw the gain (n, 3) of a camera that corrects exposure and white balance in steps."""
    gain = np.ones((n, 3))
    for probability, size, common in ((0.25, 0.08, True), (0.15, 0.02, False)):
        if draw.uniform() < probability * unrest:
            for _ in range(int(draw.integers(1, 4))):
                step = draw.normal(0, size) * (np.ones(3) if common else draw.normal(0, 1, 3))
                after_s = np.maximum(np.arange(n) - draw.integers(0, n), 0) / rate_hz
                gain *= 1 + step * (1 - np.exp(-after_s / draw.uniform(0.03, 0.6)))[:, None]
    return np.clip(gain, 0.6, 1.6)
