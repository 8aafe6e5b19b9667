"""Simulate a camera: motion, light, sensor noise, eight bits and a codec.

`film` renders a synthetic face as video frames; `write_video` encodes a stream of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.atomic_files import atomic_file
from emotion_rppg.synthesis.faces import Face

# ffmpeg's encoder and its options for each codec; {} is the quality, lower is better.
CODECS = {
    "h264": "libx264 -crf {} -preset veryfast",
    "hevc": "libx265 -crf {} -preset veryfast "
    "-x265-params log-level=error:pools=none:frame-threads=1",
    "vp9": "libvpx-vp9 -crf {} -b:v 0 -cpu-used 8 -deadline realtime",
    "mpeg4": "mpeg4 -q:v {}",
}


@dataclass(frozen=True)
class Camera:
    """Disturbances of a simulated camera.

    ``motion_px`` is the standard deviation of the head's slow motion in pixels; ``light`` the
    relative size of slow changes of light; ``noise`` that of the sensor in grey levels; ``crf`` the
    H.264 quality (0 lossless, 23 usual on the web).
    """

    motion_px: float = 1.0
    light: float = 0.015
    noise: float = 3.0
    crf: int = 8


def film(
    face: Face, wave: np.ndarray, rate_hz: float, camera: Camera, *, seed: int = 0
) -> Iterator[np.ndarray]:
    """Render frames of the face, uint8 RGB (size, size, 3), one for each sample of the wave.

    ``wave`` is the blood volume at the frames' times in standard deviations.
    """
    import cv2

    draw = np.random.default_rng((seed, 5))
    n, size = len(wave), face.image.shape[0]
    shift = camera.motion_px * np.column_stack([wander(draw, n, rate_hz, 0.25) for _ in range(2)])
    light = 1 + camera.light * wander(draw, n, rate_hz, 0.1)
    noise = draw.normal(0, camera.noise, (8, size + 32, size + 32, 3)).astype(np.float32)
    for k in range(n):
        image: np.ndarray = face.image - face.pulse * np.float32(wave[k])
        move = np.array([[1, 0, shift[k, 0]], [0, 1, shift[k, 1]]], np.float32)
        image = cv2.warpAffine(
            image, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        y, x = draw.integers(0, 32, 2)  # reused noise, at another offset in each frame
        image = image * np.float32(light[k]) + noise[k % 8, y : y + size, x : x + size]
        yield np.clip(image + 0.5, 0, 255).astype(np.uint8)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    rate_hz: float,
    *,
    crf: int = 12,
    codec: str = "h264",
) -> Path:
    """Encode a stream of RGB frames as a video; the file appears complete or not at all.

    Width and height must be even. A path that ends in ``.avi`` is written as Motion JPEG; any other
    by a codec of ``CODECS`` at quality ``crf``.

    Raises
    ------
    InputError
        No frame; odd width or height.
    """
    path = Path(path)
    stream = iter(frames)
    first = next(stream, None)
    if first is None or first.shape[0] % 2 or first.shape[1] % 2:
        shape = "no frame" if first is None else f"{first.shape[1]}×{first.shape[0]}"
        raise InputError(f"cannot encode {shape}: want frames of even width and height")
    motion_jpeg = path.suffix.lower() == ".avi"
    encode = _motion_jpeg if motion_jpeg else partial(_ffmpeg, options=CODECS[codec].format(crf))
    with atomic_file(path) as fresh:
        encode(fresh, chain([first], stream), rate_hz, (first.shape[1], first.shape[0]))
    return path


def _ffmpeg(
    path: Path,
    frames: Iterable[np.ndarray],
    rate_hz: float,
    size: tuple[int, int],
    *,
    options: str,
) -> None:
    """Encode frames with ffmpeg; ``options`` is the encoder and its options."""
    import imageio_ffmpeg

    encoder, *encoder_options = options.split()
    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=rate_hz,
        codec=encoder,
        quality=None,
        macro_block_size=2,
        output_params=[*encoder_options, "-threads", "1"],
    )
    writer.send(None)
    try:
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()


def _motion_jpeg(
    path: Path, frames: Iterable[np.ndarray], rate_hz: float, size: tuple[int, int]
) -> None:
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, size)
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write Motion JPEG to {path}")
    try:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
    finally:
        writer.release()


def wander(draw: np.random.Generator, n: int, rate_hz: float, cut_hz: float) -> np.ndarray:
    """Draw smooth noise (n,) of unit standard deviation with little power above ``cut_hz``."""
    knots = max(int(np.ceil(n / rate_hz * 2 * cut_hz)) + 3, 4)
    values = draw.normal(0, 1, knots)
    at = np.linspace(1, knots - 2, n)
    left = np.clip(at.astype(int), 0, knots - 2)
    share = at - left
    share = share * share * (3 - 2 * share)  # smoothstep: a continuous slope
    return values[left] * (1 - share) + values[left + 1] * share
