"""`record`: the pulse of a recording is that of its source; what is refused, and what is kept."""

import json
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion_rppg import estimate
from emotion_rppg.cli import app
from emotion_rppg.formats.event_tables import read_event_table
from emotion_rppg.live import lsl
from emotion_rppg.video import live_capture
from emotion_rppg.video.frames import read_frames

pytest.importorskip("av", reason="needs the extra record")
CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"
FROM_CLIP = ("--camera", CLIP, "--no-paced")


def run(*words: object):
    return CliRunner().invoke(app, ["record", *map(str, words)])


def test_a_lossless_recording_has_the_pulse_of_its_source(tmp_path) -> None:
    result = run(*FROM_CLIP, "--no-check", "--out", tmp_path / "a.mkv", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1])["frames"] == sum(1 for _ in read_frames(CLIP))
    source = estimate(CLIP, "pos", region="full")
    wave = estimate(tmp_path / "a.mkv", "pos", region="full")
    assert np.array_equal(wave.samples, source.samples)
    assert np.array_equal(wave.times_s, source.times_s)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.mkv", "a.frames.csv", "a.record.json", "run.json"}


def test_a_check_that_fails_refuses_and_leaves_nothing(tmp_path) -> None:
    result = run(*FROM_CLIP, "--out", tmp_path / "a.mkv")
    assert result.exit_code == 2
    assert "BAD  face: 60 pixels wide in a frame of 160×160: too small" in result.stderr
    assert "not recorded because of face" in result.stderr
    assert "--no-check" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_wrong_options_are_named_before_the_camera_opens(tmp_path) -> None:
    words = (
        "--camera",
        CLIP,
        "--out",
        tmp_path / "a.mp4",
        "--codec",
        "divx",
        "--gain",
        3,
        "--size",
        "big",
    )
    result = run(*words)
    assert result.exit_code == 2
    assert "4 things are wrong" in result.stderr
    assert "end the name with .mkv" in result.stderr
    assert "unknown codec 'divx'; known: ffv1, mjpeg, h264" in result.stderr
    assert "--size big: want WIDTHxHEIGHT" in result.stderr
    assert "--gain is for a camera" in result.stderr


@pytest.mark.parametrize("there", ["a.mkv", "a.frames.csv", "a.record.json", "a_events.csv"])
def test_nothing_is_overwritten(there, tmp_path) -> None:
    (tmp_path / there).write_text("precious")
    result = run(*FROM_CLIP, "--no-check", "--out", tmp_path / "a.mkv")
    assert result.exit_code == 2
    assert f"{there} is there already, and recordings are never overwritten" in result.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


class Camera:
    """Fake camera of OpenCV that is unplugged after some frames."""

    def __init__(self, frames: int) -> None:
        self.left, self.released, self.properties = frames, False, {}

    def isOpened(self) -> bool:
        return True

    def read(self):
        time.sleep(0.003)  # between two frames
        self.left -= 1
        image = np.full((48, 64, 3), 100 + self.left % 50, np.uint8)
        return (True, image) if self.left >= 0 else (False, None)

    def get(self, prop: int) -> float:
        return self.properties.get(prop, 0.0)

    def set(self, prop: int, value: float) -> bool:
        self.properties[prop] = value
        return True

    def getBackendName(self) -> str:
        return "FAKE"

    def release(self) -> None:
        self.released = True


def test_of_an_unplugged_camera_the_frames_before_are_kept(tmp_path, monkeypatch) -> None:
    import cv2

    from emotion_rppg.video import recording_checks

    camera = Camera(45 + 30 + 40)  # settling, check, recording
    path = tmp_path / "a.mkv"
    words = ("--camera", 3, "--size", "64x48", "--exposure", 80, "--no-check", "--out", path)
    with monkeypatch.context() as patch:
        patch.setattr(cv2, "VideoCapture", lambda number: camera)
        patch.setattr(live_capture, "TIMEOUT_S", 0.3)
        patch.setattr(live_capture, "QUEUE_SIZE", 30)
        patch.setattr(recording_checks, "CHECK_S", 0.0)
        result = run(*words)
    assert result.exit_code == 2
    assert "camera 3 gave no frame" in result.stderr
    assert "what was recorded is kept" in result.stderr
    assert "exposure: 0 → 80" in result.stderr
    assert camera.released
    facts = json.loads((tmp_path / "a.record.json").read_text())
    assert facts["ended"] == "camera lost"
    assert facts["driver"] == "FAKE"
    settings = {setting["name"]: setting for setting in facts["settings"]}
    assert settings["exposure"]["after"] == 80
    assert sum(1 for _ in read_frames(path)) == facts["frames"] > 10


