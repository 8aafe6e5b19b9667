"""Model the colour of skin from its melanin and its blood, in linear RGB.

Reflectance follows Beer and Lambert: each pigment reduces a channel by exp(-amount × absorption).
A pulse is a small change of the amount of blood; its colour therefore follows from the absorption.
"""

from __future__ import annotations

import numpy as np

from emotion_rppg.synthesis.faces import PULSE_COLOUR

# Absorption by blood relative to green, path length included: red light travels farther in skin.
HAEMOGLOBIN = (PULSE_COLOUR / PULSE_COLOUR[1]).astype(np.float32)
MELANIN = np.array([0.74, 0.92, 1.08], np.float32)  # absorption in linear light
BARE_SKIN = np.array([0.84, 0.72, 0.57], np.float32)  # reflectance without melanin and blood
LEAST_MELANIN, MOST_MELANIN = 0.05, 2.9  # from the lightest to the darkest tone of the Monk scale
SURFACE = 0.012  # reflected by the surface itself: without pigment, and without pulse


def skin_albedo(
    melanin: np.ndarray, blood: np.ndarray, haemoglobin: np.ndarray = HAEMOGLOBIN
) -> np.ndarray:
    """Compute the reflectance (3, …) in linear RGB, 0–1, of amounts of melanin and blood (…)."""
    absorbed = [m * melanin + h * blood for m, h in zip(MELANIN, haemoglobin, strict=True)]
    return np.stack([c * np.exp(-a) for c, a in zip(BARE_SKIN, absorbed, strict=True)]).astype(
        np.float32
    )


def draw_haemoglobin(draw: np.random.Generator) -> np.ndarray:
    """Draw a person's absorption by blood (3,), relative to green: about `HAEMOGLOBIN`."""
    colour = HAEMOGLOBIN * np.exp(draw.normal(0, 0.1, 3))
    return np.asarray(colour / colour[1], np.float32)
