"""A pulse in the frames is accepted; light, motion, wrong colours and invented waves are not."""

from functools import cache

import numpy as np
import pytest

from emotion_rppg.pulse import evidence
from emotion_rppg.pulse.evidence import FrameEvidence
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
    """Make an image (side, side, 3) of smooth patches, and the mask of the face in it."""
    import cv2

    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    face = (((x - 64) / 24) ** 2 + ((y - 64) / 30) ** 2 < 1)[..., None]
    patches = cv2.resize(draw.uniform(0.6, 1.4, (10, 10)), (SIDE, SIDE))[..., None]
    return np.where(face, [190.0, 140.0, 120.0], [90.0, 100.0, 110.0]) * patches, face


def rendered(kind: str, k: int, image: np.ndarray, face: np.ndarray) -> np.ndarray:
    wave = WAVE[k]
    if kind == "motion":
        import cv2

        move = np.array([[1, 0, 0.7 * wave], [0, 1, 0.3 * wave]])
        return np.asarray(cv2.warpAffine(image, move, (SIDE, SIDE)))
    if kind == "lamp on all":  # in the colours of blood
        return image * (1 - 0.01 * wave * BLOOD)
    colours = {"blood": BLOOD, "lamp on the face": WHITE, "red against green": [-1.0, 1.0, 0.0]}
    return image * (1 - 0.01 * wave * face * np.asarray(colours.get(kind, np.zeros(3))))


@cache
def evidence_of(kind: str, *, offset_s: float = 0.0, grey: bool = False) -> FrameEvidence:
    draw, (image, face) = np.random.default_rng(1), scene()
    found = FrameEvidence()
    for k, time_s in enumerate(TIMES):
        frame = rendered(kind, k, image, face)
        frame = np.tile(frame[..., 1:2], 3) if grey else frame
        noise = draw.normal(0, 2, frame.shape if not grey else (*frame.shape[:2], 1))
        frame = np.clip(frame + noise + 0.5, 0, 255).astype(np.uint8)
        found.add(FaceFrame(offset_s + time_s, frame, BOX, LANDMARKS))
    return found


def wave(start_s: float = 0.0) -> Signal:
    return Signal(WAVE, RATE_HZ, kind="rppg", start_s=start_s)


def contradictions(
    found: FrameEvidence, signal: Signal, monkeypatch: pytest.MonkeyPatch
) -> set[str | None]:
    expected: set[str | None] = set()
    original = evidence.contradiction
    with monkeypatch.context() as patch:
        patch.setattr(evidence, "contradiction", lambda s: expected.add(original(s)) or original(s))
        found.contradicts(signal)
    return expected


@pytest.mark.parametrize("offset_s", [0.0, 1.7e9])
def test_blood_in_the_face_is_not_contradicted(offset_s) -> None:
    assert not evidence_of("blood", offset_s=offset_s).contradicts(wave(offset_s)).any()


def test_blood_in_grey_frames_is_not_contradicted() -> None:
    assert not evidence_of("blood", grey=True).contradicts(wave()).any()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("nothing at all", "nothing"),
        ("motion", "motion"),
        ("lamp on all", "light"),
        ("lamp on the face", "colour"),
        ("red against green", "colour"),
    ],
)
def test_other_changes_are_contradicted_with_their_cause(kind, expected, monkeypatch) -> None:
    found = evidence_of(kind)
    assert found.contradicts(wave()).all()
    assert contradictions(found, wave(), monkeypatch) == {expected}


def test_only_the_invented_stretch_of_a_wave_is_contradicted() -> None:
    samples = WAVE.copy()
    late = TIMES >= 10
    samples[late] = np.sin(2 * np.pi * 1.9 * TIMES[late])  # nothing in the frames has this rate
    contradicted = evidence_of("blood").contradicts(Signal(samples, RATE_HZ, kind="rppg"))
    assert not contradicted[TIMES < 7].any()
    assert contradicted[TIMES > 13].all()


def test_frames_without_a_face_and_empty_waves_contradict_nothing() -> None:
    found, image = FrameEvidence(), np.zeros((SIDE, SIDE, 3), np.uint8)
    for time_s in TIMES:
        found.add(FaceFrame(time_s, image, None))
    assert len(found.rows) == 0
    assert not found.contradicts(wave()).any()
    assert not FrameEvidence().contradicts(wave()).any()
    unseen = Signal(np.full(len(TIMES), np.nan), RATE_HZ, kind="rppg")
    assert not evidence_of("blood").contradicts(unseen).any()


def test_black_frames_and_constant_waves_raise_no_warning() -> None:
    found, image = FrameEvidence(), np.zeros((SIDE, SIDE, 3), np.uint8)
    for time_s in TIMES:
        found.add(FaceFrame(time_s, image, (0.0, 0.0, float(SIDE), float(SIDE))))
    assert not found.contradicts(wave()).any()
    assert evidence_of("blood").contradicts(Signal(np.zeros(len(TIMES)), RATE_HZ)).dtype == bool


def test_of_fast_cameras_fifteen_frames_a_second_are_used() -> None:
    found, (image, _) = FrameEvidence(), scene()
    for k in range(120):
        found.add(FaceFrame(k / 60, image.astype(np.uint8), BOX, LANDMARKS))
    assert 28 <= len(found.rows) / evidence._ROW <= 31


def test_judge_withholds_what_the_frames_contradict() -> None:
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
