"""Read the first record of an Avro file of unknown origin within limits of size and depth.

An Avro object container file has the magic ``Obj\\x01``, a map with schema and codec, and blocks of
records (https://avro.apache.org/docs/1.11.1/specification). The blocks are unpacked here, within a
limit; the library ``fastavro`` decodes the record. A schema whose values could occupy no byte, or
that refers to itself, is refused: with it a small file could describe a record without end.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channels import missing_library
from emotion_rppg.formats.safe_io import MB, as_input_error, check_file
from emotion_rppg.runtime.json_text import parse_json

_MAGIC = b"Obj\x01"
_MAX_FILE_BYTES, _MAX_RECORD_BYTES = 500 * MB, 1000 * MB
_MAX_ENTRIES, _MAX_DEPTH = 1000, 20
_PLAIN = frozenset(("boolean", "int", "long", "float", "double", "bytes", "string"))


def read_record(path: Path, what: str) -> dict[str, Any]:
    """Read the first record of an Avro file.

    ``what`` names the format in messages.

    Raises
    ------
    InputError
        Not an Avro file, a damaged one, one that unpacks to too much, or without ``fastavro``.
    """
    check_file(path, _MAX_FILE_BYTES)
    try:
        import fastavro
    except ImportError as error:
        raise missing_library(path, what, "fastavro", error) from error
    with as_input_error(path, what):
        raw = path.read_bytes()
        if not raw.startswith(_MAGIC):
            raise InputError(f"{path} does not begin like an Avro file: copy it again")
        file = io.BytesIO(raw[len(_MAGIC) :])
        header = _read_header(file)
        schema = parse_json(header["avro.schema"])
        check_schema(schema)
        file.seek(16, io.SEEK_CUR)  # the marker that follows each block
        count, size = _read_long(file), _read_long(file)
        if count < 1 or size < 1:
            raise InputError(f"{path} has no record: the device stored nothing")
        record = _unpack(path, _read_exactly(file, size), header.get("avro.codec", b"null"))
        content = fastavro.schemaless_reader(io.BytesIO(record), schema, None)
    if not isinstance(content, dict):
        raise InputError(f"{path} is not {what}: its record is a {type(content).__name__}")
    return content


def _read_header(file: io.BytesIO) -> dict[str, bytes]:
    """Read the map of metadata: blocks of entries, until one of none."""
    out: dict[str, bytes] = {}
    while count := _read_long(file):
        if count < 0:
            _read_long(file)  # the block's size in bytes
        if abs(count) > _MAX_ENTRIES:
            raise ValueError(f"{abs(count)} entries of metadata")
        for _ in range(abs(count)):
            name = _read_exactly(file, _read_long(file)).decode()
            out[name] = _read_exactly(file, _read_long(file))
    return out


def _read_long(file: io.BytesIO) -> int:
    """Read a whole number in zigzag coding of seven bits a byte."""
    value = 0
    for shift in range(0, 70, 7):
        byte = _read_exactly(file, 1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
    raise ValueError("a number of more than ten bytes")


def _read_exactly(file: io.BytesIO, size: int) -> bytes:
    raw = file.read(size) if size >= 0 else b""
    if size < 0 or len(raw) < size:
        raise EOFError(f"{len(raw)} of {size} bytes are present")
    return raw


def _unpack(path: Path, block: bytes, codec: bytes) -> bytes:
    if codec == b"null":
        return block
    if codec != b"deflate":
        raise InputError(f"{path} is packed by {codec[:20]!r}: want deflate or null")
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    out = unpack.decompress(block, _MAX_RECORD_BYTES)
    if unpack.unconsumed_tail:
        raise InputError(f"{path} unpacks to more than {_MAX_RECORD_BYTES / MB:.0f} MB")
    return out


def check_schema(schema: Any, inside: tuple[str, ...] = (), known: set[str] | None = None) -> None:
    """Refuse a schema with values of no byte, of unknown types, or that contain themselves.

    ``inside`` has the names of the enclosing types, ``known`` those of all finished ones, both
    without name space: a type that two name spaces have is refused within one of them.
    """
    known = set() if known is None else known
    if len(inside) > _MAX_DEPTH:
        raise ValueError("a schema of more than 20 levels")
    if isinstance(schema, str):
        name = schema.rpartition(".")[2]
        if schema not in _PLAIN and (name not in known or name in inside):
            raise ValueError(f"a schema with the type {schema[:40]!r}")
        return
    if not isinstance(schema, dict):
        raise ValueError("a schema with alternatives")
    kind, name = schema.get("type"), str(schema.get("name", "")).rpartition(".")[2]
    if kind == "record":
        if not schema.get("fields"):
            raise ValueError(f"a record {name!r} without fields")
        for field in schema["fields"]:
            check_schema(field["type"], (*inside, name), known)
        known.add(name)
    elif kind == "enum":
        known.add(name)
    elif kind in ("array", "map"):
        check_schema(schema["items" if kind == "array" else "values"], (*inside, name), known)
    else:
        check_schema(kind, (*inside, name), known)
