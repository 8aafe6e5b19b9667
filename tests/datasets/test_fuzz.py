"""Damaged files: a parser reads any input or raises InputError; it never crashes.

`tests/fuzzing.py` says how files are damaged, and how many.
"""

import json
import pickle
import re
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_rppg.datasets import DATASETS
from emotion_rppg.datasets.base import frame_times_s, read_columns, signal_from_times
from emotion_rppg.datasets.emognition import Emognition
from emotion_rppg.datasets.folder import VIDEOS, Folder
from emotion_rppg.datasets.kemocon import PEOPLE, RATERS, KEmoCon
from emotion_rppg.datasets.pure import Pure
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, extraction_of, with_extraction
from emotion_rppg.features.beats.edits import Edit
from emotion_rppg.formats.bids import read_physio
from emotion_rppg.formats.bids_tables import read_participants
from emotion_rppg.formats.empatica import is_e4, read_e4, read_session
from emotion_rppg.formats.event_tables import read_event_table
from emotion_rppg.formats.face_trackers import read_frames
from emotion_rppg.formats.file_contents import file_contents
from emotion_rppg.formats.image_frames import decode_image
from emotion_rppg.formats.rr_intervals import read_intervals
from emotion_rppg.formats.safe_io import (
    load_hdf5,
    load_json,
    load_mat,
    load_pickle,
    load_xml,
    open_zip,
    read_edf,
)
from emotion_rppg.formats.signal_csv import kinds_in, read_signal
from emotion_rppg.formats.text_tables import load_numbers, load_rows, whole_number
from emotion_rppg.runtime.tables import read_table, write_table
from emotion_rppg.signals import Signal
from emotion_rppg.study.beats_file import (
    BeatsFile,
    WaveEdits,
    WaveIdentity,
    read_beats_file,
    write_beats_file,
)
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import TRUTH
from tests.formats.test_biopac import write_acq
from tests.formats.test_device_logs import (
    write_bio_sppy,
    write_open_signals,
    write_polar,
    write_samsung,
    write_shimmer,
)
from tests.formats.test_embraceplus import write_avro
from tests.formats.test_finger_trace import write_trace
from tests.formats.test_wfdb_records import write_record
from tests.formats.test_xdf import write_streams
from tests.fuzzing import damages, fuzzed, survives

PICTURES = (".png", ".bmp", ".jpg", ".jpeg", ".raw", *VIDEOS)


# ---- parsers of one file ---------------------------------------------------------------------

TABLE = b"Participant,Time(sec),Label\n" + b"".join(
    b"%d,%d,%d\n" % (k // 5, k, k % 2) for k in range(20)
)
WAVE = b"time_s,bvp,quality\n" + b"".join(
    b"%.2f,%.3f,1\n" % (k / 50, np.sin(k / 8)) for k in range(60)
)
E4 = b"1495437325.00\n64.000000\n" + b"".join(b"%.2f\n" % np.sin(k / 9) for k in range(80))
IBI = b"1495437325.00, IBI\n1.5,0.8\n2.3,0.8\n4.1,0.9\n"
HEADER = b"subject,session,trial,signal,start_s,end_s,label_arousal\n"
MANIFEST = HEADER + b"1,1,a,a.csv,0,1,5\n2,1,a,b.csv,,,3\n"
FACTS = b'{"dataset": "mine", "scales": {"arousal": [1, 9]}}'
SIDECAR = b'{"SamplingFrequency": 50, "StartTime": 0.5, "Columns": ["cardiac", "trigger"]}'
XML = b'<session sessionId="2"><subject id="1"/><track color="1" filename="a.avi"/></session>'


def _pickle() -> bytes:
    content = {
        "signal": {"BVP": np.sin(np.arange(50.0))[:, None]},
        "label": np.arange(9),
        "s": "S2",
    }
    return pickle.dumps(content, protocol=2)


def _mat(*, packed: bool) -> bytes:
    from io import BytesIO

    from scipy.io import savemat

    file = BytesIO()
    cells = np.empty(2, object)
    cells[:] = [np.eye(3), np.arange(4.0)]
    content = {"data": cells, "rate": 256.0, "s": {"a": 1.0, "b": "word"}}
    savemat(file, content, do_compression=packed)
    return file.getvalue()


def _hdf5(folder: Path) -> bytes:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "x.hdf5", "w") as file:
        file["pulse"] = np.sin(np.arange(99.0))
        file.create_group("g")["time"] = np.arange(99) / 30
    return (folder / "x.hdf5").read_bytes()


