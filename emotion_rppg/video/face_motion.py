"""Follow a face from its detection to later frames by optical flow; say so where that is in doubt.

This is the Median-Flow tracker (Kalal, Mikolajczyk and Matas 2010): points on the face are tracked
to the later frame and back, those that do not return are dropped, and most of the others must agree
on one shift, size and rotation. The later frame is always compared with that of the detection, so
errors do not add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emotion_rppg.video.detectors import DetectedFace
from emotion_rppg.video.frames import opencv

SIDE, MARGIN = 96, 0.25  # of a patch in pixels; of the face's box around it, on each side
POINTS, INNER = 10, 0.8  # points a side, on this share of the box
WINDOW, LEVELS, ROUNDS = 11, 2, 15  # of the flow (Lucas and Kanade): pixels; pyramid; iterations
LEAST_TEXTURE = 1e-3  # smallest eigenvalue of the gradients about a point, as OpenCV scales it
# Median error of points that return, and of their fit, in face widths: at most; and certain
MOST_ERROR, CERTAIN_ERROR = 0.015, 0.01
MOST_GROWTH, MOST_ROTATION_DEGREES = 1.15, 10.0  # since the detection


# Change of the image in the face's box, as a share of its contrast: 0.04 by the noise of a real
# camera, 0.15 where a face has moved by 1 % of its width; a detection itself errs by 0.5 % or more
STILL, VIEW, LEAST_CONTRAST = 0.06, 32, 4.0
SAME_PLACE = 0.1  # face widths: a detection of the face that was followed, each number of its box


@dataclass(frozen=True, eq=False)
class FacePatch:
    """Grey patch uint8 (96, 96) around a face.

    ``corner`` is its first pixel in the image (x, y), ``pixel`` the size of its pixels there.
    """

    face: DetectedFace
    grey: np.ndarray
    corner: np.ndarray
    pixel: np.ndarray


@dataclass(frozen=True, eq=False)
class FollowedFace:
    """A face that was followed to a later frame; ``is_certain``: as exactly as it is detected."""

    face: DetectedFace
    is_certain: bool


@dataclass(frozen=True, eq=False)
class Reference:
    """Image of a face at its detection, with which later frames are compared."""

    view: np.ndarray | None
    patch: FacePatch | None

    @classmethod
    def of(cls, image: np.ndarray, face: DetectedFace) -> Reference:
        """Cut the face from its image (h, w, 3)."""
        return cls(face_view(image, face, VIEW), face_patch(image, face))

    def follow(self, image: np.ndarray, near: DetectedFace) -> FollowedFace | None:
        """Follow the face to a later image, near its last place; None if it is not found."""
        if self._is_still(image, near):
            return FollowedFace(near, is_certain=True)
        return None if self.patch is None else follow_face(self.patch, image, near)

    def _is_still(self, image: np.ndarray, face: DetectedFace) -> bool:
        """Tell whether a later image is the same in a face's box, up to its light."""
        after = face_view(image, face, VIEW)
        if self.view is None or after is None:
            return False
        contrast = float((self.view - self.view.mean(axis=(0, 1))).std())
        change = after - self.view
        change -= change.mean(axis=(0, 1))  # of the light
        return contrast >= LEAST_CONTRAST and float(change.std()) < STILL * contrast


def between(detected: DetectedFace | None, followed: DetectedFace | None) -> DetectedFace | None:
    """Return the mean of a detection and of the face that was followed to it, if they are near.

    The error of a detection depends on where in the image the face is. A box that jumped to each
    detection would add this error to the motion.
    """
    if detected is None or followed is None or detected.turn != followed.turn:
        return detected
    apart = np.abs(detected.box - followed.box).max() / detected.box[2:].mean()
    if apart > SAME_PLACE:
        return detected
    return replace(
        detected,
        box=(detected.box + followed.box) / 2,
        landmarks=(detected.landmarks + followed.landmarks) / 2,
    )


