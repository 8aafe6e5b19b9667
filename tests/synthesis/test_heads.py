"""The rendered head: where its pulse is and its colour, its light, its range of skin tones."""

from dataclasses import fields, replace

import numpy as np
import pytest

from emotion_rppg.synthesis.faces import PULSE_COLOUR
from emotion_rppg.synthesis.head_motion import Motion, draw_motion
from emotion_rppg.synthesis.head_parts import REACH, TEXELS, sphere
from emotion_rppg.synthesis.heads import Head, draw_head
from emotion_rppg.synthesis.lighting import Lighting
from emotion_rppg.synthesis.rendering import LitTexture, ray_texels, render
from emotion_rppg.synthesis.skin import LEAST_MELANIN, MOST_MELANIN, skin_albedo

FRAMES = 24
WAVE = np.sin(2 * np.pi * np.arange(FRAMES) / 12)


def still(n: int = FRAMES) -> Motion:
    """Make the motion of a head that looks at the camera and does not move."""
    zero, one = np.zeros(n), np.ones(n)
    pose = {f.name: one if f.name in ("zoom", "box_zoom") else zero for f in fields(Motion)}
    return Motion(**pose)


def light_from(side: float, n: int = FRAMES) -> Lighting:
    """Make one white light from the right (1), the left (-1) or the front (0), and some ambient."""
    direction = np.array([side, 0, 1.0]) / np.hypot(side, 1)
    one = np.ones((n, 3), np.float32)
    return Lighting(np.tile(direction, (1, n, 1)), 0.6 * one[None], 0.1 * one, one)


def images(head: Head, motion: Motion, light: Lighting, strength: float = 0.02) -> np.ndarray:
    """Render linear images (n, 64, 64, 3)."""
    draw = np.random.default_rng(0)
    chunks = render(draw, head, motion, light, WAVE, 30.0, strength=strength, size=64)
    return np.concatenate(list(chunks))[..., :3]


def head_of() -> Head:
    """Draw the first head without glasses, fringe or beard: forehead and cheeks are skin."""
    x, y, z = sphere()
    for seed in range(200):
        head = draw_head(np.random.default_rng(seed))
        face = (z > 0.6) & (
            (np.abs(y + 0.42) < 0.1) | ((np.abs(y - 0.3) < 0.1) & (np.abs(x) > 0.3))
        )
        hair = head.skin[(y < -0.9) & (z > 0)]
        if head.skin[face].min() > 0.9 and hair.max() < 0.1:
            return head
    raise AssertionError("no head with a free face")


def amplitude(head: Head, mask: np.ndarray) -> np.ndarray:
    """Regress the relative change of the lit texture, in a mask, on the wave: (3,)."""
    texture = LitTexture(head, still(), light_from(0.3), strength=0.02)
    lit = np.stack([texture.frame(k, WAVE[k], 0.0)[:, mask].mean(-1) for k in range(FRAMES)])
    return (lit / lit.mean(0) - 1).T @ WAVE / (WAVE @ WAVE)


def test_the_pulse_is_strong_on_the_forehead_and_absent_in_hair_and_eyes() -> None:
    head = head_of()
    x, y, z = sphere()
    forehead = (np.abs(y + 0.42) < 0.12) & (np.abs(x) < 0.4) & (z > 0)
    hair = (y < -0.92) & (z > 0)
    eyes = (np.abs(y + 0.11) < 0.02) & (np.abs(np.abs(x) - 0.46) < 0.05) & (z > 0)
    strong = -amplitude(head, forehead)[1]
    assert strong > 0.008, "more blood is darker"
    assert abs(amplitude(head, hair)[1]) < 0.1 * strong
    assert abs(amplitude(head, eyes)[1]) < 0.35 * strong


def test_the_colour_of_the_pulse_follows_from_the_absorption_by_blood() -> None:
    z = sphere()[2]
    cosines = []
    for seed in range(12):
        head = draw_head(np.random.default_rng(seed))
        found = -amplitude(head, (head.pulse > 0.5) & (z > 0.3))
        cosines.append(found @ PULSE_COLOUR / np.linalg.norm(found) / np.linalg.norm(PULSE_COLOUR))
    assert min(cosines) > 0.95
    assert max(cosines) - min(cosines) > 1e-3, "people differ"


