"""Lab streaming layer: time stamps of the frames, facts of the streams, markers; with a fake and,
where pylsl is installed, over the real library on this computer alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.formats.event_tables import read_event_table
from emotion_rppg.live import LiveReading, lsl
from emotion_rppg.live.log import LiveLog
from emotion_rppg.live.settled import LiveBeat
from emotion_rppg.signals import Signal
from emotion_rppg.video.live_capture import FrameClock

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"
START_S, AHEAD_S = 1000.0, 0.5
CLOCK = lsl.LslClock(FrameClock(START_S), AHEAD_S)


class Outlet:
    """Stands in for pylsl's outlet."""

    def __init__(self, facts: lsl.StreamFacts) -> None:
        self.facts, self.samples = facts, []

    def push_sample(self, x, timestamp) -> None:
        self.samples.append((timestamp, x))


def reading(time_s: float, *, hr_bpm: float | None = 60.0) -> LiveReading:
    """Make the reading of a second, whose settled wave ends two seconds before it."""
    quality = np.full(30, 0.9)
    wave = Signal(np.arange(30.0), 30.0, kind="rppg", start_s=time_s - 3, quality=quality)
    return LiveReading(
        time_s=time_s,
        delay_s=0.5,
        hr_bpm=hr_bpm,
        quality=0.9,
        reason=None if hr_bpm else "too noisy",
        rmssd_ms=np.nan,
        face=1.0,
        dropped=0,
        wave=wave,
        settled=wave,
        beats=(LiveBeat(time_s - 2.5, 810.0, 0.8),) if hr_bpm else (),
    )


def sent(*readings: LiveReading, is_regular: bool = True) -> dict[str, Outlet]:
    opened: list[Outlet] = []

    def open_stream(facts: lsl.StreamFacts) -> Outlet:
        opened.append(Outlet(facts))
        return opened[-1]

    outlets = lsl.LslOutlets(
        "cam",
        clock=CLOCK,
        method="models/mine",
        source="folder/face.mp4",
        is_regular=is_regular,
        open_stream=open_stream,
    )
    for one in readings:
        outlets.push(one)
    return {outlet.facts.name: outlet for outlet in opened}


def test_every_sample_has_the_time_of_its_frame_and_not_of_its_computation() -> None:
    streams = sent(reading(5.0), reading(6.0))
    zero = START_S + AHEAD_S
    wave = np.array([at for at, _ in streams["cam_wave"].samples])
    assert wave - zero == pytest.approx(2.0 + np.arange(60) / 30)
    assert [at - zero for at, _ in streams["cam_beats"].samples] == [2.5, 3.5]
    assert [at - zero for at, _ in streams["cam_heart_rate"].samples] == [5.0, 6.0]
    assert streams["cam_wave"].samples[1][1] == [1.0, 0.9]
    assert streams["cam_beats"].samples[0][1] == [810.0, 0.8]


def test_a_withheld_rate_is_missing_and_its_reason_is_sent() -> None:
    streams = sent(reading(5.0), reading(6.0, hr_bpm=None))
    rates = [values[0] for _, values in streams["cam_heart_rate"].samples]
    assert rates == pytest.approx([60.0, np.nan], nan_ok=True)
    assert [values for _, values in streams["cam_reason"].samples] == [["ok"], ["too noisy"]]
    assert len(streams["cam_beats"].samples) == 1


def test_streams_describe_channels_units_rate_and_origin() -> None:
    streams = sent(reading(5.0))
    facts = {name: outlet.facts for name, outlet in streams.items()}
    assert list(facts) == ["cam_wave", "cam_beats", "cam_heart_rate", "cam_reason"]
    assert facts["cam_wave"].rate_hz == 30
    assert facts["cam_beats"].rate_hz == facts["cam_heart_rate"].rate_hz == lsl.IRREGULAR
    assert facts["cam_wave"].channels[0] == ("rppg", "arbitrary")
    assert dict(facts["cam_heart_rate"].channels)["hr"] == "bpm"
    assert facts["cam_reason"].is_text
    assert len({f.source_id for f in facts.values()}) == 4
    for stream in facts.values():
        about = dict(stream.description)
        assert (about["method"], about["source"]) == ("mine", "face.mp4")
        assert about["version"]
        assert "folder" not in stream.source_id
        for _, values in streams[stream.name].samples:
            assert len(values) == len(stream.channels)
    assert sent(reading(5.0), is_regular=False)["cam_wave"].facts.rate_hz == lsl.IRREGULAR


def test_both_directions_of_the_clock_agree() -> None:
    assert CLOCK.to_lsl(2.0) == START_S + 2.0 + AHEAD_S
    assert CLOCK.from_lsl(CLOCK.to_lsl(2.0)) == 2.0


class Inlet:
    """Stands in for pylsl's inlet: two chunks, then none."""

    def __init__(self) -> None:
        stamps = [START_S + AHEAD_S + t for t in (8.5, 7.25)]
        self.chunks = [([["picture 7"], [3.0]], stamps), ([[""]], [START_S + AHEAD_S + 9])]

    def pull_chunk(self):
        return self.chunks.pop(0) if self.chunks else ([], [])


