"""Measure how the image of a face moves in its box, and which change of colour that explains.

Where a camera trembles over skin that is brighter on one side, the mean colour has the rhythm of
the hand: the brightness of the skin at each place is constant, but the place changes. The change
that this causes is known from two measurements: the displacement, times the slope of the
brightness. The displacement is measured by the fine structure of the images alone, from which a
change of brightness is removed, so that a pulse does not count as one.
"""

from __future__ import annotations

import numpy as np

MEMORY = 75  # frames that the reference is averaged over: 5 s
FINE, COARSE = 1.0, 3.0  # cells, of 32 a side: smaller and larger structure is removed
BORDER = 2  # cells at each border that are not compared


class Displacement:
    """Displacement of a face in its box, relative to the mean image of the last seconds."""

    def __init__(self) -> None:
        self.reference: np.ndarray | None = None
        self.count = 0

    def lose(self) -> None:
        """Forget the reference: the face is not detected any more."""
        self.reference, self.count = None, 0

    def add(self, cells: np.ndarray) -> tuple[float, float]:
        """Measure the displacement of the next frame to the right and down, in widths of the box.

        ``cells`` (32, 32) are the brightness of the cells of the box. One least-squares step
        (Lucas and Kanade 1981): displacements of a few cells are measured too small.
        """
        image = cells.astype(np.float32)
        if self.reference is None:
            self.reference, self.count = image.copy(), 1
            return 0.0, 0.0
        difference = image - self.reference
        shift = _shift(difference, self.reference)
        self.count = min(self.count + 1, MEMORY)
        self.reference += difference / np.float32(self.count)
        return shift


def _shift(difference: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Fit the shift (x, y), in widths, that makes a difference of images from their gradients."""
    down, right = np.gradient(reference)
    slopes = np.stack([_fine(right), _fine(down)])
    normal = slopes @ slopes.T
    normal += (1e-6 * np.trace(normal) + 1e-9) * np.eye(2)
    x, y = -np.linalg.solve(normal, slopes @ _fine(difference)) / len(reference)
    return float(x), float(y)


def _fine(image: np.ndarray) -> np.ndarray:
    """Band-pass an image (n, n) by a difference of Gaussians; flatten it, without its border."""
    import cv2

    # of structure near the size of cells, the gradient is too small and a shift too large
    fine = cv2.GaussianBlur(image, (0, 0), FINE) - cv2.GaussianBlur(image, (0, 0), COARSE)
    return np.asarray(fine[BORDER:-BORDER, BORDER:-BORDER], dtype=float).ravel()


def explained_change(shift: tuple[float, float], cells: np.ndarray, weights: np.ndarray) -> float:
    """Compute the relative change of the weighted mean of cells (n, n) that a shift causes."""
    total = max(float((weights * cells).sum()), 1e-9)
    down, right = (float((weights * slope).sum()) for slope in np.gradient(cells))
    return -len(cells) * (right * shift[0] + down * shift[1]) / total
