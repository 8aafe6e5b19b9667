"""One face is tracked smoothly; frames without it have no box; skin is averaged by area."""

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Video
from emotion_rppg.video import face_tracking
from emotion_rppg.video.detectors import TYPICAL_LANDMARKS, DetectedFace
from emotion_rppg.video.face_tracking import (
    FaceFrame,
    crop,
    face_cells,
    read_trace,
    skin_mean,
    skin_of,
    track_face,
    track_face_live,
)
from emotion_rppg.video.frames import Frame, read_frames

RATE = 30
Write = Callable[..., Path]
Spot = tuple[float, float, float]  # x, y, size


def scene(n: int, *people: Callable[[int], Spot | None]) -> np.ndarray:
    """Make grey frames in which person k is a square of colour 100 + 20 k, (n, 120, 160, 3)."""
    frames = np.full((n, 120, 160, 3), 30, np.uint8)
    for i in range(n):
        for k, person in enumerate(people):
            if (spot := person(i)) is not None:
                x, y, size = (round(value) for value in spot)
                frames[i, y : y + size, x : x + size] = 100 + 20 * k
    return frames


def squares(image: np.ndarray) -> list[tuple[float, float, float, float]]:
    """Detect the squares of ``scene``; return their boxes in arbitrary order."""
    found = []
    for colour in (100, 120, 140):
        rows, columns = np.nonzero(image[:, :, 0] == colour)
        if len(rows):
            x, y = columns.min(), rows.min()
            found.append((x, y, columns.max() - x + 1, rows.max() - y + 1))
    return found[::-1]


def boxes(frames: list[FaceFrame]) -> np.ndarray:
    return np.array([frame.box or (np.nan,) * 4 for frame in frames])


def still(x: float, y: float = 40, size: float = 30) -> Callable[[int], Spot]:
    return lambda _: (x, y, size)


def test_a_still_face_has_a_still_box(write: Write) -> None:
    frames = list(track_face(Video(write(scene(90, still(50)))), detector=squares))
    assert len(frames) == 90
    np.testing.assert_allclose(boxes(frames), np.tile([50, 40, 30, 30], (90, 1)), atol=1e-9)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(90) / 30, atol=1.1e-3)


def test_a_noisy_detector_gives_a_smooth_box_that_follows_the_face(write: Write) -> None:
    """In the band of the heart less than a tenth of the detector's noise is left."""
    from scipy.signal import butter, sosfiltfilt

    n, random = 600, np.random.default_rng(0)
    path = write(scene(n, lambda i: (60 + 30 * np.sin(2 * np.pi * 0.1 * i / RATE), 40, 30)))

    def trembling(image: np.ndarray) -> list[np.ndarray]:
        return [np.add(box, np.r_[random.normal(0, 2, 2), 0, 0]) for box in squares(image)]

    x = boxes(list(track_face(Video(path), detector=trembling)))[:, 0]
    truth = 60 + 30 * np.sin(2 * np.pi * 0.1 * np.arange(n) / RATE)
    assert np.std(x - truth) < 2
    assert np.abs(np.diff(x)).max() < 1.2  # the truth itself moves by 0.63
    band = butter(3, (0.7, 4), "bandpass", fs=RATE, output="sos")
    assert sosfiltfilt(band, x)[30:-30].std() < 0.2


def test_frames_without_a_face_have_no_box(write: Write) -> None:
    visible = range(60, 150)
    path = write(scene(240, lambda i: (50, 40, 30) if i in visible else None))
    found = np.isfinite(boxes(list(track_face(Video(path), detector=squares)))[:, 0])
    wrong = np.flatnonzero(found != np.isin(np.arange(240), visible))
    assert len(wrong) <= 0.35 * RATE  # the borders are known to half a step between detections
    assert found[70:135].all()
    assert not found[:50].any()
    assert not found[160:].any()


def test_one_detection_between_two_without_a_face_is_rejected(write: Write) -> None:
    path = write(scene(120, still(50)))
    calls: list[int] = []

    def once(image: np.ndarray) -> list[tuple[float, float, float, float]]:
        calls.append(1)
        return squares(image) if len(calls) == 3 else []

    with pytest.raises(InputError, match="no face was found in 120 frames"):
        list(track_face(Video(path), detector=once))


PATTERN = np.repeat(np.repeat(np.random.default_rng(1).integers(60, 200, (8, 8, 3)), 10, 0), 10, 1)
NOISE = np.random.default_rng(2)


OTHER = PATTERN[::-1, ::-1].transpose(1, 0, 2)
Place = Callable[[float], tuple[float, float]]


