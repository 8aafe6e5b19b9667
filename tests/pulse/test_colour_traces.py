"""Recordings with the mean colour of each frame in place of pictures."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg import Video, estimate, extract
from emotion_rppg.datasets.monkey_faces import SESSIONS, MonkeyFaces
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import METHODS
from emotion_rppg.signal_quality import heart_rate
from emotion_rppg.video.frames import read_frames
from tests.datasets.fakes import monkey_faces

TIMES = np.arange(600) / 20


def colours(bpm: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and colours of skin with a pulse, and noise."""
    blood = np.sin(2 * np.pi * bpm / 60 * TIMES)[:, None] * [0.3, 0.8, 0.5]
    noise = np.random.default_rng(0).normal(0, 0.05, (len(TIMES), 3))
    return TIMES, np.array([120.0, 90.0, 80.0]) - blood + noise


def trace(bpm: float, **segment) -> Video:
    return Video(Path("trace.bin"), colours=partial(colours, bpm), **segment)


@pytest.mark.parametrize("method", METHODS)
def test_every_classic_method_reads_a_trace_of_colours(method) -> None:
    wave = estimate(trace(84.0), method)
    assert heart_rate(wave) == pytest.approx(84, abs=1)
    assert wave.kind == "rppg"
    assert wave.quality is not None
    assert wave.quality.max() > 0.9


def test_a_segment_of_a_trace_has_its_own_clock() -> None:
    wave = estimate(trace(84.0, start_s=5.0, end_s=20.0), "pos")
    assert wave.start_s == pytest.approx(0, abs=0.05)
    assert wave.duration_s == pytest.approx(15, abs=0.1)


def test_a_network_and_a_reader_of_pictures_refuse_a_trace() -> None:
    with pytest.raises(InputError, match=r"no pictures, which physnet needs: choose one of .*pos"):
        estimate(trace(84.0), "physnet")
    with pytest.raises(InputError, match="no pictures"):
        next(iter(read_frames(trace(84.0))))


def test_monkey_faces_are_read_at_their_rates(tmp_path) -> None:
    recordings = list(MonkeyFaces(monkey_faces.write(tmp_path / "m")))
    assert [r.subject for r in recordings] == ["1", "2IR", "3"]
    for recording in recordings:
        infrared = SESSIONS[f"Session{recording.subject}"].channels == 1
        truth = float(np.median(recording.read("hr").samples))
        wave = estimate(recording.video, "green" if infrared else "pos")
        assert heart_rate(wave) == pytest.approx(truth, abs=1)


def test_a_table_of_monkey_faces_needs_only_a_classic_method(tmp_path) -> None:
    recordings = list(MonkeyFaces(monkey_faces.write(tmp_path / "m")))
    table = extract(recordings, method="pos", length_s=30.0, step_s=30.0)
    colour = table[table["subject"] != "2IR"]
    assert len(colour) == 4
    assert colour["hr_bpm"].notna().all()


def test_a_damaged_trace_is_named(tmp_path) -> None:
    folder = monkey_faces.write(tmp_path / "m")
    path = folder / "Session1" / "Session1.bin"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"Session1.bin has \d+ bytes: want float32, 3 a frame"):
        estimate(next(iter(MonkeyFaces(folder))).video, "pos")
