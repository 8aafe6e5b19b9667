"""Fingerprints of inputs: cache keys that change with any input, parameter or line of code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from emotion_rppg.runtime.provenance import identity, versions

_PACKAGE = Path(__file__).parents[1]


class NoFingerprint(Exception):
    """Signal a value whose changes cannot be detected, so that it has no fingerprint."""


def fingerprint(*facts: Any) -> str | None:
    """Compute a SHA-256 of values, of the files they name and of the code; None if impossible.

    A file (a `Path`, or a string argument of a `partial` that names one) is identified by its name,
    size, modification time and the bytes of both ends, wherever it is stored; a folder by its
    files; a function of this package by its name and the values it closes over; an array by all its
    bytes. Functions from other packages have no fingerprint: their code may change unnoticed.
    """
    try:
        text = json.dumps([code_digest(), _to_json(facts)], sort_keys=True)
    except NoFingerprint:
        return None
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_digest() -> str:
    """Compute a SHA-256 of this package's source and of the versions its numbers depend on."""
    digest = hashlib.sha256(json.dumps(versions(), sort_keys=True).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _to_json(value: Any) -> Any:
    """Convert a value to plain JSON that differs for different values."""
    if value is None or isinstance(value, bool | int | float | np.generic):
        return [type(value).__name__, repr(value)]
    if isinstance(value, str):
        return ["str", value]
    if isinstance(value, Path):
        return ["path", value.name, *_file_identities(value)]
    if isinstance(value, np.ndarray) and value.dtype != object:
        data = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return ["array", str(value.dtype), value.shape, data]
    if isinstance(value, Mapping):
        return ["mapping", [[_to_json(k), _to_json(v)] for k, v in value.items()]]
    if isinstance(value, list | tuple):
        return ["list", [_to_json(v) for v in value]]
    if isinstance(value, partial):
        arguments = [*value.args, *value.keywords.values()]
        files = [_file_identities(v) for v in arguments if isinstance(v, str)]
        return ["call", _to_json(value.func), _to_json(value.args), _to_json(value.keywords), files]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return [type(value).__qualname__, _to_json(fields)]
    return _callable(value)


def _callable(value: Any) -> Any:
    """Describe a function of this package by the values it closes over and its defaults."""
    owner = getattr(value, "__self__", None)
    if owner is not None and hasattr(value, "__func__"):
        return ["method", _to_json(owner), _to_json(value.__func__)]
    if not str(getattr(value, "__module__", "")).startswith("emotion_rppg"):
        raise NoFingerprint
    if isinstance(value, type):
        return ["class", value.__module__, value.__qualname__]
    if not isinstance(value, FunctionType):
        raise NoFingerprint
    closure = _to_json([cell.cell_contents for cell in value.__closure__ or ()])
    return [value.__module__, value.__qualname__, closure, _to_json(value.__defaults__ or ())]


def _file_identities(name: str | Path) -> list[Any]:
    """Identify the file, or all files of the folder, with this name; empty if there is none."""
    try:
        path = Path(name)
        if not name or not path.exists():
            return []
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        return [_file(p, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    except (OSError, ValueError):  # a long text is no file name; a file may be removed meanwhile
        return []


@cache
def _file(path: Path, size: int, changed_ns: int) -> list[Any]:
    return [os.fspath(path.name), size, changed_ns, identity(path)["sha256_of_ends"]]