def detections(picture: Callable[[float], np.ndarray], place: Place, seconds: float) -> list[float]:
    """Return the times of the frames that a detector was called with, s; check the boxes.

    The corner of a picture is at a place that depends on the time.
    """
    calls: list[float] = []
    frames, places = [], []
    for k in range(round(seconds * RATE)):
        image = np.full((150, 200, 3), 30, np.uint8)
        x, y = (round(v) for v in place(k / RATE))
        face = picture(k / RATE) + NOISE.normal(0, 1.5, PATTERN.shape)
        image[y : y + 80, x : x + 80] = np.clip(face, 0, 255)
        frames.append(Frame(k, k / RATE, image))
        places.append((x, y))
    number = {id(frame.image): k for k, frame in enumerate(frames)}

    def detector(image: np.ndarray) -> list[tuple[float, float, float, float]]:
        k = number[id(image)]
        calls.append(frames[k].time_s)
        return [(*places[k], 80, 80)]

    found = boxes(list(track_face_live(frames, delay_s=1.0, detector=detector)))
    wanted = np.array([(*xy, 80, 80) for xy in places])
    np.testing.assert_allclose(found[RATE:-RATE], wanted[RATE:-RATE], atol=1.3)
    return calls


RARE, OFTEN = [0, 0.5, 2.5, 4.5], list(np.arange(0, 6, 0.5))


@pytest.mark.parametrize(
    ("picture", "place", "expected"),
    [
        (lambda t: PATTERN, lambda t: (40, 20), RARE),
        # the colour of the light changes, as by a screen
        (lambda t: PATTERN + np.array([10, 0, 0]) * np.sin(9 * t), lambda t: (40, 20), RARE),
        # moved by one of 80 pixels, once
        (lambda t: PATTERN, lambda t: (40 + (t > 1.2), 20), RARE),
        # moves all the time
        (lambda t: PATTERN, lambda t: (20 + 10 * t, 20 + 4 * t), RARE),
        # something else appears where the face was
        (lambda t: PATTERN if t < 1.2 else OTHER, lambda t: (40, 20), [0, 0.5, 1.5, 3.5, 5.5]),
        # nothing to compare
        (lambda t: np.full_like(PATTERN, 90), lambda t: (40, 20), OFTEN),
    ],
    ids=["still", "light", "moved", "moves", "replaced", "plain"],
)
def test_a_face_that_is_followed_is_detected_less_often(picture, place, expected) -> None:
    np.testing.assert_allclose(detections(picture, place, 6.0), expected, atol=0.04)


def test_a_person_who_enters_while_a_face_is_followed_is_counted() -> None:
    """So that the track does not continue with the other person when the first one leaves."""
    frames, random = [], np.random.default_rng(3)
    for k in range(8 * RATE):
        image = np.full((150, 300, 3), 30, np.uint8)
        for x, visible in ((10, k < 5 * RATE), (200, k > 1.5 * RATE)):
            if visible:
                noise = random.normal(0, 1.5, PATTERN.shape)
                image[20:100, x : x + 80] = np.clip(PATTERN + noise, 0, 255)
        frames.append(Frame(k, k / RATE, image))

    def detector(image: np.ndarray) -> list[tuple[float, float, float, float]]:
        return [(x, 20, 80, 80) for x in (10, 200) if image[30, x : x + 80].std() > 10]

    found = boxes(list(track_face_live(frames, delay_s=1.0, detector=detector)))[:, 0]
    np.testing.assert_allclose(found[np.isfinite(found)], 10, atol=0.5)
    assert np.isfinite(found).sum() == pytest.approx(5 * RATE, abs=0.35 * RATE)


def test_a_very_short_video_has_the_box_of_its_one_detection(write: Write) -> None:
    frames = list(track_face(Video(write(scene(5, still(50)))), detector=squares))
    np.testing.assert_allclose(boxes(frames), np.tile([50, 40, 30, 30], (5, 1)))


def test_the_first_largest_face_is_tracked_when_a_larger_one_appears(write: Write) -> None:
    larger = lambda i: (100, 20, 50) if i > 60 else None  # noqa: E731
    path = write(scene(150, still(20), still(60, size=20), larger))
    found = boxes(list(track_face(Video(path), detector=squares)))
    np.testing.assert_allclose(found, np.tile([20, 40, 30, 30], (150, 1)))


def test_the_nth_largest_face_can_be_requested(write: Write) -> None:
    path = write(scene(60, still(20), still(60, size=20), still(100, 20, 50)))
    for number, x in ((1, 100), (2, 20), (3, 60)):
        found = boxes(list(track_face(Video(path), detector=squares, face=number)))
        np.testing.assert_allclose(found[:, 0], x)
    with pytest.raises(InputError, match=r"no frame has more than 3 face\(s\)"):
        list(track_face(Video(path), detector=squares, face=4))
    with pytest.raises(InputError, match="counted from 1"):
        track_face(Video(path), face=0)


