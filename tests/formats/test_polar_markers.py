"""Markers of Polar Sensor Logger are events on the clock of the wave beside them."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.datasets.folder import Folder, recording_of
from emotion_rppg.errors import InputError
from tests.formats.waves import pulse

WAVE = "Polar_Sense_PPG.txt"
MARKERS = """Phone timestamp;Marker start/stop
2022-04-25T11:40:10.500;MARKER_START
2022-04-25T11:40:20.000;MARKER_STOP
2022-04-25T11:40:25.000;MARKER_START
"""


def session(folder: Path, markers: str = MARKERS, log: str = "MARKER.txt") -> Path:
    """Write 40 s of finger light at 50 Hz from 11:40:00 on, and a log of markers."""
    rows = ["Phone timestamp;sensor timestamp [ns];channel 0;channel 1;channel 2;ambient"]
    for k, value in enumerate(-pulse(72, 50)):
        phone = f"2022-04-25T11:40:{k / 50:06.3f}"
        light = ";".join([f"{260000 + 100 * value:.0f}"] * 3)
        rows.append(f"{phone};{704201975160879838 + 20_000_000 * k};{light};-640;")
    (folder / WAVE).write_text("\n".join(rows) + "\n")
    (folder / log).write_text(markers)
    return folder / WAVE


@pytest.mark.parametrize("log", ["MARKER.txt", "Polar_Sense_MARKER.txt"])
def test_a_start_and_its_stop_are_one_event(log, tmp_path) -> None:
    recording = recording_of(session(tmp_path, log=log))
    events = [(e.onset_s, e.name, e.duration_s) for e in recording.read_events()]
    assert events == [(10.5, "marker", 9.5), (25.0, "marker", 0.0)]
    assert np.isfinite(recording.read("bvp").samples).all()


def test_the_log_of_markers_is_no_recording(tmp_path) -> None:
    session(tmp_path)
    (recording,) = Folder(tmp_path)
    assert len(recording.read_events()) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2022-04-25T11:40:10.500;PAUSE", r"line 2: .*want a time and MARKER_START or MARKER_STOP"),
        ("soon;MARKER_START", "line 2: 'soon' is no date"),
        ("2022-04-25T11:40:10+02:00;MARKER_START", "time zone"),
    ],
)
def test_a_damaged_log_is_named_when_events_are_read(line, message, tmp_path) -> None:
    recording = recording_of(session(tmp_path, f"a;b\n{line}\n"))
    assert len(recording.read("bvp"))
    with pytest.raises(InputError, match=message):
        recording.read_events()


def test_a_real_log(real_data) -> None:
    path = real_data / "devices" / "biobss_polar" / "Polar_Sense_PPG.txt"
    (event,) = recording_of(path).read_events()
    assert event.onset_s == pytest.approx(26.354, abs=0.01)
    assert event.duration_s == pytest.approx(481.015, abs=0.01)
