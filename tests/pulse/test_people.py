"""Every person in a video has a wave of their own, and never the pulse of somebody else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg import estimate, estimate_people
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.recordings import Video
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.cameras import write_video
from emotion_rppg.synthesis.faces import face
from emotion_rppg.video.people_tracking import track_people

RATE, WIDTH, HEIGHT, SIZE = 20.0, 320, 120, 104
Place = Callable[[float], float | None]  # time, s -> left edge in pixels, None: not in the room


@dataclass(frozen=True)
class Someone:
    """A person to film: skin tone, heart rate, and where they are."""

    tone: float
    bpm: float
    place: Place
    turns: int = 0  # quarter turns of the head, counter-clockwise


def stays(x: float) -> Place:
    return lambda _: x


def walks(start: float, stop: float, begin_s: float, end_s: float) -> Place:
    return lambda t: float(np.interp(t, (begin_s, end_s), (start, stop)))


def away(x: float, begin_s: float, end_s: float, back: float | None = None) -> Place:
    """Stand at x, leave, and come back to another place."""
    back = x if back is None else back
    return lambda t: x if t < begin_s else (None if t < end_s else back)


def frames(people: list[Someone], seconds: float) -> Iterator[np.ndarray]:
    """Render a room; later people stand in front of earlier ones."""
    draw = np.random.default_rng(0)
    wall = draw.normal(95, 4, (HEIGHT, WIDTH, 3)).astype(np.float32)
    noise = draw.normal(0, 0.8, (8, HEIGHT, WIDTH, 3)).astype(np.float32)
    heads = [face(person.tone, size=SIZE, strength=0.04) for person in people]
    for k in range(round(seconds * RATE)):
        t, image = k / RATE, wall.copy()
        for person, head in zip(people, heads, strict=True):
            if (x := person.place(t)) is None:
                continue
            beat = np.sin(2 * np.pi * person.bpm / 60 * t)
            shown = np.rot90(head.image - head.pulse * np.float32(beat), person.turns)
            low = round(x)
            image[8 : 8 + SIZE, max(low, 0) : max(low + SIZE, 0)] = shown[
                :, max(-low, 0) : max(WIDTH - low, 0)
            ]
        yield np.clip(image + noise[k % 8] + 0.5, 0, 255).astype(np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    def run(*people: Someone, seconds: float = 12.0) -> Path:
        return write_video(tmp_path / "room.mp4", frames(list(people), seconds), RATE, crf=6)

    return run


def rates(waves: list[Signal]) -> list[float | None]:
    return [estimate_heart_rate(wave).hr_bpm for wave in waves]


def true_rate(wave: Signal, people: list[Someone]) -> float:
    """Return the true rate with most power in a wave."""
    known = np.isfinite(wave.samples)
    at, samples = wave.times_s[known], wave.samples[known]
    samples = (samples - samples.mean()) * np.hanning(len(samples))
    power = [abs(samples @ np.exp(-2j * np.pi * p.bpm / 60 * at)) for p in people]
    strongest = int(np.argmax(power))
    assert power[strongest] > 2 * max(p for k, p in enumerate(power) if k != strongest)
    return people[strongest].bpm


def seconds_of(wave: Signal) -> list[float]:
    """Return the first and last second with a sample, and their number."""
    at = wave.times_s[np.isfinite(wave.samples)]
    return [float(at[0]), float(at[-1]), len(at) / wave.rate_hz]


LIGHT = Someone(0.1, 66.0, stays(20))
DARK = Someone(0.5, 93.0, stays(200))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pos", "physnet"])
def test_two_people_beside_each_other_have_the_waves_that_they_have_alone(film, method) -> None:
    waves = estimate_people(film(LIGHT, DARK), method)
    alone = [estimate(film(one), method) for one in (LIGHT, DARK)]
    assert len(waves) == 2
    for one, rate, single in zip((LIGHT, DARK), rates(waves), alone, strict=True):
        (own,) = [w for w in waves if true_rate(w, [LIGHT, DARK]) == one.bpm]
        assert rate is not None
        assert own.coverage == 1.0
        assert own.kind == "rppg"
        assert len(own) == len(single)
        assert own.rate_hz == single.rate_hz
        assert own.start_s == single.start_s
        assert own.face_x * WIDTH == pytest.approx(one.place(0.0) + SIZE / 2, abs=15)
        assert own.face_y * HEIGHT == pytest.approx(8 + SIZE / 2, abs=15)
        assert own.seen_s == pytest.approx((0.0, own.times_s[-1]), abs=0.1)
        assert np.corrcoef(own.samples, single.samples)[0, 1] > 0.95
    assert sorted(round(r or 0) for r in rates(waves)) == pytest.approx([66, 93], abs=2)


@pytest.mark.slow
def test_people_who_cross_are_never_continued_as_each_other(film) -> None:
    people = [
        Someone(0.1, 66.0, walks(10, 200, 4, 8)),
        Someone(0.5, 93.0, walks(200, 10, 4, 8)),
    ]
    waves = estimate_people(film(*people), "pos")
    assert len(waves) >= 2
    assert {true_rate(wave, people) for wave in waves} == {66.0, 93.0}


@pytest.mark.slow
def test_people_who_look_alike_and_cross_become_somebody_new(film) -> None:
    people = [
        Someone(0.3, 66.0, walks(10, 200, 4, 8)),
        Someone(0.3, 93.0, walks(200, 10, 4, 8)),
    ]
    for wave in estimate_people(film(*people), "pos"):
        true_rate(wave, people)  # one of them has most of the power


@pytest.mark.slow
def test_a_person_who_returns_is_the_same_or_somebody_new(film) -> None:
    people = [Someone(0.1, 66.0, away(20, 5, 7, back=50)), DARK]
    waves = estimate_people(film(*people), "pos")
    own = [wave for wave in waves if true_rate(wave, people) == 66.0]
    assert len(own) == 1  # the photograph that returns is the same
    assert 9.0 < seconds_of(own[0])[2] < 11.0
    gap = own[0].crop(5.5, 6.5).samples
    assert np.isnan(gap).all()


@pytest.mark.slow
def test_another_person_at_the_place_of_one_who_left_is_somebody_new(film) -> None:
    first = Someone(0.1, 66.0, lambda t: 60 if t < 5 else None)
    for begin_s in (5.0, 5.3, 6.5):  # at once, as in a cut; after a moment; after a pause
        second = Someone(0.5, 93.0, lambda t, begin_s=begin_s: None if t < begin_s else 64)
        waves = estimate_people(film(first, second), "pos")
        assert [true_rate(wave, [first, second]) for wave in waves] == [66.0, 93.0]
        assert seconds_of(waves[0])[1] <= 5.05
        assert seconds_of(waves[1])[0] >= begin_s - 0.05


@pytest.mark.slow
def test_a_person_who_comes_later_has_a_wave_on_the_clock_of_the_video(film) -> None:
    late = Someone(0.5, 93.0, lambda t: 200 if t >= 4 else None)
    for method in ("pos", "physnet"):
        waves = estimate_people(film(LIGHT, late), method)
        assert len({len(wave) for wave in waves}) == 1
        assert len({wave.start_s for wave in waves}) == 1
        first, last, _ = seconds_of(waves[1])
        assert first == pytest.approx(4.0, abs=0.25)
        assert last == pytest.approx(11.9, abs=0.2)
        assert rates(waves)[1] == pytest.approx(93.0, abs=2)


@pytest.mark.slow
def test_a_lying_person_has_a_pulse_and_an_upright_crop(film) -> None:
    from emotion_rppg.video.face_tracking import crop, track_face

    upright = next(track_face(film(LIGHT, seconds=1.0)))
    for turns in (1, -1):
        path = film(Someone(0.1, 66.0, stays(100), turns=turns), seconds=10.0)
        assert estimate_heart_rate(estimate(path, "pos")).hr_bpm == pytest.approx(66.0, abs=2)
        lying = next(track_face(path))
        assert lying.turn == -turns
        wanted, found = (crop(one, 24).mean(axis=2)[4:20, 4:20] for one in (upright, lying))
        alike = [np.corrcoef(wanted.ravel(), np.rot90(found, k).ravel())[0, 1] for k in range(4)]
        assert alike[0] > max(0.6, *(r + 0.3 for r in alike[1:]))
        (wave,) = estimate_people(path, "pos")
        assert rates([wave])[0] == pytest.approx(66.0, abs=2)


@pytest.mark.slow
def test_faces_are_detected_once_for_everybody_and_the_video_is_decoded_once(
    film, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emotion_rppg.video import people_tracking
    from emotion_rppg.video.detectors import CenterFace

    calls = {"opened": 0, "detected": 0}

    def counted(name, function):
        def call(*arguments, **options):
            calls[name] += 1
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(
        people_tracking, "read_frames", counted("opened", people_tracking.read_frames)
    )
    monkeypatch.setattr(CenterFace, "__call__", counted("detected", CenterFace.__call__))
    assert len(list(track_people(film(LIGHT, DARK, seconds=4.0)))) == 80
    assert calls["opened"] == 1
    assert 8 <= calls["detected"] <= 14  # as for one person; new faces more often for a second


@pytest.mark.slow
def test_nobody_and_regions_without_faces_are_refused(film, tmp_path) -> None:
    with pytest.raises(InputError, match="no face was found in 40 frames"):
        estimate_people(film(seconds=2.0), "pos")
    with pytest.raises(InputError, match="has the region 'full': omit one of the two"):
        track_people(Video(tmp_path / "skin.mp4", region="full"))
    with pytest.raises(InputError, match="estimate_people returns the waves of all"):
        estimate(film(LIGHT, seconds=1.0), "pos", face="all")
