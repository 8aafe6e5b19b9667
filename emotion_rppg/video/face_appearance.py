"""Describe what a face appearances like, and compute how much two faces resemble each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_rppg.video.detectors import DetectedFace
from emotion_rppg.video.frames import opencv

# Appearance: an aligned patch of the face; resemblance is the correlation of two patches less the
# difference of their mean colours (largest absolute logarithm). Of one person 0.8–0.95 seconds
# later in a similar pose; of two people at most 0.7 over all poses of 16 real ones.
PATCH = 24  # pixels a side
ALIGNED = np.array([[0.32, 0.38], [0.68, 0.38], [0.50, 0.60], [0.36, 0.78], [0.64, 0.78]])
STORED = 16  # patches stored for each person


@dataclass(frozen=True, eq=False)
class Appearance:
    """Appearance of a face: standardised grey patch (n,) and logarithm of its mean colour (3,)."""

    patch: np.ndarray
    colour: np.ndarray


def appearance_of(image: np.ndarray, face: DetectedFace) -> Appearance:
    """Cut the aligned patch of a face from an image (h, w, 3)."""
    cv2 = opencv()
    scale, rotation, shift = _alignment(face.landmarks)
    shrink = max(int(1 / (1.5 * scale)), 1)  # averages before it samples
    x, y, w, h = face.box
    side = max(w, h)
    left, top = (max(int(v - side / 2), 0) for v in (x, y))
    part = image[top : int(y + h + side / 2) + 1, left : int(x + w + side / 2) + 1]
    size = (max(part.shape[1] // shrink, 1), max(part.shape[0] // shrink, 1))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    zoom = np.array([part.shape[1] / size[0], part.shape[0] / size[1]])
    to_patch = np.column_stack([rotation * zoom, shift + rotation @ np.array([left, top])])
    pixels = cv2.warpAffine(small, to_patch, (PATCH, PATCH), borderMode=cv2.BORDER_REPLICATE)
    pixels = pixels.astype(np.float32)
    grey = pixels.mean(axis=2).ravel()
    grey -= grey.mean()
    skin = pixels[PATCH // 4 : -PATCH // 6, PATCH // 6 : -PATCH // 6].reshape(-1, 3)
    return Appearance(grey / max(float(np.linalg.norm(grey)), 1e-6), np.log(skin.mean(axis=0) + 1))


def _alignment(landmarks: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Fit scale, scaled rotation (2, 2) and shift (2,) from landmarks to the patch (least squares).

    Umeyama (1991), in complex numbers.
    """
    given, wanted = (points @ np.array([1, 1j]) for points in (landmarks, PATCH * ALIGNED))
    centred = given - given.mean()
    factor = np.vdot(centred, wanted - wanted.mean()) / max(np.vdot(centred, centred).real, 1e-9)
    rotation = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    shift = wanted.mean() - factor * given.mean()
    return max(abs(factor), 1e-3), rotation, np.array([shift.real, shift.imag])


def resemblance(a: Appearance, b: Appearance) -> float:
    """Compute how much two faces resemble: correlation less difference of colour; 1: equal."""
    return float(a.patch @ b.patch - np.abs(a.colour - b.colour).max())


def closest(appearances: Sequence[Appearance], others: Sequence[Appearance]) -> float:
    """Compute the largest resemblance between two groups of appearances; -9 if one is empty."""
    return max((resemblance(a, b) for a in appearances for b in others), default=-9.0)


def add_appearance(appearances: list[Appearance], new: Appearance) -> None:
    """Store a appearance; of more than 16, the one that resembles another most is dropped."""
    appearances.append(new)
    if len(appearances) > STORED:
        patches = np.array([appearance.patch for appearance in appearances])
        alike = patches @ patches.T - 2 * np.eye(len(appearances))
        del appearances[int(alike.max(axis=1).argmax())]