def face_view(image: np.ndarray, face: DetectedFace, size: int) -> np.ndarray | None:
    """Shrink the part of an image in a face's box to float32 (size, size, 3); None if outside."""
    x, y, w, h = face.box
    rows, columns = slice(max(int(y), 0), int(y + h) + 1), slice(max(int(x), 0), int(x + w) + 1)
    part = image[rows, columns]
    if not part.size:
        return None
    cv2 = opencv()
    small = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def face_patch(image: np.ndarray, face: DetectedFace) -> FacePatch | None:
    """Cut the patch around a face from an RGB image (h, w, 3); None outside of the image."""
    cv2 = opencv()
    size = np.array([image.shape[1], image.shape[0]])
    low = np.floor(face.box[:2] - MARGIN * face.box[2:]).astype(int)
    high = np.ceil(face.box[:2] + (1 + MARGIN) * face.box[2:]).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, size)
    if (high - low < 2).any():
        return None
    part = image[low[1] : high[1], low[0] : high[0]]
    small = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return FacePatch(face, cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), low, (high - low) / SIDE)


def follow_face(before: FacePatch, image: np.ndarray, near: DetectedFace) -> FollowedFace | None:
    """Find the face of a patch in a later image, near a place; None where it is not found."""
    after = face_patch(image, near)
    if after is None:
        return None
    points = _grid(before.face.box)
    # the same places of the face in the other patch, so that the flow is small
    begin = near.box[:2] + (points - before.face.box[:2]) * (near.box[2:] / before.face.box[2:])
    tracked = _flow(before, after, points, begin)
    apart = np.hypot(*(_flow(after, before, tracked, points) - points).T)
    apart[np.isnan(apart)] = np.inf
    best = apart <= np.median(apart)
    if np.isinf(apart[best]).any():
        return None
    factor, shift, error = _similarity(_complex(points[best]), _complex(tracked[best]))
    error = max(error, float(np.median(apart))) / float(before.face.box[2:].mean())
    rotation = abs(float(np.degrees(np.angle(factor))))
    growth = max(abs(factor), 1 / max(abs(factor), 1e-9))
    if error > MOST_ERROR or rotation > MOST_ROTATION_DEGREES or growth > MOST_GROWTH:
        return None
    return FollowedFace(_moved(before.face, factor, shift), error < CERTAIN_ERROR)


def _grid(box: np.ndarray) -> np.ndarray:
    """Place points on a face, (n, 2) in pixels of the image."""
    at = np.linspace((1 - INNER) / 2, (1 + INNER) / 2, POINTS)
    return np.asarray(box[:2] + np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2) * box[2:])


def _flow(before: FacePatch, after: FacePatch, points: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Track points (n, 2), in pixels of the image, to another patch; NaN where a point is lost."""
    cv2 = opencv()
    given = ((points - before.corner) / before.pixel - 0.5).astype(np.float32)
    first = ((begin - after.corner) / after.pixel - 0.5).astype(np.float32)
    lost = np.isnan(given).any(axis=1)
    given[lost] = 0
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before.grey,
        after.grey,
        given,
        first,
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ROUNDS, 0.01),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=LEAST_TEXTURE,
    )
    tracked = (found.astype(float) + 0.5) * after.pixel + after.corner
    tracked[lost | (status[:, 0] == 0)] = np.nan
    return np.asarray(tracked)


def _complex(points: np.ndarray) -> np.ndarray:
    return np.asarray(points @ np.array([1, 1j]))


def _similarity(given: np.ndarray, found: np.ndarray) -> tuple[complex, complex, float]:
    """Fit factor (size and rotation) and shift of complex points (n,) and their median error.

    The second and third fit are to the half of the points with the smaller errors.
    """
    factor, shift, error = 1 + 0j, 0j, np.zeros(len(given))
    for _ in range(3):
        best = error <= np.median(error)
        a, b = given[best], found[best]
        centred = a - a.mean()
        factor = complex(np.vdot(centred, b) / max(np.vdot(centred, centred).real, 1e-9))
        shift = complex(b.mean() - factor * a.mean())
        error = np.abs(factor * given + shift - found)
    return factor, shift, float(np.median(error))


def _moved(face: DetectedFace, factor: complex, shift: complex) -> DetectedFace:
    """Move a face; its box keeps its proportions and stays parallel to the image."""
    centre = face.box[:2] + face.box[2:] / 2
    moved = factor * _complex(np.vstack([face.landmarks, centre])) + shift
    points = np.column_stack([moved.real, moved.imag])
    size = abs(factor) * face.box[2:]
    return DetectedFace(np.r_[points[-1] - size / 2, size], points[:-1], face.score, face.turn)
