"""The web page: what it shows of a video, what it refuses, what it serves to whom."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg import load
from emotion_rppg.app import watched
from emotion_rppg.app.analysis import LONGEST_S, Shown, analyse
from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"


@pytest.mark.slow
def test_a_clip_of_known_rate_is_read_and_what_it_is_too_short_for_says_so(tmp_path) -> None:
    shown = analyse(CLIP, tmp_path, method="green")
    assert "bpm" in shown.text
    assert abs(float(shown.text.split()[1]) - 72) < 3
    value = dict(zip(shown.hrv["feature"], shown.hrv["value"], strict=True))
    assert abs(float(value["hr_bpm"]) - 72) < 3
    assert value["sdnn_ms"] == "too short yet: 60 s wanted"
    names = {Path(file).name for file in shown.files}
    assert names == {"features.csv", "features.parquet", "wave.csv", "report.html"}
    assert all(Path(file).parent == tmp_path and Path(file).stat().st_size for file in shown.files)


def test_a_video_that_is_too_long_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.analysis.LONGEST_S", 5.0)
    assert LONGEST_S >= 60
    with pytest.raises(InputError, match="takes 5 s at most"):
        analyse(CLIP, tmp_path)
    assert not list(tmp_path.iterdir())


VISIT = """
import os, sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen
from gradio_client import Client, handle_file
from emotion_rppg.app import page, serve

clip = sys.argv[1]
with page() as blocks:
    place = Path(os.environ["GRADIO_TEMP_DIR"])
    address = serve(blocks, wait=False)
    assert address.startswith("http://127.0.0.1:"), address
    client = Client(address, verbose=False)
    said, *_, files = client.predict(handle_file(clip), None, "green", api_name="/read")
    assert abs(float(said.split()[1]) - 72) < 3, said
    assert len(files) == 4, files
    for path in ("/etc/passwd", clip, str(Path.cwd() / "README.md")):
        try:
            urlopen(f"{address}gradio_api/file={path}")
        except HTTPError as refused:
            assert refused.code in (403, 404), refused
        else:
            raise AssertionError(f"served {path}")
    assert any(place.rglob("*.mp4"))
    blocks.close()
assert not place.exists()
"""


@pytest.mark.slow
def test_the_page_reads_an_upload_serves_nothing_else_and_leaves_nothing() -> None:
    pytest.importorskip("gradio", reason="no web page without the extra app")
    run = [sys.executable, "-c", VISIT, str(CLIP)]  # by itself: the server leaves sockets open
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_model_that_needs_rest_asks_for_it(tmp_path) -> None:
    stress = load("stress")
    with pytest.raises(InputError, match="give a video of it"):
        analyse(CLIP, tmp_path, model=stress)
    with pytest.raises(InputError, match="no window of the recording of rest"):
        analyse(CLIP, tmp_path, model=stress, rest=CLIP)  # ten seconds of it are too few


@pytest.mark.slow
def test_the_wave_grows_while_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.REDRAWN_S", 0.0)
    *before, last = watched(partial(analyse, CLIP, tmp_path, method="green"))
    assert len(before) > 3
    seconds = [float(shown.text.split()[2]) for shown in before]
    assert seconds == sorted(set(seconds))
    assert all(shown.files is None for shown in before)
    assert len(last.files or []) == 4


def test_work_ends_when_its_watcher_has_gone(monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.REDRAWN_S", 0.0)
    told = []

    def work(*, preview) -> Shown:
        for k in range(10_000):
            preview(lambda: Signal(np.zeros(60), 30, kind="rppg"))
            told.append(k)
            time.sleep(0.01)
        raise AssertionError("nobody stopped it")

    watching = watched(work)
    next(watching)
    watching.close()
    assert len(told) < 1000


def test_an_error_of_the_work_reaches_the_watcher() -> None:
    def work(*, preview) -> Shown:
        raise InputError("no face")

    with pytest.raises(InputError, match="no face"):
        list(watched(work))
