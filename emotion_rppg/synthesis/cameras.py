"""What a camera makes of a face: motion, light, sensor noise, eight bits, a codec; and clips.

`film` renders a synthetic face as video frames; `write_video` encodes frames as they come;
`training_clip` makes the small, varied clips that a network learns from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from emotion_rppg.checkpoints import whole_file
from emotion_rppg.errors import InputError
from emotion_rppg.synthesis.faces import MELANIN, PULSE_COLOUR, Face

# Seeds of training clips; people of studies have seeds far below (people.py).
FIRST_TRAINING_SEED = 1_000_000_000


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
    shift = camera.motion_px * np.column_stack([_wander(draw, n, rate_hz, 0.25) for _ in range(2)])
    light = 1 + camera.light * _wander(draw, n, rate_hz, 0.1)
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
    path: str | Path, frames: Iterable[np.ndarray], rate_hz: float, *, crf: int = 12
) -> Path:
    """Encode RGB frames while they come; the file appears whole or not at all.

    Width and height must be even. A path that ends in ``.avi`` is written as Motion JPEG, each
    frame for itself; any other as H.264 of quality ``crf``.
    """
    path = Path(path)
    stream = iter(frames)
    first = next(stream, None)
    if first is None or first.shape[0] % 2 or first.shape[1] % 2:
        shape = "no frame" if first is None else f"{first.shape[1]}×{first.shape[0]}"
        raise InputError(f"cannot encode {shape}: want frames of even width and height")
    encode = _motion_jpeg if path.suffix.lower() == ".avi" else partial(_h264, crf=crf)
    with whole_file(path) as fresh:
        encode(fresh, chain([first], stream), rate_hz, (first.shape[1], first.shape[0]))
    return path


def _h264(
    path: Path, frames: Iterable[np.ndarray], rate_hz: float, size: tuple[int, int], *, crf: int
) -> None:
    import imageio_ffmpeg

    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=rate_hz,
        codec="libx264",
        quality=None,
        macro_block_size=2,
        output_params=["-crf", str(crf), "-preset", "veryfast", "-threads", "1"],
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


def _wander(draw: np.random.Generator, n: int, rate_hz: float, cut_hz: float) -> np.ndarray:
    """Smooth noise of unit spread with little above ``cut_hz``, (n,)."""
    knots = max(int(np.ceil(n / rate_hz * 2 * cut_hz)) + 3, 4)
    values = draw.normal(0, 1, knots)
    at = np.linspace(1, knots - 2, n)
    left = np.clip(at.astype(int), 0, knots - 2)
    share = at - left
    share = share * share * (3 - 2 * share)  # eased, so that the slope has no corners
    return values[left] * (1 - share) + values[left + 1] * share


# ---- clips for training ----------------------------------------------------------------------


def training_clip(
    random_state: int, *, frames: int = 128, size: int = 36, rate_hz: float = 30.0
) -> tuple[np.ndarray, np.ndarray]:
    """A small clip of a drawn face and the wave in it; everything about it is drawn at random.

    Heart rate 42–160 bpm, skin tone, pulse colour (about the direction of de Haan & van Leest
    2014), strength (0.2–1.5 % of green, less in dark skin) and its map over the face, motion,
    drifting and flickering light, sensor noise, and in half of the clips blocks that a codec
    leaves standing between key frames.

    Returns
    -------
    clip : uint8 (frames, size, size, 3), RGB
    wave : (frames,), standardised blood volume, more blood is up
    """
    draw = np.random.default_rng((random_state, 6))
    wave = _pulse(draw, frames, rate_hz)
    base, skin, tone = _drawn_face(draw, size)
    colour = PULSE_COLOUR * np.exp(draw.normal(0, 0.15, 3))
    strength = np.exp(draw.uniform(np.log(0.0033), np.log(0.015)))
    strength *= 1 - 0.4 * tone  # melanin hides a part of the pulse
    losing = strength * skin * _patches(draw, size, 0.4, 1.6)
    still = base[None] * (1 - wave[:, None, None, None] * (losing[..., None] * colour / colour[1]))
    clip = _moved(draw, still.astype(np.float32), rate_hz)
    clip *= _light(draw, frames, rate_hz)[:, None, None, :]
    clip += draw.normal(0, draw.uniform(0.2, 2.0), clip.shape).astype(np.float32)
    if draw.uniform() < 0.5:
        _leave_blocks(draw, clip)
    return np.clip(clip + 0.5, 0, 255).astype(np.uint8), (wave - wave.mean()) / wave.std()


def _pulse(draw: np.random.Generator, n: int, rate_hz: float) -> np.ndarray:
    """A pulse wave of varying beats at the frames' times, about unit spread."""
    t = np.arange(n) / rate_hz
    bpm = np.exp(draw.uniform(np.log(42), np.log(160)))
    beat = 60 / bpm
    steps = beat * (1 + draw.uniform(0.005, 0.06) * draw.normal(0, 1, int(n / rate_hz / beat) + 9))
    at = np.cumsum(np.clip(steps, 0.5 * beat, 1.6 * beat)) - 3 * beat
    late, low = draw.uniform(0.12, 0.2), draw.uniform(0.3, 0.7)
    scale = np.sqrt(np.clip(beat, 0.35, 1.4) / 0.85)
    wave = np.zeros(n)
    for shift, width, height in ((0, 0.075, 1.0), (late, 0.11, low), (0.36, 0.1, 0.6 * low)):
        gap = (t[:, None] - at - shift * scale) / (width * scale)
        wave += height * np.exp(-0.5 * gap**2).sum(axis=1)
    return (wave - wave.mean()) / (wave.std() + 1e-9)


