"""Render a moving, lit head in front of its body and a background, in linear RGB.

Light is computed on the head's texture, whose normals do not change: only the lights, turned into
the head's frame, do. An image of the head is the texture at the points where rays of an
orthographic camera meet its ellipsoid. Images have a fourth, unused channel: OpenCV is faster with
four than with three.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emotion_rppg.synthesis.head_motion import Motion
from emotion_rppg.synthesis.head_parts import REACH, TEXELS, smooth_map
from emotion_rppg.synthesis.heads import Head
from emotion_rppg.synthesis.lighting import Lighting

FIELD = 1.2  # width of the rendered field in widths of the crop, so that the crop can move in it
CENTRE_Y = -0.03  # of the head in the crop, relative to the crop's middle
SHININESS = 4  # squarings of the cosine: its 16th power
CHUNK = 8  # frames rendered together: enough for NumPy, few enough for the processor's cache


def rotations(motion: Motion) -> np.ndarray:
    """Compute the rotation of each frame from the head's frame to the camera's, (n, 3, 3).

    Roll is left out: it is a turn of the image.
    """
    cy, sy = np.cos(motion.yaw), np.sin(motion.yaw)
    cp, sp = np.cos(motion.pitch), np.sin(motion.pitch)
    zero = np.zeros_like(cy)
    rows = ([cy, sy * sp, sy * cp], [zero, cp, -sp], [-sy, cy * sp, cy * cp])
    return np.stack([np.stack(row, -1) for row in rows], axis=-2)


class LitTexture:
    """A head's texture under its light, one frame after the other.

    ``strength`` is the relative amplitude of the blood's absorption for one standard deviation of
    the wave where the pulse map is 1.
    """

    def __init__(self, head: Head, motion: Motion, lighting: Lighting, *, strength: float) -> None:
        self.normals, self.motion = head.normals, motion
        # rows are channels, columns texels
        self.albedo, self.lids, self.mouth = (
            part.reshape(3, -1) for part in (head.albedo, head.lids, head.mouth)
        )
        self.depth = strength * np.outer(head.haemoglobin, head.pulse.ravel()).astype(np.float32)
        self.gloss, self.delay_s = head.gloss.ravel(), head.delay_s.ravel()
        self.cavity, self.expression = head.cavity.ravel(), head.expression.ravel()
        turns = rotations(motion)
        eye = turns[:, 2]  # the direction of the camera in the head's frame
        directions = np.einsum("lki,kij->klj", lighting.directions, turns)
        half = directions[:, 0] + eye
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        self.directions = np.concatenate([directions, half[:, None]], axis=1).astype(np.float32)
        colours = np.concatenate([lighting.colours, lighting.ambient[None]]) * lighting.gain
        self.colours = np.ascontiguousarray(colours.transpose(1, 2, 0))
        self.shares = np.empty((len(lighting.colours) + 1, TEXELS * TEXELS), np.float32)

    def frame(self, k: int, wave: float, slope: float) -> np.ndarray:
        """Light the texture in frame k: linear RGB (3, TEXELS, TEXELS).

        ``wave`` and ``slope`` are the blood volume and its slope (per second) in frame k.
        """
        shares, motion = self.shares, self.motion
        np.maximum(self.directions[k] @ self.normals, 0, out=shares)
        shine = shares[-1].copy()
        for _ in range(SHININESS):
            shine *= shine
        shine *= self.gloss
        shares[-1] = self.cavity
        light: np.ndarray = self.colours[k] @ shares
        if motion.expression[k]:
            light *= 1 + np.float32(motion.expression[k]) * self.expression
        blood = self.delay_s * np.float32(slope)
        blood -= np.float32(wave)
        shown = self.depth * blood
        shown += 1
        shown *= self._albedo(k)
        light *= shown
        light += self.colours[k, :, :1] * shine
        return light.reshape(3, TEXELS, TEXELS)

    def _albedo(self, k: int) -> np.ndarray:
        """Compute the albedo (3, TEXELS²) with the lids and the mouth of frame k."""
        albedo, motion = self.albedo, self.motion
        for opening, change in ((motion.blink[k], self.lids), (motion.mouth[k], self.mouth)):
            if opening > 0:
                albedo = albedo + np.float32(opening) * change
        return albedo


def ray_texels(
    head: Head, motion: Motion, frames: slice, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intersect the rays of each pixel with the head's ellipsoid.

    Returns texel coordinates u and v and the head's opacity, 0–1, each float32 (n, size, size).
    """
    at = np.float32(FIELD) * (np.arange(size, dtype=np.float32) + np.float32(0.5)) / size
    at = at - np.float32(FIELD / 2)

    def column(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)[frames, None, None]

    c, s = (column(f(motion.roll) / motion.zoom) for f in (np.cos, np.sin))
    dx, dy = at[None, None] - column(motion.x), at[None, :, None] - column(motion.y + CENTRE_Y)
    x, y = c * dx + s * dy, c * dy - s * dx
    x *= 1 + np.float32(head.taper) * np.maximum(y, 0)
    turns = rotations(motion) / head.axes  # rows: axes of the camera, scaled to the unit sphere

    def dot(i: int, j: int) -> np.ndarray:
        return column((turns[:, i] * turns[:, j]).sum(-1))

    a, b = dot(2, 2), dot(0, 2) * x + dot(1, 2) * y
    inside = (dot(0, 0) * x + 2 * dot(0, 1) * y) * x
    inside += (dot(1, 1) * y) * y
    inside -= 1
    inside *= -a
    inside += b * b
    depth = np.sqrt(np.maximum(inside, 0))
    depth -= b
    depth /= a
    px, py, pz = (
        column(turns[:, 0, i]) * x + column(turns[:, 1, i]) * y + column(turns[:, 2, i]) * depth
        for i in range(3)
    )
    pz += 1
    scale = np.float32(TEXELS / (2 * REACH)) / np.maximum(pz, np.float32(0.3), out=pz)
    middle = np.float32(TEXELS / 2 - 0.5)
    u, v = px * scale + middle, py * scale + middle
    if motion.mouth[frames].any():  # the chin goes down with the jaw
        lower = np.minimum(np.maximum(v - (middle + 8), 0), 5)
        v -= column(0.4 * motion.mouth) * lower
    inside *= column(np.full(len(turns), size / FIELD * head.axes[0])) * np.float32(0.5) / a
    inside += np.float32(0.5)
    return u, v, np.clip(inside, 0, 1, out=inside)


