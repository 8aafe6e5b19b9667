"""The page for correcting beats: its session, what it draws, and whom its server answers."""

import http.client
import json
import re
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import extract
from emotion_rppg.app.beats.opening import OpenPages
from emotion_rppg.app.beats.server import BeatsServer
from emotion_rppg.app.beats.session import Session
from emotion_rppg.app.beats.views import Envelope, doubts, peak_near
from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.features.trust import beats_of
from emotion_rppg.recordings import Origin, Recording
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study import Reading, as_recordings
from emotion_rppg.study.beats_file import read_beats_file
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp

PAGE = files("emotion_rppg.app.beats").joinpath("page.html").read_text("utf-8")


@pytest.fixture
def wave_file(tmp_path) -> Path:
    path = tmp_path / "walk.csv"
    wave = bvp(heart(Person(3), 5, 5, 30.0), rate_hz=32.0)
    pd.DataFrame({"time_s": wave.times_s, "bvp": wave.samples}).to_csv(path, index=False)
    return path


def opened(path: Path, by: str = "AB") -> Session:
    (recording,) = as_recordings(path)
    reading = Reading()
    return Session(recording, reading, reading.pulse(recording), by=by)


@pytest.fixture
def session(wave_file) -> Session:
    return opened(wave_file)


# ---- the session ---------------------------------------------------------------------------------


def test_edits_are_saved_beside_the_recording_and_read_again(wave_file, session) -> None:
    before = wave_file.read_bytes()
    t = session.detected.times_s
    session.edit("delete", float(t[5]), why="a movement")
    session.edit("move", float(t[10]), float(t[10]) + 0.02)
    assert session.unsaved == 2
    session.save()
    assert session.unsaved == 0
    assert wave_file.read_bytes() == before
    (stored,) = read_beats_file(session.path).waves
    assert stored.edits == tuple(session.edits)
    assert (stored.edits[0].who, stored.edits[0].why) == ("AB", "a movement")
    assert stored.edits[0].when.endswith("+00:00")
    again = opened(wave_file, "CD")
    assert np.array_equal(again.corrected.beats.times_s, session.corrected.beats.times_s)
    again.edit("add", float(t[5]))
    again.save()
    names = [edit.who for edit in read_beats_file(session.path).waves[0].edits]
    assert names == ["AB", "AB", "CD"]
    assert extract(wave_file, length_s=20, step_s=10)["edited_by"][0] == "AB; CD"


def test_undo_and_redo_go_back_to_the_start_of_the_session(wave_file, session) -> None:
    t = session.detected.times_s
    session.edit("delete", float(t[5]))
    session.save()
    later = opened(wave_file)
    once = later.corrected.beats.times_s
    later.edit("delete", float(t[9]))
    later.edit("noise", 20.0, 22.0)
    state = later.undo()
    assert (state["can_undo"], state["can_redo"]) == (True, True)
    later.undo()
    assert np.array_equal(later.corrected.beats.times_s, once)
    with pytest.raises(InputError, match="nothing to undo"):
        later.undo()
    later.redo()
    assert len(later.corrected.beats) == len(once) - 1
    later.edit("delete", float(t[12]))  # after it, what was taken back is gone
    with pytest.raises(InputError, match="nothing to redo"):
        later.redo()
    assert later.unsaved == 2


def test_an_edit_that_does_not_apply_changes_nothing(session) -> None:
    before = session.state()
    for action, time_s in (("delete", 0.01), ("add", float(session.detected.times_s[3]) + 0.1)):
        with pytest.raises(InputError, match=r"no beat at|less than"):
            session.edit(action, time_s)
    with pytest.raises(InputError, match="unknown action"):
        session.edit("eat", 3.0)
    assert session.state() == before
    session.name("  ")
    with pytest.raises(InputError, match="write your name"):
        session.edit("noise", 2.0, 3.0)


