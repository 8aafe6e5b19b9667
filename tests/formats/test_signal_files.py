"""Signal files of every format: the planted heart rate is read from each."""

import gzip
import json
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg import extract, find_beats
from emotion_rppg.datasets.folder import Folder, recording_of
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import is_e4, read_session
from emotion_rppg.formats.rr_intervals import ENDINGS as RR_ENDINGS
from emotion_rppg.formats.signal_files import OPENERS, signals_in
from emotion_rppg.recordings import DatasetNotFound
from tests.formats.waves import pulse

START = 1_644_227_574


def write_csv(folder: Path, bpm: float) -> Path:
    wave = pulse(bpm, 50.0)
    lines = ["time_s,bvp", *(f"{k / 50:.3f},{v:.3f}" for k, v in enumerate(wave))]
    path = folder / "c.csv"
    path.write_text("\n".join(lines))
    return path


def write_text(folder: Path, bpm: float, ending: str, delimiter: str) -> Path:
    raw = write_csv(folder, bpm)
    text = raw.read_text().replace(",", delimiter)
    raw.unlink()
    path = folder / f"c{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode())
    return path


def write_excel(folder: Path, bpm: float) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["time_s", "bvp"])
    for k, v in enumerate(pulse(bpm, 50.0)):
        book.active.append([k / 50, float(v)])
    path = folder / "c.xlsx"
    book.save(path)
    return path


def write_e4(folder: Path, bpm: float) -> Path:
    place = folder / "E4"
    place.mkdir(parents=True, exist_ok=True)
    wave = "\n".join(f"{v:.2f}" for v in pulse(bpm, 64.0))
    (place / "BVP.csv").write_text(f"{START}.000000\n64.000000\n{wave}\n")
    (place / "HR.csv").write_text(f"{START + 10}.000000\n1.000000\n" + f"{bpm}\n" * 30)
    (place / "IBI.csv").write_text(f"{START}.000000, IBI\n3.0,0.75\n3.75,0.75\n9.0,0.8\n")
    (place / "tags.csv").write_text(f"{START + 20.5}\n")
    return place


def write_zip(folder: Path, bpm: float, inner: str = "") -> Path:
    place = write_e4(folder / "unzipped", bpm)
    path = folder / "session.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in place.iterdir():
            archive.write(file, inner + file.name)
    for file in place.iterdir():
        file.unlink()
    return path


def write_physio(folder: Path, bpm: float) -> Path:
    path = folder / "sub-01_task-rest_physio.tsv.gz"
    rows = "\n".join(f"{v:.3f}\t0" for v in pulse(bpm, 100.0))
    path.write_bytes(gzip.compress(rows.encode()))
    facts = {"SamplingFrequency": 100, "StartTime": -2.5, "Columns": ["cardiac", "trigger"]}
    (folder / "sub-01_task-rest_physio.json").write_text(json.dumps(facts))
    return path


def write_edf(folder: Path, bpm: float, ending: str = "edf") -> Path:
    pyedflib = pytest.importorskip("pyedflib")
    path = folder / f"night.{ending}"
    kind = pyedflib.FILETYPE_BDFPLUS if ending == "bdf" else pyedflib.FILETYPE_EDFPLUS
    writer = pyedflib.EdfWriter(str(path), 2, file_type=kind)
    top = {"dimension": "uV", "physical_max": 100, "physical_min": -100, "sample_frequency": 128}
    size = {"digital_max": 32767, "digital_min": -32768}
    writer.setSignalHeaders([{"label": n, **top, **size} for n in ("EEG Fpz", "Plethysmo")])
    wave = pulse(bpm, 128.0)
    writer.writeSamples([np.random.default_rng(0).normal(0, 20, len(wave)), wave])
    writer.close()
    return path


def write_bdf(folder: Path, bpm: float) -> Path:
    return write_edf(folder, bpm, "bdf")


def write_wfdb(folder: Path, bpm: float, ending: str) -> Path:
    from tests.formats.test_wfdb_records import write_record

    return write_record(folder, ending=ending, bpm=bpm)


def write_avro_file(folder: Path, bpm: float) -> Path:
    from tests.formats.test_embraceplus import write_avro

    return write_avro(folder, bpm)


def write_xdf_file(folder: Path, bpm: float) -> Path:
    from tests.formats.test_xdf import write_streams

    return write_streams(folder, bpm)


def write_acq_file(folder: Path, bpm: float) -> Path:
    from tests.formats.test_biopac import write_acq

    return write_acq(folder, bpm)