def _edf(folder: Path) -> bytes:
    pyedflib = pytest.importorskip("pyedflib")
    path = folder / "x.bdf"
    with pyedflib.EdfWriter(str(path), 1, file_type=pyedflib.FILETYPE_BDF) as file:
        header = {"label": "EXG1", "dimension": "uV", "sample_frequency": 32}
        header |= {"physical_max": 4, "physical_min": -4, "digital_max": 8388607}
        file.setSignalHeader(
            0, header | {"digital_min": -8388608, "prefilter": "", "transducer": ""}
        )
        file.writeSamples([np.sin(np.arange(96.0))])
    return path.read_bytes()


def _zip(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BVP.csv", E4)
        archive.writestr("IBI.csv", IBI)
    return (folder / "x.zip").read_bytes()


def _gz(folder: Path) -> bytes:
    import gzip

    rows = b"".join(b"%.3f\t%d\n" % (np.sin(k / 8), k % 2) for k in range(60))
    (folder / "p_physio.json").write_bytes(SIDECAR)
    return gzip.compress(rows)


def _session(path: Path) -> object:
    session = read_session(path)
    return is_e4(path), [read() for read in session.signals.values()]


def _zipped(path: Path) -> object:
    with open_zip(path) as archive:
        return [archive.read(name) for name in archive.names]


def _study(path: Path) -> object:
    return [r.read_pulse(kind) for r in Folder(path.parent) for kind in r.signals]


def _container(write: Callable[..., Path]) -> Callable[[Path], bytes]:
    """Return a function that writes a recorder's file with a test's writer."""
    return lambda folder: write(folder).read_bytes()


def _record(ending: str) -> Callable[[Path], bytes]:
    """Return a function that writes a WFDB record, of which one file is damaged."""
    return lambda folder: write_record(folder, ending=ending).read_bytes()


def _log(write: Callable[..., Path]) -> Callable[[Path], bytes]:
    return lambda folder: write(folder, np.sin(np.arange(300) / 9)).read_bytes()


def _all_signals(path: Path) -> object:
    """Read every channel of a file, as `inspect` does."""
    contents, _ = file_contents(path)
    return [contents.read(channel.name) for channel in contents.channels]


BESIDE = {
    "a.csv": WAVE,
    "b.csv": WAVE,
    "BVP.csv": E4,
    "HR.csv": E4,
    "IBI.csv": IBI,
    "tags.csv": b"1495437330\n",
}


def _corrected(folder: Path) -> bytes:
    """Return a file of corrected beats with two edits."""
    edits = (Edit("delete", 0.8, who="AB", why="x"), Edit("noise", 2.0, 3.5, who="AB"))
    wave = WaveEdits(WaveIdentity("bvp"), 32.0, 320, np.array([0.0, 0.8, 1.6]), edits)
    content = BeatsFile({"file": "x.csv", "bytes": 3}, (wave,))
    return write_beats_file(folder / "made.json", content).read_bytes()


def _xlsx(folder: Path) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for line in WAVE.decode().splitlines():
        book.active.append([float(c) if c[0] in "-0123456789" else c for c in line.split(",")])
    book.save(folder / "x.xlsx")
    return (folder / "x.xlsx").read_bytes()


def _wave_gz(folder: Path) -> bytes:
    import gzip

    return gzip.compress(WAVE)


def _npy(folder: Path) -> bytes:
    np.save(folder / "made.npy", RR)
    return (folder / "made.npy").read_bytes()


def _annotations(folder: Path) -> bytes:
    """Write the annotations of ten beats; the header with their rate is beside."""
    wfdb = pytest.importorskip("wfdb")
    write_record(folder)
    samples = np.cumsum(np.full(10, 200))
    wfdb.wrann("rec", "atr", samples, ["N"] * 9 + ["V"], fs=250, write_dir=str(folder))
    return (folder / "rec.atr").read_bytes()


def _parquet(folder: Path) -> bytes:
    import pandas as pd

    table = pd.DataFrame({"subject": ["1", "2"] * 5, "start_s": 0.0, "duration_s": 60.0})
    write_table(with_extraction(table, Extraction()), folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


def _extraction(folder: Path) -> bytes:
    (folder / "t.csv").write_bytes(FEATURES)
    return json.dumps({"written_by": "emotion_rppg", "extraction": Extraction().to_dict()}).encode()


def _png(folder: Path) -> bytes:
    import cv2

    image = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".png", image)[1])


