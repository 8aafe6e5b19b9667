"""Generate training clips of rendered heads, many different ones, with a known pulse or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emotion_rppg.synthesis.clips import draw_pulse, eight_bits, standardised
from emotion_rppg.synthesis.degradations import (
    cropped,
    draw_codecs,
    draw_sensor,
    expose,
    on_even_grid,
    through_codec,
    with_repeated_frames,
)
from emotion_rppg.synthesis.head_motion import Motion, draw_motion
from emotion_rppg.synthesis.heads import draw_head
from emotion_rppg.synthesis.lighting import Lighting, draw_lighting
from emotion_rppg.synthesis.rendering import FIELD, render

RENDERED_PX = (64, 64, 64, 80)  # a side of the rendered field
WEAKEST, STRONGEST = 0.0005, 0.015  # pulse, relative change of green per SD of the wave
CALM = 0.35  # share of clips of a still head in constant light
REPEATING = 0.12  # share of clips with repeated frames
FINE_HZ = 120.0  # at which the wave is drawn


def head_clip(
    seed: int,
    *,
    frames: int = 128,
    size: int = 36,
    rate_hz: float = 30.0,
    pulse: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Generate a clip of a random head and the pulse wave in it, at random from a seed.

    Random are the head (shape, skin over the whole Monk scale, hair, beard, glasses, make-up), its
    motion and expression, the lights, the camera with its processing, codec and rate, and the
    strength of the pulse: 0.05–1.5 % of green, most often 0.1–0.4 %.

    Parameters
    ----------
    pulse : bool
        False: something without any pulse, such as a statue or a living face whose pulse is lost.

    Returns
    -------
    clip : uint8 (frames, size, size, 3), RGB
        As a face track crops it.
    wave : (frames,)
        Standardised blood volume, more blood is up; zeros without a pulse.
    """
    draw = np.random.default_rng((seed, 8))
    camera_hz = _camera_rate(draw, rate_hz)
    grid = np.arange(frames) / rate_hz
    times = _frame_times(grid[-1], camera_hz)
    fine = np.arange(0, grid[-1] + 1.0, 1 / FINE_HZ)
    truth = draw_pulse(draw, fine)
    wave = np.interp(times, fine, truth)
    strength = _strength(draw) if pulse else 0.0
    alive = pulse or draw.uniform() < 0.4
    head = draw_head(draw)
    unrest = draw.uniform(0, 0.2) if draw.uniform() < CALM else draw.uniform(0.3, 1)
    motion = draw_motion(draw, wave, camera_hz, unrest=unrest, alive=alive)
    if not alive and draw.uniform() < 0.5:
        motion = _of_a_photograph(motion)
    lighting = draw_lighting(draw, len(times), camera_hz, unrest=unrest)
    lighting = _exposed(draw, lighting, head.skin_colour)
    px = int(draw.choice(RENDERED_PX))
    linear = render(draw, head, motion, lighting, wave, camera_hz, strength=strength, size=px)
    video = np.stack(list(expose(draw, linear, draw_sensor(draw))))
    video = _encoded(draw, video, camera_hz)
    if draw.uniform() < REPEATING:
        video = with_repeated_frames(draw, video, most=0.12)
    crops = cropped(video, _boxes(motion, video.shape[1]), size)
    clip = eight_bits(on_even_grid(crops, times, grid))
    if not pulse:
        return clip, np.zeros(frames)
    return clip, standardised(np.interp(grid, fine, truth))


def _camera_rate(draw: np.random.Generator, rate_hz: float) -> float:
    """Draw the frame rate of a camera in Hz: most often the clip's, else 15–30 or up to 60."""
    kind = draw.uniform()
    if kind < 0.6:
        return rate_hz
    return float(draw.uniform(15, 30) if kind < 0.92 else draw.uniform(30, 60))


def _frame_times(end_s: float, camera_hz: float) -> np.ndarray:
    """Compute the times of a camera's frames in seconds, from 0 to past the end."""
    return np.arange(int(np.ceil(end_s * camera_hz)) + 2) / camera_hz


def _strength(draw: np.random.Generator) -> float:
    """Draw the relative pulse amplitude of the blood's absorption; pixels have half of it."""
    share = draw.beta(2.0, 1.8)
    return float(2 * WEAKEST * (STRONGEST / WEAKEST) ** share)


def _exposed(draw: np.random.Generator, lighting: Lighting, skin_colour: np.ndarray) -> Lighting:
    """Scale the camera's gain so that skin has a usual brightness."""
    skin = float(skin_colour[1])
    want = draw.uniform(0.12, 0.42) * (skin / 0.4) ** draw.uniform(0.3, 0.7)
    return Lighting(
        lighting.directions,
        lighting.colours,
        lighting.ambient,
        lighting.gain * np.float32(want / skin),
    )


def _of_a_photograph(motion: Motion) -> Motion:
    """Change the motion to that of a picture of a head: it moves with its background, as a plane.

    Light on the head then does not change with its pose.
    """
    still = {name: np.full_like(motion.yaw, getattr(motion, name)[0]) for name in ("yaw", "pitch")}
    return replace(motion, **still, camera_x=motion.x, camera_y=motion.y)


def _encoded(draw: np.random.Generator, video: np.ndarray, rate_hz: float) -> np.ndarray:
    """Pass the video through its codecs."""
    for codec in draw_codecs(draw):
        video = through_codec(video, rate_hz, codec)
    return video


def _boxes(motion: Motion, px: int) -> np.ndarray:
    """Return the crop of each frame (n, 3): centre x, centre y and side in pixels."""
    to_px = px / FIELD
    return np.stack(
        [px / 2 + motion.box_x * to_px, px / 2 + motion.box_y * to_px, motion.box_zoom * to_px],
        axis=-1,
    )
