"""Each fault of light, face, frame rate, encoder and disk is found, and said what to do about."""

import numpy as np
import pytest

from emotion_rppg.video import recording_checks
from emotion_rppg.video.detectors import DetectedFace
from emotion_rppg.video.frames import Frame
from emotion_rppg.video.recording_checks import CHECK_S, Observed, check_encoder, check_recording

ROWS = np.arange(240) / 240


def scene(
    *, brightness: float = 120.0, rate_hz: float = 30.0, late: int = 0, flicker: float = 0.0
) -> list[Frame]:
    """Make six seconds of an even picture; lamps on mains of 50 Hz flicker in its rows."""
    draw, frames, time_s = np.random.default_rng(0), [], 0.0
    for k in range(round(6 * rate_hz)):
        lamp = 1 + flicker * np.sin(2 * np.pi * 100 * (time_s + ROWS / 60))
        image = brightness * lamp[:, None, None] + draw.normal(0, 2, (240, 320, 3))
        frames.append(Frame(k, time_s, np.clip(image + 0.5, 0, 255).astype(np.uint8)))
        time_s += (2 if late and k % late == 0 else 1) / rate_hz
    return frames


def checked(frames: list[Frame], *, width: float = 120.0, share: float = 1.0) -> dict[str, tuple]:
    """Check frames with a face of that width in a share of the detections."""
    count = 0

    def detect(image: np.ndarray) -> list[DetectedFace]:
        nonlocal count
        count += 1
        box = np.array([60.0, 40.0, width, width * 1.3])
        return [DetectedFace(box, np.zeros((5, 2)))] if count <= share * 12 else []

    observed = Observed()
    for frame in frames:
        observed.add(frame, detect)
    return {check.name: (check.ok, check.text) for check in check_recording(observed)}


def test_a_good_picture_passes_every_check() -> None:
    checks = checked(scene())
    assert set(checks) == {"frame rate", "face", "light", "flicker"}
    assert all(ok for ok, _ in checks.values()), checks


@pytest.mark.parametrize(
    ("frames", "face", "name", "words"),
    [
        (scene(brightness=30), {}, "light", "too dark, want 50 or more; light the face"),
        (scene(brightness=252), {}, "light", "saturated, no pulse is visible there; less light"),
        (scene(rate_hz=12), {}, "frame rate", "12.0 frames a second, 0% of them late: want 20"),
        (scene(late=10), {}, "frame rate", "unstable; close other programs"),
        (scene(flicker=0.02), {}, "flicker", "at 10.0 Hz: flicker of a lamp; use daylight"),
        (scene(), {"width": 60.0}, "face", "too small, want 80; move closer"),
        (scene(), {"share": 0.5}, "face", "a face in 50% of the looks: want one that is lit"),
    ],
    ids=["dark", "bright", "slow", "unstable", "flicker", "small", "turned away"],
)
def test_each_fault_is_found_and_said_what_to_do_about(frames, face, name, words) -> None:
    checks = checked(frames, **face)
    assert [key for key, (ok, _) in checks.items() if not ok] == [name]
    assert words in checks[name][1]


def test_a_pulse_and_a_moving_head_are_no_flicker() -> None:
    frames = []
    for frame in scene():
        swing = 6 * np.sin(2 * np.pi * 3.5 * frame.time_s) * (ROWS < 0.4)
        pulse = 1.2 * np.sin(2 * np.pi * 1.5 * frame.time_s)
        image = frame.image + (swing + pulse)[:, None, None]
        frames.append(Frame(frame.index, frame.time_s, np.clip(image, 0, 255).astype(np.uint8)))
    assert checked(frames)["flicker"] == (True, "no flicker of a lamp")


def test_bands_that_move_at_their_own_rates_are_no_flicker() -> None:
    frames = []
    for frame in scene():
        swing = 4 * np.sin(2 * np.pi * (3.5 + np.floor(8 * ROWS)) * frame.time_s)
        image = np.clip(frame.image + swing[:, None, None], 0, 255).astype(np.uint8)
        frames.append(Frame(frame.index, frame.time_s, image))
    assert checked(frames)["flicker"][0]


def test_a_camera_without_frames_is_a_fault() -> None:
    assert not checked(scene()[:1])["frames"][0]


def test_only_the_first_seconds_are_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(recording_checks, "as_detector", lambda given: lambda image: [])
    frames = iter(scene())
    observed = recording_checks.observe(frames)
    assert observed.times_s[-1] == pytest.approx(CHECK_S, abs=0.05)
    assert next(frames).time_s > CHECK_S
    assert observed.rate_hz == pytest.approx(30, abs=0.1)


def test_a_codec_that_is_too_slow_and_a_disk_that_is_too_small_are_faults() -> None:
    facts = {"rate_hz": 30.0, "codec": "ffv1", "free_bytes": 1e9}
    good = check_encoder(0.01, 5e5, seconds=60, **facts)
    assert [(check.name, check.ok) for check in good] == [("encoder", True), ("disk", True)]
    assert "15.0 MB a second; the disk has room for 1 minutes" in good[1].text
    bad = check_encoder(0.03, 5e5, seconds=600, **facts)
    assert not any(check.ok for check in bad)
    assert "ffv1 takes 90% of the time between frames: want 80% or less" in bad[0].text
    assert "choose --codec h264" in bad[1].text
    waiting = check_encoder(None, 5e5, seconds=None, **facts)
    assert [(check.name, check.ok) for check in waiting] == [("disk", True)]
