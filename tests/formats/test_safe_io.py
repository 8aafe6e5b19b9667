"""Hostile and damaged files run no code, leave no folder and raise one InputError."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import (
    load_hdf5,
    load_json,
    load_mat,
    load_pickle,
    load_xml,
    open_zip,
    read_edf,
    read_slabs,
)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "written")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_arrays_is_read_in_every_protocol(tmp_path, protocol) -> None:
    content = {
        "data": np.arange(12.0).reshape(3, 4),
        "fortran": np.asfortranarray(np.ones((2, 3), np.int16)),
        "scalar": np.float32(1.5),
        "words": ["a", ("b", 2, None, True)],
        "set": {1, 2},
        "bytes": b"\x00\xff",
    }
    path = tmp_path / "s01.dat"
    path.write_bytes(pickle.dumps(content, protocol))
    read = load_pickle(path)
    np.testing.assert_array_equal(read.pop("data"), content.pop("data"))
    np.testing.assert_array_equal(read.pop("fortran"), content.pop("fortran"))
    assert read == content


def test_a_pickle_of_python_2_is_read(tmp_path) -> None:
    text = b"(dp0\nS'data'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n"
    text += b"(I0\ntp4\nS'b'\np5\ntp6\nRp7\n(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\n"
    text += b"I1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\n"
    text += b"S'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?\\x00\\x00\\x00\\x00\\x00\\x00\\x00@'\n"
    text += b"p15\ntp16\nbs."
    (tmp_path / "s.dat").write_bytes(text)
    np.testing.assert_array_equal(load_pickle(tmp_path / "s.dat")["data"], [1.0, 2.0])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_runs_no_code(tmp_path, protocol) -> None:
    written = tmp_path / "written.txt"
    for k, content in enumerate(([Hostile(written)], np.array([Hostile(written)], object))):
        path = tmp_path / f"{k}.pkl"
        path.write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(InputError, match=rf"{k}\.pkl.*was not opened"):
            load_pickle(path)
    assert not written.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x.npy'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
        b"c_codecs\nencode\n(S'aaaa'\nS'zip'\ntR.",
        b"cbuiltins\ngetattr\n(S'a'\nS'b'\ntR.",
        b"(S'truncated",
        b"",
        b"\x80\x05",
        b"hello",
    ],
)
def test_pickles_with_other_names_and_damaged_ones_are_refused(tmp_path, text) -> None:
    (tmp_path / "x.pkl").write_bytes(text)
    with pytest.raises(InputError, match=r"x\.pkl"):
        load_pickle(tmp_path / "x.pkl")


def test_a_file_that_is_too_large_or_missing_is_refused(tmp_path) -> None:
    (tmp_path / "big.json").write_text(json.dumps([1] * 1000))
    with pytest.raises(InputError, match=r"big\.json has 0 MB, more than"):
        load_json(tmp_path / "big.json", limit_bytes=100)
    with pytest.raises(InputError, match="incomplete, unpack it again"):
        load_json(tmp_path / "nowhere.json")


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "\udcff", "NaN]"])
def test_bad_json_is_refused(tmp_path, text) -> None:
    (tmp_path / "x.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"x\.json"):
        load_json(tmp_path / "x.json")


def test_xml_is_read_without_entities(tmp_path) -> None:
    path = tmp_path / "session.xml"
    path.write_text('<session vidRate="60.97"><subject id="3"/></session>')
    root = load_xml(path)
    assert root.get("vidRate") == "60.97"
    assert root.find("subject").get("id") == "3"
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for text in (
        '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        f'<!DOCTYPE a [<!ENTITY b SYSTEM "file://{secret}">]><a>&b;</a>',
        "<a>" * 5000,
        "<a><b></a>",
        "",
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=r"session\.xml|document type"):
            load_xml(path)


def test_matlab_files_of_both_versions_read_the_same(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    savemat(tmp_path / "5.mat", {"ppg": np.arange(5.0), "info": {"rate": 30.0, "name": "p1"}})
    with h5py.File(tmp_path / "7.mat", "w", userblock_size=512) as file:
        file["ppg"] = np.arange(5.0)
        file["info/rate"] = 30.0
        name = file.create_dataset("info/name", data=np.array([ord(c) for c in "p1"], np.uint16))
        name.attrs["MATLAB_class"] = np.bytes_("char")
    for version in "57":
        read = load_mat(tmp_path / f"{version}.mat", ["ppg", "info"])
        np.testing.assert_array_equal(read["ppg"], np.arange(5.0))
        assert read["info"] == {"rate": 30.0, "name": "p1"}
        with pytest.raises(InputError, match=r"does not have GT_ppg; it has: "):
            load_mat(tmp_path / f"{version}.mat", ["GT_ppg"])


def test_cells_of_matlab_7_3_are_resolved_and_references_to_other_files_refused(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "cells.mat", "w") as file:
        parts = [file.create_dataset(f"#refs#/{k}", data=np.full(2, float(k))) for k in range(3)]
        file.create_dataset("trials", data=[p.ref for p in parts], dtype=h5py.ref_dtype)
    trials = load_hdf5(tmp_path / "cells.mat")["trials"]
    assert [t[0] for t in trials] == [0.0, 1.0, 2.0]
    np.full(4, 7.0).tofile(tmp_path / "secret.bin")
    with h5py.File(tmp_path / "out.mat", "w") as file:
        where = [(str(tmp_path / "secret.bin"), 0, 32)]
        file.create_dataset("x", (4,), "f8", external=where)
    with pytest.raises(InputError, match="refers to other files"):
        load_hdf5(tmp_path / "out.mat")


def test_a_link_to_another_hdf5_file_is_not_followed(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["group/x"] = np.arange(4.0)
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["a/inner"] = h5py.ExternalLink("other.h5", "/group")
        file["outer"] = h5py.ExternalLink("other.h5", "/group/x")
    for names in (["a"], ["outer"]):
        with pytest.raises(InputError, match="refers to other files"):
            load_hdf5(tmp_path / "links.h5", names)
    with pytest.raises(InputError, match="refers to other files"):
        next(read_slabs(tmp_path / "links.h5", "outer", axis=0, step=2))


@pytest.mark.parametrize("name", ["x.mat", "x.h5", "x.bdf", "x.zip"])
@pytest.mark.parametrize("content", [b"", b"rubbish" * 100, b"\x89HDF\r\n\x1a\n" + b"\0" * 600])
def test_damaged_files_are_refused_by_name(tmp_path, name, content) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    read = {"x.mat": load_mat, "x.h5": load_hdf5, "x.bdf": read_edf}.get(name)
    with pytest.raises(InputError, match=name):
        read(path) if read else open_zip(path).__enter__()


@pytest.mark.parametrize("ending", ["edf", "bdf"])
def test_channels_of_edf_and_bdf_have_their_units_and_rates(tmp_path, ending) -> None:
    pyedflib = pytest.importorskip("pyedflib")
    kind = {"edf": pyedflib.FILETYPE_EDFPLUS, "bdf": pyedflib.FILETYPE_BDFPLUS}[ending]
    waves = {"ECG": (256, np.sin(np.arange(512) / 5)), "Pleth": (64, np.cos(np.arange(128) / 9))}
    path = tmp_path / f"x.{ending}"
    with pyedflib.EdfWriter(str(path), 2, file_type=kind) as file:
        for k, (label, (rate, _)) in enumerate(waves.items()):
            header = {"label": label, "dimension": "mV", "sample_frequency": rate}
            header |= {"physical_max": 2.0, "physical_min": -2.0, "prefilter": "", "transducer": ""}
            header |= {"digital_max": 32767, "digital_min": -32768}
            file.setSignalHeader(k, header)
        file.writeSamples([wave for _, wave in waves.values()])
    read = read_edf(path, {"Pleth": "bvp", "ECG": "ecg"})
    for label, (rate, wave) in waves.items():
        assert read[label].rate_hz == rate
        np.testing.assert_allclose(read[label].samples, wave, atol=1e-3)
    assert read["Pleth"].kind == "bvp"
    with pytest.raises(InputError, match="no channel GSR; it has: ECG, Pleth"):
        read_edf(path, {"GSR": None})


def test_members_of_an_archive_are_read_in_place(tmp_path) -> None:
    path = tmp_path / "E4.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("BVP.csv", "1\n2\n")
        file.writestr("bomb.csv", "0" * 10**6)
    with open_zip(path) as archive:
        assert archive.names == ["BVP.csv", "bomb.csv"]
        assert archive.read("BVP.csv").read() == b"1\n2\n"
        with pytest.raises(InputError, match="unpacks to more than"):
            archive.read("bomb.csv", limit_bytes=10**5)
        with pytest.raises(InputError, match="no member 'x'"):
            archive.read("x")


@pytest.mark.parametrize("name", ["../out.csv", "/etc/passwd", "a/../../b", "C:\\x", "..\\x"])
def test_members_outside_of_the_archive_are_refused(tmp_path, name) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr(name, "x")
    with pytest.raises(InputError, match="outside of its folder"), open_zip(tmp_path / "x.zip"):
        pass