def draw_background(draw: np.random.Generator, size: int) -> np.ndarray:
    """Draw a background, linear RGB (size, size, 3): plain, or with edges and patches of colour."""
    tone = draw.uniform(0.02, 0.8) * np.exp(draw.normal(0, 0.25, 3))
    image = tone * (1 + draw.uniform(0, 0.4) * smooth_map(draw, size, 4)[..., None])
    for _ in range(int(draw.choice([0, 2, 6], p=[0.35, 0.35, 0.3]))):
        x0, y0 = draw.integers(-size // 4, size, 2)
        w, h = draw.integers(4, size, 2)
        part = slice(max(y0, 0), max(y0 + h, 1)), slice(max(x0, 0), max(x0 + w, 1))
        image[part] = draw.uniform(0.01, 0.9) * np.exp(draw.normal(0, 0.3, 3))
    if draw.uniform() < 0.3:
        image = image * (1 + 0.3 * smooth_map(draw, size, 20)[..., None])
    return np.asarray(np.clip(image, 0.005, 1.5), np.float32)


def draw_body(draw: np.random.Generator, head: Head, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw neck, shoulders and the hair behind the neck around a head in the middle.

    Returns linear RGB times opacity, and opacity, (size, size, 4); the neck's mask (size, size).
    """
    at = ((np.arange(size) + 0.5) / size - 0.5) * FIELD
    x, y = np.meshgrid(at, at)
    y = y - CENTRE_Y
    soft = 1.5 * FIELD / size
    half_neck = draw.uniform(0.11, 0.17)
    neck = np.clip((half_neck - np.abs(x)) / soft + 0.5, 0, 1) * (y > 0)
    round_neck = np.sqrt(np.clip(1 - (x / half_neck) ** 2, 0.05, 1))
    shade = 0.75 * round_neck * np.clip(0.35 + 2.5 * (y - 0.32), 0.35, 1)  # the chin's shadow
    rgba = np.zeros((size, size, 4))

    def cover(mask: np.ndarray, colour: np.ndarray) -> None:
        rgba[..., :3] = rgba[..., :3] * (1 - mask[..., None]) + mask[..., None] * colour
        rgba[..., 3] = rgba[..., 3] * (1 - mask) + mask

    if head.long_hair > 0:
        width = head.axes[0] * draw.uniform(1.05, 1.35)
        below = head.axes[1] * (0.4 + 1.4 * head.long_hair)
        around = np.where(y < 0, (y / (1.06 * head.axes[1])) ** 2, 0) + (x / width) ** 4
        hair = np.clip((1 - around) / 0.1, 0, 1) * np.clip((below - y) / 0.03, 0, 1)
        streaks = 1 + 0.25 * smooth_map(draw, size, 12)
        cover(hair, head.hair_colour * np.clip(streaks, 0.4, 2)[..., None])
    cover(neck, head.skin_colour * shade[..., None])
    visible = neck.copy()
    top = draw.uniform(0.38, 0.48) + draw.uniform(0.1, 0.5) * np.abs(x) ** 1.5
    collar = draw.uniform(0, 0.12) * np.exp(-((x / 0.12) ** 2))  # lower at the neck
    cloth = np.clip((y - top - collar) / soft, 0, 1)
    pattern = 1 + draw.uniform(0, 0.4) * smooth_map(draw, size, int(draw.integers(4, 16)))
    colour = draw.uniform(0.01, 0.7) * np.exp(draw.normal(0, 0.4, 3))
    cover(cloth, np.clip(colour * pattern[..., None], 0.004, 0.95))
    return np.asarray(rgba, np.float32), np.asarray(visible * (1 - cloth), np.float32)


class Surroundings:
    """Body and background of a head: one picture, whose parts move with the head or the camera."""

    def __init__(
        self,
        draw: np.random.Generator,
        head: Head,
        motion: Motion,
        lighting: Lighting,
        *,
        strength: float,
        size: int,
    ) -> None:
        body, neck = draw_body(draw, head, size)
        behind = draw_background(draw, size) * np.float32(draw.uniform(0.3, 1.2))
        picture = body[..., :3] + (1 - body[..., 3:]) * behind
        beat = picture * neck[..., None] * head.haemoglobin * np.float32(0.6 * strength)
        blank = np.zeros_like(picture[..., :1])
        self.picture, self.beat = (
            np.concatenate([part, blank], axis=-1).reshape(size, -1) for part in (picture, beat)
        )
        light = (lighting.ambient + 0.5 * lighting.colours.sum(0)) * lighting.gain
        light = np.concatenate([light, np.zeros_like(light[:, :1])], axis=1)
        self.light = np.tile(light, (1, size))  # (n, 4 × size), as a row of the picture
        self.size, self.motion = size, motion
        self.opacity = body[..., 3]
        self.y, self.x = np.mgrid[0:size, 0:size].astype(np.float32)

    def frame(self, k: int, wave: float) -> np.ndarray:
        """Render frame k: linear RGB and a blank channel (size, size, 4)."""
        import cv2

        motion, to_px = self.motion, self.size / FIELD
        lit = self.beat * np.float32(-wave)
        lit += self.picture
        lit *= self.light[k]
        maps = []
        for at, body, camera in (
            (self.x, motion.body_x[k], motion.camera_x[k]),
            (self.y, motion.body_y[k], motion.camera_y[k]),
        ):
            shift = self.opacity * np.float32((camera - body) * to_px)
            shift += at
            shift -= np.float32(camera * to_px)
            maps.append(shift)
        image = lit.reshape(self.size, self.size, 4)
        return cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def render(
    draw: np.random.Generator,
    head: Head,
    motion: Motion,
    lighting: Lighting,
    wave: np.ndarray,
    rate_hz: float,
    *,
    strength: float,
    size: int,
) -> Iterator[np.ndarray]:
    """Render chunks of frames, linear RGB and a blank channel (m, size, size, 4).

    Images show a field `FIELD` crops wide. ``wave`` (n,) is the blood volume at the frames' times
    in standard deviations.
    """
    import cv2

    texture = LitTexture(head, motion, lighting, strength=strength)
    around = Surroundings(draw, head, motion, lighting, strength=strength, size=size)
    slope = np.gradient(wave) * rate_hz
    blank = np.zeros((TEXELS, TEXELS), np.float32)
    for first in range(0, len(wave), CHUNK):
        frames = slice(first, min(first + CHUNK, len(wave)))
        maps = ray_texels(head, motion, frames, size)
        out = np.empty((frames.stop - first, size, size, 4), np.float32)
        for k, (u, v, opacity) in enumerate(zip(*maps, strict=True), start=first):
            lit = texture.frame(k, wave[k], slope[k])
            view = cv2.remap(
                cv2.merge([*lit, blank]), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            back = around.frame(k, wave[k])
            cv2.blendLinear(view, back, opacity, 1 - opacity, dst=out[k - first])
        yield out
