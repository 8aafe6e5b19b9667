"""Draw the parts of a face on the surface of a head: pigments, lips, eyes, hair, beard, glasses.

Maps of a head are textures (TEXELS, TEXELS) in stereographic coordinates: a point (x, y, z) of the
unit sphere has u = x / (1 + z), v = y / (1 + z). x is to the right of the image, y is down, z
towards the camera. The texture shows the front and a part of the back, without a seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TEXELS, REACH = 64, 1.4  # u and v are within ±REACH


def sphere() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute x, y, z of each texel on the unit sphere, each (TEXELS, TEXELS)."""
    at = ((np.arange(TEXELS) + 0.5) / TEXELS * 2 - 1) * REACH
    u, v = np.meshgrid(at, at)
    square = u * u + v * v
    return 2 * u / (1 + square), 2 * v / (1 + square), (1 - square) / (1 + square)


@dataclass(frozen=True)
class FacePlan:
    """Where the parts of a face are, in coordinates of the unit sphere."""

    eye_x: float
    eye_y: float
    eye_open: float
    mouth_y: float
    mouth_width: float
    nose_y: float
    nose_width: float


# ---- small shapes ------------------------------------------------------------------------------


def step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``; falls if ``high`` is the lower."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def spot(
    x: np.ndarray, y: np.ndarray, at: tuple[float, float], radii: tuple[float, float]
) -> np.ndarray:
    """Compute a Gaussian spot of height 1."""
    return np.exp(-(((x - at[0]) / radii[0]) ** 2) - ((y - at[1]) / radii[1]) ** 2)


def disc(
    x: np.ndarray, y: np.ndarray, at: tuple[float, float], radii: tuple[float, float], soft: float
) -> np.ndarray:
    """Compute a filled ellipse of height 1 whose edge is ``soft`` of its radius wide."""
    away = np.sqrt(((x - at[0]) / radii[0]) ** 2 + ((y - at[1]) / radii[1]) ** 2)
    return np.clip((1 - away) / soft + 0.5, 0, 1)


