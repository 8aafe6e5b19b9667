"""What moves with a wave: a pulse passes; light, motion, wrong colours and invention do not."""

from functools import cache

import numpy as np
import pytest

from emotion_rppg.pulse import evidence
from emotion_rppg.pulse.evidence import Pictures
from emotion_rppg.signal_quality import judge, sample_quality
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import FaceFrame

RATE_HZ, SECONDS = 15.0, 20.0
TIMES = np.arange(round(RATE_HZ * SECONDS)) / RATE_HZ
WAVE = np.sin(2 * np.pi * 1.2 * TIMES + 0.3 * np.sin(2 * np.pi * 0.1 * TIMES))
SIDE = 128
BOX = (40.0, 36.0, 48.0, 56.0)
LANDMARKS = np.array([[54, 58], [74, 58], [64, 68], [56, 80], [72, 80]], float)
BLOOD, WHITE = np.array([0.33, 0.77, 0.53]), np.ones(3)


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A picture (side, side, 3) and where in it the face is: smooth patches, as faces have."""
    import cv2

    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    face = (((x - 64) / 24) ** 2 + ((y - 64) / 30) ** 2 < 1)[..., None]
    patches = cv2.resize(draw.uniform(0.6, 1.4, (10, 10)), (SIDE, SIDE))[..., None]
    return np.where(face, [190.0, 140.0, 120.0], [90.0, 100.0, 110.0]) * patches, face


def shown(kind: str, k: int, picture: np.ndarray, face: np.ndarray) -> np.ndarray:
    wave = WAVE[k]
    if kind == "motion":
        import cv2

        move = np.array([[1, 0, 0.7 * wave], [0, 1, 0.3 * wave]])
        return np.asarray(cv2.warpAffine(picture, move, (SIDE, SIDE)))
    if kind == "lamp on all":  # in the colours of blood
        return picture * (1 - 0.01 * wave * BLOOD)
    losing = {"blood": BLOOD, "lamp on the face": WHITE, "red against green": [-1.0, 1.0, 0.0]}
    return picture * (1 - 0.01 * wave * face * np.asarray(losing.get(kind, np.zeros(3))))


@cache
def pictures(kind: str, *, offset_s: float = 0.0, grey: bool = False) -> Pictures:
    draw, (picture, face) = np.random.default_rng(1), scene()
    found = Pictures()
    for k, time_s in enumerate(TIMES):
        frame = shown(kind, k, picture, face)
        frame = np.tile(frame[..., 1:2], 3) if grey else frame
        noise = draw.normal(0, 2, frame.shape if not grey else (*frame.shape[:2], 1))
        frame = np.clip(frame + noise + 0.5, 0, 255).astype(np.uint8)
        found.add(FaceFrame(offset_s + time_s, frame, BOX, LANDMARKS))
    return found


def wave(start_s: float = 0.0) -> Signal:
    return Signal(WAVE, RATE_HZ, kind="rppg", start_s=start_s)


def causes(found: Pictures, signal: Signal, monkeypatch: pytest.MonkeyPatch) -> set[str | None]:
    named: set[str | None] = set()
    original = evidence.cause
    with monkeypatch.context() as patch:
        patch.setattr(evidence, "cause", lambda s: named.add(original(s)) or original(s))
        found.against(signal)
    return named


@pytest.mark.parametrize("offset_s", [0.0, 1.7e9])
def test_blood_in_the_face_is_not_denied(offset_s) -> None:
    assert not pictures("blood", offset_s=offset_s).against(wave(offset_s)).any()


def test_blood_in_a_picture_without_colours_is_not_denied() -> None:
    assert not pictures("blood", grey=True).against(wave()).any()


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("nothing at all", "nothing"),
        ("motion", "motion"),
        ("lamp on all", "light"),
        ("lamp on the face", "colour"),
        ("red against green", "colour"),
    ],
)
def test_what_is_no_blood_is_denied_for_its_own_reason(kind, named, monkeypatch) -> None:
    found = pictures(kind)
    assert found.against(wave()).all()
    assert causes(found, wave(), monkeypatch) == {named}


def test_only_the_stretch_is_denied_in_which_it_was_made_up() -> None:
    samples = WAVE.copy()
    late = TIMES >= 10
    samples[late] = np.sin(2 * np.pi * 1.9 * TIMES[late])  # nothing in the pictures has this rate
    denied = pictures("blood").against(Signal(samples, RATE_HZ, kind="rppg"))
    assert not denied[TIMES < 7].any()
    assert denied[TIMES > 13].all()


def test_frames_without_a_face_and_waves_of_nothing_are_no_evidence() -> None:
    found, picture = Pictures(), np.zeros((SIDE, SIDE, 3), np.uint8)
    for time_s in TIMES:
        found.add(FaceFrame(time_s, picture, None))
    assert len(found.rows) == 0
    assert not found.against(wave()).any()
    assert not Pictures().against(wave()).any()
    unseen = Signal(np.full(len(TIMES), np.nan), RATE_HZ, kind="rppg")
    assert not pictures("blood").against(unseen).any()


def test_black_pictures_and_flat_waves_raise_no_warning() -> None:
    found, picture = Pictures(), np.zeros((SIDE, SIDE, 3), np.uint8)
    for time_s in TIMES:
        found.add(FaceFrame(time_s, picture, (0.0, 0.0, float(SIDE), float(SIDE))))
    assert not found.against(wave()).any()
    assert pictures("blood").against(Signal(np.zeros(len(TIMES)), RATE_HZ)).dtype == bool


def test_fast_cameras_are_looked_at_fifteen_times_a_second() -> None:
    found, (picture, _) = Pictures(), scene()
    for k in range(120):
        found.add(FaceFrame(k / 60, picture.astype(np.uint8), BOX, LANDMARKS))
    assert 28 <= len(found.rows) / evidence._ROW <= 31


def test_judge_withholds_what_the_pictures_deny() -> None:
    signal = Signal(np.interp(np.arange(600) / 30, TIMES, WAVE), 30, kind="rppg")
    assert judge(signal).hr_bpm == pytest.approx(72, abs=1)
    quality = sample_quality(signal)
    half = Signal(signal.samples, 30, quality=np.where(np.arange(600) < 300, 0, quality))
    assert judge(half).hr_bpm == pytest.approx(72, abs=1.5)
    none = judge(Signal(signal.samples, 30, quality=np.zeros(600)))
    assert none.hr_bpm is None
    assert none.quality < 0.6
    assert "light or motion" in str(none.reason)
    assert "100%" in str(none.reason)
