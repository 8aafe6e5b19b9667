"""A face that blushes with each beat: a public-domain photograph recoloured over skin tones.

The photograph is scikit-image's astronaut (Eileen Collins, NASA, public domain): a detector finds
it, which it does not do with drawn faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

# Relative change of red, green and blue with blood volume (de Haan & van Leest 2014).
PULSE_COLOUR = np.array([0.33, 0.77, 0.53], np.float32)
# What melanin takes away, relative to light skin: more of blue than of red.
MELANIN = np.array([0.55, 0.85, 1.05], np.float32)
_CROP = (slice(8, 248), slice(106, 346))  # the head in the photograph, square
_FACE = (0.50, 0.46, 0.235, 0.31)  # centre x, y and half axes of the face in that crop


@dataclass(frozen=True, eq=False)
class Face:
    """What a renderer needs: ``picture`` float32 (size, size, 3), 0–255, and ``pulse``, how much
    each pixel loses when the blood wave is one standard deviation up."""

    picture: np.ndarray
    pulse: np.ndarray
    skin: np.ndarray


def face(tone: float, *, size: int = 160, strength: float = 0.012, seed: int = 0) -> Face:
    """The face in a skin tone (0 light – 1 dark), and its pulse.

    ``strength`` is the relative change of green in light skin for one standard deviation of the
    wave; melanin takes up to 60 % of it away, and it varies smoothly over the face.
    """
    import cv2

    picture, skin = _photograph(size)
    attenuation = np.exp(-1.1 * tone * MELANIN)
    recoloured = (picture * (1 - skin[..., None] * (1 - attenuation))).astype(np.float32)
    draw = np.random.default_rng((seed, 4))
    coarse = draw.uniform(0.5, 1.5, (5, 5)).astype(np.float32)
    patches = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    share = strength * (1 - 0.6 * tone) * skin * patches
    colour = PULSE_COLOUR / PULSE_COLOUR[1]
    return Face(recoloured, (recoloured * share[..., None] * colour).astype(np.float32), skin)


@cache
def _photograph(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture and soft skin mask (0–1) at a size; the same arrays each time, not to be changed."""
    import cv2
    from skimage.data import astronaut

    photo = np.ascontiguousarray(astronaut()[_CROP])
    ycc = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb).astype(int)
    coloured = (ycc[..., 1] > 138) & (ycc[..., 1] < 175) & (ycc[..., 2] < 130) & (ycc[..., 0] > 70)
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]] / photo.shape[0]
    cx, cy, ax, ay = _FACE
    inside = ((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 < 1
    mask = cv2.GaussianBlur((coloured & inside).astype(np.float32), (0, 0), 2.5)
    picture = cv2.resize(photo.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
    for array in (picture, mask):
        array.setflags(write=False)
    return picture, mask