def smooth_map(draw: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Draw a smooth map (size, size) of about unit standard deviation with ``cells`` a side."""
    import cv2

    coarse = draw.normal(0, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


# ---- skin and what covers it -------------------------------------------------------------------


@dataclass
class Layers:
    """Albedo (3, …), visible skin (…), 0–1, and gloss (…) of the layers drawn so far."""

    albedo: np.ndarray
    skin: np.ndarray
    gloss: np.ndarray

    def cover(self, mask: np.ndarray, colour: np.ndarray, gloss: float = 0.0) -> None:
        """Cover the head where a mask (…) is 1 by a colour, (3,) or (3, …), in linear RGB."""
        colour = colour if colour.ndim == 3 else colour[:, None, None]
        self.albedo = self.albedo * (1 - mask) + colour * mask
        self.skin = self.skin * (1 - mask)
        self.gloss = self.gloss * (1 - mask) + gloss * mask


def pigments(
    draw: np.random.Generator, face: FacePlan, melanin: float, at: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the amounts of melanin and blood of each texel: mottling, freckles, red cheeks."""
    x, y = at
    mottled = 1 + draw.uniform(0, 0.12) * smooth_map(draw, TEXELS, 9)
    mottled += draw.uniform(0, 0.06) * smooth_map(draw, TEXELS, 26)
    if draw.uniform() < 0.25:
        spots = np.clip(smooth_map(draw, TEXELS, 40) - 1.2, 0, 1)
        mottled += draw.uniform(0.1, 0.5) * spots * spot(x, y, (0, 0.15), (0.7, 0.4))
    blood = draw.uniform(0.15, 0.45) * (1 + 0.15 * smooth_map(draw, TEXELS, 8))
    ruddy = spot(x, y, (-0.5, 0.25), (0.3, 0.25)) + spot(x, y, (0.5, 0.25), (0.3, 0.25))
    blood += draw.uniform(0, 0.2) * (ruddy + spot(x, y, (0, face.nose_y), (0.15, 0.15)))
    blood += draw.uniform(0, 0.06) * np.clip(smooth_map(draw, TEXELS, 24), 0, 2)
    return np.clip(melanin * mottled, 0, 5), np.clip(blood, 0.05, 1.2)


def oily(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute where skin is oily: forehead, nose and chin."""
    parts = spot(x, y, (0, -0.4), (0.5, 0.2)) + spot(x, y, (0, 0.2), (0.15, 0.25))
    return 0.4 + parts + 0.4 * spot(x, y, (0, 0.85), (0.2, 0.1))


def add_lips(
    draw: np.random.Generator, layers: Layers, face: FacePlan, x: np.ndarray, y: np.ndarray
) -> None:
    lips = disc(x, y, (0, face.mouth_y), (face.mouth_width, draw.uniform(0.05, 0.085)), 0.5)
    red = np.array([0.95, 0.62, 0.66]) ** draw.uniform(0.4, 1.5)
    layers.albedo = layers.albedo * (1 - lips * (1 - red[:, None, None]))
    line = spot(x, y, (0, face.mouth_y), (face.mouth_width, 0.015))
    layers.albedo = layers.albedo * (1 - 0.5 * line)
    layers.skin = layers.skin * (1 - 0.4 * lips)
    if draw.uniform() < 0.15:  # lipstick
        layers.cover(lips * draw.uniform(0.4, 0.9), np.array([0.35, 0.03, 0.06]), 0.05)


def add_nostrils(layers: Layers, face: FacePlan, x: np.ndarray, y: np.ndarray) -> None:
    for side in (-1, 1):
        nostril = spot(x, y, (side * 0.6 * face.nose_width, face.nose_y + 0.07), (0.035, 0.025))
        layers.albedo = layers.albedo * (1 - 0.7 * nostril)
        layers.skin = layers.skin * (1 - 0.7 * nostril)


def add_eyes(
    draw: np.random.Generator, layers: Layers, face: FacePlan, x: np.ndarray, y: np.ndarray
) -> None:
    white = np.array([0.55, 0.52, 0.5]) * draw.uniform(0.6, 1.1)
    iris = np.array([[0.05, 0.03, 0.015], [0.12, 0.1, 0.05], [0.1, 0.16, 0.22]])[
        draw.choice(3, p=[0.7, 0.15, 0.15])
    ]
    gaze = draw.normal(0, 0.02)
    for side in (-1, 1):
        centre = (side * face.eye_x, face.eye_y)
        eye = disc(x, y, centre, (0.135, face.eye_open), 0.5)
        layers.cover(eye, white, 0.02)
        pupil = disc(x, y, (centre[0] + gaze, centre[1]), (0.06, 0.06), 0.4) * eye
        layers.cover(pupil, iris, 0.1)
        lash = spot(x, y, (centre[0], centre[1] - face.eye_open), (0.15, 0.02))
        layers.cover(0.7 * lash, np.array([0.02, 0.015, 0.01]))


def open_mouth(albedo: np.ndarray, face: FacePlan, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute the albedo of an open mouth minus that of a closed one."""
    opening = disc(x, y, (0, face.mouth_y + 0.045), (0.75 * face.mouth_width, 0.085), 0.4)
    dark = np.array([0.05, 0.015, 0.015])[:, None, None]
    teeth = spot(x, y, (0, face.mouth_y + 0.005), (0.5 * face.mouth_width, 0.02))
    inside = dark + 0.35 * teeth
    return np.asarray(opening * (inside - albedo), np.float32)


def draw_hair_colour(draw: np.random.Generator, melanin: float) -> np.ndarray:
    """Draw the colour of hair, in linear RGB: dark hair for dark skin, any for light skin."""
    if draw.uniform() < 0.15:  # grey to white
        return np.full(3, draw.uniform(0.15, 0.6)) * np.array([1.0, 0.98, 0.95])
    light = draw.uniform(0, 1) if melanin < 0.9 else draw.uniform(0, 0.25)
    return np.array([0.018, 0.014, 0.012]) + light**2 * np.array([0.38, 0.25, 0.12])


def add_brows(
    draw: np.random.Generator,
    layers: Layers,
    face: FacePlan,
    colour: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
) -> None:
    """Add eyebrows."""
    strength, tilt, height = draw.uniform(0.2, 0.85), draw.normal(0, 0.1), draw.uniform(0.11, 0.17)
    thick = draw.uniform(0.02, 0.04)
    for side in (-1, 1):
        bent = face.eye_y - height + tilt * (np.abs(x) - face.eye_x) + 0.8 * (x - side * 0.44) ** 2
        brow = np.exp(-(((y - bent) / thick) ** 2) - ((x - side * 0.44) / 0.17) ** 4)
        layers.cover(strength * brow, colour)


def _strands(draw: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Draw a colour (3, TEXELS, TEXELS) with strands of hair, brighter and darker."""
    fine = draw.normal(0, 1, (6, TEXELS)).astype(np.float32)
    import cv2

    strands = cv2.resize(fine, (TEXELS, TEXELS), interpolation=cv2.INTER_LINEAR)
    texture = 1 + 0.25 * strands + 0.2 * smooth_map(draw, TEXELS, 10)
    return colour[:, None, None] * np.clip(texture, 0.3, 2.5)


def add_beard(
    draw: np.random.Generator,
    layers: Layers,
    face: FacePlan,
    colour: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
) -> None:
    """Add stubble, a moustache or a beard."""
    lower = step(y + 0.35 * x * x, face.nose_y + 0.12, face.nose_y + 0.25)
    cheeks = 1 - spot(np.abs(x), y, (0.42, 0.35), (0.22, 0.15))
    lips = disc(x, y, (0, face.mouth_y), (face.mouth_width, 0.07), 0.5)
    beard = lower * cheeks * (1 - lips) * draw.uniform(0.25, 0.95)
    if draw.uniform() < 0.3:  # a moustache only
        beard = beard * step(y, face.mouth_y + 0.06, face.mouth_y - 0.02) * (np.abs(x) < 0.45)
    grain = np.clip(1 + 0.3 * draw.normal(0, 1, x.shape), 0, 1.5)
    layers.cover(np.clip(beard * grain, 0, 1), colour)


def add_hair(
    draw: np.random.Generator,
    layers: Layers,
    colour: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
) -> float:
    """Add hair, a cap or a scarf; return how long it is beside the neck, 0–1."""
    kind = draw.choice(5, p=[0.1, 0.42, 0.3, 0.12, 0.06])
    if kind == 0:  # bald: only the back of the head
        layers.cover(draw.uniform(0, 0.8) * step(z - 0.3 * y, 0.25, 0.05), colour)
        return 0.0
    line = draw.uniform(-0.75, -0.55) + 0.06 * smooth_map(draw, TEXELS, 12)
    if kind == 3:  # a fringe
        line = line + draw.uniform(0.1, 0.28) * step(np.abs(x), 0.9, 0.3)
    top = step(y - 0.2 * x * x, 0.02, -0.02) if kind == 4 else 0.0
    top = step(y - line - 0.3 * x * x, 0.04, -0.04) if kind != 4 else step(y, -0.5, -0.58)
    side_x = draw.uniform(0.86, 0.96) if kind in (1, 4) else draw.uniform(0.74, 0.92)
    length = draw.uniform(-0.1, 0.25) if kind in (1, 4) else 1.2
    sides = step(np.abs(x) + 0.05 * smooth_map(draw, TEXELS, 10), side_x, side_x + 0.06)
    sides = sides * step(y, length + 0.1, length - 0.05)
    behind = step(z, 0.25, 0.1) * step(y, length + 0.3, length)
    cover = np.clip(np.maximum(np.maximum(top, sides), behind), 0, 1)
    if kind == 4:  # a cap or a scarf
        cloth = draw.uniform(0.02, 0.6, 3)[:, None, None] * (1 + 0.1 * smooth_map(draw, TEXELS, 8))
        layers.cover(cover, cloth)
        return 0.0
    layers.cover(cover, _strands(draw, colour), 0.02)
    return 0.0 if kind == 1 else float(draw.uniform(0.2, 1))


def add_glasses(
    draw: np.random.Generator, layers: Layers, face: FacePlan, x: np.ndarray, y: np.ndarray
) -> None:
    """Add glasses: frames that hide the skin, and lenses that reflect."""
    radii = (draw.uniform(0.22, 0.28), draw.uniform(0.14, 0.22))
    thick, drop = draw.uniform(0.1, 0.3), draw.uniform(0, 0.05)
    frame = np.zeros_like(x)
    lens = np.zeros_like(x)
    for side in (-1, 1):
        at = (side * face.eye_x, face.eye_y + drop)
        outer = disc(x, y, at, radii, 0.15)
        inner = disc(x, y, at, (radii[0] * (1 - thick), radii[1] * (1 - thick)), 0.15)
        frame, lens = np.maximum(frame, outer - inner), np.maximum(lens, inner)
    bridge = spot(x, y, (0, face.eye_y + drop - 0.03), (0.16, 0.025))
    arms = (np.abs(x) > face.eye_x + 0.2) * spot(x, y, (0, face.eye_y + drop), (9, 0.025))
    frame = np.clip(np.maximum(frame, np.maximum(0.9 * bridge, 0.9 * arms)), 0, 1)
    layers.gloss = layers.gloss + lens * draw.uniform(0, 0.6)
    layers.skin = layers.skin * (1 - 0.15 * lens)
    colour = draw.uniform(0.01, 0.08, 3) if draw.uniform() < 0.7 else draw.uniform(0.05, 0.5, 3)
    layers.cover(frame * draw.uniform(0.6, 1), colour, 0.1)
