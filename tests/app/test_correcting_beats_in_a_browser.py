"""The page for correcting beats in headless Chromium: keys and mouse edit, nothing else is asked.

Needs Playwright and a Chromium.
"""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pandas as pd
import pytest

from emotion_rppg.features.trust import beats_of
from emotion_rppg.study import as_recordings
from emotion_rppg.study.beats_file import read_beats_file
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = [] if find_spec("playwright") else ["playwright"]
MISSING += [] if CHROMIUM else ["chromium"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

SCRIPT = """
import json, sys, time
from playwright.sync_api import sync_playwright
from emotion_rppg.app.beats.server import BeatsServer
from emotion_rppg.app.beats.session import Session
from emotion_rppg.study import Reading, as_recordings

chromium, path, picture = sys.argv[1:]
(recording,), reading = as_recordings(path), Reading()
session = Session(recording, reading, reading.pulse(recording), by="AB")
said, errors, outside = [], [], []
with BeatsServer(session) as server, sync_playwright() as play:
    browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

    def wait(tab, condition, arg=None):
        # wait_for_function evaluates text in the page, which its security policy forbids
        for _ in range(600):
            if tab.evaluate(condition, arg):
                return
            time.sleep(0.1)
        raise AssertionError((condition, arg, tab.inner_text("#status")))

    def opened(width, height):
        tab = browser.new_context(viewport={"width": width, "height": height}).new_page()
        tab.set_default_timeout(250_000)  # of a busy machine
        tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda e: errors.append(str(e)))
        ours = (server.address, "data:")
        tab.on("request", lambda r: None if r.url.startswith(ours) else outside.append(r.url))
        tab.goto(server.address)
        wait(tab, "() => document.getElementById('status').textContent !== ''")
        return tab

    tab = opened(1280, 860)

    def press(keys, word):
        for key in keys.split():
            tab.keyboard.press(key)
        wait(tab, "word => document.getElementById('status').textContent.includes(word)", word)
        said.append(tab.inner_text("#status"))

    press("n n", "beat 3 of")
    tab.keyboard.press("w")
    tab.keyboard.type("a movement")
    tab.keyboard.press("Enter")
    press("d", "deleted")
    press("u", "took back")
    press("r", "repeated")
    press("n Shift+ArrowRight Shift+ArrowRight", "→")
    press("n", "beat ")  # which first sends the move
    wait(tab, "() => document.getElementById('count').textContent.includes('(2')")
    press("n m", "noise from")
    press("n n m", "edits")
    box = tab.locator("#plot").bounding_box()
    tab.keyboard.press("End")
    tab.uncheck("#snap")
    between = tab.evaluate("x((b.t[b.t.length - 1] + b.t[b.t.length - 2]) / 2)")
    tab.mouse.dblclick(box["x"] + between, box["y"] + 150)
    press("s", "saved 4 edits")
    assert tab.evaluate("b.t.length") == len(session.corrected.beats)
    tab.screenshot(path=picture)
    for width, height in ((1280, 860), (390, 800)):
        page = opened(width, height)
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), width
    browser.close()
assert not errors, errors
assert not outside, outside
print(json.dumps(said))
"""


def test_keys_and_mouse_edit_beats_and_save_them(tmp_path) -> None:
    path = tmp_path / "walk.csv"
    wave = bvp(heart(Person(3), 5, 5, 30.0), rate_hz=32.0)
    pd.DataFrame({"time_s": wave.times_s, "bvp": wave.samples}).to_csv(path, index=False)
    picture = tmp_path / "page.png"
    run = [sys.executable, "-c", SCRIPT, str(CHROMIUM), str(path), str(picture)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "deleted the beat" in " ".join(json.loads(done.stdout))
    assert picture.stat().st_size > 20_000
    (stored,) = read_beats_file(path.with_name("walk.csv.beats.json")).waves
    assert [edit.action for edit in stored.edits] == ["delete", "move", "noise", "add"]
    deleted, moved, *_ = stored.edits
    t = beats_of(as_recordings(path)[0].read_pulse("bvp")).times_s
    assert (deleted.time_s, deleted.why) == (pytest.approx(t[2], abs=1e-3), "a movement")
    assert moved.to_s - moved.time_s == pytest.approx(0.01)