WRITERS = {
    ".csv": write_csv,
    ".tsv": partial(write_text, ending=".tsv", delimiter="\t"),
    ".txt": partial(write_text, ending=".txt", delimiter=" "),
    ".csv.gz": partial(write_text, ending=".csv.gz", delimiter=","),
    ".tsv.gz": partial(write_text, ending=".tsv.gz", delimiter="\t"),
    ".txt.gz": partial(write_text, ending=".txt.gz", delimiter=";"),
    ".xlsx": write_excel,
    "_physio.tsv.gz": write_physio,
    ".zip": write_zip,
    ".edf": write_edf,
    ".bdf": write_bdf,
    ".hea": partial(write_wfdb, ending="hea"),
    ".dat": partial(write_wfdb, ending="dat"),
    ".mat": partial(write_wfdb, ending="mat"),
    ".avro": write_avro_file,
    ".xdf": write_xdf_file,
    ".acq": write_acq_file,
    "": write_e4,
}


def test_every_format_is_tested() -> None:
    assert set(OPENERS) - {*RR_ENDINGS, ".npy"} | {""} == set(WRITERS)  # those: test_rr_intervals


@pytest.mark.parametrize("ending", WRITERS)
def test_the_planted_rate_is_found_in_the_planted_channel(ending, tmp_path) -> None:
    path = WRITERS[ending](tmp_path, 72.0)
    wave = signals_in(path)["bvp"]()
    assert wave.kind == "bvp"
    assert wave.duration_s == pytest.approx(40.0, abs=0.03)
    assert 60e3 / np.median(find_beats(wave).intervals_ms) == pytest.approx(72.0, abs=0.3)


@pytest.mark.parametrize("ending", [e for e in WRITERS if e])
def test_a_file_cut_anywhere_is_read_or_refused_with_its_name(ending, tmp_path) -> None:
    path = WRITERS[ending](tmp_path, 72.0)
    complete = path.read_bytes()
    for size in (0, 1, 100, 300, len(complete) // 2, len(complete) - 1):
        path.write_bytes(complete[:size])
        message = ""
        try:
            signals_in(path)["bvp"]()
        except InputError as error:
            message = str(error)
        assert not message or path.name.split(".")[0] in message


@pytest.mark.slow
def test_a_folder_of_all_formats_and_a_video_becomes_one_table(tmp_path) -> None:
    for ending, write in WRITERS.items():
        place = tmp_path / "study" / f"p{ending.replace('.', '')}"
        place.mkdir(parents=True)
        write(place, 60.0 + 5 * len(ending))
    (tmp_path / "study" / "notes.csv").write_text("name,age\nx,3\n")
    clip = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"
    (tmp_path / "study" / "face.mp4").write_bytes(clip.read_bytes())
    table = extract(tmp_path / "study", length_s=None)
    assert len(table) == len(WRITERS) + 1
    assert not table.duplicated(["dataset", "subject", "session", "trial"]).any()
    for ending in WRITERS:
        who = "01" if ending == "_physio.tsv.gz" else f"p{ending.replace('.', '')}"
        rows = table[table["subject"] == who]
        assert (rows["hr_bpm"] - 60 - 5 * len(ending)).abs().max() < 0.5, (ending, rows)


# ---- the E4 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", ["folder", "zip", "folder in a zip"])
def test_all_times_of_an_e4_count_from_its_pulse(wrapped, tmp_path) -> None:
    if wrapped == "folder":
        path = write_e4(tmp_path, 72.0)
    else:
        path = write_zip(tmp_path, 72.0, "A01/" if "in" in wrapped else "")
    assert is_e4(path)
    session = read_session(path)
    assert session.start_s == START
    assert session.tags_s == (20.5,)
    rate = session.signals["hr"]()
    assert (rate.start_s, rate.rate_hz, rate.kind) == (10.0, 1.0, "hr")
    assert session.beats.times_s.tolist() == [2.25, 3.0, 3.75, 8.2, 9.0]
    np.testing.assert_allclose(session.beats.intervals_ms, [750, 750, 800])


DAMAGES = {
    "IBI.csv": ("", "1644227574.0, IBI\n3.0,oops\n"),
    "tags.csv": ("yesterday\n",),
    "HR.csv": ("", "HR\n"),
}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in DAMAGES.items() for t in ts])
def test_a_damaged_file_beside_the_pulse_is_skipped_with_a_warning(
    name, text, tmp_path, caplog
) -> None:
    for who in ("01", "02"):
        write_e4(tmp_path / who, 72.0)
    (tmp_path / "01" / "E4" / name).write_text(text)
    table = extract(tmp_path, length_s=None)
    assert table["subject"].tolist() == ["01", "02"]
    assert table["hr_bpm"].tolist() == pytest.approx([72, 72], abs=0.3)
    assert table.attrs["failures"] == []
    assert name in caplog.text
    assert "read without it" in caplog.text


