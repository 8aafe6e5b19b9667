"""Draw a human head at random: an ellipsoid with a relief, its skin, hair, eyes, mouth and pulse.

Its maps are textures in the coordinates of `head_parts`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion_rppg.synthesis.head_parts import (
    REACH,
    TEXELS,
    FacePlan,
    Layers,
    add_beard,
    add_brows,
    add_eyes,
    add_glasses,
    add_hair,
    add_lips,
    add_nostrils,
    draw_hair_colour,
    oily,
    open_mouth,
    pigments,
    smooth_map,
    sphere,
    spot,
    step,
)
from emotion_rppg.synthesis.skin import (
    LEAST_MELANIN,
    MOST_MELANIN,
    SURFACE,
    draw_haemoglobin,
    skin_albedo,
)


@dataclass(frozen=True, eq=False)
class Head:
    """A head's surface. Lengths are in widths of a face crop; maps are (TEXELS, TEXELS).

    Parameters
    ----------
    axes : (3,)
        Semi-axes of the ellipsoid; ``taper`` is how much narrower it becomes towards the chin.
    albedo : (3, TEXELS, TEXELS)
        Reflectance in linear RGB, 0–1; ``gloss`` that of the surface, as of a mirror.
    normals : (3, TEXELS²)
        Unit normals, which include the relief.
    cavity : map
        Share of ambient light that arrives, 0–1.
    pulse : map
        Relative pulse amplitude, 0 (hair, eyes, glasses) to about 1.
    delay_s : map
        Arrival of the pulse, seconds, later than the mean.
    lids, mouth : (3, TEXELS, TEXELS)
        Albedo of closed lids and of an open mouth minus ``albedo``.
    haemoglobin : (3,)
        Absorption by the person's blood relative to green.
    melanin : float
        Mean amount.
    hair_colour, skin_colour : (3,)
        Linear RGB.
    """

    axes: np.ndarray
    taper: float
    albedo: np.ndarray
    gloss: np.ndarray
    normals: np.ndarray
    cavity: np.ndarray
    pulse: np.ndarray
    delay_s: np.ndarray
    skin: np.ndarray
    lids: np.ndarray
    mouth: np.ndarray
    expression: np.ndarray
    haemoglobin: np.ndarray
    melanin: float
    hair_colour: np.ndarray
    skin_colour: np.ndarray
    long_hair: float


def draw_head(draw: np.random.Generator) -> Head:
    """Draw a head: shape, skin tone over the whole Monk scale, hair, beard, glasses, make-up."""
    axes = np.array([draw.normal(0.257, 0.012), draw.normal(0.36, 0.015), draw.normal(0.31, 0.02)])
    face = FacePlan(
        eye_x=draw.normal(0.46, 0.02),
        eye_y=draw.normal(-0.11, 0.03),
        eye_open=draw.uniform(0.03, 0.065),
        mouth_y=draw.normal(0.56, 0.025),
        mouth_width=draw.uniform(0.26, 0.38),
        nose_y=draw.normal(0.24, 0.03),
        nose_width=draw.uniform(0.09, 0.15),
    )
    x, y, z = sphere()
    front = step(z, -0.05, 0.2)
    haemoglobin = draw_haemoglobin(draw)
    mean_melanin = LEAST_MELANIN + (MOST_MELANIN - LEAST_MELANIN) * draw.uniform() ** 1.3
    melanin, blood = pigments(draw, face, mean_melanin, (x, y))
    skin_only = skin_albedo(melanin, blood, haemoglobin)
    hair_colour = draw_hair_colour(draw, mean_melanin)
    layers = Layers(skin_only.copy(), np.ones_like(x), draw.uniform(0.0, 0.05) * oily(x, y))
    add_lips(draw, layers, face, x, y)
    add_nostrils(layers, face, x, y)
    lidded = layers.albedo.copy()
    add_eyes(draw, layers, face, x, y)
    lids = lidded - layers.albedo
    mouth = open_mouth(layers.albedo, face, x, y)
    add_brows(draw, layers, face, hair_colour, x, y)
    if draw.uniform() < 0.22:
        add_beard(draw, layers, face, hair_colour, x, y)
    long_hair = add_hair(draw, layers, hair_colour, x, y, z)
    if draw.uniform() < 0.28:
        add_glasses(draw, layers, face, x, y)
    relief = _relief(draw, face, x, y) * front
    pulse = _pulse_map(draw, face, x, y) * layers.skin
    delay = draw.uniform(0, 0.04) * (y + 1) / 2
    delay = delay - np.average(delay, weights=pulse * step(z, 0.2, 0.6) + 1e-9)
    cavity = _cavity(draw, face, x, y)
    expression = _expression(draw, face, x, y) * front
    return Head(
        axes=axes,
        taper=draw.uniform(0.1, 0.5),
        albedo=_single(layers.albedo + SURFACE),
        gloss=_single(layers.gloss),
        normals=_normals(axes, relief, x, y, z),
        cavity=_single(cavity),
        pulse=_single(pulse),
        delay_s=_single(delay),
        skin=_single(layers.skin),
        lids=_single(lids),
        mouth=_single(mouth),
        expression=_single(expression),
        haemoglobin=haemoglobin,
        melanin=mean_melanin,
        hair_colour=hair_colour,
        skin_colour=skin_albedo(np.array(mean_melanin), np.array(0.3), haemoglobin),
        long_hair=long_hair,
    )


def _single(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)


# ---- relief and pulse --------------------------------------------------------------------------


def _relief(draw: np.random.Generator, face: FacePlan, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draw the height of the face above the ellipsoid, in radii of the unit sphere."""
    size = draw.uniform(0.7, 1.3, 6)
    wide = face.nose_width
    ridge = np.exp(-((x / (0.7 * wide)) ** 2)) * step(y, face.eye_y - 0.1, face.nose_y)
    ridge = ridge * step(y, face.nose_y + 0.13, face.nose_y + 0.03)
    height = 0.16 * size[0] * ridge
    for side in (-1, 1):
        height -= 0.05 * size[1] * spot(x, y, (side * face.eye_x, face.eye_y), (0.2, 0.11))
        height += 0.03 * size[2] * spot(x, y, (side * 0.4, face.eye_y - 0.18), (0.3, 0.08))
        height += 0.05 * size[3] * spot(x, y, (side * 0.52, 0.16), (0.22, 0.16))
        height -= 0.02 * spot(x, y, (side * 0.38, 0.42), (0.12, 0.2))
    height += 0.025 * spot(x, y, (0, face.mouth_y), (face.mouth_width, 0.1))
    height -= 0.035 * size[4] * spot(x, y, (0, face.mouth_y + 0.15), (0.25, 0.05))
    height += 0.05 * size[5] * spot(x, y, (0, 0.86), (0.22, 0.12))
    return height + 0.004 * smooth_map(draw, TEXELS, 14)