RR = 800 + 40 * np.sin(np.arange(60.0))
RR_LINES = b"".join(b"%.0f\n" % value for value in RR)
RR_ROWS = b"time,rr,quality\n" + b"".join(
    b"%.3f,%.0f,1\n" % row for row in zip(np.cumsum(RR) / 1e3, RR, strict=True)
)
FACE = b"frame, timestamp, confidence, success, AU01_r, pose_Rx\n" + b"".join(
    b"%d, %.3f, 0.98, 1, %.2f, 0.1\n" % (k, k / 30, k % 5) for k in range(60)
)
FEATURES = b"subject,start_s,duration_s,hr_bpm,label_arousal,seq_ibi_ms,reason\n" + b"".join(
    b"%d,%d,60,%.1f,%d,800 810 790,ok\n" % (k // 4, 30 * k, 60 + k, k % 9) for k in range(20)
)

# format -> name of the file, its valid content, function that reads it
PARSERS: dict[str, tuple[str, bytes | Callable, Callable[[Path], object]]] = {
    "rows": ("t.csv", TABLE, lambda p: load_rows(p, ("Participant", "Label"))),
    "numbers": ("t.txt", b"1 2 3\n4 5 6\n7.5 8 9\n", load_numbers),
    "columns": ("t.csv", TABLE, lambda p: read_columns(p, ("Participant", "Label"))),
    "csv": ("s.csv", WAVE, lambda p: [read_signal(p, kind) for kind in kinds_in(p)]),
    "e4": ("BVP.csv", E4, read_e4),
    "e4 session": ("IBI.csv", IBI, lambda p: _session(p.parent)),
    "e4 tags": ("tags.csv", b"1495437330.5\n1495437350\n", lambda p: _session(p.parent)),
    "e4 zip": ("x.zip", _zip, _session),
    "bids": ("p_physio.tsv.gz", _gz, read_physio),
    "participants": (
        "participants.tsv",
        b"participant_id\tage\tsex\nsub-01\t30\tF\n",
        read_participants,
    ),
    "events": ("p_events.tsv", b"onset\tduration\ttrial_type\n1.5\t2\tface\n", read_event_table),
    "manifest": ("manifest.csv", MANIFEST, _study),
    "pickle": ("x.pkl", lambda folder: _pickle(), load_pickle),
    "json": ("x.json", FACTS, load_json),
    "xml": ("x.xml", XML, load_xml),
    "mat": ("x.mat", lambda folder: _mat(packed=True), load_mat),
    "mat plain": ("x.mat", lambda folder: _mat(packed=False), load_mat),
    "hdf5": ("x.hdf5", _hdf5, load_hdf5),
    "edf": ("x.bdf", _edf, read_edf),
    "zip": ("x.zip", _zip, _zipped),
    "wfdb header": ("rec.hea", _record("hea"), _all_signals),
    "wfdb samples": ("rec.dat", _record("dat"), _all_signals),
    "avro": ("x.avro", _container(write_avro), _all_signals),
    "xdf": ("x.xdf", _container(write_streams), _all_signals),
    "acq": ("x.acq", _container(write_acq), _all_signals),
    "acq packed": ("x.acq", _container(partial(write_acq, packed=True)), _all_signals),
    "opensignals": ("x.txt", _log(write_open_signals), _all_signals),
    "biosppy": ("x.txt", _log(write_bio_sppy), _all_signals),
    "polar": ("x.txt", _log(write_polar), _all_signals),
    "shimmer": ("x.csv", _log(write_shimmer), _all_signals),
    "samsung": ("x.csv", _log(write_samsung), _all_signals),
    "finger": ("x.csv", _container(partial(write_trace, with_pulse="G")), _all_signals),
    "excel": ("x.xlsx", _xlsx, lambda p: [read_signal(p, kind) for kind in kinds_in(p)]),
    "csv packed": ("s.csv.gz", _wave_gz, _all_signals),
    "intervals": ("a_rr.txt", RR_LINES, read_intervals),
    "interval table": ("a_rr.csv", RR_ROWS, read_intervals),
    "interval array": ("a_rr.npy", _npy, read_intervals),
    "wfdb annotations": ("rec.atr", _annotations, read_intervals),
    "openface": ("face.csv", FACE, lambda p: read_frames(p, rate_hz=None)),
    "feature table": ("t.csv", FEATURES, lambda p: extraction_of(read_table(p))),
    "extraction": ("t.extraction.json", _extraction, lambda p: read_table(p.parent / "t.csv")),
    "parquet": ("t.parquet", _parquet, lambda p: extraction_of(read_table(p))),
    "picture": ("x.png", _png, lambda p: decode_image(p.read_bytes(), p.name)),
    "corrected beats": ("x.csv.beats.json", _corrected, read_beats_file),
}


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_reads_or_refuses_any_bytes(name, tmp_path) -> None:
    file, content, read = PARSERS[name]
    for other, text in BESIDE.items():
        (tmp_path / other).write_bytes(text)
    raw = content if isinstance(content, bytes) else content(tmp_path)
    path = tmp_path / file
    path.write_bytes(raw)
    read(path)

    @fuzzed(20)
    @given(damage=damages())
    def any_input(damage) -> None:
        path.write_bytes(damage(raw))
        survives(lambda: read(path))

    any_input()


@pytest.mark.parametrize("name", DATASETS)
def test_a_reader_lists_and_reads_or_refuses_any_bytes(name, fakes) -> None:
    root = fakes[name]
    paths = [
        path
        for path in sorted(root.rglob("*.*"))
        if path.is_file() and path.suffix.lower() not in PICTURES and path.name != TRUTH
    ]
    reader = DATASETS[name]

    def read(which: int) -> None:
        """List the recordings, and read the signals of one."""
        found = list(reader(root))
        recording = found[which % len(found)]
        for kind in recording.signals:
            recording.read_pulse(kind)

    @fuzzed(5)  # reading a data set is slow
    @given(path=st.sampled_from(paths), damage=damages(), which=st.integers(0, 40))
    def any_input(path, damage, which) -> None:
        raw = path.read_bytes()
        path.write_bytes(damage(raw))
        try:
            survives(lambda: read(which))
        finally:
            path.write_bytes(raw)

    any_input()


# ---- faults it has found ---------------------------------------------------------------------


def test_a_physio_file_whose_compressed_block_is_damaged_is_refused(tmp_path) -> None:
    raw = _gz(tmp_path)
    path = tmp_path / "p_physio.tsv.gz"
    path.write_bytes(raw[:12] + b"\xff" * 30 + raw[42:])
    with pytest.raises(InputError, match=r"p_physio\.tsv\.gz cannot be read"):
        read_physio(path)


@pytest.mark.parametrize("row", ["nan,0.8", "2.3,inf", "inf,inf"])
def test_intervals_of_a_wristband_that_are_not_finite_are_skipped_with_a_warning(
    tmp_path, row, caplog
) -> None:
    (tmp_path / "BVP.csv").write_bytes(E4)
    (tmp_path / "IBI.csv").write_text(f"1495437325.00, IBI\n1.5,0.8\n{row}\n")
    session = read_session(tmp_path)
    assert session.beats is None
    assert list(session.signals) == ["bvp"]
    assert "IBI.csv: want two columns" in caplog.text


@pytest.mark.parametrize("last_s", ["3e-320", "5"])
def test_a_clock_with_vanishing_steps_is_refused(tmp_path, last_s) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f"time_s,bvp\n0,1\n1e-320,2\n2e-320,3\n{last_s},4\n")
    with pytest.raises(InputError, match=r"s\.csv: time_s increases by .* too fast"):
        read_signal(path)


