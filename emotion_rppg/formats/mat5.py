"""Read MATLAB files of version 5, checking every tag and size before use.

SciPy's reader does not check them: some damaged files crash the interpreter. (MathWorks: MAT-File
Format, which names the types and classes below.)
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Container, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

HEADER, MATRIX, COMPRESSED = 128, 14, 15
INT32, UINT32 = 5, 6
NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
TEXTS = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
CELL, STRUCT, CHAR = 1, 2, 4
NUMERIC = range(6, 16)  # classes: double, single, int8 … uint64
COMPLEX = 0x0800  # flag
DEEPEST, MOST_AXES = 100, 32
_PIECE = 1 << 20
Held = TypeVar("Held", bytes, memoryview)


def read_mat(path: Path, names: Container[str] | None = None) -> dict[str, Any]:
    """Read variables by name; only those in ``names`` if given.

    Structs become dicts (several: a list), cells object arrays, text str (several lines: an array);
    axes of length one are removed. Anything but numbers, text, cells and structs becomes None.

    Raises
    ------
    ValueError
        Another version, cut off, damaged, or with tags and sizes that do not fit each other.
    """
    out: dict[str, Any] = {}
    with path.open("rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(HEADER)[-2:])
        if order is None:
            raise ValueError("no header of MATLAB 5: save it with -v7 or -v7.3")
        for raw in _variables(file, order):
            matrix = _Matrix(next(raw, b""), order)
            if matrix.name and (names is None or matrix.name in names):
                out[matrix.name] = _Matrix(b"".join([matrix.raw, *raw]), order).value()
    return out


def _variables(file: BufferedReader, order: str) -> Iterator[Iterator[bytes]]:
    """Yield the bytes of each variable in pieces, with its name in the first."""
    while tag := file.read(8):
        kind, size = struct.unpack(order + "II", _exactly(tag, 8))
        begin = file.tell()
        if kind == COMPRESSED:
            yield _inflated(file, order, size)
        elif kind == MATRIX:
            yield _plain(file, size)
        else:
            raise ValueError(f"type {kind} where a variable was to come")
        file.seek(begin + size)


def _plain(file: BufferedReader, size: int) -> Iterator[bytes]:
    for begin in range(0, size, _PIECE):
        count = min(_PIECE, size - begin)
        yield _exactly(file.read(count), count)


def _inflated(file: BufferedReader, order: str, packed: int) -> Iterator[bytes]:
    """Decompress an element without its tag, and check its checksum."""
    inflate, left, wanted = zlib.decompressobj(), packed, -1
    while not inflate.eof:
        waiting = inflate.unconsumed_tail
        if not waiting:
            waiting = _exactly(file.read(min(left, _PIECE)), min(max(left, 1), _PIECE))
            left -= len(waiting)
        try:
            piece = inflate.decompress(waiting, _PIECE)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if wanted < 0:
            kind, wanted = struct.unpack(order + "II", _exactly(piece[:8], 8))
            piece = piece[8:]
            if kind != MATRIX:
                raise ValueError(f"type {kind} where a variable was to come")
        wanted -= len(piece)
        if wanted < 0:
            raise ValueError("more compressed bytes than their tag tells")
        if piece:
            yield piece
    if wanted:
        raise ValueError(f"it ends {wanted} bytes too early")


def _exactly(got: Held, wanted: int) -> Held:
    if len(got) < wanted:
        raise ValueError(f"it ends {wanted - len(got)} bytes too early")
    return got


class _Matrix:
    """A matrix: flags, shape and name, then the content of its class."""

    def __init__(self, raw: bytes | memoryview, order: str, deep: int = 0) -> None:
        self.raw, self.order, self.deep, self.at = memoryview(raw), order, deep, 0
        if deep > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels deep")
        self.flags, self.count, self.name = -1, 0, ""
        self.shape: tuple[int, ...] = (0,)
        if not len(raw):  # how MATLAB writes an empty one
            return
        self.flags = int(self._integers(UINT32)[0])
        self.shape = tuple(int(n) for n in self._integers(INT32))
        if not 2 <= len(self.shape) <= MOST_AXES or min(self.shape) < 0:
            raise ValueError(f"a matrix of shape {self.shape[:4]}")
        self.count = math.prod(self.shape)
        self.name = bytes(self._element()[1]).decode("latin1")

    def value(self) -> Any:
        """Return its content in the types of `read_mat`."""
        if self.flags < 0:
            return np.zeros(0)
        of = self.flags & 0xFF
        if of == STRUCT:
            return self._structs()
        if of == CELL:
            return self._cells()
        if of == CHAR:
            return self._text()
        if of in NUMERIC:
            return _squeezed(self._numbers())
        return None

    def _element(self) -> tuple[int, memoryview]:
        """Read type and bytes of the next element."""
        begin = self.at + 8
        kind, size = struct.unpack(self.order + "II", _exactly(self.raw[self.at : begin], 8))
        self.at = begin
        if small := kind >> 16:  # the bytes stand in the tag
            if small > 4:
                raise ValueError(f"a small element of {small} bytes")
            return kind & 0xFFFF, self.raw[begin - 4 : begin - 4 + small]
        self.at = min(begin + -(-size // 8) * 8, len(self.raw))
        return kind, _exactly(self.raw[begin : begin + size], size)

    def _integers(self, wanted: int) -> np.ndarray:
        kind, data = self._element()
        if kind != wanted or not len(data) or len(data) % 4:
            raise ValueError(f"type {kind} of {len(data)} bytes where {wanted} was to come")
        return np.frombuffer(data, self.order + NUMBERS[wanted])

    def _inner(self) -> Any:
        kind, data = self._element()
        if kind != MATRIX:
            raise ValueError(f"type {kind} where a matrix was to come")
        return _Matrix(data, self.order, self.deep + 1).value()

    def _room_for(self, matrices: int) -> None:
        if 8 * matrices > len(self.raw) - self.at:
            raise ValueError(f"no room for {matrices} matrices")

    def _cells(self) -> Any:
        self._room_for(self.count)
        cells: np.ndarray = np.empty(self.count, dtype=object)
        for k in range(self.count):
            cells[k] = self._inner()
        return _squeezed(cells.reshape(self.shape, order="F"))

    def _structs(self) -> Any:
        width = int(self._integers(INT32)[0])
        text = bytes(self._element()[1])
        if width < 1 or len(text) % width:
            raise ValueError(f"names of fields of {width} letters in {len(text)}")
        cut = (text[k : k + width] for k in range(0, len(text), width))
        names = [name.split(b"\0")[0].decode("latin1") for name in cut]
        self._room_for(self.count * len(names))
        if not names:
            return {} if self.count == 1 else []
        found = [{name: self._inner() for name in names} for _ in range(self.count)]
        return found[0] if self.count == 1 else found

    def _text(self) -> Any:
        kind, data = self._element()
        if kind not in TEXTS:
            raise ValueError(f"type {kind} where text was to come")
        endian = {"<": "-le", ">": "-be"}[self.order] if TEXTS[kind] in ("utf-16", "utf-32") else ""
        letters = np.array(list(bytes(data).decode(TEXTS[kind] + endian)), dtype="U1")
        if letters.size != self.count:
            raise ValueError(f"{letters.size} letters for the shape {self.shape[:4]}")
        if not letters.size:
            return ""
        lines = letters.reshape(self.shape, order="F").reshape(-1, self.shape[-1])
        out = ["".join(line) for line in lines]
        return out[0] if len(out) == 1 else np.array(out)

    def _numbers(self) -> np.ndarray:
        parts = [self._part()]
        if self.flags & COMPLEX:
            parts.append(self._part())
        flat = parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]
        return np.asarray(flat.reshape(self.shape, order="F"))

    def _part(self) -> np.ndarray:
        kind, data = self._element()
        dtype = np.dtype(self.order + NUMBERS[kind]) if kind in NUMBERS else None
        if dtype is None or len(data) != self.count * dtype.itemsize:
            raise ValueError(f"{len(data)} bytes of type {kind} for the shape {self.shape[:4]}")
        return np.frombuffer(data, dtype)


def _squeezed(array: np.ndarray) -> Any:
    """Remove axes of length one; return the only value of an array of one."""
    flat = np.squeeze(array) if array.size else array.reshape(-1)
    return flat if flat.ndim else flat.item()
