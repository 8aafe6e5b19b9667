"""What `record`, `live` and `beats` have stored survives SIGKILL, Ctrl-C and a full disk.

`make faults` repeats the kills (``EMOTION_RPPG_KILLS``); by default there is one of each.
"""

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from emotion_rppg.formats.signal_csv import read_signal
from emotion_rppg.recorded_times import RecordedTimes
from emotion_rppg.runtime.tables import write_wave
from emotion_rppg.signals import Signal
from emotion_rppg.study.beats_file import read_beats_file
from emotion_rppg.video.frames import read_frames
from tests.test_faults import VERB, started

pytestmark = pytest.mark.slow
CLIP = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"  # 12 s, played in real time
KILLS = int(os.environ.get("EMOTION_RPPG_KILLS", "1"))
LOST = 60  # frames that a kill may cost: a cluster of one second that was not complete, and one


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") - 1 if path.is_file() else 0


def wait_for_lines(process: subprocess.Popen, path: Path, count: int) -> None:
    """Wait until a file has so many rows; fail if the process ends before."""
    while lines_of(path) < count:
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1].decode())
        time.sleep(0.002)


def recording(path: Path) -> subprocess.Popen:
    pytest.importorskip("av", reason="needs the extra record")
    return started("record", "--camera", CLIP, "--no-check", "--out", path)


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_recording_is_readable_up_to_its_last_second(kill, tmp_path) -> None:
    path = tmp_path / "a.mkv"
    process = recording(path)
    wait_for_lines(process, tmp_path / "a.frames.csv", random.Random(kill).randint(70, 250))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    times = RecordedTimes(tmp_path / "a.frames.csv")()
    frames = list(read_frames(path))
    assert len(times) - LOST <= len(frames) <= len(times) + 1
    shared = min(len(frames), len(times))
    assert [frame.time_s for frame in frames][:shared] == pytest.approx(times[:shared], abs=1e-6)
    assert json.loads((tmp_path / "a.record.json").read_text())["ended"] is None


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_recording_is_complete(number, tmp_path) -> None:
    process = recording(tmp_path / "a.mkv")
    wait_for_lines(process, tmp_path / "a.frames.csv", 40)
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=900)
    assert process.returncode == 0, stderr
    assert b"Traceback" not in stderr
    rows = len(RecordedTimes(tmp_path / "a.frames.csv")())
    assert sum(1 for _ in read_frames(tmp_path / "a.mkv")) == rows
    facts = json.loads((tmp_path / "a.record.json").read_text())
    assert (facts["ended"], facts["frames"]) == ("stopped", rows)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_disk_that_fills_ends_the_recording_and_keeps_it(tmp_path) -> None:
    """A limit of the OS on the file size stands for a full disk: the writes fail."""
    pytest.importorskip("av", reason="needs the extra record")
    script = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))\n"
    )
    words = ["record", "--camera", CLIP, "--no-check", "--no-paced", "--out", tmp_path / "a.mkv"]
    command = [sys.executable, "-c", script + VERB, *map(str, words)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 2, process.stderr
    assert "the disk is full" in process.stderr
    assert "what was recorded is kept" in process.stderr
    assert "Traceback" not in process.stderr
    rows = len(RecordedTimes(tmp_path / "a.frames.csv")())
    frames = sum(1 for _ in read_frames(tmp_path / "a.mkv"))
    assert rows - LOST <= frames <= rows + 1
    assert frames > 30
    assert json.loads((tmp_path / "a.record.json").read_text())["ended"] == "disk full"


# ---- live --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kill", range(KILLS))
def test_the_wave_of_a_killed_live_session_is_readable(kill, tmp_path) -> None:
    path = tmp_path / "w.csv"
    process = started("live", "--camera", CLIP, "--method", "pos", "--out", path)
    wait_for_lines(process, path, random.Random(kill).randint(1, 200))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wave = read_signal(path, "rppg")
    assert len(wave) == lines_of(path) >= 30
    assert np.isfinite(wave.samples[60:]).all()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_an_interruption_is_the_usual_end_of_a_live_session(tmp_path) -> None:
    path = tmp_path / "w.csv"
    process = started("live", "--camera", CLIP, "--method", "pos", "--out", path)
    wait_for_lines(process, path, 1)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=900)
    assert process.returncode == 0, stderr
    assert f"wave → {path}" in stderr.decode()
    assert b"interrupted" not in stderr


# ---- beats -------------------------------------------------------------------------------------


def post(address: str, what: str, content: dict[str, object]) -> None:
    """Send a change as the page of `beats` does; return when it is answered."""
    parts = urlsplit(address)
    headers = {"Origin": f"http://{parts.netloc}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("POST", f"{parts.path}{what}", json.dumps(content), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()


@pytest.mark.parametrize("kill", range(KILLS))
def test_saved_edits_of_beats_survive_a_kill(kill, tmp_path) -> None:
    times = np.arange(0, 60, 1 / 64)
    pulse = np.exp(4 * np.cos(2 * np.pi * 1.1 * times))
    path = write_wave(Signal(pulse, 64.0, kind="bvp"), tmp_path / "walk.csv")
    command = [sys.executable, "-u", "-c", VERB, "beats", str(path), "--by", "AB", "--no-browser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    address = re.findall(r"http://\S+", process.stdout.readline())[0]
    edits = random.Random(kill).randint(1, 8)
    for k in range(edits):
        post(address, "edit", {"action": "noise", "time_s": 5.0 * k + 1, "to_s": 5.0 * k + 2})
    post(address, "save", {})
    post(address, "edit", {"action": "noise", "time_s": 50.0, "to_s": 51.0})  # is not saved
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (wave,) = read_beats_file(path.with_name("walk.csv.beats.json")).waves
    assert len(wave.edits) == edits
