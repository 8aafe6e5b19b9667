"""Small files that claim or unpack to gigabytes are refused before memory is filled.

Each test makes such a file in miniature, or lowers the limit, and checks what is refused.
"""

import gzip
import struct
import zipfile
import zlib
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest

from emotion_rppg.datasets.manifest import read_manifest
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.leakage import refuse_donors
from emotion_rppg.formats import safe_io, text_files
from emotion_rppg.formats.bids import read_physio
from emotion_rppg.formats.event_tables import read_event_table
from emotion_rppg.formats.rr_intervals import read_intervals
from emotion_rppg.formats.safe_io import load_hdf5, load_mat, load_pickle
from emotion_rppg.formats.signal_csv import read_signal
from emotion_rppg.runtime import tables
from emotion_rppg.runtime.config_checks import people_in
from emotion_rppg.runtime.json_text import parse_json
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.runtime.tables import read_table

h5py = pytest.importorskip("h5py")
DEEP = "[" * 100_000


# ---- text ------------------------------------------------------------------------------------


def packed(path, text: str):
    path.write_bytes(gzip.compress(text.encode()))
    return path


LIMITS = {
    "bytes": ("MAX_TEXT_BYTES", 10_000),
    "lines": ("MAX_LINES", 1000),
    "bytes in a line": ("MAX_LINE_BYTES", 100_000),
}


@pytest.mark.parametrize("what", LIMITS)
def test_text_that_unpacks_to_too_much_is_refused_by_every_reader(what, tmp_path, monkeypatch):
    long = "9" * 300_000
    wave = packed(tmp_path / "x.csv.gz", "time_s,bvp\n" + "0,1\n" * 3000 + long)
    (tmp_path / "a_physio.json").write_text(
        '{"SamplingFrequency": 1, "StartTime": 0, "Columns": ["cardiac"]}'
    )
    physio = packed(tmp_path / "a_physio.tsv.gz", "1\n" * 3000 + long)
    events = packed(tmp_path / "x_events.tsv.gz", "onset\tduration\n" + "1\t2\n" * 3000 + long)
    name, limit = LIMITS[what]
    monkeypatch.setattr(text_files, name, limit)
    for read, path in ((read_signal, wave), (read_physio, physio), (read_event_table, events)):
        with pytest.raises(InputError, match=rf"{path.name} has more than {limit} {what}"):
            read(path)


def test_intervals_that_unpack_to_too_much_are_refused_and_not_cut_off(tmp_path, monkeypatch):
    path = packed(tmp_path / "a_rr.txt.gz", "800\n810\n" * 1000)
    assert len(read_intervals(path)) == 2001
    monkeypatch.setattr("emotion_rppg.formats.interval_text._MAX_BYTES", 5000)
    with pytest.raises(InputError, match="unpacks to more than"):
        read_intervals(path)


def test_a_table_of_very_many_columns_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time_s,bvp" + ",a" * 20_000 + "\n0,1\n")
    with pytest.raises(InputError, match="20002 columns: want at most 10000"):
        read_signal(path)


# ---- workbooks -------------------------------------------------------------------------------


def workbook(path, rows, *, last: str = ""):
    """Write a workbook; with ``last`` its sheet claims to end at that cell, and has one there."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    if not last:
        return path
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    number = last.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    far = f'<row r="{number}"><c r="{last}"><v>1</v></c></row></sheetData>'
    text = files[sheet].decode().replace("</sheetData>", far)
    files[sheet] = text.replace("A1:B2", f"A1:{last}").encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_workbook_that_claims_sixteen_thousand_million_cells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_CELLS", 200_000)
    path = workbook(tmp_path / "x.xlsx", [["time_s", "bvp"], [0, 1]], last="XFD1048576")
    assert path.stat().st_size < 30_000
    with pytest.raises(InputError, match="more than 200000 cells"):
        read_signal(path)


def test_empty_rows_between_and_after_the_rows_of_a_workbook_stay_as_they_were(tmp_path):
    rows = [["time_s", "bvp"], [0, 1], [], [0.5, 2], [1, 3], [None, ""], []]
    signal = read_signal(workbook(tmp_path / "x.xlsx", rows))
    assert signal.samples.tolist() == [1, 2, 3]


# ---- arrays ----------------------------------------------------------------------------------


def test_an_array_without_its_bytes_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", shape=(2 * 10**8,), dtype="f8", chunks=(10**6,))
    assert (tmp_path / "x.h5").stat().st_size < 10_000
    with pytest.raises(InputError, match="unpacks to more than 1000 MB"):
        load_hdf5(tmp_path / "x.h5")


def test_several_arrays_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_io, "MAX_UNPACKED", 10_000)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name in "ab":
            file[name] = np.zeros(1000)
    assert len(load_hdf5(tmp_path / "x.h5", ["a"])["a"]) == 1000
    with pytest.raises(InputError, match="unpacks to more than"):
        load_hdf5(tmp_path / "x.h5")


def test_groups_that_contain_each_other_twice_are_not_read_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_io, "MAX_MEMBERS", 1000)
    with h5py.File(tmp_path / "x.h5", "w") as file:  # 2^40 paths through 40 groups
        groups = [file.create_group(f"g{k}") for k in range(40)]
        for group, inner in pairwise(groups):
            group["a"], group["b"] = inner, inner
    with pytest.raises(InputError, match="or 1000 members"):
        load_hdf5(tmp_path / "x.h5", ["g0"])


def matlab(path, count: int):
    """Write a MATLAB file of version 5 with a compressed variable of zeros."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)

    head = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", 1, count))
    body = head + element(1, b"x") + element(9, bytes(8 * count))
    raw = zlib.compress(struct.pack("<II", 14, len(body)) + body)
    start = b"MATLAB 5.0".ljust(124) + b"\0\1IM"
    path.write_bytes(start + struct.pack("<II", 15, len(raw)) + raw)
    return path