def _normals(
    axes: np.ndarray, relief: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Compute unit normals (3, TEXELS²), float32, of the ellipsoid with its relief."""
    texel = 2 * REACH / TEXELS
    stretch = (1 + z) / texel  # texels per radius of the sphere; the projection is conformal
    slope_v, slope_u = np.gradient(relief)
    normals = np.stack([x / axes[0], y / axes[1], z / axes[2]], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[..., 0] -= slope_u * stretch
    normals[..., 1] -= slope_v * stretch
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.ascontiguousarray(normals.reshape(-1, 3).T, np.float32)


def _cavity(draw: np.random.Generator, face: FacePlan, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draw the share of ambient light that arrives: less in the sockets, below nose and lip."""
    open_sky = np.ones_like(x)
    for side in (-1, 1):
        open_sky -= 0.3 * spot(x, y, (side * face.eye_x, face.eye_y), (0.2, 0.1))
    open_sky -= 0.3 * spot(x, y, (0, face.nose_y + 0.1), (0.15, 0.06))
    open_sky -= 0.2 * spot(x, y, (0, face.mouth_y + 0.15), (0.25, 0.05))
    return open_sky * (1 - draw.uniform(0.1, 0.4) * np.clip(y, 0, 1))  # less from below


def _pulse_map(
    draw: np.random.Generator, face: FacePlan, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Draw the pulse amplitude: strong on forehead and cheeks, weak on nose and chin."""
    strong = spot(x, y, (0, -0.42), (0.5, 0.2))
    for side in (-1, 1):
        strong = strong + draw.uniform(0.8, 1.2) * spot(x, y, (side * 0.48, 0.28), (0.3, 0.25))
    weak = 1 - 0.5 * spot(x, y, (0, face.nose_y - 0.1), (0.12, 0.25))
    weak = weak - 0.4 * spot(x, y, (0, 0.85), (0.3, 0.15))
    uneven = np.clip(1 + draw.uniform(0, 0.35) * smooth_map(draw, TEXELS, 7), 0.3, 2)
    return np.clip((0.45 + 0.6 * strong) * weak * uneven, 0, 2)


def _expression(
    draw: np.random.Generator, face: FacePlan, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Draw the relative change of brightness where facial muscles move the skin."""
    folds = spot(x, y, (0, face.eye_y - 0.2), (0.4, 0.06)) * draw.normal()
    for side in (-1, 1):
        folds += spot(x, y, (side * 0.33, 0.42), (0.06, 0.2)) * draw.normal()
        folds += spot(x, y, (side * 0.5, 0.2), (0.2, 0.15)) * draw.normal() * 0.7
    return folds
