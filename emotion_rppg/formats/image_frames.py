"""Frames of videos that data sets store as images or arrays, for `Video.frames`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, checked

Timed = Iterator[tuple[float, np.ndarray]]


def decoded(content: bytes, name: str) -> np.ndarray:
    """Decode an image of any usual format to uint8 RGB, (h, w, 3)."""
    import cv2

    picture = None
    if content:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{name} is no picture that can be read: copy it again")
    return np.ascontiguousarray(picture[..., ::-1])


def of_files(timed: Iterable[tuple[float, Path]]) -> Timed:
    """Read image files as frames, each with its time (s)."""
    for time_s, path in timed:
        yield time_s, decoded(checked(path, 200 * MB).read_bytes(), str(path))


def eight_bits(picture: np.ndarray, name: str) -> np.ndarray:
    """Convert a picture of 0–1 to uint8."""
    if not (np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1):
        raise InputError(f"{name} holds pictures outside of 0–1: another version of the set?")
    return np.rint(255 * np.asarray(picture, dtype=np.float32)).astype(np.uint8)
