"""MATLAB files of version 5 are read as SciPy reads them, or refused where SciPy would crash."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from emotion_rppg.errors import InputError
from emotion_rppg.formats.safe_io import load_mat


def cells(*content: object) -> np.ndarray:
    out = np.empty(len(content), object)
    out[:] = content
    return out


CONTENT = {
    "number": 2.5,
    "row": np.arange(6.0),
    "matrix": np.arange(12.0).reshape(3, 4),
    "block": np.arange(24, dtype=np.int16).reshape(2, 3, 4),
    "complex": np.array([1 + 2j, 3 - 1j]),
    "truth": np.array([True, False]),
    "none": np.zeros((0, 0)),
    "word": "pulse of Zoë",
    "lines": np.array(["one", "two"]),
    "struct": {"a": 1.0, "inner": {"b": "word", "c": np.eye(2)}},
    "cells": cells(np.eye(3), "word", np.arange(4.0)),
    "of_structs": cells({"a": 1.0}, {"a": 2.0}),
} | {d: np.arange(5).astype(d) for d in ("i1", "u1", "u2", "i4", "u4", "i8", "u8", "f4")}


def same(a: object, b: object) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) or (isinstance(a, np.ndarray) and a.dtype == object):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and np.shape(a) == np.shape(b) and np.array_equal(a, b)


@pytest.mark.parametrize("packed", [True, False])
def test_everything_is_read_as_scipy_reads_it(tmp_path, packed) -> None:
    path = tmp_path / "x.mat"
    savemat(path, CONTENT, do_compression=packed)
    theirs, ours = loadmat(path, simplify_cells=True), load_mat(path)
    assert ours.keys() == CONTENT.keys()
    assert [name for name in CONTENT if not same(theirs[name], ours[name])] == []
    assert load_mat(path, ["row"]).keys() == {"row"}


def test_several_structs_are_a_list(tmp_path) -> None:
    people = np.array([(1.0, "a"), (2.0, "b")], dtype=[("age", object), ("name", object)])
    savemat(tmp_path / "x.mat", {"people": people})
    found = load_mat(tmp_path / "x.mat")["people"]
    assert found == [{"age": 1.0, "name": "a"}, {"age": 2.0, "name": "b"}]


def plain(path: Path) -> bytearray:
    savemat(path, {"x": np.arange(4.0)}, do_compression=False)
    return bytearray(path.read_bytes())


def test_big_endian_files_are_read(tmp_path) -> None:
    """The little-endian file with the bytes of every number reversed."""
    path = tmp_path / "x.mat"
    raw = plain(path)
    head = np.frombuffer(raw[128:184], "<u4").astype(">u4")
    name = struct.pack(">HH", 1, 1) + b"x\0\0\0"
    data = np.arange(4, dtype=">f8").tobytes()
    content = head[:10].tobytes() + name + head[12:].tobytes() + data
    path.write_bytes(bytes(raw[:124]) + b"\x01\x00MI" + content)
    assert load_mat(path)["x"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (128, 99, "type 99 where a variable"),  # the tag of the variable
        (144, 77, None),  # its class: an unknown one has no value
        (160, 2, "shape"),  # its rows
        (176, 77, "type 77"),  # the type of its numbers, which ends SciPy's interpreter
        (180, 200, "early"),  # their count
    ],
)
def test_a_wrong_tag_is_refused(tmp_path, at, value, message) -> None:
    path = tmp_path / "x.mat"
    raw = plain(path)
    raw[at] = value
    path.write_bytes(raw)
    if message is None:
        assert load_mat(path) == {"x": None}
        return
    with pytest.raises(InputError, match=message):
        load_mat(path)


def test_a_wrong_checksum_is_refused(tmp_path) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {"x": np.arange(4.0)}, do_compression=True)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="incorrect data check"):
        load_mat(path)


def test_compressed_bytes_beyond_their_tag_are_refused(tmp_path) -> None:
    path = tmp_path / "x.mat"
    raw = plain(path)
    packed = zlib.compress(bytes(raw[128:]) + b"more")
    path.write_bytes(bytes(raw[:128]) + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(InputError, match="more compressed bytes"):
        load_mat(path)


def test_files_of_matlab_4_are_refused(tmp_path) -> None:
    savemat(tmp_path / "x.mat", {"x": np.eye(2)}, format="4")
    with pytest.raises(InputError, match="save it with -v7"):
        load_mat(tmp_path / "x.mat")