def test_the_state_near_an_edit_replaces_that_part_of_the_whole(tmp_path) -> None:
    times = np.arange(0.5, 400, 0.8)
    beats = Beats(times, np.full(len(times), 0.9), kind="rr", span_s=(0.0, 400.0))
    path = tmp_path / "belt.csv"
    path.write_text("x")
    recording = recording_in(path, beats)
    session = Session(recording, Reading(), beats, by="AB")
    whole = session.state()
    part = session.edit("delete", float(times[250]))
    assert 0 < part["from_s"] < part["to_s"] < 400
    assert len(part["times_s"]) < 200
    after = session.state()
    for name in ("times_s", "flags", "confidence", "doubt"):
        pairs = list(zip(whole[name], whole["times_s"], strict=True))
        kept = [value for value, t in pairs if t < part["from_s"]]
        rest = [value for value, t in pairs if t > part["to_s"]]
        assert kept + part[name] + rest == after[name]


def recording_in(path: Path, beats: Beats) -> Recording:
    return Recording("d", "1", signals={"rr": beats}, origins={"rr": Origin(path)})


def test_saving_over_the_work_of_somebody_else_is_refused(wave_file, session) -> None:
    other = opened(wave_file, "CD")
    other.edit("noise", 2.0, 3.0)
    other.save()
    session.edit("noise", 5.0, 6.0)
    with pytest.raises(InputError, match="changed by another program"):
        session.save()
    assert read_beats_file(session.path).waves[0].edits[0].who == "CD"
    assert session.unsaved == 1


def test_two_waves_of_one_recording_have_edits_of_their_own(tmp_path) -> None:
    path = tmp_path / "two.csv"
    wave = bvp(heart(Person(3), 5, 5, 30.0), rate_hz=32.0)
    two = {"time_s": wave.times_s, "ppg_a": wave.samples, "ppg_b": wave.samples}
    pd.DataFrame(two).to_csv(path, index=False)
    for channel, time_s in (("ppg_a", 3.0), ("ppg_b", 8.0)):
        (recording,) = as_recordings(path, channel=channel)
        reading = Reading()
        session = Session(recording, reading, reading.pulse(recording), by="AB")
        session.edit("noise", time_s, time_s + 2)
        session.save()
    assert [w.wave.channel for w in read_beats_file(session.path).waves] == ["ppg_a", "ppg_b"]
    how = {"length_s": None, "channel": "ppg_a"}
    assert extract(path, **how)["edited_noise_s"].tolist() == [2.0]


def test_edits_that_no_longer_apply_are_shown_and_left_out_when_saved(wave_file, session) -> None:
    t = float(session.detected.times_s[5])
    session.edit("delete", t)
    session.save()
    content = json.loads(session.path.read_text())
    content["waves"][0]["edits"].insert(0, {**content["waves"][0]["edits"][0], "time_s": 99.0})
    session.path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"1 edit does not apply: delete 99\.00 s"):
        extract(wave_file, length_s=None)
    again = opened(wave_file)
    assert again.info()["lost"] == ["delete 99.00 s: no beat at 99.00 s"]
    again.save()
    assert extract(wave_file, length_s=None)["edited_beats"].tolist() == [1]


def test_a_recording_without_a_file_of_its_own_is_refused() -> None:
    wave = Signal(np.zeros(320), 32, kind="bvp")
    recording = Recording("d", "1", signals={"bvp": wave})
    with pytest.raises(InputError, match="give the path of a recording of your own"):
        Session(recording, Reading(), wave, by="AB")


