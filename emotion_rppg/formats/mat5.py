"""Read MATLAB files of version 5, checking every tag and size before use.

SciPy's reader does not check them, so that some damaged files crash the interpreter. The types and
classes below are those of the MAT-File Format (MathWorks).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Container, Iterator
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
MAX_DEPTH, MAX_AXES = 100, 32
_CHUNK = 1 << 20
Buffer = TypeVar("Buffer", bytes, memoryview)


def read_mat(
    path: Path, names: Container[str] | None = None, *, spend: Callable[[int], None]
) -> dict[str, Any]:
    """Read variables by name; only those in ``names`` if given.

    Structs become dicts (several: a list), cells object arrays, text str (several lines: an array);
    axes of length one are removed. Anything but numbers, text, cells and structs becomes None.
    ``spend`` is called with the number of unpacked bytes before more are read, and may raise.

    Raises
    ------
    ValueError
        Another version of the format, a file that is cut off, or tags and sizes that disagree.
    """
    out: dict[str, Any] = {}
    with path.open("rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(HEADER)[-2:])
        if order is None:
            raise ValueError("no header of MATLAB version 5: save it with -v7 or -v7.3")
        for raw in _variables(file, order):
            matrix = _Matrix(next(raw, b""), order)
            if matrix.name and (names is None or matrix.name in names):
                chunks: list[bytes | memoryview] = [matrix.raw, *_counted(raw, spend)]
                out[matrix.name] = _Matrix(b"".join(chunks), order).value()
    return out


def _variables(file: BufferedReader, order: str) -> Iterator[Iterator[bytes]]:
    """Yield the bytes of each variable in chunks; the first chunk contains its name."""
    while tag := file.read(8):
        kind, size = struct.unpack(order + "II", _require(tag, 8))
        begin = file.tell()
        if kind == COMPRESSED:
            yield _decompressed(file, order, size)
        elif kind == MATRIX:
            yield _uncompressed(file, size)
        else:
            raise ValueError(f"type {kind} where a variable was expected")
        file.seek(begin + size)


def _counted(chunks: Iterator[bytes], spend: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        spend(len(chunk))
        yield chunk


def _uncompressed(file: BufferedReader, size: int) -> Iterator[bytes]:
    for begin in range(0, size, _CHUNK):
        count = min(_CHUNK, size - begin)
        yield _require(file.read(count), count)


def _decompressed(file: BufferedReader, order: str, compressed_size: int) -> Iterator[bytes]:
    """Yield the decompressed bytes of an element without its tag; check its size and checksum."""
    decompressor, compressed_left, remaining = zlib.decompressobj(), compressed_size, -1
    while not decompressor.eof:
        compressed = decompressor.unconsumed_tail
        if not compressed:
            compressed = _require(
                file.read(min(compressed_left, _CHUNK)), min(max(compressed_left, 1), _CHUNK)
            )
            compressed_left -= len(compressed)
        try:
            chunk = decompressor.decompress(compressed, _CHUNK)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if remaining < 0:
            kind, remaining = struct.unpack(order + "II", _require(chunk[:8], 8))
            chunk = chunk[8:]
            if kind != MATRIX:
                raise ValueError(f"type {kind} where a variable was expected")
        remaining -= len(chunk)
        if remaining < 0:
            raise ValueError("more compressed bytes than its tag gives")
        if chunk:
            yield chunk
    if remaining:
        raise ValueError(f"it ends {remaining} bytes too early")


def _require(data: Buffer, size: int) -> Buffer:
    """Return the bytes after checking that there are at least ``size`` of them."""
    if len(data) < size:
        raise ValueError(f"it ends {size - len(data)} bytes too early")
    return data


class _Matrix:
    """Parser of a matrix element: flags, shape and name, then the content of its class."""

    def __init__(self, raw: bytes | memoryview, order: str, depth: int = 0) -> None:
        self.raw, self.order, self.depth, self.position = memoryview(raw), order, depth, 0
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
        self.flags, self.count, self.name = -1, 0, ""
        self.shape: tuple[int, ...] = (0,)
        if not len(raw):  # how MATLAB writes an empty matrix
            return
        self.flags = int(self._integers(UINT32)[0])
        self.shape = tuple(int(n) for n in self._integers(INT32))
        if not 2 <= len(self.shape) <= MAX_AXES or min(self.shape) < 0:
            raise ValueError(f"a matrix of shape {self.shape[:4]}")
        self.count = math.prod(self.shape)
        self.name = bytes(self._element()[1]).decode("latin1")

    def value(self) -> Any:
        """Return the matrix in the types that `read_mat` documents."""
        if self.flags < 0:
            return np.zeros(0)
        matlab_class = self.flags & 0xFF
        if matlab_class == STRUCT:
            return self._structs()
        if matlab_class == CELL:
            return self._cells()
        if matlab_class == CHAR:
            return self._text()
        if matlab_class in NUMERIC:
            return _squeeze(self._numbers())
        return None

    def _element(self) -> tuple[int, memoryview]:
        """Return type and bytes of the next element."""
        begin = self.position + 8
        kind, size = struct.unpack(self.order + "II", _require(self.raw[self.position : begin], 8))
        self.position = begin
        if small_size := kind >> 16:  # the tag itself contains the bytes
            if small_size > 4:
                raise ValueError(f"a small element of {small_size} bytes")
            return kind & 0xFFFF, self.raw[begin - 4 : begin - 4 + small_size]
        self.position = min(begin + -(-size // 8) * 8, len(self.raw))
        return kind, _require(self.raw[begin : begin + size], size)

    def _integers(self, expected: int) -> np.ndarray:
        kind, data = self._element()
        if kind != expected or not len(data) or len(data) % 4:
            raise ValueError(f"type {kind} of {len(data)} bytes where type {expected} was expected")
        return np.frombuffer(data, self.order + NUMBERS[expected])

    def _nested(self) -> Any:
        kind, data = self._element()
        if kind != MATRIX:
            raise ValueError(f"type {kind} where a matrix was expected")
        return _Matrix(data, self.order, self.depth + 1).value()

    def _check_room(self, matrices: int) -> None:
        if 8 * matrices > len(self.raw) - self.position:
            raise ValueError(f"no room for {matrices} matrices")

    def _cells(self) -> Any:
        self._check_room(self.count)
        cells: np.ndarray = np.empty(self.count, dtype=object)
        for k in range(self.count):
            cells[k] = self._nested()
        return _squeeze(cells.reshape(self.shape, order="F"))

    def _structs(self) -> Any:
        width = int(self._integers(INT32)[0])
        field_names = bytes(self._element()[1])
        if width < 1 or len(field_names) % width:
            raise ValueError(f"field names of {width} characters in {len(field_names)} bytes")
        fields = (field_names[k : k + width] for k in range(0, len(field_names), width))
        names = [name.split(b"\0")[0].decode("latin1") for name in fields]
        self._check_room(self.count * len(names))
        if not names:
            return {} if self.count == 1 else []
        structs = [{name: self._nested() for name in names} for _ in range(self.count)]
        return structs[0] if self.count == 1 else structs

    def _text(self) -> Any:
        kind, data = self._element()
        if kind not in TEXTS:
            raise ValueError(f"type {kind} where text was expected")
        endian = {"<": "-le", ">": "-be"}[self.order] if TEXTS[kind] in ("utf-16", "utf-32") else ""
        characters = np.array(list(bytes(data).decode(TEXTS[kind] + endian)), dtype="U1")
        if characters.size != self.count:
            raise ValueError(f"{characters.size} characters for the shape {self.shape[:4]}")
        if not characters.size:
            return ""
        lines = characters.reshape(self.shape, order="F").reshape(-1, self.shape[-1])
        out = ["".join(line) for line in lines]
        return out[0] if len(out) == 1 else np.array(out)

    def _numbers(self) -> np.ndarray:
        parts = [self._array()]
        if self.flags & COMPLEX:
            parts.append(self._array())
        flat = parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]
        return np.asarray(flat.reshape(self.shape, order="F"))

    def _array(self) -> np.ndarray:
        kind, data = self._element()
        dtype = np.dtype(self.order + NUMBERS[kind]) if kind in NUMBERS else None
        if dtype is None or len(data) != self.count * dtype.itemsize:
            raise ValueError(f"{len(data)} bytes of type {kind} for the shape {self.shape[:4]}")
        return np.frombuffer(data, dtype)


def _squeeze(array: np.ndarray) -> Any:
    """Remove axes of length one; return the value of an array that has only one."""
    flat = np.squeeze(array) if array.size else array.reshape(-1)
    return flat if flat.ndim else flat.item()
