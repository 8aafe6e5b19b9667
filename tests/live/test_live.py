"""Live: values within a second of the newest frame, constant memory, faces that leave."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats import find_beats
from emotion_rppg.live import BUFFER_S, _Buffer, _NetworkMinute, watch
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.inference.trained_network import SIZE, Network
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import training_clip
from emotion_rppg.video import live_capture
from emotion_rppg.video.frames import Frame
from emotion_rppg.video.live_capture import QUEUE_SIZE, FrameClock, camera_frames, replayed

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"  # 72 beats a minute


def skin(
    seconds: float,
    *,
    bpm: float = 66.0,
    later: float = 0.0,
    breath: float = 0.0,
    rate_hz: float = 20.0,
) -> list[Frame]:
    """Generate frames of skin with a pulse, whose rate rises by ``later`` bpm after 20 s.

    ``breath``: cycles by which breathing shifts the beats.
    """
    draw = np.random.default_rng(0)
    frames = []
    for k in range(round(seconds * rate_hz)):
        t = k / rate_hz
        phase = 2 * np.pi * (bpm * t + later * max(t - 20, 0)) / 60
        phase += 2 * np.pi * breath * np.sin(2 * np.pi * 0.25 * t)
        beat = np.array([0.33, 0.77, 0.53]) * np.sin(phase)
        colour = np.array([180.0, 130.0, 110.0]) * (1 - 0.02 * beat)
        noise = draw.normal(0, 2, (24, 24, 3))
        frames.append(Frame(k, t, np.clip(colour + noise, 0, 255).astype(np.uint8)))
    return frames


@pytest.mark.slow
def test_numbers_come_within_a_second_of_the_newest_frame() -> None:
    readings = list(watch(replayed(CLIP, paced=False)))
    assert len(readings) >= 9
    assert all(0 <= r.delay_s <= 0.6 for r in readings)
    assert np.allclose(np.diff([r.time_s for r in readings]), 1.0, atol=0.05)
    assert readings[0].hr_bpm is None
    assert readings[0].reason == "the heart rate needs 6 s of a face: 3 s so far"
    assert readings[-1].hr_bpm == pytest.approx(72, abs=1)
    assert all(r.face == 1 and r.wave.duration_s == pytest.approx(1, abs=0.1) for r in readings)


@pytest.mark.slow
def test_rmssd_needs_a_minute_and_dropped_frames_are_counted() -> None:
    frames = [f for f in skin(70, breath=0.06) if f.index % 50]  # every fiftieth is missing
    readings = list(watch(frames, "pos", region="full", step_s=5.0))
    rmssd = np.array([r.rmssd_ms for r in readings])
    assert np.isnan(rmssd[0])
    beats = np.interp(np.arange(70.0), *_turns(0.06))
    truth = 1e3 * np.sqrt(np.mean(np.diff(beats, 2) ** 2))
    assert rmssd[-1] == pytest.approx(truth, rel=0.25)
    assert readings[-1].dropped == 27
    assert readings[-1].hr_bpm == pytest.approx(66, abs=1)


@pytest.mark.slow
def test_a_network_gives_an_rmssd_after_a_minute() -> None:
    images, wave = training_clip(5, frames=1950, size=SIZE, rate_hz=30.0)
    frames = [Frame(k, k / 30.0, image) for k, image in enumerate(images)]
    readings = list(watch(frames, "physnet", region="full", step_s=5.0))
    assert np.isnan(readings[0].rmssd_ms)
    successive = np.diff(find_beats(Signal(wave, 30.0, kind="bvp")).intervals_ms)
    assert readings[-1].rmssd_ms == pytest.approx(np.sqrt(np.mean(successive**2)), abs=12)


@pytest.mark.slow
def test_an_rmssd_that_its_error_outweighs_is_withheld() -> None:
    steady = list(watch(skin(70), "pos", region="full", step_s=5.0))[-1]  # its true RMSSD is zero
    assert steady.hr_bpm == pytest.approx(66, abs=1)
    assert np.isnan(steady.rmssd_ms)


def _turns(breath: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the number of beats before each time, and the times in seconds."""
    t = np.arange(0, 70, 0.001)
    return 66 * t / 60 + breath * np.sin(2 * np.pi * 0.25 * t), t


def test_the_rate_of_a_changing_heart_rate_is_that_of_its_beats() -> None:
    frames = skin(31, bpm=60, later=20)
    judgement = list(watch(frames, "pos", region="full", step_s=5.0))[-1]
    assert judgement.hr_bpm == pytest.approx(60 + 20 * (judgement.time_s - 20) / 20, abs=1.5)


def test_memory_does_not_grow() -> None:
    buffer = _Buffer(METHODS["pos"])
    for frame in skin(3 * BUFFER_S, rate_hz=5.0):
        buffer.add(frame.time_s, frame.image.mean((0, 1)), None)
    assert buffer.seconds <= BUFFER_S
    assert len(buffer.colours) <= BUFFER_S * 5 + 1


