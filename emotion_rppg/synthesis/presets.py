"""Test clips that never change: a photographed face, with motion and codecs no training clip has.

A network is compared on a preset with the classic methods and with its own earlier states, so a
preset's numbers are settled before the first network is trained and are not touched afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emotion_rppg.signals import Beats, Signal
from emotion_rppg.synthesis.cameras import write_video
from emotion_rppg.synthesis.faces import Face, face
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import FACE, arrivals, blood

FIRST_SEED = 990_001  # of the people in presets; nobody else has them


@dataclass(frozen=True)
class Preset:
    """How hard the clips are; `strength` and `noise` in the units of `faces.face` and grey levels.

    ``jumps_px`` and ``turns_deg`` are the spreads of where the head goes at each of ``jumps_hz``
    sudden moves a second; ``passing`` how much light somebody who walks by takes away; ``screen``
    the spread of the light that a film on a screen throws, which changes once or twice a second;
    ``codecs`` are gone through in turn.
    """

    clips: int = 24
    seconds: float = 30.0
    rate_hz: float = 30.0
    size: int = 192
    strength: float = 0.014
    jumps_px: float = 2.0
    turns_deg: float = 1.5
    jumps_hz: float = 0.3
    passing: float = 0.03
    screen: float = 0.025
    noise: float = 2.5
    codecs: tuple[tuple[str, int], ...] = (("mpeg4", 2), ("hevc", 16), ("vp9", 16))


PRESETS = {"moderate": Preset()}


@dataclass(frozen=True)
class Truth:
    """``beats`` are when each pulse reaches the face; ``wave`` is blood volume at the frames."""

    beats: Beats
    wave: Signal
    codec: str
    tone: float


def write_clip(preset: Preset, number: int, path: str | Path) -> Truth:
    """Write clip ``number`` (0 … clips − 1) of a preset as a video file; returns its truth."""
    seed = FIRST_SEED + number
    draw = np.random.default_rng((seed, 8))
    person = Person(seed)
    arousal, valence = draw.uniform(1, 9, 2)
    body = heart(person, arousal, valence, preset.seconds, seed=seed)
    wave = blood(body, FACE, rate_hz=preset.rate_hz, seed=seed)
    wave = replace(wave, samples=(wave.samples - wave.samples.mean()) / wave.samples.std())
    codec, quality = preset.codecs[number % len(preset.codecs)]
    head = face(person.tone, size=preset.size, strength=preset.strength, seed=seed)
    frames = _frames(preset, head, wave, draw)
    write_video(path, frames, preset.rate_hz, crf=quality, codec=codec)
    at = arrivals(body, FACE, seed=seed)
    return Truth(Beats(at[(at > 0) & (at < preset.seconds)]), wave, codec, person.tone)


def _frames(
    preset: Preset, head: Face, wave: Signal, draw: np.random.Generator
) -> Iterator[np.ndarray]:
    import cv2

    times_s = wave.times_s
    size, mid = preset.size, (preset.size - 1) / 2
    x, y = (_jumps(draw, times_s, preset.jumps_hz, preset.jumps_px) for _ in "xy")
    turn = _jumps(draw, times_s, preset.jumps_hz, preset.turns_deg)
    light = _passing(draw, times_s, preset.passing) * _screen(draw, times_s, preset.screen)
    noise = draw.normal(0, preset.noise, (8, size + 32, size + 32, 3)).astype(np.float32)
    for k, pulse in enumerate(wave.samples):
        move = cv2.getRotationMatrix2D((mid, mid), turn[k], 1.0)
        move[:, 2] += x[k], y[k]
        picture = head.picture - head.pulse * np.float32(pulse)
        moved = cv2.warpAffine(picture, move, (size, size), borderMode=cv2.BORDER_REPLICATE)
        down, right = draw.integers(0, 32, 2)
        grain = noise[k % 8, down : down + size, right : right + size]
        yield np.clip(moved * light[k] + grain + 0.5, 0, 255).astype(np.uint8)


def _jumps(draw: np.random.Generator, times_s: np.ndarray, hz: float, spread: float) -> np.ndarray:
    """A position that leaps now and then to a new place and settles there within a second."""
    step = times_s[1] - times_s[0]
    aim, at, speed = draw.normal(0, spread), 0.0, 0.0
    out = np.empty(len(times_s))
    for k in range(len(times_s)):
        if draw.uniform() < hz * step:
            aim = draw.normal(0, spread)
        speed += step * (120 * (aim - at) - 16 * speed)
        at += step * speed
        out[k] = at
    return out


def _passing(draw: np.random.Generator, times_s: np.ndarray, depth: float) -> np.ndarray:
    """Gain (n, 1, 1, 3): shadows of a second or two, and steps of tint as a screen changes."""
    gain = np.ones((len(times_s), 3))
    for at in draw.uniform(0, times_s[-1], draw.poisson(times_s[-1] / 8)):
        width = draw.uniform(0.3, 1.0)
        gain *= 1 - draw.uniform(0, depth) * np.exp(-(((times_s[:, None] - at) / width) ** 2))
    for at in draw.uniform(0, times_s[-1], draw.poisson(times_s[-1] / 10)):
        tint = draw.normal(0, 0.3 * depth, 3)
        gain *= 1 + tint / (1 + np.exp(-(times_s[:, None] - at) / 0.1))
    return gain[:, None, None, :].astype(np.float32)


def _screen(draw: np.random.Generator, times_s: np.ndarray, spread: float) -> np.ndarray:
    """Gain (n, 1, 1, 1) of a screen's light: steps from one scene of a film to the next."""
    scenes = np.cumsum(draw.uniform(size=len(times_s)) < 1.5 * (times_s[1] - times_s[0]))
    gain = 1 + spread * draw.normal(0, 1, scenes[-1] + 1)[scenes]
    return gain[:, None, None, None].astype(np.float32)
