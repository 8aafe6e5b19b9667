"""Degrade linear images as a camera, its processing, a codec and a face track do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emotion_rppg.synthesis.cameras import write_video

NOISE_FRAMES = 8  # drawn once a clip, used at another offset in each frame
NOISE_MARGIN = 16


@dataclass(frozen=True)
class Sensor:
    """A camera from light to eight bits. Images are linear RGB, 1 is white.

    ``noise`` is the standard deviation of the noise after the tone curve, 1 is white: the square
    root makes that of photons the same everywhere. ``dark_noise`` is what the sensor's own adds in
    the dark. ``gamma`` is the share of the square root in the tone curve, the rest is linear;
    ``contrast`` adds an S. ``blur`` (pixels) is that of lens and demosaicing, ``sharpen`` the halo.
    ``smooth_time`` is the weight of the frame before in temporal noise reduction, ``beauty`` that
    of smooth skin.
    """

    noise: float
    dark_noise: float
    gamma: float
    contrast: float
    blur: float
    sharpen: float
    smooth_time: float
    beauty: float


def draw_sensor(draw: np.random.Generator) -> Sensor:
    """Draw a camera: from a good one in good light to a bad one in the dark."""
    dark = draw.beta(1.2, 2.5)
    return Sensor(
        noise=10 ** draw.uniform(-3.7, -2.6) * (1 + 2 * dark),
        dark_noise=draw.uniform(0, 0.008) * dark**2,
        gamma=draw.uniform(0.75, 1.05),
        contrast=draw.uniform(0, 0.45),
        blur=draw.uniform(0.3, 1.0),
        sharpen=draw.uniform(0.2, 1.0) if draw.uniform() < 0.5 else 0.0,
        smooth_time=draw.uniform(0.1, 0.6) if draw.uniform() < 0.35 else 0.0,
        beauty=draw.uniform(0.3, 0.9) if draw.uniform() < 0.12 else 0.0,
    )


def expose(
    draw: np.random.Generator, chunks: Iterable[np.ndarray], sensor: Sensor
) -> Iterator[np.ndarray]:
    """Convert linear images (m, h, w, 4), changed in place, to uint8 RGB, one frame at a time."""
    import cv2

    grains, count = None, 0
    before: np.ndarray | None = None
    for light in chunks:
        size = light.shape[1]
        if grains is None:
            grains = _grains(draw, size + NOISE_MARGIN, sensor.blur)
        images = _tone(light, sensor)
        noise = images * np.float32(-sensor.dark_noise)
        noise += np.float32(sensor.noise + sensor.dark_noise)
        for k in range(len(images)):
            y, x = draw.integers(0, NOISE_MARGIN, 2)
            noise[k] *= grains[(count + k) % NOISE_FRAMES, y : y + size, x : x + size]
        images += noise
        count += len(images)
        for k, image in enumerate(images):
            if sensor.smooth_time:
                before = image if before is None else _mix(image, before, sensor.smooth_time)
                images[k] = before
        if sensor.beauty or sensor.sharpen:
            for image in images:
                image[:] = _processed(image, sensor)
        images *= np.float32(255)
        images += np.float32(0.5)
        np.maximum(images, 0, out=images)
        np.minimum(images, 255, out=images)
        for image in images.astype(np.uint8):
            yield cv2.cvtColor(image, cv2.COLOR_RGBA2RGB)


def _processed(image: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Apply the camera's beautifying filter and its sharpening."""
    import cv2

    if sensor.beauty:
        image = _beautified(image, sensor.beauty)
    if sensor.sharpen:
        share = sensor.sharpen
        return cv2.addWeighted(image, 1 + share, cv2.GaussianBlur(image, (3, 3), 1), -share, 0)
    return image


def _grains(draw: np.random.Generator, side: int, blur: float) -> np.ndarray:
    """Draw fields of noise of unit standard deviation, as fine as lens and demosaicing leave it."""
    import cv2

    fields = draw.standard_normal((NOISE_FRAMES, side, side, 4), dtype=np.float32)
    for field in fields:
        cv2.GaussianBlur(field, (5, 5), blur, dst=field)
    return np.asarray(fields / fields.std())