# ---- what is drawn -------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b", "bins"), [(0, 100, 50), (3.3, 77.7, 900), (40, 41, 500)])
def test_bins_have_the_extremes_of_their_samples(a, b, bins) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=100_000).astype(np.float32).astype(float)
    samples[20_000:24_000] = np.nan
    wave = Signal(samples, 1000, kind="ecg", quality=np.linspace(0, 1, 100_000))
    drawn = Envelope(wave).between(a, b, bins)
    assert len(drawn["low"]) <= bins + 2 or drawn["step_s"] == pytest.approx(1e-3)
    assert len(drawn["low"]) == len(drawn["quality"])
    for k in range(0, len(drawn["low"]), 7):
        first = round((drawn["start_s"] + k * drawn["step_s"]) * 1000)
        own = samples[first : first + round(drawn["step_s"] * 1000)]
        own = own[np.isfinite(own)]
        if not len(own):
            assert drawn["low"][k] is None
        else:
            assert drawn["low"][k] == pytest.approx(own.min(), rel=1e-4)
            assert drawn["high"][k] == pytest.approx(own.max(), rel=1e-4)
    end = drawn["start_s"] + len(drawn["low"]) * drawn["step_s"]
    assert drawn["start_s"] <= a + 1e-9
    assert end >= min(b, wave.end_s) - 1e-3


def test_a_view_beyond_the_recording_is_empty() -> None:
    wave = Signal(np.ones(100), 10, kind="bvp")
    assert Envelope(wave).between(50, 60, 100)["low"] == []
    assert len(Envelope(wave).between(-50, 60, 1000)["low"]) == 100


def test_doubtful_beats_are_unclear_irregular_or_beside_a_gap() -> None:
    times = 0.8 * np.arange(40)
    times[20] += 0.3
    confidence = np.full(40, 0.95)
    confidence[5] = 0.2
    beats = Beats(times, confidence, [(24.3, 24.6)])
    assert np.flatnonzero(doubts(beats) >= 0.4).tolist() == [5, 19, 20, 21, 30, 31]
    assert np.flatnonzero(doubts(beats, noise=beats.gaps) >= 0.4).tolist() == [5, 19, 20, 21]
    placed = Beats(times, confidence, beats.gaps, edited=np.arange(40) == 5)
    assert doubts(placed)[5] == 0
    assert doubts(Beats([])).tolist() == []


def test_the_peak_near_the_cursor_is_that_of_the_wave() -> None:
    t = np.arange(0, 10, 0.01)
    wave = Signal(-np.exp(-0.5 * ((t - 5.03) / 0.02) ** 2), 100, kind="ecg")
    assert peak_near(wave, 5.1) == pytest.approx(5.03)  # an R peak that points down
    up = Signal(-wave.samples, 100, kind="bvp")
    assert peak_near(up, 4.95) == pytest.approx(5.03)
    assert peak_near(Signal(np.full(1000, np.nan), 100, kind="bvp"), 5.0) == 5.0


# ---- the server ----------------------------------------------------------------------------------


@pytest.fixture
def server(session) -> Iterator[BeatsServer]:
    with BeatsServer(session) as running:
        yield running


