"""Draw how a head, its camera and its light move in a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion_rppg.synthesis.cameras import wander

DETECT_S, SMOOTH_S = 0.5, 1.0  # as a face track: detections, and half the width of its weights


@dataclass(frozen=True, eq=False)
class Motion:
    """The pose of a head in each frame. Every array is (n,); lengths are in widths of the crop.

    Angles are in radians. ``x``, ``y`` is the head's centre in the frame and ``zoom`` its relative
    size; ``camera_x``, ``camera_y`` is the shift of the background. ``box_x``, ``box_y`` and
    ``box_zoom`` are the crop's, which follows the head smoothly. ``blink``, ``mouth`` (opening) and
    ``expression`` are 0–1 or about unit size.
    """

    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    x: np.ndarray
    y: np.ndarray
    zoom: np.ndarray
    camera_x: np.ndarray
    camera_y: np.ndarray
    box_x: np.ndarray
    box_y: np.ndarray
    box_zoom: np.ndarray
    blink: np.ndarray
    mouth: np.ndarray
    expression: np.ndarray

    @property
    def body_x(self) -> np.ndarray:
        """Shift of neck and shoulders: most of the head's, and all of the camera's."""
        return 0.8 * self.x + 0.2 * self.camera_x

    @property
    def body_y(self) -> np.ndarray:
        """As ``body_x``, downwards."""
        return 0.8 * self.y + 0.2 * self.camera_y


def draw_motion(
    draw: np.random.Generator,
    wave: np.ndarray,
    rate_hz: float,
    *,
    unrest: float = 1.0,
    alive: bool = True,
) -> Motion:
    """Draw the motion of a head in n frames; ``wave`` (n,) is the pulse, which moves it a little.

    ``unrest`` (0–1) scales all motion. Most heads have some of: slow turns, nods, speech, blinks,
    breathing, walking, tremor of the hand that holds the camera, motion with the heartbeat. A head
    that is not ``alive`` does not blink, speak, breathe or beat.
    """
    n = len(wave)

    def slow(size: float, cut_hz: float) -> np.ndarray:
        return size * wander(draw, n, rate_hz, cut_hz)

    lively = unrest * (10 ** draw.uniform(-1.2, 0.2) if alive else draw.uniform(0, 0.1))
    degrees = np.deg2rad(1.0)
    yaw = draw.normal(0, 9) * degrees + slow(lively * 6 * degrees, draw.uniform(0.1, 0.5))
    pitch = draw.normal(0, 6) * degrees + slow(lively * 4 * degrees, draw.uniform(0.1, 0.5))
    roll = draw.normal(0, 4) * degrees + slow(lively * 3 * degrees, draw.uniform(0.1, 0.4))
    x, y = slow(0.02 * lively, 0.3), slow(0.015 * lively, 0.3)
    zoom = slow(0.025 * lively, 0.2)
    mouth, blink, expression = np.zeros(n), np.zeros(n), np.zeros(n)
    t = np.arange(n) / rate_hz
    if alive:
        blink = _blinks(draw, n, rate_hz)
        expression = slow(draw.uniform(0, 0.06) * min(lively, 1), draw.uniform(0.2, 1.0))
        if draw.uniform() < 0.4 * unrest:
            mouth = _speech(draw, n, rate_hz)
            pitch = pitch + slow(draw.uniform(0, 0.8) * degrees, 2.0)
            yaw = yaw + slow(draw.uniform(0, 0.8) * degrees, 1.5)
            expression = expression + 0.06 * mouth * draw.normal()
        if draw.uniform() < 0.2 * unrest:
            at_hz = draw.uniform(0.4, 2.5)  # possibly a heart rate
            wobble = np.sin(2 * np.pi * at_hz * t + 0.8 * wander(draw, n, rate_hz, 0.5))
            part = np.clip(wander(draw, n, rate_hz, 0.3) + 0.5, 0, 1)
            pitch = pitch + draw.uniform(0.2, 4) * degrees * wobble * part
            y = y + draw.uniform(0, 0.01) * wobble * part
        if draw.uniform() < 0.7:
            breath = np.sin(2 * np.pi * draw.uniform(0.15, 0.4) * t + draw.uniform(0, 6.3))
            y, zoom = y + draw.uniform(0, 0.004) * breath, zoom + draw.uniform(0, 0.003) * breath
        if draw.uniform() < 0.5:
            beat = np.roll(np.gradient(wave), int(draw.integers(-4, 5)))
            beat = beat / (beat.std() + 1e-9)
            pitch = pitch + draw.uniform(0, 0.12) * degrees * beat
            y = y + draw.uniform(0, 0.0009) * beat
    shake = unrest * _shake(draw, n, rate_hz)
    box = _box(draw, np.stack([x + shake[0], y + shake[1], zoom]), rate_hz)
    return Motion(
        yaw,
        pitch,
        roll,
        x + shake[0],
        y + shake[1],
        np.exp(zoom),
        shake[0],
        shake[1],
        box_x=box[0],
        box_y=box[1],
        box_zoom=np.exp(box[2]),
        blink=blink,
        mouth=mouth,
        expression=expression,
    )


def _blinks(draw: np.random.Generator, n: int, rate_hz: float) -> np.ndarray:
    """Draw how far the lids are closed in each frame (n,), 0–1: about one blink in four seconds."""
    starts = draw.uniform(size=n) < draw.uniform(0.1, 0.4) / rate_hz
    shape = np.hanning(round(0.3 * rate_hz) + 3)
    return np.clip(np.convolve(starts, shape)[:n], 0, 1)


def _speech(draw: np.random.Generator, n: int, rate_hz: float) -> np.ndarray:
    """Draw how far the mouth is open in each frame (n,), 0–1: syllables, with pauses."""
    syllables = np.clip(wander(draw, n, rate_hz, 3.0) * 0.4 + 0.15, 0, 1)
    pauses = np.clip(3 * wander(draw, n, rate_hz, 0.4) + 1.5, 0, 1)
    return draw.uniform(0.3, 1) * syllables * pauses


def _shake(draw: np.random.Generator, n: int, rate_hz: float) -> np.ndarray:
    """Draw the motion of the camera (2, n): none, that of a hand, or that of a walking person."""
    kind = draw.uniform()
    if kind < 0.45:
        return np.zeros((2, n))
    size = 0.5 * 10 ** draw.uniform(-2.6, -1.6)  # 0.7–7 pixels for a face of 300 pixels
    shake = np.stack([wander(draw, n, rate_hz, draw.uniform(0.5, 2)) for _ in "xy"])
    shake += draw.uniform(0.05, 0.4) * np.stack([wander(draw, n, rate_hz, 6.0) for _ in "xy"])
    shake *= size
    if kind > 0.92:
        t, steps_hz = np.arange(n) / rate_hz, draw.uniform(1.5, 2.2)
        phase = 2 * np.pi * steps_hz * t + 0.5 * wander(draw, n, rate_hz, 0.4)
        shake[1] += draw.uniform(0.003, 0.02) * np.sin(phase)
        shake[0] += draw.uniform(0.003, 0.02) * np.sin(phase / 2)
    return shake


def _box(draw: np.random.Generator, head: np.ndarray, rate_hz: float) -> np.ndarray:
    """Compute the smoothed box (3, n) of a face track that follows the head (3, n).

    Detections every half second, each with an error, are weighted by a Hann window of two seconds.
    """
    n = head.shape[1]
    t = np.arange(n) / rate_hz
    at = np.arange(-1.0 + draw.uniform(0, DETECT_S), t[-1] + 1.0, DETECT_S)
    detected = np.stack([np.interp(at, t, part) for part in head])
    error = draw.uniform(0.0005, 0.006)
    detected += error * draw.normal(0, 1, detected.shape)
    distance = np.clip((t[:, None] - at) / SMOOTH_S, -1, 1)
    weights = np.cos(np.pi / 2 * distance) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(detected @ weights.T)
