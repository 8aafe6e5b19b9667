"""Donor clips: the own pulse of a real face goes, a drawn one comes, the rest stays."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import DONORS
from emotion_rppg.pulse.methods import pos
from emotion_rppg.pulse.training.clips import synthetic_clips
from emotion_rppg.pulse.training.config import TrainingConfig
from emotion_rppg.pulse.training.donors import (
    donor_clip,
    donor_of,
    read_donors,
)
from emotion_rppg.signal_quality import heart_rate, snr_db
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.faces import face

RATE_HZ, OWN_BPM = 30.0, 78.0


def crops(seconds: float = 10.0, strength: float = 0.012) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = np.sin(2 * np.pi * OWN_BPM / 60 * times)
    drawn = face(0.2, size=64, strength=strength)
    camera = Camera(motion_px=0.3, noise=1.0)
    return np.stack(list(film(drawn, wave, RATE_HZ, camera))).astype(np.float32)


def skin_wave(clip: np.ndarray) -> Signal:
    side = clip.shape[1]
    middle = clip[:, side // 3 : 2 * side // 3, side // 3 : 2 * side // 3].mean(axis=(1, 2))
    return Signal(pos(middle.astype(float), RATE_HZ), RATE_HZ, kind="rppg")


def test_the_own_pulse_is_removed_and_the_picture_stays() -> None:
    original = crops()
    donor = donor_of(original, RATE_HZ, name="a.mp4")
    assert heart_rate(skin_wave(original)) == pytest.approx(OWN_BPM, abs=2)
    before, after = (snr_db(skin_wave(x), OWN_BPM) for x in (original, donor.crops))
    assert after < before - 8
    assert np.abs(donor.crops - original).max() < 8


def test_skin_is_face_and_not_background() -> None:
    skin = donor_of(crops(), RATE_HZ, name="a.mp4").skin
    assert skin[20:36, 26:38].mean() > 0.5
    assert skin[:, :3].max() < 0.05
    assert skin[:, -3:].max() < 0.05


def test_a_clip_has_the_drawn_pulse_in_its_skin_and_repeats_by_seed() -> None:
    donors = [donor_of(crops(), RATE_HZ, name="a.mp4")]
    right = 0
    for seed in range(12):
        clip, wave = donor_clip(donors, seed, frames=256, size=32, rate_hz=RATE_HZ)
        assert clip.shape == (256, 32, 32, 3)
        assert clip.dtype == np.uint8
        assert wave.mean() == pytest.approx(0, abs=1e-6)
        rate = heart_rate(Signal(wave, RATE_HZ, kind="rppg"))
        right += abs(heart_rate(skin_wave(clip)) - rate) < 4
    assert right >= 6
    again, _ = donor_clip(donors, 11, frames=256, size=32, rate_hz=RATE_HZ)
    np.testing.assert_array_equal(clip, again)


@pytest.mark.slow
def test_more_blood_darkens_green_most() -> None:
    donors = [donor_of(crops(strength=0.0), RATE_HZ, name="a.mp4")]
    slopes = []
    for seed in range(20):
        clip, wave = donor_clip(donors, seed, frames=256, size=32, rate_hz=RATE_HZ)
        middle = clip[:, 10:18, 12:20].mean(axis=(1, 2))
        relative = middle / middle.mean(axis=0) - 1
        slopes.append(wave @ relative / len(wave))
    red, green, blue = np.median(slopes, axis=0)
    assert green < blue < 0
    assert green < red


def test_videos_without_a_long_enough_stretch_are_refused(tmp_path) -> None:
    frames = film(face(0.2, size=160), np.zeros(60), RATE_HZ, Camera())
    path = write_video(tmp_path / "short.mp4", frames, RATE_HZ)
    with pytest.raises(InputError, match=r"1 donor videos has 128 frames"):
        read_donors([path], rate_hz=RATE_HZ, frames=128)
    (donor,) = read_donors([path], rate_hz=RATE_HZ, frames=40)
    assert donor.name == "short.mp4"


def test_the_requested_share_of_clips_is_from_donors(monkeypatch) -> None:
    kinds: list[str] = []
    for place, name in (
        ("emotion_rppg.pulse.training.clips.donor_clip", "donor"),
        ("emotion_rppg.synthesis.head_clips.head_clip", "head"),
        ("emotion_rppg.synthesis.clips.training_clip", "drawn"),
    ):
        monkeypatch.setattr(place, lambda *_, kind=name, **__: kinds.append(kind))
    donors = [donor_of(crops(3.0), RATE_HZ, name="a.mp4")]
    clips, people = synthetic_clips(TrainingConfig(donors=0.5, rendered=0.5), donors)
    for index in range(8):
        clips(index)
    assert [kinds.count(kind) for kind in ("donor", "head", "drawn")] == [4, 2, 2]
    assert people[DONORS] == ["a.mp4"]


@pytest.mark.parametrize(("share", "count"), [(0.5, 0), (0.0, 1)])
def test_donors_and_their_share_are_given_together(share, count) -> None:
    donors = [donor_of(crops(3.0), RATE_HZ, name="a.mp4")][:count]
    with pytest.raises(InputError, match="want both or neither"):
        synthetic_clips(TrainingConfig(donors=share), donors)


@pytest.mark.slow
def test_a_network_is_trained_on_donors_and_names_them(tmp_path) -> None:
    wave = np.sin(2 * np.pi * 1.2 * np.arange(150) / RATE_HZ)
    frames = film(face(0.2, size=160), wave, RATE_HZ, Camera())
    video = write_video(tmp_path / "person.mp4", frames, RATE_HZ)
    options = ["--steps", "2", "--size", "16", "--frames", "64", "--donors", str(video)]
    words = ["train", "pulse", "--out", str(tmp_path / "net"), *options]
    assert CliRunner().invoke(app, words).exit_code == 0
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    assert config["trained_on"][DONORS] == ["person.mp4"]
    assert config["training"]["donors"] == 0.5