def test_a_network_holds_a_minute_of_its_wave_with_gaps_where_there_is_no_face(
    monkeypatch,
) -> None:
    calls: list[int] = []

    def brightness(clip: np.ndarray) -> np.ndarray:
        calls.append(len(clip))
        return np.asarray(clip.mean(axis=(1, 2, 3)) - 100)

    config = {"lag_s": 0.0, "rate_hz": 10.0, "size": 8}
    network = Network(lambda x: x, config, "cpu")
    monkeypatch.setattr(Network, "__call__", lambda self, clip: brightness(clip))
    minute = _NetworkMinute(network)
    for k in range(900):  # 90 s
        value = 100 + 10 * np.sin(2 * np.pi * k / 10)
        lost = 400 <= k < 430
        minute.add(k / 10, None if lost else np.full((8, 8, 3), value, np.float32))
        if k % 20 == 19:
            wave = minute.wave()
    assert len(wave) == BUFFER_S * 10
    assert wave.end_s == pytest.approx(89.8, abs=0.11)
    assert max(calls) == 100  # ten seconds
    missing = ~np.isfinite(wave.samples)
    assert wave.times_s[missing] == pytest.approx(np.arange(40.0, 43.0, 0.1), abs=0.11)
    true = np.sin(2 * np.pi * wave.times_s)
    assert np.corrcoef(wave.samples[~missing], true[~missing])[0, 1] > 0.95


@pytest.mark.slow
def test_after_the_face_leaves_no_number_is_reported() -> None:
    faces = list(replayed(CLIP, paced=False))
    black = [
        Frame(len(faces) + k, faces[-1].time_s + (k + 1) / 30, np.zeros_like(faces[0].image))
        for k in range(600)
    ]
    readings = list(watch([*faces, *black], step_s=2.0))
    assert readings[-1].hr_bpm is None
    assert readings[-1].face == 0
    assert readings[-1].reason.startswith("no face: want one that is lit")
    assert np.isnan(readings[-1].wave.samples).all()
    assert max(r.face for r in readings) == 1


def test_each_line_is_one_json_object() -> None:
    arguments = ["live", "--camera", str(CLIP), "--no-paced", "--json", "--seconds", "8"]
    arguments += ["--method", "pos"]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0, run.output
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [round(line["time_s"]) for line in lines] == [3, 4, 5, 6, 7, 8]
    assert {"hr_bpm", "quality", "reason", "face", "wave", "delay_s"} <= set(lines[-1])


class Camera:
    """Fake camera of OpenCV: some frames, then none."""

    stamp_ms = 0.0  # of the driver: none

    def __init__(self, frames: int, *, opened: bool = True) -> None:
        self.left, self.opened, self.released = frames, opened, False

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (
            (True, np.full((8, 8, 3), self.left % 200, np.uint8))
            if self.left >= 0
            else (
                False,
                None,
            )
        )

    def get(self, prop: int) -> float:
        return self.stamp_ms

    def release(self) -> None:
        self.released = True


def test_a_camera_drops_the_oldest_frames_and_a_lost_camera_is_an_error(monkeypatch) -> None:
    import cv2

    camera = Camera(5 * QUEUE_SIZE)
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: camera)
    monkeypatch.setattr(live_capture, "TIMEOUT_S", 0.3)
    frames = camera_frames(0)
    first = next(frames)
    while camera.left >= 0:
        pass
    rest: list[Frame] = []
    with pytest.raises(InputError, match="gave no frame"):
        rest.extend(frames)
    assert len(rest) <= QUEUE_SIZE
    assert rest[-1].index == 5 * QUEUE_SIZE - 1
    assert rest[-1].time_s >= first.time_s
    assert camera.released
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: Camera(0, opened=False))
    with pytest.raises(InputError, match="camera 3 cannot be opened"):
        next(camera_frames(3))


def test_frames_have_the_stamps_of_a_driver_where_it_has_the_clock_of_the_computer(
    monkeypatch,
) -> None:
    import cv2

    class Stamped(Camera):
        def get(self, prop: int) -> float:
            assert prop == cv2.CAP_PROP_POS_MSEC
            return 1e3 * (time.monotonic() - 0.25) if self.left % 2 else 1e3 * time.time()

    monkeypatch.setattr(cv2, "VideoCapture", lambda number: Stamped(6))
    monkeypatch.setattr(live_capture, "TIMEOUT_S", 0.3)
    clock = FrameClock()
    frames = camera_frames(0, clock=clock)
    times = [next(frames).time_s for _ in range(6)]
    frames.close()
    assert -0.3 < times[0] < -0.2  # taken before the capture began
    assert 0 <= times[1] <= times[5] < 60  # not of another clock
    assert clock.start_s <= time.monotonic()
    assert clock.start_unix_s == pytest.approx(time.time(), abs=60)
    assert (np.diff(times) > 0).all()
