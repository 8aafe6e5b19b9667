"""Crop clips of faces so that skin, or the face, fills the frame, as ``--region full`` gives it."""

from __future__ import annotations

import numpy as np

OVERSAMPLING = 2  # sides of a clip to crop from, relative to the close-up's
ZOOM = (1.05, 4.0)  # sides of the clip relative to those of the window
STRETCH = 0.25  # largest change of the window's height relative to its width, logarithmic
OFF_CENTRE = 0.1  # standard deviation of the window's middle, relative to the clip's side


def close_up(draw: np.random.Generator, clip: np.ndarray, size: int) -> np.ndarray:
    """Crop one random window of all frames about the face and resize it to ``size`` pixels a side.

    Parameters
    ----------
    clip : uint8 (frames, side, side, 3)
        A face in the middle, as a face track crops it.

    Returns
    -------
    clip : uint8 (frames, size, size, 3)
        Its window is 1/4 of the clip's side (skin alone) to nearly all of it (a complete face), and
        a little wider or higher than a square, because a full frame is squeezed to one.
    """
    import cv2

    side = clip.shape[1]
    share = 1 / np.exp(draw.uniform(*np.log(ZOOM)))
    stretch = np.exp(draw.uniform(-STRETCH, STRETCH))
    lengths = np.clip(np.rint(side * share * np.array([stretch, 1 / stretch])), 2, side).astype(int)
    middle = side * (0.5 + draw.normal(0, OFF_CENTRE, 2))
    top, left = np.clip(np.rint(middle - lengths / 2), 0, side - lengths).astype(int)
    window = clip[:, top : top + lengths[0], left : left + lengths[1]]
    smaller = lengths.max() >= size
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (size, size), interpolation=how) for frame in window])