@pytest.mark.parametrize("times", [[0.0, 1e-320, 2e-320], [0.0, 0.1, 0.2, 0.3, 1e12]])
def test_times_with_vanishing_steps_or_a_huge_gap_are_refused(times) -> None:
    with pytest.raises(InputError, match="no clock of a pulse"):
        Signal.from_times(times, times)


def test_a_person_of_thirty_digits_is_refused() -> None:
    with pytest.raises(InputError, match="not a whole number"):
        whole_number("9" * 30, "ratings.csv, line 2", "Participant_id")


def test_people_and_seconds_of_k_emocon_that_are_not_finite_are_refused(tmp_path) -> None:
    fake = FAKES["k-emocon"](tmp_path / "k")
    rating, people = fake / RATERS[""].format(1), fake / PEOPLE
    rating.write_text("seconds,arousal,valence\n5,1,2\nnan,1,2\n")
    with pytest.raises(InputError, match="seconds are not 5, 10"):
        next(iter(KEmoCon(fake))).read("arousal")
    rating.write_text("seconds,arousal,valence\n5,1,2\ninf,1,2\n")
    with pytest.raises(InputError, match="seconds are not 5, 10"):
        next(iter(KEmoCon(fake))).read("arousal")
    people.write_text(people.read_text().replace("\n1,", "\n1e40,"))
    with pytest.raises(InputError, match="pid is not the number of a person"):
        KEmoCon(fake)


