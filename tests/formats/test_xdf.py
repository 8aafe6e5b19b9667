"""XDF: streams are found by type and name, on one clock, and no count asks for memory."""

import struct
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_files import signals_in
from emotion_rppg.formats.xdf import xdf_contents
from tests.formats.waves import pulse, rate_of
from tests.formats.xdf_writer import Stream, chunk, number, write_xdf

pytest.importorskip("pyxdf")
BEGIN_S = 50_000.0


def regular(name: str, kind: str, bpm: float, rate_hz: float, **more: object) -> Stream:
    wave = pulse(bpm, rate_hz)[:, None]
    times = BEGIN_S + np.arange(len(wave)) / rate_hz
    return Stream(name, kind, wave, times, rate_hz, **more)


def write_streams(folder: Path, bpm: float = 72.0) -> Path:
    axes = np.tile([0.0, 0.6, 0.8], (1000, 1))
    return write_xdf(
        folder / "lab.xdf",
        [
            Stream("Events", "Markers", ["start", "stop"], np.array([BEGIN_S + 5, BEGIN_S + 30])),
            regular("Polar H10", "ECG", 60, 130),
            regular("Band", "PPG", bpm, 55),
            Stream(
                "Chest",
                "ACC",
                axes,
                BEGIN_S + np.arange(1000) / 25,
                25.0,
                (("X", "g"), ("Y", "g"), ("Z", "g")),
            ),
        ],
    )


def test_streams_are_found_by_their_type_and_channels_by_stream_and_label(tmp_path) -> None:
    path = write_streams(tmp_path)
    found = signals_in(path)
    assert list(found) == ["bvp", "ecg", "acc"]
    assert rate_of(found["bvp"]()) == pytest.approx(72, abs=0.5)
    assert rate_of(found["ecg"]()) == pytest.approx(60, abs=0.5)
    assert found["ecg"]().rate_hz == pytest.approx(130, rel=1e-6)
    np.testing.assert_allclose(found["acc"]().samples, 1.0)
    names = [channel.name for channel in xdf_contents(path).channels]
    assert names == ["Polar H10", "Band", "Chest/X", "Chest/Y", "Chest/Z"]
    markers = [(round(m.time_s, 6), m.text) for m in xdf_contents(path).markers]
    assert markers == [(5.0, "start"), (30.0, "stop")]
    np.testing.assert_allclose(signals_in(path, channel="chest/z")["acc"]().samples, 0.8)
    assert rate_of(signals_in(path, channel="Band", kind="rppg")["rppg"]()) == pytest.approx(
        72, abs=0.5
    )


def test_the_clocks_of_two_computers_are_one(tmp_path) -> None:
    late = regular("Band", "PPG", 72, 55, offset_s=-100.0)
    late.times_s = late.times_s + 102.5  # by its own clock; two and a half seconds by the other
    path = write_xdf(tmp_path / "lab.xdf", [regular("Polar", "ECG", 60, 130), late])
    found = signals_in(path)
    assert found["ecg"]().start_s == pytest.approx(0, abs=1e-3)
    assert found["bvp"]().start_s == pytest.approx(2.5, abs=1e-3)


def test_jitter_of_time_stamps_is_removed_and_a_break_stays_a_gap(tmp_path) -> None:
    stream = regular("Band", "PPG", 72, 50)
    late = np.random.default_rng(0).uniform(0, 0.015, len(stream.times_s))
    stream.times_s = stream.times_s + late + np.where(np.arange(2000) >= 1000, 5.0, 0.0)
    wave = signals_in(write_xdf(tmp_path / "lab.xdf", [stream]))["bvp"]()
    assert wave.rate_hz == pytest.approx(50, rel=1e-3)
    assert wave.duration_s == pytest.approx(45, abs=0.1)
    assert wave.coverage == pytest.approx(40 / 45, abs=0.005)
    first = wave.samples[100:900]
    assert np.abs(first - pulse(72, 50)[100:900]).max() < 4  # of 38; half a sample is 3


