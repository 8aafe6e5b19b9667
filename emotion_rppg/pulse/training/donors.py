"""Make training clips from real face videos without labels, by a drawn pulse in their crops.

A donor gives what drawings lack: the texture, motion, light, noise and compression of a real
recording. What correlates with its own POS wave is removed from each part of its crops. Then a
drawn pulse with a known wave is added to the skin, after turning, recolouring and re-exposing the
crops at random. A network must not be tested on its donors: `trained_on` names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference.overlap_add import face_crops, standardise
from emotion_rppg.pulse.inference.spatial_refinement import band_passed
from emotion_rppg.pulse.methods import pos
from emotion_rppg.recordings import Video
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import draw_pulse, eight_bits, patches
from emotion_rppg.synthesis.faces import PULSE_COLOUR
from emotion_rppg.video.face_tracking import track_face

SIZE = 64  # a side of the stored crops: drawn pulses are averaged before rounding to eight bits
CELLS = 8  # a side of the parts from which the own pulse is removed
BAND_HZ = (0.6, 4.0)
SKIN_SPREAD = 0.035  # of chromaticity, within which a pixel is skin
# where forehead and cheeks are in a crop, as shares of its side: top, bottom, left, right
CENTRE = (0.3, 0.65, 0.36, 0.64)
STRENGTH = (0.0012, 0.01)  # relative change of green for one standard deviation of the wave


@dataclass(frozen=True, eq=False)
class Donor:
    """Crops of a real face without its own pulse.

    ``crops`` is float32 RGB (n, 64, 64, 3), 0–255, on an even grid; ``skin`` (64, 64) the share of
    the pulse that each pixel gets, 0–1.
    """

    name: str
    crops: np.ndarray
    skin: np.ndarray


def read_donors(
    videos: Sequence[str | Path | Video], *, rate_hz: float, frames: int
) -> list[Donor]:
    """Read each stretch of at least ``frames`` frames with a face from videos.

    Raises
    ------
    InputError
        No video has such a stretch; an unreadable video.
    """
    found = [donor for video in videos for donor in _donors_of(video, rate_hz, frames)]
    if not found:
        raise InputError(
            f"none of {len(videos)} donor videos has {frames} frames ({frames / rate_hz:.1f} s) "
            "with a face: want longer videos, or fewer frames a clip"
        )
    return found


def _donors_of(video: str | Path | Video, rate_hz: float, frames: int) -> list[Donor]:
    video = video if isinstance(video, Video) else Video(Path(video))
    _, stream = face_crops(track_face(video), size=SIZE, rate_hz=rate_hz)
    crops = [np.full((SIZE, SIZE, 3), np.nan, np.float32) if c is None else c for c in stream]
    stacked = np.stack(crops).astype(np.float32)
    runs = Signal(stacked.mean(axis=(1, 2, 3)), rate_hz).runs()
    return [
        donor_of(stacked[a:b], rate_hz, name=video.path.name) for a, b in runs if b - a >= frames
    ]


def donor_of(crops: np.ndarray, rate_hz: float, *, name: str) -> Donor:
    """Make a donor of crops, float (n, size, size, 3): find skin and remove the own pulse."""
    skin = _skin(crops.mean(axis=0))
    return Donor(name, _without_pulse(crops, skin, rate_hz), skin)


def _skin(image: np.ndarray) -> np.ndarray:
    """Weight each pixel of a mean crop by the likeness of its colour to forehead and cheeks."""
    import cv2

    size = len(image)
    chroma = image[..., :2] / np.maximum(image.sum(axis=2, keepdims=True), 1)
    top, bottom, left, right = (round(share * size) for share in CENTRE)
    centre = np.median(chroma[top:bottom, left:right], axis=(0, 1))
    likeness = np.exp(-0.5 * (((chroma - centre) / SKIN_SPREAD) ** 2).sum(axis=2))
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size - 0.5
    head = np.clip((1.1 - np.hypot(x / 0.33, y / 0.42)) / 0.2, 0, 1)
    return np.asarray(cv2.GaussianBlur((likeness * head).astype(np.float32), (0, 0), 1.0))


def _without_pulse(crops: np.ndarray, skin: np.ndarray, rate_hz: float) -> np.ndarray:
    """Remove from each part of the crops what correlates with the POS wave of their skin."""
    import cv2

    weights = skin / max(float(skin.sum()), 1e-6)
    colours = np.einsum("nijk,ij->nk", crops, weights).astype(float)
    wave = band_passed(pos(colours, rate_hz), rate_hz, BAND_HZ)
    parts = np.stack([cv2.resize(c, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for c in crops])
    changes = band_passed(parts / np.maximum(parts.mean(axis=0), 1.0), rate_hz, BAND_HZ)
    slopes = np.tensordot(wave, changes, axes=(0, 0)) / max(float(wave @ wave), 1e-12)
    per_pixel = cv2.resize(
        slopes.astype(np.float32), crops.shape[1:3], interpolation=cv2.INTER_CUBIC
    )
    out = crops.copy()
    for frame, value in zip(out, wave, strict=True):
        frame *= 1 - np.float32(value) * per_pixel
    return out


def donor_clip(
    donors: Sequence[Donor], seed: int, *, frames: int, size: int, rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Generate a clip of a random donor with a drawn pulse, at random from a seed.

    Returns
    -------
    clip : uint8 (frames, size, size, 3), RGB
    wave : (frames,), standardised blood volume, more blood is up
    """
    import cv2

    draw = np.random.default_rng((seed, 31))
    lengths = np.array([len(donor.crops) for donor in donors], float)
    donor = donors[draw.choice(len(donors), p=lengths / lengths.sum())]
    first = int(draw.integers(0, len(donor.crops) - frames + 1))
    crops, skin = donor.crops[first : first + frames], donor.skin
    if draw.uniform() < 0.5:
        crops = crops[::-1]
    if draw.uniform() < 0.5:
        crops, skin = crops[:, :, ::-1], skin[:, ::-1]
    times = np.arange(frames) / rate_hz
    wave = draw_pulse(draw, times)
    depth = _depth(draw, skin)
    delay_s = draw.uniform(0, 0.02) * patches(draw, SIZE, -1, 1)[..., None]
    slope = np.gradient(wave) * rate_hz
    move, gain = _placement(draw), _exposure(draw)
    grey = draw.uniform(0, 1.0)
    out = np.empty((frames, size, size, 3), np.float32)
    for k in range(frames):
        image = crops[k] * (
            1 - depth * np.float32(wave[k]) - depth * delay_s * np.float32(slope[k])
        )
        image = cv2.warpAffine(image, move, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
        out[k] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    out = 255 * (np.clip(out, 0, 255) / 255) ** np.float32(draw.uniform(0.75, 1.3)) * gain
    out += draw.normal(0, grey, out.shape).astype(np.float32)
    return eight_bits(out), standardise(wave)


def _depth(draw: np.random.Generator, skin: np.ndarray) -> np.ndarray:
    """Draw the relative amplitude of the pulse of each pixel, (64, 64, 3)."""
    colour = PULSE_COLOUR * np.exp(draw.normal(0, 0.15, 3))
    strength = np.exp(draw.uniform(*np.log(STRENGTH)))
    where = strength * skin * patches(draw, SIZE, 0.4, 1.6)
    return np.asarray(where[..., None] * colour / colour[1], np.float32)


def _placement(draw: np.random.Generator) -> np.ndarray:
    """Draw the place, turn and size of the face in the crop: an affine map (2, 3)."""
    angle, scale = np.deg2rad(draw.normal(0, 6)), np.exp(draw.normal(0, 0.1))
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    middle = (SIZE - 1) / 2
    x, y = draw.normal(0, 0.04, 2) * SIZE + middle
    return np.array(
        [[c, -s, x - c * middle + s * middle], [s, c, y - s * middle - c * middle]], np.float32
    )


def _exposure(draw: np.random.Generator) -> np.ndarray:
    """Draw the gain of the three channels, (3,): exposure and white balance."""
    return np.asarray(np.exp(draw.normal(0, 0.2) + draw.normal(0, 0.08, 3)), np.float32)
