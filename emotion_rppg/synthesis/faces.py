"""Recolour a photograph of a face to a skin tone and give its skin a pulse.

The photograph is scikit-image's astronaut (Eileen Collins, NASA, public domain). Face detectors
detect it; they do not detect drawn faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

# Relative change of red, green and blue with blood volume (de Haan & van Leest 2014).
PULSE_COLOUR = np.array([0.33, 0.77, 0.53], np.float32)
# Absorption by melanin relative to light skin: more of blue than of red.
MELANIN = np.array([0.55, 0.85, 1.05], np.float32)
_CROP = (slice(8, 248), slice(106, 346))  # the head in the photograph, square
_FACE = (0.50, 0.46, 0.235, 0.31)  # centre x, y and half axes of the face in that crop


@dataclass(frozen=True, eq=False)
class Face:
    """A face to render.

    ``image`` is float32 RGB (size, size, 3), 0–255; ``pulse``, of the same shape, is what each
    pixel loses when the blood wave is one standard deviation up; ``skin`` (size, size) is the skin
    mask, 0–1.
    """

    image: np.ndarray
    pulse: np.ndarray
    skin: np.ndarray


def face(tone: float, *, size: int = 160, strength: float = 0.012, seed: int = 0) -> Face:
    """Make the face in a skin tone (0 light – 1 dark), with its pulse.

    ``strength`` is the relative change of green in light skin for one standard deviation of the
    wave. Melanin reduces it by up to 60 %, and it varies smoothly over the face.
    """
    import cv2

    image, skin = _photograph(size)
    attenuation = np.exp(-1.1 * tone * MELANIN)
    recoloured = (image * (1 - skin[..., None] * (1 - attenuation))).astype(np.float32)
    draw = np.random.default_rng((seed, 4))
    coarse = draw.uniform(0.5, 1.5, (5, 5)).astype(np.float32)
    patches = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    share = strength * (1 - 0.6 * tone) * skin * patches
    colour = PULSE_COLOUR / PULSE_COLOUR[1]
    return Face(recoloured, (recoloured * share[..., None] * colour).astype(np.float32), skin)


@cache
def _photograph(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Load the photograph and its soft skin mask (0–1) at a size in pixels; both read-only."""
    import cv2
    from skimage.data import astronaut

    photo = np.ascontiguousarray(astronaut()[_CROP])
    ycc = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb).astype(int)
    coloured = (ycc[..., 1] > 138) & (ycc[..., 1] < 175) & (ycc[..., 2] < 130) & (ycc[..., 0] > 70)
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]] / photo.shape[0]
    cx, cy, ax, ay = _FACE
    inside = ((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 < 1
    mask = cv2.GaussianBlur((coloured & inside).astype(np.float32), (0, 0), 2.5)
    image = cv2.resize(photo.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
    for array in (image, mask):
        array.setflags(write=False)
    return image, mask
