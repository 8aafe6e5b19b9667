"""EmbracePlus: a day of Avro files is one recording with its gaps, and no schema is trusted."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.datasets.folder import Folder, recording_of
from emotion_rppg.errors import InputError
from emotion_rppg.formats.avro_container import check_schema
from emotion_rppg.formats.embraceplus import embrace_beats, embrace_contents
from emotion_rppg.formats.signal_files import signals_in
from tests.formats.waves import pulse, rate_of

fastavro = pytest.importorskip("fastavro")
START_S = 1_764_754_535


def _record(name: str, **fields: object) -> dict:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": key, "type": kind} for key, kind in fields.items()],
    }


def _array(items: str) -> dict:
    return {"type": "array", "items": items}


CLOCK = {"timestampStart": "long", "samplingFrequency": "float"}
RANGE = {"physicalMin": "int", "physicalMax": "int", "digitalMin": "int", "digitalMax": "int"}
SCHEMA = _record(
    "Session",
    enrollment=_record("Enrollment", participantID="string"),
    deviceSn="string",
    rawData=_record(
        "RawData",
        accelerometer=_record(
            "Inertial",
            **CLOCK,
            imuParams=_record("ImuParams", **RANGE, conversionFactor="float"),
            x=_array("int"),
            y=_array("int"),
            z=_array("int"),
        ),
        eda=_record("Eda", **CLOCK, values=_array("float")),
        temperature=_record("Temperature", **CLOCK, values=_array("float")),
        tags=_record("Tags", tagsTimeMicros=_array("long")),
        bvp=_record("Bvp", **CLOCK, values=_array("float")),
        systolicPeaks=_record("SystolicPeaks", peaksTimeNanos=_array("long")),
    ),
)


def write_avro(
    folder: Path,
    bpm: float = 72.0,
    *,
    start_s: float = START_S,
    person: str = "01",
    rate_hz: float = 64.0,
    codec: str = "deflate",
    skip_s: float = 0.0,
) -> Path:
    """Write a file of 40 s; the wave begins ``skip_s`` after the beginning of a long recording."""
    samples = pulse(bpm, rate_hz, skip_s + 40)[round(skip_s * rate_hz) :]
    begin = {"timestampStart": round(start_s * 1e6)}
    scale = dict.fromkeys(("physicalMin", "physicalMax", "digitalMin", "digitalMax"), 0)
    axis = [2048] * 2560
    raw = {
        "accelerometer": {
            **begin,
            "samplingFrequency": 64.0,
            "imuParams": {**scale, "conversionFactor": 1 / 2048},
            "x": axis,
            "y": [0] * 2560,
            "z": [0] * 2560,
        },
        "eda": {
            "timestampStart": round(start_s * 1e6) + 250_000,
            "samplingFrequency": 4.0,
            "values": [0.5] * 160,
        },
        "temperature": {"timestampStart": 0, "samplingFrequency": 0.0, "values": []},
        "tags": {"tagsTimeMicros": [round((start_s + 7.5) * 1e6)]},
        "bvp": {**begin, "samplingFrequency": rate_hz, "values": samples.tolist()},
        "systolicPeaks": {
            "peaksTimeNanos": [round((start_s + k * 60 / bpm) * 1e9) for k in range(10)]
        },
    }
    content = {"enrollment": {"participantID": person}, "deviceSn": "3YK", "rawData": raw}
    path = folder / f"1-1-{person}_{round(start_s)}.avro"
    with path.open("wb") as file:
        fastavro.writer(file, SCHEMA, [content], codec=codec)
    return path


@pytest.mark.parametrize("codec", ["deflate", "null"])
def test_each_sensor_is_read_in_its_unit_on_the_clock_of_the_pulse(codec, tmp_path) -> None:
    path = write_avro(tmp_path, codec=codec)
    found = signals_in(path)
    assert list(found) == ["bvp", "eda", "acc"]  # the thermometer was off
    bvp, eda, acc = (found[kind]() for kind in ("bvp", "eda", "acc"))
    assert (bvp.rate_hz, bvp.start_s, bvp.duration_s) == (64, 0, 40)
    np.testing.assert_allclose(bvp.samples, pulse(72, 64), atol=1e-4)
    assert (eda.rate_hz, eda.start_s) == (4, 0.25)
    np.testing.assert_allclose(eda.samples, 0.5)
    np.testing.assert_allclose(acc.samples, 1.0)
    contents = embrace_contents(path)
    assert contents.markers == ((7.5, "tag", 0.0),)
    beats = embrace_beats(path)
    assert beats is not None
    np.testing.assert_allclose(beats.intervals_ms, 60_000 / 72, atol=0.01)
    assert list(signals_in(path, channel="acc_y", kind="acc")) == ["acc"]
    np.testing.assert_allclose(signals_in(path, channel="acc_y")["acc"]().samples, 0.0)


def test_the_files_of_a_day_are_one_recording_with_the_time_between_them_missing(tmp_path) -> None:
    write_avro(tmp_path, start_s=START_S + 65, skip_s=65)
    write_avro(tmp_path, start_s=START_S)
    write_avro(tmp_path, start_s=START_S + 105, skip_s=105)
    bvp = recording_of(tmp_path).read("bvp")
    assert bvp.duration_s == 145
    expected = pulse(72, 64, 145)
    expected[40 * 64 : 65 * 64] = np.nan
    np.testing.assert_allclose(bvp.samples, expected, atol=1e-4)
    assert len(list(Folder(tmp_path))) == 1
    assert [m.time_s for m in embrace_contents(tmp_path).markers] == [7.5, 72.5, 112.5]


def test_files_whose_measured_rates_differ_are_joined_on_one_clock(tmp_path) -> None:
    write_avro(tmp_path, rate_hz=64.0)
    write_avro(tmp_path, start_s=START_S + 41, rate_hz=63.9, skip_s=41)
    bvp = signals_in(tmp_path)["bvp"]()
    assert bvp.duration_s == pytest.approx(81, abs=0.05)
    true = pulse(72, 1000, 81.1)[np.round(bvp.times_s * 1000).astype(int)]
    assert np.nanmax(np.abs(bvp.samples - true)) < 1.0  # of 38
    assert bvp.coverage == pytest.approx(80 / 81, abs=0.01)
    assert rate_of(bvp) == pytest.approx(72, abs=0.5)


def test_a_folder_of_several_participants_has_a_recording_for_each(tmp_path) -> None:
    for person in ("01", "02"):
        write_avro(tmp_path, person=person)
    assert len(list(Folder(tmp_path))) == 2
    path = write_avro(tmp_path / "..", person="03")
    path.rename(tmp_path / f"1-1-01_{START_S + 90}.avro")
    (tmp_path / f"1-1-02_{START_S}.avro").unlink()
    with pytest.raises(InputError, match="several participants or devices"):
        signals_in(tmp_path)


def test_a_copy_of_a_file_is_refused(tmp_path) -> None:
    path = write_avro(tmp_path)
    (tmp_path / f"1-1-01_{START_S + 1}.avro").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="two files overlap by 40 s of bvp"):
        signals_in(tmp_path)["bvp"]()


def test_files_that_are_years_apart_are_refused(tmp_path) -> None:
    write_avro(tmp_path)
    write_avro(tmp_path, start_s=START_S - 10 * 365 * 86400)
    with pytest.raises(InputError, match="its files are 3650 days apart"):
        signals_in(tmp_path)["bvp"]()


SELF = _record("A", values=_array("float"))
SELF["fields"].append({"name": "a", "type": "A"})


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (_array("null"), "the type 'null'"),
        (["null", "int"], "alternatives"),
        (_record("A"), "without fields"),
        (SELF, "the type 'A'"),
        (_record("A", b=_array({"type": "fixed", "size": 0, "name": "f"})), "the type 'fixed'"),
        (17, "alternatives"),
    ],
)
def test_a_schema_that_describes_a_record_without_end_is_refused(schema, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        check_schema(schema)


def test_files_that_are_no_recording_are_refused(tmp_path) -> None:
    path = write_avro(tmp_path)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputError, match="cannot be read as an EmbracePlus recording"):
        signals_in(path)
    path.write_bytes(b"PK" + raw)
    with pytest.raises(InputError, match="does not begin like an Avro file"):
        signals_in(path)
    with path.open("wb") as file:
        fastavro.writer(file, _record("T", x="int"), [{"x": 3}])
    with pytest.raises(InputError, match="not of an EmbracePlus: want a field rawData"):
        signals_in(path)


def test_a_block_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch) -> None:
    path = write_avro(tmp_path)
    monkeypatch.setattr("emotion_rppg.formats.avro_container._MAX_RECORD_BYTES", 1000)
    with pytest.raises(InputError, match="unpacks to more than"):
        signals_in(path)


def test_a_file_of_a_device_is_read(real_data) -> None:
    path = next((real_data / "devices" / "embraceplus").glob("*.avro"))
    contents = embrace_contents(path)
    rates = {c.name: round(c.rate_hz or 0, 2) for c in contents.channels}
    assert rates["bvp"] == 64
    assert rates["eda"] == 4.0
    assert np.mean(signals_in(path)["acc"]().samples) == pytest.approx(1, abs=0.02)  # gravity
    assert json.dumps(contents.note) == '"1 peaks detected by the device"'
