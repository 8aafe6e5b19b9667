"""The web page: what it shows of a video, what it refuses and which files it serves."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg import load
from emotion_rppg.app import stream
from emotion_rppg.app.analysis import LONGEST_S, PageContent, analyse
from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"


@pytest.mark.slow
def test_a_clip_gives_its_heart_rate_and_says_which_features_need_more_time(tmp_path) -> None:
    content = analyse(CLIP, tmp_path, method="green")
    assert "bpm" in content.text
    assert abs(float(content.text.split()[1]) - 72) < 3
    value = dict(zip(content.hrv["feature"], content.hrv["value"], strict=True))
    assert abs(float(value["hr_bpm"]) - 72) < 3
    assert value["sdnn_ms"] == "too short: needs 60 s"
    names = {Path(file).name for file in content.files}
    assert names == {"features.csv", "features.parquet", "wave.csv", "report.html"}
    assert all(
        Path(file).parent == tmp_path and Path(file).stat().st_size for file in content.files
    )


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
from urllib.request import Request, urlopen
from gradio_client import Client, handle_file
from emotion_rppg.app import page, serve

clip = sys.argv[1]
with page() as blocks:
    place = Path(os.environ["GRADIO_TEMP_DIR"])
    address = serve(blocks, wait=False)
    assert address.startswith("http://127.0.0.1:"), address
    client = Client(address, verbose=False)
    summary, *_, files = client.predict(handle_file(clip), None, "green", api_name="/read")
    assert abs(float(summary.split()[1]) - 72) < 3, summary
    assert len(files) == 4, files
    for path in ("/etc/passwd", clip, str(Path.cwd() / "README.md")):
        try:
            urlopen(f"{address}gradio_api/file={path}")
        except HTTPError as refused:
            assert refused.code in (403, 404), refused
        else:
            raise AssertionError(f"served {path}")
    def status(where, data=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return urlopen(Request(address + where, data, headers)).status
        except HTTPError as refused:
            return refused.code
    body = {"data": b'{"data": [null, null, "green"]}', "Content_Type": "application/json"}
    for where, sent in (("", {}), ("gradio_api/call/read", body)):
        own = address.rstrip("/")
        assert status(where, **sent) == status(where, **sent, Origin=own) == 200, where
        assert status(where, **sent, Host="evil.example") == 403, where
        assert status(where, **sent, Origin="http://evil.example") == 403, where
        assert status(where, **sent, Sec_Fetch_Site="cross-site") == 403, where
    assert status("gradio_api/queue/data?session_hash=a", Origin="http://evil.example") == 403
    assert any(place.rglob("*.mp4"))
    blocks.close()
assert not place.exists()
"""


@pytest.mark.slow
def test_the_page_reads_an_upload_serves_no_other_file_and_deletes_its_files() -> None:
    pytest.importorskip("gradio", reason="no web page without the extra app")
    run = [sys.executable, "-c", VISIT, str(CLIP)]  # by itself: the server leaves sockets open
    done = subprocess.run(run, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr  # a video that is missing is a message on the page


@pytest.mark.slow
def test_a_model_that_needs_a_video_of_rest_says_so(tmp_path) -> None:
    stress = load("stress")
    with pytest.raises(InputError, match="give a video of it"):
        analyse(CLIP, tmp_path, model=stress)
    with pytest.raises(InputError, match="no window of the recording of rest"):
        analyse(CLIP, tmp_path, model=stress, rest=CLIP)  # ten seconds of it are too few


@pytest.mark.slow
def test_the_wave_grows_while_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.REDRAW_S", 0.0)
    *before, last = stream(partial(analyse, CLIP, tmp_path, method="green"))
    assert len(before) > 3
    seconds = [float(content.text.split()[2]) for content in before]
    assert seconds == sorted(set(seconds))
    assert all(content.files is None for content in before)
    assert len(last.files or []) == 4


def test_work_ends_when_the_page_is_closed(monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.REDRAW_S", 0.0)
    steps = []

    def work(*, preview) -> PageContent:
        for k in range(10_000):
            preview(lambda: Signal(np.zeros(60), 30, kind="rppg"))
            steps.append(k)
            time.sleep(0.01)
        raise AssertionError("the work was not stopped")

    contents = stream(work)
    next(contents)
    contents.close()
    assert len(steps) < 1000


def test_an_error_of_the_work_reaches_the_page() -> None:
    def work(*, preview) -> PageContent:
        raise InputError("no face")

    with pytest.raises(InputError, match="no face"):
        list(stream(work))