def ask(server: BeatsServer, what: str, body: object = None, **headers: str | None):
    """Send one request, by default as the page does; return its status, headers and content."""
    own = f"127.0.0.1:{server.port}"
    sent = {"Host": own}
    if body is not None:
        sent |= {"Origin": f"http://{own}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    for name, value in headers.items():
        if value is None:
            sent.pop(name.replace("_", "-"), None)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    text = body if isinstance(body, str) else None if body is None else json.dumps(body)
    path = what if what.startswith("/") else f"/{server.token}/{what}"
    skipped = sent.pop("Host")
    connection.putrequest("GET" if body is None else "POST", path, skip_host=True)
    connection.putheader("Host", skipped)
    for name, value in sent.items():
        connection.putheader(name, value)
    if text is not None and "Content-Length" not in sent:
        connection.putheader("Content-Length", str(len(text.encode())))
    connection.endheaders(None if text is None else text.encode())
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def edit_of(session: Session, k: int = 5) -> dict[str, object]:
    return {"action": "delete", "time_s": float(session.detected.times_s[k]), "why": "x"}


def test_the_page_edits_and_saves(server, session, wave_file) -> None:
    status, headers, page = ask(server, "")
    assert status == 200
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', page.decode()))
    assert f"script-src 'nonce-{nonce}'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    info = json.loads(ask(server, "info")[2])
    assert (info["name"], info["kind"], info["who"]) == ("walk.csv", "bvp", "AB")
    state = json.loads(ask(server, "state")[2])
    assert len(state["times_s"]) == len(session.detected)
    drawn = json.loads(ask(server, "view?start_s=0&end_s=10&bins=100")[2])
    assert 80 < len(drawn["low"]) <= 102
    assert ask(server, "edit", edit_of(session))[0] == 200
    refused, _, content = ask(server, "edit", {"action": "delete", "time_s": 0.001})
    assert (refused, json.loads(content)) == (409, {"error": "no beat at 0.00 s"})
    assert ask(server, "undo", {})[0] == 200
    assert ask(server, "redo", {})[0] == 200
    assert json.loads(ask(server, "name", {"who": "CD"})[2]) == {"who": "CD"}
    assert json.loads(ask(server, "save", {})[2])["edits"] == 1
    assert len(read_beats_file(wave_file.with_name("walk.csv.beats.json")).waves[0].edits) == 1


FOREIGN = {
    "another name that resolves here": {"Host": "evil.example"},
    "another name with our port": {"Host": "evil.example:PORT"},
    "another port": {"Host": "127.0.0.1:1"},
    "another site": {"Origin": "http://evil.example"},
    "another port's page": {"Origin": "http://127.0.0.1:1"},
    "no page": {"Origin": "null"},
    "no origin": {"Origin": None},
    "cross-site": {"Sec_Fetch_Site": "cross-site"},
    "same site, another origin": {"Sec_Fetch_Site": "same-site"},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_requests_of_other_sites_are_refused(server, session, name) -> None:
    headers = {
        key: value and value.replace("PORT", str(server.port))
        for key, value in FOREIGN[name].items()
    }
    assert ask(server, "edit", edit_of(session), **headers)[0] == 403
    assert not session.edits
    if name != "no origin":
        status, _, content = ask(server, "state", **headers)
        assert status == 403
        assert b"times_s" not in content


def test_a_link_opens_the_page_and_nothing_else(server) -> None:
    link = {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(server, "", **link, Sec_Fetch_Dest="document")[0] == 200
    assert ask(server, "", **link, Sec_Fetch_Dest="iframe")[0] == 403
    assert ask(server, "state", **link, Sec_Fetch_Dest="document")[0] == 403
    assert ask(server, "undo", {}, **link, Sec_Fetch_Dest="document")[0] == 403


@pytest.mark.parametrize(
    ("what", "body", "headers", "status"),
    [
        ("/", None, {}, 404),
        ("/wrong/state", None, {}, 404),
        ("/wrong/edit", {}, {}, 404),
        ("nothing", None, {}, 404),
        ("nothing", {}, {}, 404),
        ("view?start_s=nan&end_s=1&bins=3", None, {}, 400),
        ("view?start_s=0", None, {}, 400),
        ("edit", {}, {"Content_Type": "text/plain"}, 415),
        ("edit", {}, {"Content_Length": "99999999"}, 413),
        ("edit", {}, {"Content_Length": "-1"}, 413),
        ("edit", "{", {}, 400),
        ("edit", "[]", {}, 400),
        ("edit", {"action": "delete"}, {}, 400),
        ("edit", {"action": "delete", "time_s": 1, "path": "/etc"}, {}, 400),
        ("edit", {"action": "delete", "time_s": "1"}, {}, 409),
        ("edit", {"action": ["delete"], "time_s": 1}, {}, 409),
        ("edit", {"action": "add", "time_s": 1, "why": {}}, {}, 409),
        ("name", {}, {}, 400),
        ("save", {"path": "/tmp/x"}, {}, 400),
    ],
)
def test_a_request_that_is_not_understood_changes_nothing(
    server, session, what, body, headers, status
) -> None:
    assert ask(server, what, body, **headers)[0] == status
    assert not session.edits
    assert not session.path.exists()
    assert ask(server, "info")[0] == 200


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_text_as_code() -> None:
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", PAGE)
    assert "http" not in PAGE.replace("http-equiv", "")
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", PAGE)
    assert not re.findall(r"\son[a-z]+=", PAGE)


def test_every_key_of_the_page_is_in_its_help() -> None:
    block = PAGE[PAGE.index("const keys = {") : PAGE.index('document.addEventListener("keydown"')]
    keys = re.findall(r"[ {,]\"?([A-Za-z]|[,.<>?0+-])\"?: ", block)
    help_text = PAGE[PAGE.index('<dialog id="help"') : PAGE.index("</dialog>")]
    shown = set(re.findall(r"<kbd>([^<]+)</kbd>", help_text))
    shown = {{"−": "-", "&lt;": "<", "&gt;": ">"}.get(text, text) for text in shown}
    assert len(keys) > 15
    assert set(keys) <= shown


def test_a_full_disk_is_reported_and_the_edits_stay(server, session, monkeypatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("emotion_rppg.app.beats.session.write_beats_file", full)
    assert ask(server, "edit", edit_of(session))[0] == 200
    status, _, content = ask(server, "save", {})
    assert status == 500
    assert "No space left on device; nothing was saved" in json.loads(content)["error"]
    assert session.unsaved == 1


def test_a_port_that_is_taken_is_refused(server, session) -> None:
    with pytest.raises(InputError, match=f"port {server.port} cannot be used"):
        BeatsServer(session, server.port)


# ---- the tab of the web page ---------------------------------------------------------------------


def test_the_tab_opens_the_page_of_a_recording_once(wave_file) -> None:
    with OpenPages() as pages:
        address = pages.address_of(f' "{wave_file}" ', "AB", "pos")
        assert pages.address_of(str(wave_file), "CD", "pos") == address
        with urllib.request.urlopen(f"{address}info", timeout=20) as answer:
            info = json.loads(answer.read())
        assert (info["name"], info["who"]) == ("walk.csv", "CD")
        for path, by, message in (
            ("", " ", "no path and no name"),
            (str(wave_file.with_name("no.csv")), "AB", "no file"),
        ):
            with pytest.raises(InputError, match=message):
                pages.address_of(path, by, "pos")
    with pytest.raises(OSError, match=r".*"):
        urllib.request.urlopen(f"{address}info", timeout=20)


# ---- the verb ------------------------------------------------------------------------------------


def test_the_verb_serves_the_page_until_it_is_interrupted(wave_file, monkeypatch) -> None:
    seen: list[str] = []

    def wait(server: BeatsServer) -> None:
        seen.append(server.address)
        t = float(beats_of(as_recordings(wave_file)[0].read_pulse("bvp")).times_s[5])
        assert ask(server, "edit", {"action": "delete", "time_s": t})[0] == 200
        assert ask(server, "save", {})[0] == 200
        assert ask(server, "edit", {"action": "noise", "time_s": 9, "to_s": 10})[0] == 200

    monkeypatch.setattr(BeatsServer, "wait", wait)
    run = CliRunner().invoke(app, ["beats", str(wave_file), "--by", "EF", "--no-browser"])
    assert run.exit_code == 0, run.output
    assert seen[0] in run.output
    assert "1 edit not saved; walk.csv.beats.json: 1 edits" in run.output
    (edit,) = read_beats_file(wave_file.with_name("walk.csv.beats.json")).waves[0].edits
    assert edit.who == "EF"


def test_the_verb_refuses_what_it_cannot_open(wave_file) -> None:
    other = wave_file.with_name("run.csv")
    other.write_bytes(wave_file.read_bytes())
    for words, message in (
        ([wave_file.parent], "holds 2 recordings: name one with --trial"),
        ([wave_file.parent, "--trial", "x/1/1"], "none of which is 'x/1/1'"),
        ([wave_file, "--person", "2"], "--face all and --person N belong together"),
        ([wave_file, "--face", "all"], "--face all and --person N belong together"),
        ([wave_file.with_name("no.csv")], "no"),
    ):
        run = CliRunner().invoke(app, ["beats", *map(str, words), "--no-browser"])
        assert run.exit_code == 2, run.output
        assert message in run.stderr
