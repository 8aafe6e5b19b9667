"""Generate small clips of drawn faces with a known pulse, to train pulse networks on.

`training_clip` is fast and plain. With ``varied=True`` it adds what makes real video difficult:
hair, glasses and beards, speech, blinks and nodding, light from one side, a background that does
not move with the head, the light of a screen whose scenes change, gamma, cameras of 15–60 frames a
second with repeated frames, 4:2:0 colour, and real H.264 or Motion JPEG.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from emotion_rppg.synthesis.cameras import wander
from emotion_rppg.synthesis.degradations import (
    on_even_grid,
    through_jpeg,
    through_video,
    with_repeated_frames,
)
from emotion_rppg.synthesis.faces import MELANIN, PULSE_COLOUR

# Seeds of training clips; those of people in studies are far below (people.py).
FIRST_TRAINING_SEED = 1_000_000_000
RENDERED_PX = (64, 64, 80, 80, 96, 96, 128)  # a side of varied clips before resizing
Maps = Callable[[int], tuple[np.ndarray, np.ndarray]]
NOISE_FRAMES = 12  # drawn once a clip, used at another offset in each frame


def training_clip(
    seed: int,
    *,
    frames: int = 128,
    size: int = 36,
    rate_hz: float = 30.0,
    varied: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Generate a small clip of a drawn face and the pulse wave in it, at random from a seed.

    Random are: heart rate (42–160 bpm), skin tone, pulse colour (about the direction of de Haan &
    van Leest 2014), its strength (0.2–1.5 % of green, less in dark skin) and its map over the face,
    motion, drifting and flickering light, sensor noise, and in half of the clips the block
    artefacts that a codec leaves between key frames. ``varied`` adds what the first lines of this
    module list, weaker pulses (from 0.1 %), and a pulse that reaches parts of the face up to 40 ms
    apart.

    Returns
    -------
    clip : uint8 (frames, size, size, 3), RGB
    wave : (frames,), standardised blood volume, more blood is up
    """
    if varied:
        return _varied_clip(np.random.default_rng((seed, 7)), frames, size, rate_hz)
    draw = np.random.default_rng((seed, 6))
    wave = draw_pulse(draw, np.arange(frames) / rate_hz)
    scene = _draw_face(draw, size)
    depth_map = _pulse_depth(draw, scene, 0.0033)
    still = scene.image[None] * (1 - wave[:, None, None, None] * depth_map)
    clip = _shifted(draw, still.astype(np.float32), rate_hz)
    clip *= _light_gain(draw, frames, rate_hz)[:, None, None, :]
    clip += draw.normal(0, draw.uniform(0.2, 2.0), clip.shape).astype(np.float32)
    if draw.uniform() < 0.5:
        _add_block_artefacts(draw, clip)
    return eight_bits(clip), standardised(wave)


def eight_bits(clip: np.ndarray) -> np.ndarray:
    """Round images to uint8, 0–255."""
    return np.clip(clip + 0.5, 0, 255).astype(np.uint8)


def standardised(wave: np.ndarray) -> np.ndarray:
    """Scale a wave to mean 0 and standard deviation 1."""
    return (wave - wave.mean()) / wave.std()


# ---- the heart and the face ------------------------------------------------------------------