def test_a_stream_without_a_rate_is_timed_by_its_stamps(tmp_path) -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.015, 0.025, 2000))
    values = np.interp(times, np.arange(60_000) / 1000, pulse(72, 1000, 60))
    stream = Stream("Band", "PPG", values[:, None], BEGIN_S + times)
    wave = signals_in(write_xdf(tmp_path / "lab.xdf", [stream]))["bvp"]()
    assert wave.rate_hz == pytest.approx(50, rel=0.02)
    assert rate_of(wave) == pytest.approx(72, abs=0.5)


def test_time_stamps_that_ask_for_an_endless_clock_are_refused(tmp_path) -> None:
    for rate_hz in (50.0, 0.0):
        stream = regular("Band", "PPG", 72, 50)
        stream.rate_hz = rate_hz
        stream.times_s[1000:] += 1e12
        path = write_xdf(tmp_path / "lab.xdf", [stream])
        with pytest.raises(InputError, match="its time stamps are damaged"):
            signals_in(path)["bvp"]()


def test_a_stream_of_another_kind_is_refused_with_the_available_ones(tmp_path) -> None:
    path = write_xdf(tmp_path / "lab.xdf", [regular("Cap", "EEG", 60, 100)])
    with pytest.raises(InputError, match=r"its channels: Cap \(100 Hz\): choose one"):
        signals_in(path)
    with pytest.raises(InputError, match="has no channel 'Hat'; it has: Cap"):
        signals_in(path, channel="Hat")


def stream_header(**fields: object) -> bytes:
    given = {"channel_count": 1, "nominal_srate": 10, "channel_format": "int16", "name": "a"}
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in (given | fields).items())
    return chunk(2, struct.pack("<I", 1) + f"<info>{inside}</info>".encode())


ENTITY = b"<!DOCTYPE a [<!ENTITY b 'cccc'>]><info/>"
ONE = struct.pack("<I", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"XDF", "does not begin like an XDF file"),
        (b"RIFF" + bytes(50), "does not begin like an XDF file"),
        (b"XDF:", "no stream with a sample"),
        (b"XDF:" + chunk(1, ENTITY), "declares a document type"),
        (b"XDF:" + stream_header(channel_count=10**9), "want 1 to 10000 channels"),
        (b"XDF:" + stream_header(channel_count=0), "want 1 to 10000 channels"),
        (b"XDF:" + stream_header(channel_format="object"), "a stream of 1 channels of 'object'"),
        (b"XDF:" + stream_header(nominal_srate="inf"), "at inf Hz"),
        (
            b"XDF:" + stream_header() + chunk(3, ONE + number(2**31) + bytes(40)),
            "announces 2147483648 samples",
        ),
        (b"XDF:" + chunk(3, ONE + number(1) + bytes(40)), "samples of a stream 1 without a header"),
        (b"XDF:" + stream_header() + chunk(4, ONE + bytes(4)), "a clock offset of 8 bytes"),
        (b"XDF:" + number(10**6) + b"\x01\x00", "is cut off or damaged at byte 9"),
        (b"XDF:" + b"\x07aaaaaaaa", "no length of a chunk"),
    ],
)
def test_a_file_that_promises_too_much_is_refused(content, message, tmp_path) -> None:
    path = tmp_path / "x.xdf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        xdf_contents(path)


def test_a_recording_that_is_cut_off_is_refused(tmp_path) -> None:
    path = write_streams(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is cut off or damaged"):
        xdf_contents(path)


def test_the_example_of_the_format_is_read(real_data) -> None:
    contents = xdf_contents(real_data / "devices" / "xdf" / "minimal.xdf")
    assert [c.rate_hz for c in contents.channels] == pytest.approx([10, 10, 10])
    assert [m.text for m in contents.markers][1:4] == ["Hello", "World", "from"]