def _tone(light: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Apply the tone curve: linear light to 0–1; changes ``light``."""
    np.maximum(light, 0, out=light)
    np.minimum(light, 1, out=light)
    root = np.sqrt(light, out=light)
    image = root * np.float32(1 - sensor.gamma)
    image += np.float32(sensor.gamma)
    image *= root
    if sensor.contrast:
        curve = image * np.float32(-2 * sensor.contrast)
        curve += np.float32(3 * sensor.contrast)
        curve *= image
        curve += np.float32(1 - sensor.contrast)
        image *= curve
    return image


def _mix(image: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return np.float32(1 - share) * image + np.float32(share) * other


def _beautified(image: np.ndarray, strength: float) -> np.ndarray:
    """Smooth where the image has no edges, and lift it, as beautifying filters do."""
    import cv2

    flat = cv2.GaussianBlur(image, (7, 7), 2)
    weight = np.float32(strength) * np.maximum(1 - 8 * np.abs(image - flat), 0)
    smooth = image + weight * (flat - image)
    return smooth + np.float32(0.25 * strength) * smooth * (1 - smooth)


# ---- codecs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Codec:
    """A codec: a name of ``CODECS`` and its quality (lower is better), or ``jpeg`` (higher).

    ``scale`` is the size of the encoded picture relative to the rendered one.
    """

    name: str
    quality: int
    scale: float = 1.0


# Name, probability, best and worst quality, and sizes of the encoded picture relative to the
# rendered one: from a phone's own recording to a messenger. A codec is harsher to a small picture:
# POS has 5.9 dB on a real face of 448 pixels at CRF 24, and 3.1 dB on the same at 96 pixels and
# CRF 8, since it has twenty times fewer blocks. The qualities are therefore higher than those of
# real files.
CODEC_MIX: tuple[tuple[str, float, int, int, tuple[float, ...]], ...] = (
    ("", 0.27, 0, 1, (1.0,)),
    ("h264", 0.38, 1, 22, (1.5, 1.5, 2.0)),
    ("jpeg", 0.20, 74, 100, (1.0, 1.5)),
    ("mpeg4", 0.05, 1, 4, (2.0,)),
    ("hevc", 0.05, 1, 18, (1.5,)),
    ("vp9", 0.05, 4, 30, (1.5,)),
)


def draw_codecs(draw: np.random.Generator) -> list[Codec]:
    """Draw the codecs that a video passes: none, one, or two after each other."""
    probabilities = [row[1] for row in CODEC_MIX]

    def one() -> list[Codec]:
        name, _, best, worst, scales = CODEC_MIX[draw.choice(len(CODEC_MIX), p=probabilities)]
        share = draw.beta(1.0, 1.8) if name != "jpeg" else 1 - draw.beta(1.0, 1.8)
        return (
            [Codec(name, int(best + share * (worst - best)), draw.choice(scales))] if name else []
        )

    first = one()
    return first + ([replace(c, scale=1.0) for c in one()] if draw.uniform() < 0.1 else [])


def through_codec(frames: np.ndarray, rate_hz: float, codec: Codec) -> np.ndarray:
    """Enlarge, compress and decompress frames, uint8 (n, h, w, 3)."""
    import cv2

    if codec.scale != 1:
        side = 2 * round(codec.scale * frames.shape[1] / 2)
        frames = np.stack([cv2.resize(frame, (side, side)) for frame in frames])
    if codec.name == "jpeg":
        return through_jpeg(frames, quality=codec.quality)
    return through_video(frames, rate_hz, crf=codec.quality, codec=codec.name)


def through_video(clip: np.ndarray, rate_hz: float, *, crf: int, codec: str = "h264") -> np.ndarray:
    """Compress and decompress frames by a video codec of ``CODECS``."""
    import cv2

    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "clip.mp4", clip, rate_hz, crf=crf, codec=codec)
        video = cv2.VideoCapture(str(path))
        frames = []
        while (read := video.read())[0]:
            frames.append(read[1][..., ::-1])
        video.release()
    frames += frames[-1:] * (len(clip) - len(frames))
    return np.stack(frames[: len(clip)])


def through_jpeg(clip: np.ndarray, *, quality: int) -> np.ndarray:
    """Compress and decompress each frame by JPEG of a quality (0–100)."""
    import cv2

    def once(frame: np.ndarray) -> np.ndarray:
        coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))

    return np.stack([once(frame) for frame in clip])


# ---- the reader --------------------------------------------------------------------------------


def cropped(frames: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """Crop square boxes (n, 3) of frames to (n, size, size, 3), uint8, by area-weighted means.

    A box is centre x, centre y and side in pixels. Where it leaves the frame, border pixels are
    repeated.
    """
    height, width = frames.shape[1:3]
    rows = _area_weights(boxes[:, 1] - boxes[:, 2] / 2, boxes[:, 2], size, height)
    columns = _area_weights(boxes[:, 0] - boxes[:, 2] / 2, boxes[:, 2], size, width)
    out = np.empty((len(frames), size, size, 3), np.uint8)
    for frame, down, across, crop in zip(frames, rows, columns, out, strict=True):
        part = down @ frame.reshape(height, -1).astype(np.float32)
        part = across @ part.reshape(size, width, 3)
        part += np.float32(0.5)
        crop[:] = part
    return out


def _area_weights(start: np.ndarray, extent: np.ndarray, cells: int, length: int) -> np.ndarray:
    """Compute the share of each pixel in each cell of intervals, float32 (n, cells, length)."""
    edges = start[:, None] + extent[:, None] * np.arange(cells + 1) / cells
    edges = edges.astype(np.float32)
    low, high = (np.clip(part, 0, length) for part in (edges[:, :-1], edges[:, 1:]))
    outside = high - low < 1e-6  # repeat the border
    low = np.where(outside, np.clip(np.floor(low), 0, np.float32(length - 1)), low)[..., None]
    high = np.where(outside[..., None], low + 1, high[..., None])
    pixel = np.arange(length, dtype=np.float32)
    weights: np.ndarray = np.minimum(high, pixel + 1).astype(np.float32)
    weights -= np.maximum(low, pixel)
    np.maximum(weights, 0, out=weights)
    return np.asarray(weights / (high - low), np.float32)


def on_even_grid(clip: np.ndarray, times_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    """Resample frames (n, h, w, 3) to the times of an even grid by linear blending, float32."""
    after = np.clip(np.searchsorted(times_s, grid_s), 1, len(times_s) - 1)
    share = (grid_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1])
    share = np.clip(share, 0, 1)[:, None, None, None].astype(np.float32)
    return np.asarray((1 - share) * clip[after - 1] + share * clip[after])


def with_repeated_frames(draw: np.random.Generator, clip: np.ndarray, *, most: float) -> np.ndarray:
    """Replace a share of frames, ``most`` at most, by the one before, as a busy camera does."""
    late = np.flatnonzero(draw.uniform(size=len(clip)) < draw.uniform(0, most))
    clip[late[late > 0]] = clip[late[late > 0] - 1]
    return clip
