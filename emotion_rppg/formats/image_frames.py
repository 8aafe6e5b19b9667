"""Read the frames of videos that data sets store as images or arrays, for `Video.frames`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import MB, check_file

MAX_PIXELS = 67_108_864  # of an image: 8192×8192
# time (s) and uint8 RGB image (h, w, 3) of each frame
TimedFrames = Iterator[tuple[float, np.ndarray]]


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decode the bytes of an image file to uint8 RGB, (h, w, 3); ``name`` is for messages."""
    import cv2

    image = None
    if _within_limits(content, name):
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{name} cannot be read as an image: copy it again")
    return np.ascontiguousarray(image[..., ::-1])


def _within_limits(content: bytes, name: str) -> bool:
    """Check the size in an image's header before it is decoded; False without such a header.

    Raises
    ------
    InputError
        The image has too many pixels.
    """
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    try:
        Image.MAX_IMAGE_PIXELS = None  # its own limit would be a warning
        width, height = Image.open(BytesIO(content)).size
    except Exception:  # a damaged file may raise anything in a plugin
        return False
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name} has {width}×{height} pixels, more than {MAX_PIXELS / 1e6:.0f} million: is it "
            "the right file?"
        )
    return True


def read_image_files(timed_paths: Iterable[tuple[float, Path]]) -> TimedFrames:
    """Yield time (s) and frame of each image file."""
    for time_s, path in timed_paths:
        yield time_s, decode_image(check_file(path, 200 * MB).read_bytes(), str(path))


def to_uint8(image: np.ndarray, name: str) -> np.ndarray:
    """Convert an image with values of 0–1 to uint8."""
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise InputError(
            f"{name} has image values outside 0–1: is it another version of the data set?"
        )
    return np.rint(255 * np.asarray(image, dtype=np.float32)).astype(np.uint8)