def draw_pulse(draw: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Draw a standardised pulse wave with varying intervals at even times t (n,), seconds."""
    bpm = np.exp(draw.uniform(np.log(42), np.log(160)))
    beat = 60 / bpm
    count = int((t[-1] - t[0]) / beat) + 9
    steps = beat * (1 + draw.uniform(0.005, 0.06) * draw.normal(0, 1, count))
    at = t[0] + np.cumsum(np.clip(steps, 0.5 * beat, 1.6 * beat)) - 3 * beat
    late, low = draw.uniform(0.12, 0.2), draw.uniform(0.3, 0.7)
    scale = np.sqrt(np.clip(beat, 0.35, 1.4) / 0.85)
    wave = np.zeros(len(t))
    for shift, width, height in ((0, 0.075, 1.0), (late, 0.11, low), (0.36, 0.1, 0.6 * low)):
        gap = (t[:, None] - at - shift * scale) / (width * scale)
        wave += height * np.exp(-0.5 * gap**2).sum(axis=1)
    return (wave - wave.mean()) / (wave.std() + 1e-9)


@dataclass(frozen=True, eq=False)
class _Scene:
    """A drawn face.

    ``image`` is float32 RGB (size, size, 3). ``skin``, ``head`` (which moves), ``mouth`` and
    ``eyes`` are masks (size, size), 0–1. ``tone`` is the skin tone, 0 (light) to 1 (dark).
    """

    image: np.ndarray
    skin: np.ndarray
    head: np.ndarray
    mouth: np.ndarray
    eyes: np.ndarray
    tone: float


def _draw_face(draw: np.random.Generator, size: int) -> _Scene:
    """Draw an elliptic face with eyes and mouth in front of a background."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size - 0.5
    cx, cy = draw.normal(0, 0.03, 2)
    ax, ay = draw.uniform(0.24, 0.38), draw.uniform(0.3, 0.46)
    away = np.sqrt(((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2)
    head = np.clip((1.05 - away) / 0.1, 0, 1)
    eyes = np.zeros_like(x)
    for side in (-1, 1):  # with their brows
        eye = ((x - cx - side * 0.42 * ax) / (0.22 * ax)) ** 2
        eyes += np.exp(-eye - ((y - cy + 0.2 * ay) / (0.12 * ay)) ** 2)
    mouth = np.exp(-(((x - cx) / (0.4 * ax)) ** 2) - ((y - cy - 0.55 * ay) / (0.1 * ay)) ** 2)
    skin = head * (1 - 0.9 * np.clip(eyes, 0, 1)) * (1 - 0.6 * mouth)
    tone = draw.uniform(0, 1)
    colour = np.array([225, 180, 155]) * np.exp(-1.6 * tone * MELANIN)
    shade = draw.uniform(0.6, 1.1) * patches(draw, size, 0.85, 1.15)
    behind = draw.uniform(10, 230, 3) * patches(draw, size, 0.6, 1.4)[..., None]
    image = behind * (1 - skin[..., None]) + skin[..., None] * colour * shade[..., None]
    image, skin, head, mouth, eyes = (
        part.astype(np.float32)
        for part in (np.clip(image, 4, 250), skin, head, mouth, np.clip(eyes, 0, 1))
    )
    return _Scene(image, skin, head, mouth, eyes, tone)


def _pulse_depth(draw: np.random.Generator, scene: _Scene, weakest: float) -> np.ndarray:
    """Draw the relative pulse amplitude of each pixel (size, size, 3), per SD of the wave."""
    colour = PULSE_COLOUR * np.exp(draw.normal(0, 0.15, 3))
    strength = np.exp(draw.uniform(np.log(weakest), np.log(0.015)))
    strength *= 1 - 0.4 * scene.tone  # melanin hides part of the pulse
    where = strength * scene.skin * patches(draw, len(scene.skin), 0.4, 1.6)
    return np.asarray(where[..., None] * colour / colour[1], np.float32)


def patches(draw: np.random.Generator, size: int, low: float, high: float) -> np.ndarray:
    """Draw a smooth random map (size, size) of values from about ``low`` to ``high``."""
    import cv2

    coarse = draw.uniform(low, high, (4, 4)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


# ---- motion, light and codecs of plain clips -------------------------------------------------


def _shifted(draw: np.random.Generator, clip: np.ndarray, rate_hz: float) -> np.ndarray:
    """Shift the clip's frames: slow motion, and in some clips shaking as in speech."""
    import cv2

    n, size = clip.shape[:2]
    slow = draw.uniform(0, 0.03) * size
    shake = draw.uniform(0, 0.012) * size if draw.uniform() < 0.5 else 0.0
    shift = slow * np.column_stack([wander(draw, n, rate_hz, 0.3) for _ in range(2)])
    shift += shake * np.column_stack([wander(draw, n, rate_hz, 2.5) for _ in range(2)])
    out = np.empty_like(clip)
    for k in range(n):
        move = np.array([[1, 0, shift[k, 0]], [0, 1, shift[k, 1]]], np.float32)
        cv2.warpAffine(clip[k], move, (size, size), out[k], borderMode=cv2.BORDER_REPLICATE)
    return out


def _light_gain(draw: np.random.Generator, n: int, rate_hz: float) -> np.ndarray:
    """Draw the gain of each frame and channel (n, 3): slow drift, flicker, change of tint."""
    drift = draw.uniform(0, 0.05) * wander(draw, n, rate_hz, 0.2)
    quick = draw.uniform(0, 0.01) * wander(draw, n, rate_hz, 4.0)
    flicker = draw.uniform(0, 0.004) * np.sin(
        2 * np.pi * draw.uniform(0.5, rate_hz / 2) * np.arange(n) / rate_hz
    )
    tint = draw.uniform(0, 0.01) * wander(draw, n, rate_hz, 0.2)
    gain = 1 + (drift + quick + flicker)[:, None] + tint[:, None] * draw.normal(0, 1, 3)
    return gain.astype(np.float32)


def _screen_light(draw: np.random.Generator, n: int, rate_hz: float) -> np.ndarray:
    """Draw the gain (n, 3) of a screen's light: brightness and tint step from scene to scene."""
    scene = np.cumsum(draw.uniform(size=n) < draw.uniform(0.2, 2) / rate_hz)
    bright = draw.normal(0, draw.uniform(0.003, 0.04), (scene[-1] + 1, 1))
    tint = draw.normal(0, draw.uniform(0, 0.01), (scene[-1] + 1, 3))
    return np.clip(1 + bright + tint, 0.8, 1.2)[scene].astype(np.float32)


def _add_block_artefacts(draw: np.random.Generator, clip: np.ndarray) -> None:
    """Add, in place, block offsets that last some frames and change together at key frames."""
    n, size = clip.shape[:2]
    cells = max(size // int(draw.integers(4, 9)), 2)
    duration = int(draw.integers(2, 9))
    every = int(draw.integers(30, 120))
    depth = draw.uniform(0.2, 1.5)
    offsets = draw.normal(0, depth, (n // duration + 2, cells, cells, 3))
    for k in range(n):
        key = k // every
        block = offsets[(k + 3 * key) // duration % len(offsets)]
        index = np.arange(size) * cells // size
        clip[k] += block[np.ix_(index, index)].astype(np.float32)


# ---- varied clips ----------------------------------------------------------------------------


def _varied_clip(
    draw: np.random.Generator, frames: int, size: int, rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Generate a varied clip: rendered at a camera's rate, compressed, resized and resampled."""
    camera_hz = rate_hz if draw.uniform() < 0.6 else draw.uniform(15, 60)
    n = int(np.ceil((frames - 1) / rate_hz * camera_hz)) + 2
    times = np.arange(n) / camera_hz
    wave = draw_pulse(draw, times)
    scene = _with_hair_and_glasses(draw, _draw_face(draw, int(draw.choice(RENDERED_PX))))
    clip = _rendered(draw, scene, wave, camera_hz)
    if draw.uniform() < 0.15:
        clip = with_repeated_frames(draw, clip, most=0.1)
    clip = _compressed(draw, clip, camera_hz)
    return _resampled(clip, times, np.arange(frames) / rate_hz, size), standardised(
        np.interp(np.arange(frames) / rate_hz, times, wave)
    )


def _with_hair_and_glasses(draw: np.random.Generator, scene: _Scene) -> _Scene:
    """Add hair, glasses or a beard to the drawn face, and redness and blemishes to its skin."""
    size = len(scene.skin)
    y = (np.arange(size)[:, None] + 0.5) / size
    image, skin = scene.image.copy(), scene.skin
    image *= 1 + skin[..., None] * (patches(draw, size, -0.1, 0.1)[..., None] * MELANIN)
    image[..., 1:] *= 1 - draw.uniform(0, 0.12) * (skin * patches(draw, size, 0, 1))[..., None]
    covers: list[tuple[np.ndarray, np.ndarray]] = []
    dark = draw.uniform(15, 120) * np.array([1.0, 0.85, 0.7])
    if draw.uniform() < 0.7:
        line = draw.uniform(0.1, 0.3) + 0.1 * (patches(draw, size, -1, 1))
        covers.append((np.clip((line - y) / 0.03, 0, 1), dark))
    if draw.uniform() < 0.25:
        chin = draw.uniform(0.62, 0.8) + 0.05 * patches(draw, size, -1, 1)
        covers.append((draw.uniform(0.3, 0.9) * np.clip((y - chin) / 0.04, 0, 1), dark))
    if draw.uniform() < 0.25:
        rim = np.exp(-(((scene.eyes - 0.4) / 0.12) ** 2))
        covers.append((rim * draw.uniform(0.5, 1), draw.uniform(10, 200, 3)))
    for cover, colour in covers:
        cover = (cover * scene.head).astype(np.float32)
        texture = colour * (1 + 0.15 * draw.normal(0, 1, (size, size, 1)))
        image = image * (1 - cover[..., None]) + texture.astype(np.float32) * cover[..., None]
        skin = skin * (1 - cover)
    return replace(scene, image=np.clip(image, 4, 250).astype(np.float32), skin=skin)


def _rendered(
    draw: np.random.Generator, scene: _Scene, wave: np.ndarray, rate_hz: float
) -> np.ndarray:
    """Render frames of the scene, uint8 (n, px, px, 3): pulse, motion, light and sensor noise."""
    import cv2

    n, px = len(wave), len(scene.skin)
    depth_map = _pulse_depth(draw, scene, 0.002)
    delay_s = draw.uniform(0, 0.02) * patches(draw, px, -1, 1)[..., None]  # to either side
    pulse, lag = scene.image * depth_map, scene.image * depth_map * delay_s.astype(np.float32)
    slope = np.gradient(wave) * rate_hz
    maps = _motion(draw, scene, n, rate_hz)
    talk = draw.uniform(0, 0.35) * np.maximum(wander(draw, n, rate_hz, 3.0), 0)
    talk *= (wander(draw, n, rate_hz, 0.3) > 0) & (draw.uniform() < 0.5)
    blink = np.convolve(draw.uniform(size=n) < 0.25 / rate_hz, np.hanning(0.3 * rate_hz + 3))[:n]
    light, side = _light_gain(draw, n, rate_hz), patches(draw, px, 0.75, 1.25)[..., None]
    if draw.uniform() < 0.4:
        light *= _screen_light(draw, n, rate_hz)
    behind = draw.uniform(10, 230, 3) * patches(draw, px, 0.4, 1.6)[..., None]
    behind = behind.astype(np.float32)
    mouth, eyes = scene.mouth[..., None], scene.eyes[..., None]
    grains = draw.normal(0, 1, (NOISE_FRAMES, px + 16, px + 16, 3)).astype(np.float32)
    noise, shot = np.float32(draw.uniform(0.5, 5)), np.float32(draw.uniform(0, 1) / 255)
    # ten bits before eight
    curve = eight_bits(255 * (np.arange(1024) / 1023) ** draw.uniform(0.8, 1.25))
    out = np.empty((n, px, px, 3), np.uint8)
    face, part = np.empty_like(pulse), np.empty_like(pulse)
    for k in range(n):
        np.subtract(scene.image, np.multiply(pulse, np.float32(wave[k]), out=part), out=face)
        face += np.multiply(lag, np.float32(slope[k]), out=part)
        if talk[k] > 0 or blink[k] > 0:
            face *= (1 - np.float32(talk[k]) * mouth) * (1 + np.float32(0.5 * blink[k]) * eyes)
        x, y = maps(k)
        view: np.ndarray = cv2.remap(face, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        head = cv2.remap(scene.head, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        view -= behind
        view *= head[..., None]
        view += behind
        view *= side * np.float32(light[k])
        down, right = draw.integers(0, 16, 2)
        grain = grains[k % NOISE_FRAMES, down : down + px, right : right + px]
        np.multiply(view, noise * shot, out=part)
        part += noise
        part *= grain
        view += part
        view *= 1023 / 255
        curve.take(np.clip(view, 0, 1023, out=view).astype(np.int16), out=out[k], mode="clip")
    return out


def _motion(draw: np.random.Generator, scene: _Scene, n: int, rate_hz: float) -> Maps:
    """Draw the head's motion: a function from the frame number to two remapping maps (px, px).

    Slow motion and shaking as in plain clips, nodding at one rate (which may be a heart rate),
    rotation in the image plane, change of distance, and smooth deformation of the face in speech.
    """
    px = len(scene.skin)
    y, x = np.mgrid[0:px, 0:px].astype(np.float32)
    t = np.arange(n) / rate_hz
    lively = draw.uniform(0, 1)
    shift = draw.uniform(0, 0.04) * px * np.stack([wander(draw, n, rate_hz, 0.3) for _ in "xy"])
    if draw.uniform() < 0.5:
        quick = np.stack([wander(draw, n, rate_hz, 2.5) for _ in "xy"])
        shift += draw.uniform(0, 0.012) * px * quick
    if draw.uniform() < 0.3:
        nod = np.sin(2 * np.pi * draw.uniform(0.2, 3.0) * t + 0.5 * wander(draw, n, rate_hz, 0.5))
        shift += draw.uniform(0, 0.015) * px * nod * draw.normal(0, 1, (2, 1))
    shift *= lively
    turn = lively * np.deg2rad(draw.uniform(0, 4)) * wander(draw, n, rate_hz, 0.4)
    near = 1 + lively * draw.uniform(0, 0.04) * wander(draw, n, rate_hz, 0.3)
    bend = (
        lively * draw.uniform(0, 0.02) * px * wander(draw, n, rate_hz, 2.0) * (draw.uniform() < 0.5)
    )
    fields = [patches(draw, px, -1, 1) for _ in "xy"]
    mid = (px - 1) / 2

    def maps(k: int) -> tuple[np.ndarray, np.ndarray]:
        c, s = np.float32(near[k] * np.cos(turn[k])), np.float32(near[k] * np.sin(turn[k]))
        u, v = x - mid, y - mid
        a = c * u - s * v + np.float32(mid + shift[0, k]) + np.float32(bend[k]) * fields[0]
        b = s * u + c * v + np.float32(mid + shift[1, k]) + np.float32(bend[k]) * fields[1]
        return a, b

    return maps


def _compressed(draw: np.random.Generator, clip: np.ndarray, rate_hz: float) -> np.ndarray:
    """Compress the clip: by H.264 in 45 % of clips, Motion JPEG in 20 %, else not at all."""
    choice = draw.uniform()
    if choice < 0.45:
        return through_video(clip, rate_hz, crf=int(draw.integers(14, 33)))
    if choice < 0.65:
        return through_jpeg(clip, quality=int(draw.integers(40, 96)))
    return clip


def _resampled(clip: np.ndarray, times_s: np.ndarray, grid_s: np.ndarray, size: int) -> np.ndarray:
    """Resample frames to other times by linear blending and to another size by area: uint8."""
    import cv2

    small = np.stack(
        [cv2.resize(f, (size, size), interpolation=cv2.INTER_AREA) for f in clip.astype(np.float32)]
    )
    return eight_bits(on_even_grid(small, times_s, grid_s))
