"""What a camera makes of a face: motion, light, sensor noise, eight bits, a codec.

`film` renders a synthetic face as video frames; `write_video` encodes frames as they come.
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

# What ffmpeg is told for each codec, its encoder first; {} is the quality, lower is better.
CODECS = {
    "h264": "libx264 -crf {} -preset veryfast",
    "hevc": "libx265 -crf {} -preset veryfast "
    "-x265-params log-level=error:pools=none:frame-threads=1",
    "vp9": "libvpx-vp9 -crf {} -b:v 0 -cpu-used 8 -deadline realtime",
    "mpeg4": "mpeg4 -q:v {}",
}


@dataclass(frozen=True)
class Camera:
    """How the picture is disturbed.

    ``motion_px`` standard deviation of the head's slow wander; ``light`` relative size of slow
    changes of light; ``noise`` of the sensor in grey levels; ``crf`` H.264 quality (0 lossless,
    23 usual on the web).
    """

    motion_px: float = 1.0
    light: float = 0.015
    noise: float = 3.0
    crf: int = 8


def film(
    face: Face, wave: np.ndarray, rate_hz: float, camera: Camera, *, random_state: int = 0
) -> Iterator[np.ndarray]:
    """Frames uint8 (size, size, 3) of the face, one for each sample of the wave.

    ``wave`` is blood volume at the frames' times in standard deviations.
    """
    import cv2

    draw = np.random.default_rng((random_state, 5))
    n, size = len(wave), face.picture.shape[0]
    shift = camera.motion_px * np.column_stack([wander(draw, n, rate_hz, 0.25) for _ in range(2)])
    light = 1 + camera.light * wander(draw, n, rate_hz, 0.1)
    noise = draw.normal(0, camera.noise, (8, size + 32, size + 32, 3)).astype(np.float32)
    for k in range(n):
        picture: np.ndarray = face.picture - face.pulse * np.float32(wave[k])
        move = np.array([[1, 0, shift[k, 0]], [0, 1, shift[k, 1]]], np.float32)
        picture = cv2.warpAffine(
            picture, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        y, x = draw.integers(0, 32, 2)  # the same grains, never in the same place twice running
        picture = picture * np.float32(light[k]) + noise[k % 8, y : y + size, x : x + size]
        yield np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    rate_hz: float,
    *,
    crf: int = 12,
    codec: str = "h264",
) -> Path:
    """Encode RGB frames while they come; the file appears whole or not at all.

    Width and height must be even. A path that ends in ``.avi`` is written as Motion JPEG, each
    frame for itself; any other by a codec of ``CODECS`` at quality ``crf``.
    """
    path = Path(path)
    stream = iter(frames)
    first = next(stream, None)
    if first is None or first.shape[0] % 2 or first.shape[1] % 2:
        shape = "no frame" if first is None else f"{first.shape[1]}×{first.shape[0]}"
        raise InputError(f"cannot encode {shape}: want frames of even width and height")
    motion_jpeg = path.suffix.lower() == ".avi"
    encode = _motion_jpeg if motion_jpeg else partial(_ffmpeg, told=CODECS[codec].format(crf))
    with atomic_file(path) as fresh:
        encode(fresh, chain([first], stream), rate_hz, (first.shape[1], first.shape[0]))
    return path


def _ffmpeg(
    path: Path,
    frames: Iterable[np.ndarray],
    rate_hz: float,
    size: tuple[int, int],
    *,
    told: str,
) -> None:
    import imageio_ffmpeg

    encoder, *options = told.split()
    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=rate_hz,
        codec=encoder,
        quality=None,
        macro_block_size=2,
        output_params=[*options, "-threads", "1"],
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
    """Smooth noise of unit spread with little above ``cut_hz``, (n,)."""
    knots = max(int(np.ceil(n / rate_hz * 2 * cut_hz)) + 3, 4)
    values = draw.normal(0, 1, knots)
    at = np.linspace(1, knots - 2, n)
    left = np.clip(at.astype(int), 0, knots - 2)
    share = at - left
    share = share * share * (3 - 2 * share)  # eased, so that the slope has no corners
    return values[left] * (1 - share) + values[left + 1] * share