@pytest.mark.parametrize("text", ["", "1644227574.0\n64.0\n", "1644227574.0\n64.0\n1\nx\n", None])
def test_a_session_with_a_damaged_pulse_is_listed_as_a_failure(text, tmp_path) -> None:
    for who in ("01", "02"):
        write_e4(tmp_path / who, 72.0)
    damaged = tmp_path / "01" / "E4" / "BVP.csv"
    damaged.unlink() if text is None else damaged.write_text(text)
    table = extract(tmp_path, length_s=None)
    assert table["subject"].tolist() == ["02"]
    (failure,) = table.attrs["failures"]
    assert failure["recording"] == f"{tmp_path.name}/01/1/E4"
    assert "BVP.csv" in failure["reason"]


def test_a_broken_signal_file_among_good_ones_is_a_failure(tmp_path) -> None:
    write_csv(tmp_path, 60.0)
    (tmp_path / "night.edf").write_bytes(b"0" * 300)
    (tmp_path / "sub-1_task-x_physio.tsv.gz").write_bytes(b"no JSON")
    (tmp_path / "readme.txt").write_text("Measured in May.\n")
    table = extract(tmp_path, length_s=None)
    assert table["subject"].tolist() == ["c"]
    reasons = "\n".join(f["reason"] for f in table.attrs["failures"])
    assert len(table.attrs["failures"]) == 2
    assert "night.edf" in reasons
    assert "sub-1_task-x_physio" in reasons


def test_text_named_as_a_workbook_is_read_and_a_damaged_workbook_refused(tmp_path) -> None:
    path = tmp_path / "c.xlsx"
    path.write_text(write_csv(tmp_path, 72.0).read_text())
    assert signals_in(path)["bvp"]().duration_s == pytest.approx(40.0, abs=0.03)
    path.write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(InputError, match=r"c\.xlsx"):
        signals_in(path)


@pytest.mark.parametrize("name", ["ppg_ear", "PPG_EAR"])
def test_a_column_is_chosen_by_its_name(name, tmp_path) -> None:
    waves = zip(pulse(60, 50.0), pulse(90, 50.0), strict=True)
    rows = "\n".join(f"{k / 50:.2f},{a:.3f},{b:.3f}" for k, (a, b) in enumerate(waves))
    path = tmp_path / "two.csv"
    path.write_text("time_s,ppg_finger,ppg_ear\n" + rows)
    with pytest.raises(InputError, match="--channel NAME"):
        signals_in(path)
    wave = signals_in(path, channel=name)["bvp"]()
    assert 60e3 / np.median(find_beats(wave).intervals_ms) == pytest.approx(90, abs=0.5)
    table = extract(path, length_s=None, channel="ppg_finger")
    assert table["hr_bpm"][0] == pytest.approx(60, abs=0.5)
    with pytest.raises(InputError, match="it has: ppg_finger, ppg_ear"):
        signals_in(path, channel="ppg")


