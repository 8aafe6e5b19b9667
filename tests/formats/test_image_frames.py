"""Images of data sets: decoded to RGB, and refused by the size in their header."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.image_frames import decode_image


def png(width: int, height: int) -> bytes:
    """Write a PNG file whose header states this size and which has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


@pytest.mark.parametrize("ending", [".png", ".bmp", ".jpg", ".tif", ".pgm"])
def test_an_image_becomes_rgb(ending: str) -> None:
    red = np.zeros((8, 12, 3), np.uint8)
    red[..., 2] = 200  # BGR
    picture = red if ending != ".pgm" else red[..., 2]
    image = decode_image(cv2.imencode(ending, picture)[1].tobytes(), "a")
    assert image.shape == (8, 12, 3)
    assert abs(int(image[4, 4, 0]) - 200) < 5


def test_an_image_of_absurd_size_is_refused_before_it_is_decoded(monkeypatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(InputError, match="a has 30000×30000 pixels, more than 67 million"):
        decode_image(png(30_000, 30_000), "a")


@pytest.mark.parametrize("content", [b"", b"no image", png(4, 4)[:20]])
def test_damaged_images_are_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="cannot be read as an image"):
        decode_image(content, "a")