def test_the_pulse_arrives_later_at_the_chin() -> None:
    late = [draw_head(np.random.default_rng(k)) for k in range(10)]
    _, y, z = sphere()
    chin, forehead = (y > 0.7) & (z > 0.2), (np.abs(y + 0.4) < 0.1) & (z > 0.2)
    lags = np.array([h.delay_s[chin].mean() - h.delay_s[forehead].mean() for h in late])
    assert (lags >= 0).all()
    assert 0.005 < lags.max() < 0.04


def test_skin_covers_the_range_of_tones() -> None:
    tones = np.array([draw_head(np.random.default_rng(k)).skin_colour[1] for k in range(120)])
    assert tones.max() > 0.35
    assert tones.min() < 0.06
    light, dark = (skin_albedo(np.array(m), np.array(0.3)) for m in (LEAST_MELANIN, MOST_MELANIN))
    assert (light > 5 * dark).all()
    assert light[0] > light[1] > light[2]


def test_light_comes_from_where_its_source_is() -> None:
    head = head_of()
    left, right = (images(head, still(), light_from(side))[0] for side in (-1.0, 1.0))
    face = np.s_[24:40]
    for picture, sign in ((left, -1), (right, 1)):
        brighter = picture[face, 36:42].mean() - picture[face, 22:28].mean()
        assert sign * brighter > 0.02


def test_shading_moves_over_the_head_when_it_turns_and_the_light_does_not() -> None:
    head = replace(head_of(), gloss=np.zeros((TEXELS, TEXELS), np.float32))
    turned = replace(still(), yaw=np.full(FRAMES, np.deg2rad(25)))
    light = light_from(0.0)
    texture = [
        LitTexture(head, m, light, strength=0.0).frame(0, 0, 0)[1] for m in (still(), turned)
    ]
    shade = [part / head.albedo[1] for part in texture]
    x, y, z = sphere()
    cheek = (np.abs(y - 0.2) < 0.3) & (z > 0.3)
    # the head turns to the right of the image: its left half turns towards the light
    change = shade[1] - shade[0]
    assert change[cheek & (x < -0.3)].mean() > 0.02
    assert change[cheek & (x > 0.3)].mean() < -0.02
    # in the image, the middle of the head still meets the light squarely
    plain = replace(head, albedo=np.ones_like(head.albedo), cavity=np.zeros_like(head.cavity))
    smooth = sphere() / head.axes[:, None, None]
    smooth = smooth / np.linalg.norm(smooth, axis=0)
    plain = replace(plain, normals=smooth.reshape(3, -1).astype(np.float32))
    columns = images(plain, turned, light)[0, 28:36, 20:44, 1].mean(0)
    assert abs(columns.argmax() - 11.5) < 3  # 6 if the light turned with the head


def test_the_texture_moves_with_the_head() -> None:
    head = head_of()
    middle = slice(0, 1)
    for name, size in (("yaw", 0.2), ("x", 0.05)):
        moved = replace(still(), **{name: np.full(FRAMES, size)})
        u, v, _ = ray_texels(head, moved, middle, 64)
        u0, v0, _ = ray_texels(head, still(), middle, 64)
        # what was in the middle is now to the right: the middle shows what was to the left
        assert u[0, 30, 32] < u0[0, 30, 32] - 1
        assert abs(v[0, 30, 32] - v0[0, 30, 32]) < 0.5


def test_the_silhouette_is_that_of_the_ellipsoid() -> None:
    head = replace(head_of(), taper=0.0)
    _, _, opacity = ray_texels(head, still(), slice(0, 1), 96)
    area = opacity[0].sum() * (1.2 / 96) ** 2
    assert area == pytest.approx(np.pi * head.axes[0] * head.axes[1], rel=0.03)
    assert REACH > 1, "the texture shows more than the front half"


def test_a_still_head_that_is_not_alive_does_not_blink_or_speak() -> None:
    motion = draw_motion(np.random.default_rng(1), WAVE, 30.0, alive=False)
    assert not motion.blink.any()
    assert not motion.mouth.any()
    assert not motion.expression.any()


def test_the_crop_follows_the_head_slowly() -> None:
    wave = np.zeros(600)
    rough = []
    for seed in range(12):
        motion = draw_motion(np.random.default_rng(seed), wave, 30.0)
        assert np.abs(motion.x - motion.box_x).std() < 0.05
        for part in (motion.box_x, motion.box_y, np.log(motion.box_zoom)):
            spectrum = np.abs(np.fft.rfft((part - part.mean()) * np.hanning(600)))
            hz = np.fft.rfftfreq(600, 1 / 30)
            rough.append(spectrum[hz > 2.5].sum() / spectrum.sum())
    assert np.median(rough) < 0.1
