"""Stored detections give the same face track, to the last bit, without a detector."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.estimate import estimate
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.study import extract
from emotion_rppg.video.detectors import TYPICAL_LANDMARKS, CenterFace, DetectedFace
from emotion_rppg.video.face_tracking import track_face

RATE = 30
Rows = list[tuple[object, ...]]


@pytest.fixture
def video(write: Callable[..., Path]) -> Path:
    """Three seconds of a moving face, which is absent for half a second, and then lies."""
    face = np.random.default_rng(0).integers(100, 200, (8, 8, 3)).repeat(6, 0).repeat(6, 1)
    frames = np.full((90, 120, 160, 3), 30, np.uint8)
    for k in [*range(45), *range(60, 90)]:
        frames[k, 30:78, 20 + k // 2 : 68 + k // 2] = face if k < 45 else face * [1, 1, 0]
    return write(frames, RATE)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list with an element for each image in which faces were detected."""
    made: list[int] = []

    def detect(_: CenterFace, image: np.ndarray, **__: int) -> list[DetectedFace]:
        made.append(1)
        rows, columns = np.nonzero(image[..., 0] >= 100)
        if not len(rows):
            return []
        low = np.array([columns.min(), rows.min()], float)
        box = np.r_[low, columns.max() - low[0] + 1, rows.max() - low[1] + 1]
        lies = image[rows[0], columns[0], 2] == 0 and image.shape[1] == 160
        marks = TYPICAL_LANDMARKS[:, ::-1] if lies else TYPICAL_LANDMARKS
        return [DetectedFace(box, low + marks * box[2:])]

    monkeypatch.setattr(CenterFace, "__call__", detect)
    return made


def tracked(video: Path | Video, cache: Cache, **options: int) -> Rows:
    return [
        (f.time_s, f.box, None if f.landmarks is None else f.landmarks.tolist(), f.turn)
        for f in track_face(video, cache=cache, **options)
    ]


def test_a_second_reading_is_the_same_and_detects_nothing(
    video: Path, calls: list[int], tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    first = tracked(video, cache)
    assert calls
    assert {None} < {row[1] for row in first}
    assert len({row[3] for row in first}) == 2
    calls.clear()
    assert tracked(video, cache) == first
    assert not calls
    (entry,) = cache.entries()
    assert entry.bytes < 144 * 20 + 1000
    entry.path.write_bytes(b"damaged")
    assert tracked(video, cache) == first
    assert calls


def test_another_face_segment_or_file_is_detected_again(
    video: Path, calls: list[int], tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    tracked(video, cache)
    other = tmp_path / "other.mkv"
    other.write_bytes(video.read_bytes())
    for again, options in ((Video(video, end_s=1.4), {}), (other, {})):
        calls.clear()
        tracked(again, cache, **options)
        assert calls
    entries = len(cache.entries())
    with pytest.raises(InputError, match="face 2 was requested"):
        tracked(video, cache, face=2)
    assert len(cache.entries()) == entries


def test_an_interrupted_reading_and_a_function_as_detector_store_nothing(
    video: Path, calls: list[int], tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    next(track_face(video, cache=cache))
    assert calls
    list(track_face(video, cache=cache, detector=lambda _: [(20, 20, 80, 80)]))
    assert not cache.entries()


def test_a_second_method_detects_nothing(video: Path, calls: list[int], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    extract([Recording("d", "s", video=Video(video))], method="pos", length_s=None, cache=cache)
    assert calls
    calls.clear()
    wave = estimate(video, "chrom", cache=cache)
    assert not calls
    np.testing.assert_array_equal(wave.samples, estimate(video, "chrom").samples)