def test_when_the_person_leaves_no_other_face_is_tracked(write: Write) -> None:
    leaves = lambda i: (20, 40, 30) if i < 60 else None  # noqa: E731
    path = write(scene(150, leaves, still(100, size=20)))
    found = boxes(list(track_face(Video(path), detector=squares)))[:, 0]
    np.testing.assert_allclose(found[np.isfinite(found)], 20)
    assert 50 <= np.isfinite(found).sum() <= 70


def test_a_lone_person_who_returns_elsewhere_is_tracked_again(write: Write) -> None:
    place = lambda i: None if 60 <= i < 90 else (20 if i < 60 else 100, 40, 30)  # noqa: E731
    found = boxes(list(track_face(Video(write(scene(150, place))), detector=squares)))[:, 0]
    np.testing.assert_allclose(found[:50], 20)
    np.testing.assert_allclose(found[100:], 100)  # no slide from one place to the other


def test_about_a_second_of_frames_is_held_however_long_the_video(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    images: list[weakref.ref[np.ndarray]] = []

    def counted(video: Video) -> Iterator[Frame]:
        for frame in read_frames(video):
            images.append(weakref.ref(frame.image))
            yield frame
            del frame

    monkeypatch.setattr("emotion_rppg.video.face_tracking.read_frames", counted)
    most = 0
    for _ in track_face(Video(write(scene(300, still(50)))), detector=squares):
        gc.collect(0)
        most = max(most, sum(image() is not None for image in images))
    assert len(images) == 300
    assert RATE <= most <= RATE + 5


def test_a_given_region_is_averaged_completely(write: Write) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 120, 160, 3), np.uint8)
    path = write(frames)
    _, rgb = read_trace(path, region="full")
    np.testing.assert_allclose(rgb, frames.mean(axis=(1, 2)))
    _, rgb = read_trace(path, region="10,20,30,40")
    np.testing.assert_allclose(rgb, frames[:, 20:60, 10:40].mean(axis=(1, 2)))
    _, again = read_trace(Video(path, region="10,20,30,40"))
    np.testing.assert_array_equal(again, rgb)


@pytest.mark.parametrize("region", ["150,0,20,20", "-1,0,20,20", "0,0,0,20", "1,2,3", "nose", ""])
def test_a_wrong_region_raises_an_error_that_says_what_is_wanted(region: str, write: Write) -> None:
    with pytest.raises(InputError, match=r"face, full or x,y,w,h|not inside the frame of 160×120"):
        read_trace(write(scene(3)), region=region)


def test_a_box_may_move_by_fractions_of_a_pixel() -> None:
    """The mean of a region is linear between whole pixels, so a jump cannot look like a pulse."""
    image = np.random.default_rng(1).integers(0, 255, (60, 60, 3), np.uint8)
    shifts = np.linspace(0, 3, 31)
    means = np.array([skin_mean(FaceFrame(0, image, (10 + s, 10, 20, 20)))[0] for s in shifts])
    np.testing.assert_allclose(means[::10], np.interp([0, 1, 2, 3], shifts, means))
    np.testing.assert_allclose(means[5], (means[0] + means[10]) / 2)
    whole = image[10:30, 12:32].mean(axis=(0, 1))
    np.testing.assert_allclose(skin_mean(FaceFrame(0, image, (12, 10, 20, 20))), whole)


def test_a_face_is_averaged_over_skin_not_eyes_mouth_or_surroundings() -> None:
    box = np.array([30.0, 20, 60, 80])
    marks = box[:2] + TYPICAL_LANDMARKS * box[2:]
    image = np.full((120, 120, 3), 255, np.uint8)  # a white wall
    image[20:100, 30:90] = (180, 120, 90)
    for x, y in marks[[0, 1, 3, 4]].astype(int):
        image[y - 4 : y + 4, x - 6 : x + 6] = 0
    mean = skin_mean(FaceFrame(0, image, (30, 20, 60, 80), marks))
    np.testing.assert_allclose(mean, (180, 120, 90), atol=1)


def exact_cells(image: np.ndarray, box: tuple[float, float, float, float], size: int) -> np.ndarray:
    """Average cells by the share of each pixel in each of them."""
    weights = []
    for start, extent, n in ((box[1], box[3], image.shape[0]), (box[0], box[2], image.shape[1])):
        edges = start + extent * np.arange(size + 1) / size
        low, high = (np.clip(e[:, None] - np.arange(n), 0, 1) for e in (edges[:-1], edges[1:]))
        weights.append((high - low) / (high - low).sum(axis=1, keepdims=True))
    return np.einsum("yj,xi,jik->yxk", *weights, image.astype(float))


