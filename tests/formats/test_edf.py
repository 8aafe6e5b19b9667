"""EDF: the wave is read and not its trend, whatever names and interruptions the header has."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.datasets.folder import recording_of
from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_files import signals_in

RATE_HZ, RECORD_S = 64, 1


def pulse(bpm: float, rate_hz: float, seconds: int = 40) -> np.ndarray:
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return 30 * np.sin(2 * np.pi * bpm / 60 * t) + 8 * np.sin(4 * np.pi * bpm / 60 * t)


def written(
    path: Path,
    channels: dict[str, np.ndarray],
    *,
    patient: bytes = b"X X X X",
    onsets: np.ndarray | None = None,
    records: int | None = None,
) -> Path:
    """Write an EDF file with records of one second; with ``onsets`` an interrupted EDF+D."""
    sizes = {label: len(v) // 40 for label, v in channels.items()}
    count = 40
    labels = list(channels) + (["EDF Annotations"] if onsets is not None else [])
    n = len(labels)

    def field(width: int, *values: object) -> bytes:
        return b"".join(str(v).encode("latin1").ljust(width)[:width] for v in values)

    lows = [np.floor(v.min()) for v in channels.values()]
    highs = [np.ceil(v.max()) + 1 for v in channels.values()]
    more = [-1, 1] if onsets is not None else []
    head = b"0".ljust(8) + patient.ljust(80) + b"Startdate X".ljust(80) + b"01.01.2000.00.00"
    head += field(8, 256 * (n + 1)) + field(44, "EDF+D" if onsets is not None else "")
    head += field(8, count if records is None else records) + field(8, RECORD_S) + field(4, n)
    head += field(16, *labels) + b" " * 80 * n + field(8, *["uV"] * n)
    head += field(8, *lows, *more[:1]) + field(8, *highs, *more[1:])
    head += field(8, *[-32768] * n) + field(8, *[32767] * n) + b" " * 80 * n
    head += field(8, *sizes.values(), *([20] if more else [])) + b" " * 32 * n
    rows = []
    for k in range(count):
        for (label, wave), low, high in zip(channels.items(), lows, highs, strict=True):
            part = wave[k * sizes[label] : (k + 1) * sizes[label]]
            digital = (part - low) / (high - low) * 65535 - 32768
            rows.append(np.round(digital).astype("<i2").tobytes())
        if onsets is not None:
            rows.append(f"+{onsets[k]:g}\x14\x14".encode().ljust(40, b"\0"))
    path.write_bytes(head.ljust(256 * (n + 1)) + b"".join(rows))
    return path


def rate_of(wave) -> float:
    """Return the strongest frequency (per minute), which identifies the channel."""
    samples = np.pad(wave.samples - wave.samples.mean(), (0, 9 * len(wave)))
    return 60 * wave.rate_hz / len(samples) * float(np.abs(np.fft.rfft(samples)).argmax())


def test_a_trend_of_the_pulse_is_not_read_as_its_wave(tmp_path) -> None:
    trend = np.full(40, 72.0) + np.arange(40) % 2
    for name in ("PulseRate", "Pulse", "PPG"):
        path = written(tmp_path / "n.edf", {name: trend, "Pleth": pulse(80, RATE_HZ)})
        assert rate_of(signals_in(path)["bvp"]()) == pytest.approx(80, abs=0.5)
    path = written(tmp_path / "n.edf", {"Pulse": trend})
    with pytest.raises(InputError, match=r"channels: Pulse \(1 Hz\): choose one with --channel"):
        signals_in(path)
    with pytest.raises(InputError, match="1 samples per second: too few"):
        signals_in(path, channel="Pulse")


def test_of_several_channels_the_first_is_read_with_a_warning_or_the_requested_one(
    tmp_path, caplog
) -> None:
    waves = {"ECG I": pulse(60, 128), "ECG II": pulse(90, 128), "Fz": pulse(100, 128)}
    path = written(tmp_path / "n.edf", waves)
    assert rate_of(signals_in(path)["ecg"]()) == pytest.approx(60, abs=0.5)
    assert "ECG I, ECG II: ECG I is read; choose another with --channel" in caplog.text
    for name in ("ECG II", "ecg ii"):
        assert rate_of(signals_in(path, channel=name)["ecg"]()) == pytest.approx(90, abs=0.5)
    assert rate_of(recording_of(path, channel="ECG II").read("ecg")) == pytest.approx(90, abs=0.5)
    with pytest.raises(InputError, match="no channel 'ECG V'; it has: ECG I, ECG II, Fz"):
        signals_in(path, channel="ECG V")
    with pytest.raises(InputError, match="'Fz' does not show what it is: add --source"):
        signals_in(path, channel="Fz")
    assert rate_of(signals_in(path, channel="Fz", kind="bvp")["bvp"]()) == pytest.approx(
        100, abs=0.5
    )


def test_an_interrupted_recording_has_a_gap_at_the_interruption(tmp_path) -> None:
    onsets = np.r_[0:20, 31:51]  # eleven seconds are missing
    wave = pulse(72, RATE_HZ)
    path = written(tmp_path / "n.edf", {"Pleth": wave}, onsets=onsets)
    read = signals_in(path)["bvp"]()
    assert read.duration_s == 51
    assert np.isnan(read.samples[20 * RATE_HZ : 31 * RATE_HZ]).all()
    assert read.coverage == pytest.approx(40 / 51)
    np.testing.assert_allclose(read.samples[: 20 * RATE_HZ], wave[: 20 * RATE_HZ], atol=2e-3)
    np.testing.assert_allclose(read.samples[31 * RATE_HZ :], wave[20 * RATE_HZ :], atol=2e-3)


def test_any_characters_of_the_patient_and_an_unfinished_count_change_nothing(tmp_path) -> None:
    for patient, records in (("X F 01-JAN-1990 Zoë_Łuk".encode(), None), (b"X", -1)):
        path = written(
            tmp_path / "n.edf", {"Pleth": pulse(72, RATE_HZ)}, patient=patient, records=records
        )
        read = signals_in(path)["bvp"]()
        assert read.duration_s == 40
        assert rate_of(read) == pytest.approx(72, abs=0.5)


def test_a_cut_off_file_and_decreasing_onsets_are_refused(tmp_path) -> None:
    path = written(tmp_path / "n.edf", {"Pleth": pulse(72, RATE_HZ)}, records=60)
    with pytest.raises(InputError, match="cut off: 40 of 60 records are present"):
        signals_in(path)["bvp"]()
    backwards = np.r_[5:25, 0:20]
    path = written(tmp_path / "n.edf", {"Pleth": pulse(72, RATE_HZ)}, onsets=backwards)
    with pytest.raises(InputError, match="onsets of its records do not increase"):
        signals_in(path)["bvp"]()


def annotated(path: Path, notes: dict[int, bytes], onsets: np.ndarray) -> Path:
    """Write an EDF+D file whose records have further annotations."""
    written(path, {"ECG": pulse(60, 128)}, onsets=onsets)
    content = bytearray(path.read_bytes())
    for record, note in notes.items():
        row = content.index(f"+{onsets[record]:g}\x14\x14".encode())
        first = f"+{onsets[record]:g}\x14\x14\0".encode()
        content[row : row + 40] = (first + note).ljust(40, b"\0")
    path.write_bytes(content)
    return path


def test_annotations_are_events_on_the_clock_of_the_samples(tmp_path) -> None:
    """Onsets count from the first record, whatever is missing between records."""
    onsets = 5.0 + np.arange(40) + 30.0 * (np.arange(40) >= 20)
    notes = {3: b"+9.5\x152.5\x14film\x14\0", 25: "+60.25\x14Höhe\x14\0".encode()}
    events = recording_of(annotated(tmp_path / "a.edf", notes, onsets)).read_events()
    assert [(e.onset_s, e.name, e.duration_s) for e in events] == [
        (4.5, "film", 2.5),
        (55.25, "Höhe", 0.0),
    ]


def test_an_edf_file_without_annotations_has_no_event(tmp_path) -> None:
    path = written(tmp_path / "a.edf", {"ECG": pulse(60, 128)})
    assert recording_of(path).read_events() == ()