def test_markers_are_saved_beside_the_wave_on_its_clock(tmp_path) -> None:
    markers = lsl.LslMarkers("stim", clock=CLOCK, open_stream=lambda name: Inlet())
    log = LiveLog(tmp_path / "w.csv")
    for time_s in (10.0, 11.0, 12.0):
        log.add(reading(time_s), markers.read())
    events = read_event_table(tmp_path / "w_events.csv")
    assert [(event.onset_s, event.name) for event in events] == [
        (7.25, "3"),
        (8.5, "picture 7"),
        (9.0, "marker"),
    ]
    from emotion_rppg.formats.signal_csv import read_signal

    wave = read_signal(tmp_path / "w.csv", "rppg")
    assert wave.start_s == pytest.approx(7.0)
    assert len(wave) == 90
    assert wave.quality == pytest.approx(np.full(90, 0.9))


def test_a_session_never_replaces_an_earlier_one(tmp_path) -> None:
    (tmp_path / "w_events.csv").write_text("onset\n1\n")
    with pytest.raises(InputError, match=r"w_events.csv is there already.*never overwritten"):
        LiveLog(tmp_path / "w.csv")
    assert not (tmp_path / "w.csv").exists()


def refused(*words: object) -> str:
    result = CliRunner().invoke(app, ["live", *map(str, words)])
    assert result.exit_code == 2, result.output
    return result.stderr


def test_without_pylsl_the_message_names_the_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    assert "pip install 'emotion-rppg[lsl]'" in refused("--camera", CLIP, "--lsl")


def test_options_of_the_layer_are_checked_before_the_camera_opens(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    assert "add --out FILE.csv" in refused("--camera", CLIP, "--lsl-markers", "stim")
    assert "leave out --no-paced" in refused("--camera", CLIP, "--lsl", "--no-paced")
    faults = refused("--camera", "nowhere.mp4", "--method", "poss", "--lsl", "--no-paced")
    assert faults.startswith("emotion-rppg: 3 things are wrong")


LOOPBACK = """
import sys, time
import numpy as np, pylsl
from emotion_rppg.live import lsl
from emotion_rppg.video.live_capture import FrameClock
sys.path.insert(0, sys.argv[1])
from test_lsl import reading

clock = FrameClock(); clock.start()
lsl_clock = lsl.LslClock(clock, lsl.clock_offset_s())
outlets = lsl.LslOutlets("cam", clock=lsl_clock, method="pos", source="0", is_regular=True)
outlets.push(reading(3.0))  # opens the streams
inlets = {}
for name in ("wave", "beats", "heart_rate", "reason"):
    found = pylsl.resolve_byprop("name", f"cam_{name}", timeout=10)
    inlets[name] = pylsl.StreamInlet(found[0])
    inlets[name].open_stream()
for time_s in (4.0, 5.0):
    outlets.push(reading(time_s))
out = {"start": clock.start_s + lsl_clock.ahead_s, "ahead": lsl_clock.ahead_s}
for name, inlet in inlets.items():
    first = inlet.pull_sample(timeout=10)
    samples, times = inlet.pull_chunk(timeout=1.0, max_samples=59 if name == "wave" else 1)
    out[name] = [first[1], *times]
    out[name + "_values"] = [first[0], *samples][-1]
    out[name + "_xml"] = inlet.info().as_xml()
stimuli = pylsl.StreamOutlet(pylsl.StreamInfo("stim", "Markers", 1, 0, "string", "s"))
markers = lsl.LslMarkers("stim", clock=lsl_clock)
stimuli.push_sample(["go"], lsl_clock.to_lsl(1.25))
events = []
while not events:
    events = markers.read()
out["event"] = [events[0].onset_s, events[0].name]
try:
    lsl.open_inlet("nothing")
except Exception as error:
    out["error"] = str(error)
import json; print(json.dumps(out))
"""


@pytest.mark.slow
def test_streams_and_markers_pass_through_the_real_library(tmp_path) -> None:
    pytest.importorskip("pylsl", reason="needs the extra lsl", exc_type=ImportError)
    config = tmp_path / "lsl.cfg"  # this computer alone
    config.write_text(
        "[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\n"
        "[lab]\nKnownPeers = {127.0.0.1}\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", LOOPBACK, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        env={**os.environ, "LSLAPICFG": str(config)},
    )
    assert run.returncode == 0, run.stderr
    out = json.loads(run.stdout.splitlines()[-1])
    assert np.array(out["wave"]) - out["start"] == pytest.approx(1.0 + np.arange(60) / 30, abs=1e-6)
    assert np.array(out["beats"]) - out["start"] == pytest.approx([1.5, 2.5], abs=1e-6)
    assert np.array(out["heart_rate"]) - out["start"] == pytest.approx([4.0, 5.0], abs=1e-6)
    assert out["reason_values"] == ["ok"]
    assert out["heart_rate_values"][0] == 60.0
    assert "<label>rppg</label>" in out["wave_xml"]
    assert "<nominal_srate>30" in out["wave_xml"]
    assert out["event"] == [pytest.approx(1.25, abs=1e-3), "go"]
    assert "no stream is called so" in out["error"]
    assert "cam_wave" in out["error"]
    if sys.platform == "linux":
        assert abs(out["ahead"]) < 1e-3