@pytest.mark.parametrize("times", [[0.0], [1.0, 1.0], [0.0, 1e-320, 2e-320], [0.0, np.inf, np.inf]])
def test_times_that_do_not_increase_are_refused(times) -> None:
    with pytest.raises(InputError, match="times of bvp do not increase"):
        signal_from_times(Path("x.csv"), np.array(times), np.zeros(len(times)), "bvp", rate_hz=64)


def test_an_infinite_timestamp_of_pure_is_refused(tmp_path) -> None:
    fake = FAKES["pure"](tmp_path / "pure")
    for path in fake.rglob("*.json"):
        path.write_text(
            path.read_text().replace('"Timestamp": 1392', '"Timestamp": 1e999, "x": 1', 1)
        )
    with pytest.raises(InputError, match="not laid out as PURE"):
        next(iter(Pure(fake))).read("bvp")


@pytest.mark.parametrize("stamps", [[0, np.inf, np.inf], [np.inf, 1, 2], [0, np.nan, 2]])
def test_frames_without_a_finite_time_are_refused(stamps) -> None:
    with pytest.raises(InputError, match=r"frame [01] has no time"):
        frame_times_s(Path("time.txt"), np.array(stamps, float))


def test_a_data_set_with_an_empty_list_of_people_is_refused(tmp_path) -> None:
    fake = FAKES["k-emocon"](tmp_path / "k")
    (fake / PEOPLE).write_text("pid,initTime,startTime,endTime\n")
    with pytest.raises(InputError, match="but no recording"):
        KEmoCon(fake)


