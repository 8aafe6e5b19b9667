"""WFDB records: any file of a record is read, and no header leads out of its folder."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.datasets.folder import Folder
from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_files import signals_in
from emotion_rppg.formats.wfdb_records import wfdb_contents
from tests.formats.waves import pulse, rate_of

wfdb = pytest.importorskip("wfdb")
RATE_HZ = 125


def write_record(folder: Path, name: str = "rec", *, ending: str = "hea", bpm: float = 72) -> Path:
    """Write a record with a monitor's lead, a pulse and a breathing trace; return one file."""
    columns = [pulse(60, RATE_HZ), pulse(bpm, RATE_HZ), pulse(15, RATE_HZ)]
    wfdb.wrsamp(
        name,
        fs=RATE_HZ,
        units=["mV", "NU", "NU"],
        sig_name=["II", "PLETH", "RESP"],
        p_signal=np.column_stack(columns),
        fmt=["16"] * 3,
        write_dir=str(folder),
    )
    if ending == "mat":  # as PhysioNet's challenges store it: a MATLAB header of 24 bytes
        header, data = folder / f"{name}.hea", folder / f"{name}.dat"
        (folder / f"{name}.mat").write_bytes(b"\0" * 24 + data.read_bytes())
        data.unlink()
        text = header.read_text().replace(f"{name}.dat 16", f"{name}.mat 16+24")
        header.write_text(text)
    return folder / f"{name}.{ending}"


@pytest.mark.parametrize("ending", ["hea", "dat", "mat"])
def test_each_kind_has_its_channel_whichever_file_is_given(ending, tmp_path) -> None:
    path = write_record(tmp_path, ending=ending)
    found = signals_in(path)
    assert list(found) == ["bvp", "ecg", "resp"]
    for kind, bpm in (("bvp", 72), ("ecg", 60), ("resp", 15)):
        wave = found[kind]()
        assert (wave.kind, wave.rate_hz, wave.duration_s) == (kind, RATE_HZ, 40)
        assert rate_of(wave) == pytest.approx(bpm, abs=0.5)
    np.testing.assert_allclose(found["bvp"]().samples, pulse(72, RATE_HZ), atol=2e-3)
    assert list(signals_in(path, channel="pleth")) == ["bvp"]
    assert list(signals_in(path, channel="RESP", kind="bvp")) == ["bvp"]
    assert list(signals_in(path, kind="resp")) == ["resp"]


def test_a_folder_lists_a_record_once(tmp_path) -> None:
    write_record(tmp_path, "a")
    write_record(tmp_path, "b", ending="mat")
    assert [recording.subject for recording in Folder(tmp_path)] == ["a", "b"]


def test_samples_of_a_channel_that_is_faster_than_the_frame_have_its_rate(tmp_path) -> None:
    slow, fast = pulse(60, RATE_HZ), pulse(72, 2 * RATE_HZ)
    wfdb.wrsamp(
        "rec",
        fs=RATE_HZ,
        units=["mV", "NU"],
        sig_name=["II", "PLETH"],
        e_p_signal=[slow, fast],
        samps_per_frame=[1, 2],
        fmt=["16"] * 2,
        write_dir=str(tmp_path),
    )
    found = signals_in(tmp_path / "rec.hea")
    assert found["bvp"]().rate_hz == 2 * RATE_HZ
    assert rate_of(found["bvp"]()) == pytest.approx(72, abs=0.5)
    assert rate_of(found["ecg"]()) == pytest.approx(60, abs=0.5)


def test_the_segments_of_a_record_are_joined_with_the_gap_between_them(tmp_path) -> None:
    write_record(tmp_path, "s1")
    write_record(tmp_path, "s2")
    n = 40 * RATE_HZ
    (tmp_path / "rec.hea").write_text(f"rec/3 3 {RATE_HZ} {2 * n + 250}\ns1 {n}\n~ 250\ns2 {n}\n")
    (recording,) = Folder(tmp_path)
    wave = recording.read("bvp")
    assert len(wave) == 2 * n + 250
    assert np.isnan(wave.samples[n : n + 250]).all()
    assert wave.coverage == pytest.approx(2 * n / (2 * n + 250))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("rec 3 125 5000", "rec 3", "add the frequency"),
        ("rec 3 125 5000", "rec 3 0 5000", "a sampling frequency of 0 Hz"),
        ("rec 3 125 5000", "rec 9 125 5000", "announces 9 signals and describes 3"),
        ("rec 3 125 5000", "rec 0 125 0", "signal"),
        ("rec 3 125 5000", "rec 3 125 900000000000", "is cut off: 30000 of"),
        ("rec.dat", "../secret.dat", "outside of its folder and was not read"),
        ("rec.dat", "/etc/passwd", "outside of its folder and was not read"),
        ("rec.dat", "http://example.org", "outside of its folder and was not read"),
        ("rec.dat", "none.dat", "no file"),
        ("rec.dat 16", "rec.dat 16+99999999", "is cut off"),
        ("rec.dat 16", "rec.dat 16x2000000", "1 to 1000 samples"),
        ("rec 3 125 5000", "rec/2 3 125 10000\nrec 5000\n../b 5000\n#", "outside of its folder"),
    ],
)
def test_a_header_that_promises_too_much_is_refused(before, after, message, tmp_path) -> None:
    path = write_record(tmp_path)
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        [read() for read in signals_in(path).values()]


def test_samples_without_a_header_are_refused(tmp_path) -> None:
    path = write_record(tmp_path, ending="dat")
    (tmp_path / "rec.hea").unlink()
    with pytest.raises(InputError, match=r"no header rec\.hea beside it"):
        signals_in(path)


def test_a_missing_library_is_named_with_its_command(tmp_path, monkeypatch) -> None:
    path = write_record(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "wfdb", None)
    with pytest.raises(InputError, match=r"needs wfdb: pip install 'emotion-rppg\[files\]'"):
        signals_in(path)


def test_the_first_of_several_leads_is_the_ecg_of_a_real_record(real_data) -> None:
    path = real_data / "devices/physionet/100.hea"
    contents = wfdb_contents(path)
    assert [c.name for c in contents.channels] == ["MLII", "V5"]
    assert signals_in(path)["ecg"]().rate_hz == 360