def _drawn_face(draw: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """An ellipse of skin with features before a background.

    Returns the picture (size, size, 3), the mask of its skin (size, size), and the skin's tone,
    0 (light) to 1 (dark).
    """
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size - 0.5
    cx, cy = draw.normal(0, 0.03, 2)
    ax, ay = draw.uniform(0.24, 0.38), draw.uniform(0.3, 0.46)
    away = np.sqrt(((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2)
    skin = np.clip((1.05 - away) / 0.1, 0, 1)
    for side in (-1, 1):  # eyes and brows
        eye = ((x - cx - side * 0.42 * ax) / (0.22 * ax)) ** 2 + (
            (y - cy + 0.2 * ay) / (0.12 * ay)
        ) ** 2
        skin = skin * (1 - 0.9 * np.exp(-eye))
    mouth = ((x - cx) / (0.4 * ax)) ** 2 + ((y - cy - 0.55 * ay) / (0.1 * ay)) ** 2
    skin = skin * (1 - 0.6 * np.exp(-mouth))
    tone = draw.uniform(0, 1)
    colour = np.array([225, 180, 155]) * np.exp(-1.6 * tone * MELANIN)
    shade = draw.uniform(0.6, 1.1) * _patches(draw, size, 0.85, 1.15)
    behind = draw.uniform(10, 230, 3) * _patches(draw, size, 0.6, 1.4)[..., None]
    picture = behind * (1 - skin[..., None]) + skin[..., None] * colour * shade[..., None]
    return np.clip(picture, 4, 250).astype(np.float32), skin.astype(np.float32), tone


def _patches(draw: np.random.Generator, size: int, low: float, high: float) -> np.ndarray:
    """A smooth random map (size, size) of values about ``low`` … ``high``."""
    import cv2

    coarse = draw.uniform(low, high, (4, 4)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _moved(draw: np.random.Generator, clip: np.ndarray, rate_hz: float) -> np.ndarray:
    """The clip under small shifts: a slow wander, and in some clips talking-like shaking."""
    import cv2

    n, size = clip.shape[:2]
    wander = draw.uniform(0, 0.03) * size
    shake = draw.uniform(0, 0.012) * size if draw.uniform() < 0.5 else 0.0
    shift = wander * np.column_stack([_wander(draw, n, rate_hz, 0.3) for _ in range(2)])
    shift += shake * np.column_stack([_wander(draw, n, rate_hz, 2.5) for _ in range(2)])
    out = np.empty_like(clip)
    for k in range(n):
        move = np.array([[1, 0, shift[k, 0]], [0, 1, shift[k, 1]]], np.float32)
        cv2.warpAffine(clip[k], move, (size, size), out[k], borderMode=cv2.BORDER_REPLICATE)
    return out


def _light(draw: np.random.Generator, n: int, rate_hz: float) -> np.ndarray:
    """Gain of each frame and channel (n, 3): slow drift, flicker, a little change of tint."""
    drift = draw.uniform(0, 0.05) * _wander(draw, n, rate_hz, 0.2)
    quick = draw.uniform(0, 0.01) * _wander(draw, n, rate_hz, 4.0)
    flicker = draw.uniform(0, 0.004) * np.sin(
        2 * np.pi * draw.uniform(0.5, rate_hz / 2) * np.arange(n) / rate_hz
    )
    tint = draw.uniform(0, 0.01) * _wander(draw, n, rate_hz, 0.2)
    gain = 1 + (drift + quick + flicker)[:, None] + tint[:, None] * draw.normal(0, 1, 3)
    return gain[:, None, :].reshape(n, 3).astype(np.float32)


def _leave_blocks(draw: np.random.Generator, clip: np.ndarray) -> None:
    """Offsets of blocks that stand for some frames, and a jump of all of them at key frames."""
    n, size = clip.shape[:2]
    cells = max(size // int(draw.integers(4, 9)), 2)
    held = int(draw.integers(2, 9))
    every = int(draw.integers(30, 120))
    depth = draw.uniform(0.2, 1.5)
    offsets = draw.normal(0, depth, (n // held + 2, cells, cells, 3))
    for k in range(n):
        key = k // every
        block = offsets[(k + 3 * key) // held % len(offsets)]
        index = np.arange(size) * cells // size
        clip[k] += block[np.ix_(index, index)].astype(np.float32)