def test_an_archive_member_without_a_name_is_skipped(tmp_path) -> None:
    raw = bytearray(_zip(tmp_path))
    entry = raw.rindex(b"PK\x01\x02")  # of the directory, of the last member, IBI.csv
    raw[entry + 28] = 0  # the length of its name, and the name
    del raw[entry + 46 : entry + 46 + len("IBI.csv")]
    end = raw.rindex(b"PK\x05\x06")
    raw[end + 12 : end + 16] = (end - raw.index(b"PK\x01\x02")).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(raw)
    with open_zip(tmp_path / "x.zip") as archive:
        assert archive.names == ["BVP.csv"]


@pytest.mark.parametrize("exponent", ["3081327832", "-3081327832"])
def test_an_exponent_of_ten_digits_is_read_or_refused(tmp_path, exponent) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,2\n3,5e{exponent}\n")
    survives(lambda: read_columns(path, ("a", "b")))
    survives(lambda: read_table(path))
    path.write_text(f"time_s,bvp\n0,1\n0.1,5e{exponent}\n0.2,3\n")
    survives(lambda: read_signal(path))


def test_a_timestamp_of_emognition_with_a_time_zone_is_refused(tmp_path) -> None:
    fake = FAKES["emognition"](tmp_path / "e")
    recording = next(iter(Emognition(fake)))
    recording.read("bvp")
    for path in fake.rglob("*_STIMULUS_EMPATICA.json"):
        path.write_text(re.sub(r"(T\d\d:\d\d:\d\d)", r"\1+01", path.read_text()))
    with pytest.raises(InputError, match="not a date and time"):
        recording.read("bvp")


@pytest.mark.parametrize("note", ["## x", "## time resolution: x", "## time resolution: 250"])
def test_an_annotation_that_looks_like_a_definition_does_not_keep_wfdb_busy(tmp_path, note) -> None:
    """`wfdb.rdann` never returns from a note of this kind, or from a second rate."""
    path = tmp_path / "rec.atr"
    raw = _annotations(tmp_path)
    path.write_bytes(raw)
    assert len(read_intervals(path)) == 10
    text = note.encode() + b"\0" * (len(note) % 2)
    path.write_bytes(raw[:-2] + b"\0\x58" + bytes([len(note), 63 << 2]) + text + b"\0\0")
    with pytest.raises(InputError, match="begins with ## but is not a definition"):
        read_intervals(path)


def test_text_in_the_success_column_of_openface_is_refused(tmp_path) -> None:
    path = tmp_path / "face.csv"
    path.write_bytes(FACE.replace(b"0.98, 1,", b"0.98, x,", 1))
    with pytest.raises(InputError, match="text where numbers are expected in success"):
        read_frames(path)


@pytest.mark.parametrize("bits", ["9999999999999", "-1", "1e9"])
def test_a_resolution_of_opensignals_that_no_device_has_is_refused(tmp_path, bits) -> None:
    """2 to the power of it would be computed for hours."""
    path = write_open_signals(tmp_path, np.sin(np.arange(300) / 9))
    text = re.sub(r'("resolution": \[)\s*\d+', rf"\g<1>{bits}", path.read_text(), count=1)
    assert bits in text
    path.write_text(text)
    with pytest.raises(InputError, match="header of OpenSignals is damaged"):
        file_contents(path)


def test_a_finger_trace_of_one_frame_is_refused(tmp_path) -> None:
    path = write_trace(tmp_path, with_pulse="G")
    path.write_text("\n".join(path.read_text().splitlines()[:2]))
    with pytest.raises(InputError, match="has 1 rows: want at least two frames"):
        file_contents(path)