def test_a_compressed_variable_is_refused_while_it_unpacks(tmp_path, monkeypatch):
    path = matlab(tmp_path / "x.mat", 400_000)
    assert len(load_mat(path)["x"]) == 400_000
    monkeypatch.setattr(safe_io, "MAX_UNPACKED", 10**6)
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        load_mat(path)


def test_a_numpy_file_that_claims_too_much_or_is_an_archive_is_refused(tmp_path):
    path = tmp_path / "a_rr.npy"
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**13,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(80))
    with pytest.raises(InputError, match=r"a_rr\.npy needs more memory than is available"):
        read_intervals(path)
    content = BytesIO()
    np.savez(content, a=np.arange(9.0))
    path.write_bytes(content.getvalue())
    with pytest.raises(InputError, match=r"a_rr\.npy cannot be read as a NumPy array"):
        read_intervals(path)


def test_a_parquet_table_of_too_many_cells_is_refused_by_its_footer(tmp_path, monkeypatch):
    import pandas as pd

    path = tmp_path / "t.parquet"
    pd.DataFrame({"subject": ["1"] * 60, "hr_bpm": 0.0}).to_parquet(path)
    assert len(read_table(path)) == 60
    monkeypatch.setattr(tables, "MAX_CELLS", 100)
    monkeypatch.setattr(pd, "read_parquet", None)
    with pytest.raises(InputError, match="120 cells, of at most 100"):
        read_table(path)


# ---- JSON ------------------------------------------------------------------------------------


def test_json_that_is_nested_too_deeply_is_refused_wherever_it_is_read(tmp_path):
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(DEEP)
    with pytest.raises(InputError, match="the cell says"):
        people_in(DEEP, "the cell")
    (tmp_path / "config.json").write_text(DEEP)
    with pytest.raises(InputError, match="nested too deeply"):
        read_config(tmp_path)
    (tmp_path / "manifest.json").write_text(DEEP)
    (tmp_path / "manifest.csv").write_text("subject,trial,signal\n1,1,a.csv\n")
    with pytest.raises(InputError, match="nested too deeply"):
        read_manifest(tmp_path)
    (tmp_path / "t.csv").write_text("subject,start_s,duration_s\n1,0,60\n")
    (tmp_path / "t.extraction.json").write_text(DEEP)
    with pytest.raises(InputError, match="nested too deeply"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("text", ["{", "[]", '{"a": "b"}', '"unknown"', "3"])
def test_a_cell_of_trained_on_that_lists_no_people_is_refused(text):
    with pytest.raises(InputError, match="the cell says"):
        people_in(text, "the cell")
    assert people_in('{"a": ["1", 2]}', "the cell") == {"a": ["1", "2"]}
    refuse_donors([], '{"a": ["1"]}')


@pytest.mark.parametrize("number", [b"r\xff\xff\xff\x0f", b"p99999999999\n", b"p-1\n"])
def test_a_pickle_whose_objects_are_numbered_with_gaps_is_refused(tmp_path, number):
    """The unpickler reserves eight bytes for each number below: 2 GB here, for a file of ten."""
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02]" + number + b".")
    with pytest.raises(InputError, match=r"an object of number -?[0-9]+ after 0 others"):
        load_pickle(path)
    path.write_bytes(b"\x80\x02]q\x01.")  # as cPickle of Python 2, which begins with 1
    assert load_pickle(path) == []