def test_markers_are_saved_as_events_on_the_clock_of_the_video(tmp_path, monkeypatch) -> None:
    class Inlet:
        waiting = ("go", 7.0)

        def pull_chunk(self):
            texts, Inlet.waiting = Inlet.waiting, ()
            start_s = clocks[-1].frames.start_s
            return [[text] for text in texts], [start_s + 2.5 + k for k in range(len(texts))]

    clocks: list[lsl.LslClock] = []
    made = lsl.LslClock

    def noted(frames, ahead_s):
        clocks.append(made(frames, ahead_s))
        return clocks[-1]

    monkeypatch.setattr(lsl, "LslClock", noted)
    monkeypatch.setattr(lsl, "import_pylsl", lambda: None)
    monkeypatch.setattr(lsl, "clock_offset_s", lambda: 0.0)
    monkeypatch.setattr(
        lsl.LslMarkers.__init__, "__kwdefaults__", {"open_stream": lambda n: Inlet()}
    )
    words = ("--camera", CLIP, "--seconds", 0.5, "--no-check", "--lsl-markers", "stim")
    result = run(*words, "--out", tmp_path / "a.mkv")
    assert result.exit_code == 0, result.output
    assert "markers: 2" in result.stdout
    events = read_event_table(tmp_path / "a_events.csv")
    assert [(event.onset_s, event.name) for event in events] == [(2.5, "go"), (3.5, "7")]


def test_stimuli_are_shown_while_it_records_and_saved_as_events(tmp_path, monkeypatch) -> None:
    import cv2

    from emotion_rppg.video import screen

    class Window:
        drawn: ClassVar[list[int]] = []

        def show(self, picture: np.ndarray) -> None:
            self.drawn.append(int(picture[0, 0, 0]))

        def close(self) -> None:
            self.drawn.append(-1)

    cv2.imwrite(str(tmp_path / "snake.png"), np.full((4, 4, 3), 60, np.uint8))
    stimuli = tmp_path / "stimuli.csv"
    stimuli.write_text("onset,duration,trial_type,value\n0.2,0.3,fear,snake.png\n")
    monkeypatch.setattr(screen, "_Window", Window)
    words = ("--camera", CLIP, "--no-check", "--screen", stimuli, "--out", tmp_path / "a.mkv")
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "stimuli: 1" in result.stdout
    assert Window.drawn[:2] == [127, 60]
    assert Window.drawn[-1] == -1
    (event,) = read_event_table(tmp_path / "a_events.csv")
    assert (event.name, event.value, event.duration_s) == ("fear", "snake.png", 0.3)
    assert event.onset_s >= 0.2
    seconds = json.loads((tmp_path / "a.record.json").read_text())["seconds"]
    assert seconds == pytest.approx(0.5, abs=0.05)  # until the last stimulus ends
    refused = run(*FROM_CLIP, "--screen", stimuli, "--out", tmp_path / "b.mkv")
    assert "--screen has the clock of now: leave out --no-paced" in refused.stderr


def test_the_number_of_each_frame_is_sent_with_its_time(tmp_path, monkeypatch) -> None:
    sent: list[tuple[list[float], float]] = []
    facts: list[lsl.StreamFacts] = []

    class Outlet:
        def push_sample(self, x, timestamp) -> None:
            sent.append((x, timestamp))

    def open_outlet(stream: lsl.StreamFacts) -> Outlet:
        facts.append(stream)
        return Outlet()

    monkeypatch.setattr(lsl, "import_pylsl", lambda: None)
    monkeypatch.setattr(lsl, "clock_offset_s", lambda: 100.0)
    monkeypatch.setattr(lsl, "open_outlet", open_outlet)
    words = ("--camera", CLIP, "--seconds", 0.5, "--no-check", "--lsl", "--lsl-name", "cam")
    assert run(*words, "--out", tmp_path / "a.mkv").exit_code == 0
    rows = np.loadtxt(tmp_path / "a.frames.csv", delimiter=",", skiprows=1)
    assert [x[0] for x, _ in sent] == rows[:, 0].tolist()
    assert [at for _, at in sent] == pytest.approx(rows[:, 2] + 100.0, abs=1e-5)
    assert facts[0].name == "cam_frames"