@pytest.mark.parametrize("most", [face_tracking.MOST_EXACT, 100], ids=["32 bits", "64 bits"])
def test_cells_are_exact_means_however_large_the_sums(monkeypatch, most: int) -> None:
    monkeypatch.setattr(face_tracking, "MOST_EXACT", most)
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    for box in ((10.3, 5.7, 61.9, 70.2), (30.0, 20.0, 32.0, 32.0), (3.25, 4.5, 20.1, 11.3)):
        cells = face_cells(FaceFrame(0.0, image, box), 32)
        np.testing.assert_allclose(cells, exact_cells(image, box, 32), atol=1e-7)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-13.4, -7.2), (55.5, 48.5), (-200, 0), (0, 300)])
def test_cells_beyond_the_border_repeat_it(x: float, y: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    frame = FaceFrame(0.0, image, (x, y, 64.0, 48.0))
    wide = np.pad(image, ((350, 350), (350, 350), (0, 0)), mode="edge")
    wanted = face_cells(FaceFrame(0.0, wide, (x + 350, y + 350, 64.0, 48.0)), 16)
    # a cell across the border is the mean of its part inside, which the wide image does not show
    rows, columns = (
        [k for k in range(16) if not any(a + n * k < b < a + n * (k + 1) for b in (0, end))]
        for a, n, end in ((y, 3, 90), (x, 4, 120))
    )
    got = face_cells(frame, 16)
    np.testing.assert_allclose(got[np.ix_(rows, columns)], wanted[np.ix_(rows, columns)], atol=1e-7)


def test_skin_of_landmarks_on_one_line_is_finite() -> None:
    image = np.full((90, 120, 3), 90, np.uint8)
    box = (20.0, 10.0, 60.0, 70.0)
    line = np.column_stack([np.linspace(30, 70, 5), np.linspace(20, 60, 5)])
    for marks in (line, np.full((5, 2), 40.0)):
        assert np.isfinite(skin_of(FaceFrame(0.0, image, box, marks), 32)).all()


@pytest.mark.slow
def test_sums_over_many_white_pixels_do_not_overflow() -> None:
    white = np.full((2, face_tracking.MOST_EXACT // 2 + 99, 3), 255, np.uint8)
    box = (0.0, 0.0, float(white.shape[1]), 2.0)
    np.testing.assert_allclose(face_cells(FaceFrame(0.0, white, box), 1), 255)


def test_without_a_box_the_colour_is_nan_and_the_crop_black() -> None:
    frame = FaceFrame(0, np.full((60, 60, 3), 200, np.uint8), None)
    assert np.isnan(skin_mean(frame)).all()
    assert not crop(frame, 36).any()


def test_a_crop_is_the_area_mean_of_a_wider_square() -> None:
    import cv2

    image = np.random.default_rng(2).integers(0, 255, (200, 200, 3), np.uint8)
    frame = FaceFrame(0, image, (80, 80, 30, 50), TYPICAL_LANDMARKS * 0)
    wanted = cv2.resize(image[72:138, 62:128], (33, 33), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(crop(frame, 33).astype(int), wanted, atol=1)
    own = cv2.resize(image[85:125, 75:115], (33, 33), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(crop(frame, 33, width=1.0).astype(int), own, atol=1)
    assert crop(frame, 36).shape == (36, 36, 3)
    assert crop(frame, 36).dtype == np.uint8


def test_a_crop_beyond_the_border_repeats_border_pixels() -> None:
    image = np.full((100, 100, 3), 90, np.uint8)
    assert (crop(FaceFrame(0, image, (-5, -5, 40, 40), TYPICAL_LANDMARKS * 40), 32) == 90).all()
    assert (
        crop(FaceFrame(0, image, (80, 90, 40, 40), TYPICAL_LANDMARKS * 40 + 80), 32) == 90
    ).all()


def test_a_detector_function_may_return_boxes_or_faces_only(write: Write) -> None:
    path = write(scene(10, still(50)))
    box = np.array([50.0, 40, 30, 30])
    for given in (
        (50, 40, 30, 30),
        (50, 40, 30, 30, 0.9),
        DetectedFace(box, box[:2] + TYPICAL_LANDMARKS * 30),
    ):
        found = list(track_face(path, detector=lambda _, given=given: [given]))
        np.testing.assert_allclose(boxes(found), np.tile(box, (10, 1)))
        np.testing.assert_allclose(found[0].landmarks, box[:2] + TYPICAL_LANDMARKS * 30)
    for bad in ((1, 2, 3), (1, 2, 0, 4), "face"):
        with pytest.raises((InputError, ValueError), match=r"want a Face|could not convert"):
            list(track_face(path, detector=lambda _, bad=bad: [bad]))
