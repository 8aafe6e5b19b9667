"""Text logs of recorders: rate, unit and channel come from the log's own first lines."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.device_logs import LOGS, find_log, log_contents
from emotion_rppg.formats.signal_files import signals_in
from tests.formats.waves import pulse, rate_of

UNIX_S = 1_590_567_062.0


def write_lines(path: Path, head: list[str], rows: list[str]) -> Path:
    path.write_text("\n".join([*head, *rows]) + "\n")
    return path


def write_open_signals(folder: Path, wave: np.ndarray, lost: slice = slice(0, 0)) -> Path:
    device = {"sensor": ["ECG", "EDA"], "label": ["A2", "A3"], "sampling rate": 100}
    device |= {"column": ["nSeq", "I1", "A2", "A3"], "resolution": [4, 1, 10, 10]}
    rows = [f"{(k + 1) % 16}\t1\t{v:.4f}\t500\t" for k, v in enumerate(wave)]
    del rows[lost]
    head = ["# OpenSignals Text File Format", f"# {json.dumps({'20:16': device})}", "# EndOfHeader"]
    return write_lines(folder / "opensignals.txt", head, rows)


def write_bio_sppy(folder: Path, wave: np.ndarray) -> Path:
    head = ["# Simple Text Format", "# Sampling Rate (Hz):= 100.00", "# Resolution:= 12"]
    return write_lines(
        folder / "ecg.txt", [*head, "# Labels:= ECG\tResp"], [f"{v:.4f}\t1" for v in wave]
    )


def write_polar(folder: Path, wave: np.ndarray) -> Path:
    head = "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]"
    rows = [
        f"2022-04-25T11:39:36.029;{704_201_975_160_879_838 + k * 10**7};{k * 10};{v:.4f}"
        for k, v in enumerate(wave)
    ]
    return write_lines(folder / "Polar_ECG.txt", [head], rows)


def write_shimmer(folder: Path, wave: np.ndarray) -> Path:
    columns = {
        "Timestamp_Unix_CAL": ("ms", lambda k, v: f"{(UNIX_S + k / 100) * 1e3:.3f}"),
        "ECG_LL-RA_24BIT_CAL": ("mV", lambda k, v: f"{v:.4f}"),
        "ECG_EMG_Status1_CAL": ("no_units", lambda k, v: "128"),
        "GSR_Skin_Conductance_CAL": ("uS", lambda k, v: "2.5"),
        "GSR_Skin_Resistance_CAL": ("kOhms", lambda k, v: "400"),
        "Accel_LN_X_CAL": ("m/(s^2)", lambda k, v: "0"),
        "Accel_LN_Y_CAL": ("m/(s^2)", lambda k, v: "9.80665"),
        "Accel_LN_Z_CAL": ("m/(s^2)", lambda k, v: "0"),
    }
    names = ";".join(f"Shimmer_40AC_{name}" for name in columns)
    units = ";".join(unit for unit, _ in columns.values())
    rows = [";".join(cell(k, v) for _, cell in columns.values()) for k, v in enumerate(wave)]
    return write_lines(folder / "shimmer.csv", ['"sep=;"', names + ";", units + ";"], rows)


def write_faros(folder: Path, wave: np.ndarray) -> Path:
    meta = {"sample_freqs": {"ECG": 100.0, "HRV": 5.0}, "units": {"ECG": "uV", "HRV": "ms"}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return write_lines(folder / "ECG.csv", ["ECG"], [f"{v:.4f}" for v in wave])


def write_samsung(folder: Path, wave: np.ndarray) -> Path:
    rows = [f"{v:.4f},{UNIX_S + k / 100}" for k, v in enumerate(wave)]
    return write_lines(folder / "samsung.csv", ["PPG GREEN,time"], rows)


def write_everion(folder: Path, wave: np.ndarray) -> Path:
    rows = ["806132,2,6,1551454798,65.0;85.0"]
    return write_lines(folder / "everion.csv", ["count,streamType,tag,time,values"], rows)


# format -> writer of a log with 40 s at 100 Hz, kind of its wave, its channel, sign
WRITERS: dict[str, tuple[Callable, str, str, int]] = {
    "OpenSignals": (write_open_signals, "ecg", "A2", 1),
    "BioSPPy": (write_bio_sppy, "ecg", "ECG", 1),
    "Polar Sensor Logger": (write_polar, "ecg", "ecg [uV]", 1),
    "Shimmer": (write_shimmer, "ecg", "ECG_LL-RA_24BIT_CAL", 1),
    "Samsung watch": (write_samsung, "bvp", "PPG GREEN", -1),
    "Faros": (write_faros, "ecg", "ECG", 1),
}


def test_every_log_is_tested() -> None:
    assert LOGS.keys() == {*WRITERS, "Everion"}


@pytest.mark.parametrize("name", WRITERS)
def test_the_wave_is_read_with_the_rate_of_the_log(name, tmp_path) -> None:
    write, kind, channel, sign = WRITERS[name]
    wave = pulse(72, 100)
    path = write(tmp_path, wave)
    log = find_log(path)
    assert log is not None
    assert log.format == name
    read = signals_in(path)[kind]()
    assert read.rate_hz == pytest.approx(100, rel=1e-4)
    assert len(read) == 4000
    np.testing.assert_allclose(read.samples, sign * wave, atol=0.02)
    assert list(signals_in(path, channel=channel)) == [kind]
    assert channel in [c.name for c in log_contents(path).channels]


def test_units_and_axes_of_a_shimmer_are_those_of_their_kinds(tmp_path) -> None:
    found = signals_in(write_shimmer(tmp_path, pulse(72, 100)))
    assert list(found) == ["ecg", "eda", "acc"]  # a resistance is no EDA, a status is no ECG
    np.testing.assert_allclose(found["eda"]().samples, 2.5)
    np.testing.assert_allclose(found["acc"]().samples, 1.0)


def test_light_of_a_polar_sensor_is_turned_so_that_more_blood_is_up(tmp_path) -> None:
    wave = pulse(72, 50)
    head = "Phone timestamp;sensor timestamp [ns];channel 0;channel 1;channel 2;ambient"
    rows = [
        f"2022-04-25T11:39:36.029;{k * 2 * 10**7};{v:.4f};{2 * v:.4f};{v:.4f};-644;"
        for k, v in enumerate(wave)
    ]
    path = write_lines(tmp_path / "PPG.txt", [head], rows)
    np.testing.assert_allclose(signals_in(path)["bvp"]().samples, -wave, atol=1e-3)
    other = signals_in(path, channel="channel 1")["bvp"]()
    np.testing.assert_allclose(other.samples, -2 * wave, atol=1e-3)
    assert rate_of(other) == pytest.approx(72, abs=0.5)


def test_rows_that_a_counter_shows_as_lost_are_a_gap(tmp_path, caplog) -> None:
    wave = pulse(72, 100)
    path = write_open_signals(tmp_path, wave, lost=slice(1000, 1007))
    read = signals_in(path)["ecg"]()
    assert np.flatnonzero(np.isnan(read.samples)).tolist() == list(range(1000, 1007))
    np.testing.assert_allclose(read.samples[1007:], wave[1007:], atol=1e-3)
    assert "7 rows were lost, in 1 places" in caplog.text


def test_raw_counts_are_no_microsiemens(tmp_path) -> None:
    path = write_open_signals(tmp_path, pulse(72, 100))
    assert list(signals_in(path)) == ["ecg"]
    with pytest.raises(InputError, match=r"A3 is in 'counts', which cannot be converted to µS"):
        signals_in(path, channel="A3", kind="eda")["eda"]()


@pytest.mark.parametrize(
    ("write", "before", "after", "message"),
    [
        (write_open_signals, '"sampling rate": 100', '"sampling rate": 0', "want one sampling"),
        (write_open_signals, '"column"', '"columns"', "header of OpenSignals is damaged"),
        (write_bio_sppy, "100.00", "fast", "no sampling rate or no labels"),
        (write_polar, "sensor timestamp", "HR", "without a wave"),
        (write_shimmer, "Timestamp_Unix", "Time", "without the column Timestamp_Unix_CAL"),
        (write_everion, "", "", "is a table of an Everion: values that the device derived"),
    ],
)
def test_a_log_without_a_rate_or_a_wave_is_refused(write, before, after, message, tmp_path) -> None:
    path = write(tmp_path, pulse(72, 100))
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        signals_in(path)


def test_a_log_of_intervals_is_read_as_intervals(tmp_path) -> None:
    path = write_bio_sppy(tmp_path, pulse(72, 100))
    rows = "\n".join(["0.8"] * 30)
    head = path.read_text().replace("ECG\tResp", "RRI").split("\n# End")[0]
    path.write_text("\n".join([*(x for x in head.splitlines() if x.startswith("#")), rows]))
    assert list(signals_in(path)) == ["rr"]
    assert len(signals_in(path)["rr"]()) == 31


def test_a_rate_of_a_faros_that_is_no_number_is_refused(tmp_path) -> None:
    path = write_faros(tmp_path, pulse(72, 100))
    (tmp_path / "meta.json").write_text('{"sample_freqs": {"ECG": "fast"}}')
    with pytest.raises(InputError, match="want the rate of ECG in Hz, got 'fast'"):
        signals_in(path)


def test_logs_of_devices_are_read(real_data) -> None:
    devices = real_data / "devices"
    polar = signals_in(devices / "biobss_polar" / "Polar_Sense_PPG.txt")["bvp"]()
    assert polar.rate_hz == pytest.approx(54.75, abs=0.01)
    assert signals_in(devices / "pyhrv" / "SampleECG.txt")["ecg"]().rate_hz == 1000
    shimmer = signals_in(devices / "devicely" / "Shimmer_test_data" / "read_test_data.csv")
    assert list(shimmer) == ["eda", "temp", "acc"]