def test_folders_and_zips_without_a_session_are_refused(tmp_path) -> None:
    assert not is_e4(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04nonsense")
    assert not is_e4(tmp_path / "a.zip")
    with pytest.raises(InputError, match=r"a\.zip"):
        read_session(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x.txt", "x")
    with pytest.raises(InputError, match=r"no BVP\.csv"):
        read_session(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("../BVP.csv", f"{START}.0\n64.0\n1\n2\n")
    with pytest.raises(InputError, match="outside"):
        read_session(tmp_path / "c.zip")


@pytest.mark.slow
def test_the_wristbands_own_beats_agree_with_its_pulse(real_data) -> None:
    path = real_data / "stress_predict" / "Raw_data" / "S02"
    session = read_session(path)
    wave = session.signals["bvp"]()
    device = session.beats
    ours = find_beats(wave)

    def off_by(shift_s: float) -> float:
        at = device.interval_times_s + shift_s
        read = np.interp(at, ours.interval_times_s, ours.intervals_ms)
        return float(np.median(np.abs(read - device.intervals_ms)))

    shifts = np.arange(-5.0, 5.1, 0.5)
    errors = [off_by(shift) for shift in shifts]
    assert abs(shifts[int(np.argmin(errors))]) <= 1.0, errors
    assert min(errors) < 0.7 * np.median(errors)
    assert all(0 < tag < wave.duration_s for tag in session.tags_s)


def test_an_e4_folder_and_its_parent_can_both_be_given(tmp_path) -> None:
    write_e4(tmp_path / "anna", 72.0)
    assert [r.name for r in Folder(tmp_path)] == [f"{tmp_path.name}/anna/1/E4"]
    assert [r.name for r in Folder(tmp_path / "anna" / "E4")] == ["anna/E4/1/1"]
    assert recording_of(tmp_path / "anna" / "E4").read("bvp").rate_hz == 64.0


def test_a_manifest_may_name_files_of_any_format(tmp_path) -> None:
    write_e4(tmp_path, 72.0)
    (tmp_path / "manifest.csv").write_text(
        "subject,trial,signal,start_s,end_s\n1,calm,E4,5,20\n1,late,E4,20,40\n"
    )
    calm, late = Folder(tmp_path)
    assert calm.read("bvp").duration_s == pytest.approx(15.0)
    assert (late.read("bvp").start_s, late.read("bvp").duration_s) == (0.0, pytest.approx(20.0))


def test_skipped_files_are_named_in_the_log(tmp_path, caplog) -> None:
    write_csv(tmp_path, 60.0)
    (tmp_path / "notes.csv").write_text("name,age\nx,3\n")
    (tmp_path / "table.csv").write_text("dataset,subject\nx,3\n")
    assert len(Folder(tmp_path)) == 1
    assert "1 files skipped" in caplog.text
    assert "notes.csv" in caplog.text
    (tmp_path / "c.csv").unlink()
    with pytest.raises(DatasetNotFound, match=r"notes\.csv"):
        Folder(tmp_path)


MANIFEST = """subject,trial,signal,start_s,end_s,label_arousal,label_mood,arousal,age
1,calm,c.csv,NA,"12,5","6,5",none,3,30
2,calm,c.csv,–,,n/a,NA,4,
"""


def test_a_manifests_missing_values_and_decimal_commas_are_read_and_other_columns_named(
    tmp_path, caplog
) -> None:
    write_csv(tmp_path, 60.0)
    (tmp_path / "manifest.json").write_text('{"scales": {"arousal": [1, 9]}}')
    for text in (MANIFEST, MANIFEST.replace('"', "").replace(",", ";").replace("2;5", "2,5")):
        caplog.clear()
        (tmp_path / "manifest.csv").write_text(text.replace("6;5", "6,5"))
        first, second = Folder(tmp_path)
        assert first.labels == {"arousal": 6.5, "mood": "none"}
        assert first.read("bvp").duration_s == pytest.approx(12.5)
        assert second.labels == {}
        assert second.read("bvp").duration_s == pytest.approx(40.0, abs=0.03)
        assert "manifest.csv: columns that are not read: arousal, age; " in caplog.text
        assert "label_NAME" in caplog.text


def test_a_json_beside_a_csv_gives_it_a_clock_and_names(tmp_path) -> None:
    wave = pulse(72.0, 100.0)
    (tmp_path / "named.csv").write_text("ECG,PPG\n" + "\n".join(f"0,{v:.3f}" for v in wave))
    (tmp_path / "bare.csv").write_text("\n".join(f"7,{v:.3f}" for v in wave))
    with pytest.raises(InputError, match=r"a named\.json with"):
        signals_in(tmp_path / "named.csv")
    (tmp_path / "named.json").write_text('{"SamplingFrequency": 100}')
    facts = {"SamplingFrequency": 100.0, "StartTime": 2, "Columns": ["counter", "ppg"]}
    (tmp_path / "bare.json").write_text(json.dumps(facts))
    for name, start_s in (("named", 0.0), ("bare", 2.0)):
        read = signals_in(tmp_path / f"{name}.csv")["bvp"]()
        assert (read.rate_hz, read.start_s, len(read)) == (100.0, start_s, len(wave))
        np.testing.assert_allclose(read.samples, wave, atol=1e-3)
    (tmp_path / "bare.json").write_text('{"SamplingFrequency": -1}')
    with pytest.raises(InputError, match=r"bare\.json: want SamplingFrequency in Hz"):
        signals_in(tmp_path / "bare.csv")


@pytest.mark.slow
def test_column_names_of_other_tools_are_recognised(real_data) -> None:
    path = real_data / "contact" / "bidmc" / "bidmc_01_Signals.csv"
    found = signals_in(path)
    assert set(found) == {"bvp", "ecg", "resp"}
    waves = [found[kind]() for kind in ("bvp", "ecg")]
    assert [len(wave) for wave in waves] == [60_001, 60_001]
    assert [wave.rate_hz for wave in waves] == pytest.approx([125, 125], rel=1e-5)
    rates = [60e3 / np.median(find_beats(wave).intervals_ms) for wave in waves]
    assert rates[0] == pytest.approx(rates[1], abs=1.0)
