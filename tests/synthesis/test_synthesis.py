"""Synthetic people obey their ratings, their three waves share one heart, and seeds never mix."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis import waves
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.clips import FIRST_TRAINING_SEED
from emotion_rppg.synthesis.faces import face
from emotion_rppg.synthesis.people import LAST_PERSON_SEED, Person, heart


def intervals_ms(arousal: float, valence: float, seed: int) -> np.ndarray:
    body = heart(Person(seed), arousal, valence, 120.0, seed=seed)
    return 1e3 * np.diff(body.beats_s)


def rmssd(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.diff(x) ** 2)))


def test_arousal_quickens_the_heart_and_takes_its_vagal_variability() -> None:
    calm = [intervals_ms(2, 5, seed) for seed in range(1, 21)]
    tense = [intervals_ms(8, 5, seed) for seed in range(1, 21)]
    assert np.mean([x.mean() for x in tense]) < 0.92 * np.mean([x.mean() for x in calm])
    assert np.mean([rmssd(x) for x in tense]) < 0.8 * np.mean([rmssd(x) for x in calm])


def test_pleasure_goes_with_more_vagal_variability() -> None:
    sad = [rmssd(intervals_ms(5, 2, seed)) for seed in range(1, 21)]
    glad = [rmssd(intervals_ms(5, 8, seed)) for seed in range(1, 21)]
    assert np.mean(glad) > 1.2 * np.mean(sad)


def test_the_same_seeds_give_the_same_heart_and_others_another() -> None:
    one, again = (heart(Person(3), 5, 5, 20.0, seed=1).beats_s for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other = heart(Person(4), 5, 5, 20.0, seed=1).beats_s
    assert len(other) != len(one) or not np.allclose(other, one)


def test_people_and_training_clips_share_no_seed() -> None:
    assert LAST_PERSON_SEED < FIRST_TRAINING_SEED
    with pytest.raises(InputError, match="belong to training clips"):
        Person(FIRST_TRAINING_SEED)


def test_three_views_of_one_heart_follow_its_beats_with_a_varying_delay() -> None:
    body = heart(Person(5), 5, 5, 40.0, seed=2)
    beats = body.beats_s[(body.beats_s > 1) & (body.beats_s < 38)]
    ecg = waves.ecg(body, rate_hz=500)
    for beat in beats:
        near = ecg.crop(beat - 0.1, beat + 0.1)
        assert near.times_s[near.samples.argmax()] == pytest.approx(beat, abs=0.01)
    for site in (waves.FINGER, waves.FACE):
        delay = waves.arrivals(body, site, seed=2) - body.beats_s
        assert delay.mean() == pytest.approx(site.transit_s, abs=0.02)
        assert 0.002 < delay.std() < 0.02
    finger, cheek = (waves.arrivals(body, s, seed=2) for s in (waves.FINGER, waves.FACE))
    assert (finger > cheek).all()


def test_skin_tones_span_a_range_and_dark_skin_shows_less_pulse() -> None:
    light, dark = face(0.0, size=96), face(1.0, size=96)
    skin = light.skin > 0.9
    assert light.picture[skin].mean() > 1.6 * dark.picture[skin].mean()
    share = [(f.pulse[skin, 1] / f.picture[skin, 1]).mean() for f in (light, dark)]
    assert share[1] < 0.6 * share[0]
    assert (light.pulse[light.skin == 0] == 0).all()


def peak_bpm(wave: np.ndarray, rate_hz: float) -> float:
    power = np.abs(np.fft.rfft((wave - wave.mean()) * np.hanning(len(wave)), 1 << 15))
    bpm = 60 * np.fft.rfftfreq(1 << 15, 1 / rate_hz)
    return float(bpm[np.where((bpm > 40) & (bpm < 200), power, 0).argmax()])


@pytest.mark.parametrize("bpm", [55.0, 90.0, 130.0])
def test_the_planted_rate_and_polarity_are_in_the_filmed_green(bpm) -> None:
    t = np.arange(300) / 30
    wave = np.sin(2 * np.pi * bpm / 60 * t)
    shown = face(0.3, size=64)
    still = Camera(motion_px=0.0, light=0.0)
    frames = np.stack(list(film(shown, wave, 30.0, still)))
    green = frames[:, shown.skin > 0.9, 1].mean(axis=1)
    assert peak_bpm(green, 30.0) == pytest.approx(bpm, abs=2)
    assert np.corrcoef(green, wave)[0, 1] < -0.8  # more blood is darker


@pytest.mark.slow
def test_the_detector_finds_the_filmed_face_and_pos_reads_it(tmp_path) -> None:
    from emotion_rppg.pulse.methods import pos
    from emotion_rppg.video.face_tracking import read_trace

    for person in (Person(1), Person(2)):
        body = heart(person, 5, 5, 12.0, seed=1)
        blood = waves.blood(body, waves.FACE, rate_hz=30.0).samples
        blood = (blood - blood.mean()) / blood.std()
        shown = face(person.tone, size=128)
        path = write_video(tmp_path / "v.mp4", film(shown, blood, 30.0, Camera()), 30.0)
        _, rgb = read_trace(path)
        assert np.isfinite(rgb).mean() > 0.95
        wave = Signal(pos(rgb, 30.0), 30.0).bandpass(0.7, 4.0)
        true = 60 / np.diff(body.beats_s).mean()
        assert peak_bpm(wave.samples, 30.0) == pytest.approx(true, abs=5)


def test_the_clip_in_the_repository_is_what_its_page_says() -> None:
    from emotion_rppg.recordings import Video
    from emotion_rppg.video.frames import read_frames

    path = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"
    assert path.stat().st_size < 1_000_000
    cheeks = [frame.image[50:110, 55:105, 1].mean() for frame in read_frames(Video(path))]
    assert len(cheeks) == 360
    assert peak_bpm(np.array(cheeks), 30.0) == pytest.approx(72, abs=2)
    page = (path.parent / "README.md").read_text(encoding="utf-8")
    assert "heart rate of **72 bpm**" in page


@pytest.mark.parametrize("tone", [0.0, 0.5, 1.0])
def test_the_pulse_has_its_colour_and_differs_over_the_face(tone) -> None:
    shown = face(tone, size=96)
    skin = shown.skin > 0.9
    share = shown.pulse[skin] / shown.picture[skin]
    direction = share.mean(0) / np.linalg.norm(share.mean(0))
    np.testing.assert_allclose(direction, [0.33, 0.77, 0.53], atol=0.02)
    assert share[:, 1].std() > 0.1 * share[:, 1].mean()
    assert share[:, 1].min() > 0


def test_arousal_quickens_breath_and_narrows_the_finger() -> None:
    def breaths(body) -> float:
        return float((np.diff(np.sign(body.breath_values)) > 0).sum())

    calm, tense = ([heart(Person(k), a, 5, 60.0) for k in range(1, 11)] for a in (2, 8))
    assert np.mean([breaths(b) for b in tense]) > 1.1 * np.mean([breaths(b) for b in calm])
    finger = [np.mean([np.ptp(waves.bvp(b).samples) for b in bodies]) for bodies in (calm, tense)]
    assert finger[1] < 0.85 * finger[0]


def test_transit_follows_breath_and_shortens_with_arousal() -> None:
    calm, tense = (heart(Person(7), a, 5, 120.0, seed=1) for a in (2, 8))
    delays = [waves.arrivals(b, waves.FINGER) - b.beats_s for b in (calm, tense)]
    assert delays[1].mean() < delays[0].mean() - 0.01
    assert np.corrcoef(delays[0], calm.breath(calm.beats_s))[0, 1] > 0.5


def test_a_video_that_cannot_be_encoded_leaves_nothing(tmp_path) -> None:
    with pytest.raises(InputError, match="even width"):
        write_video(tmp_path / "v.mp4", iter([np.zeros((15, 16, 3), np.uint8)]), 30.0)

    def breaks():
        yield np.zeros((16, 16, 3), np.uint8)
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="unplugged"):
        write_video(tmp_path / "v.mp4", breaks(), 30.0)
    assert not list(tmp_path.iterdir())
