"""Fingerprints: what a result was made from, as one name that changes when anything of it does."""

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


class Unknown(Exception):
    """Something that cannot be told apart from another of its kind."""


def fingerprint(*facts: Any) -> str | None:
    """A SHA-256 of the facts, of the files they name and of the code; None if one is unknown.

    A file (a `Path`, or a text that a function is called with and that names one) counts by its
    name, size, time of change and the bytes of both ends, wherever it lies; a folder by those of
    its files; functions of this package by name and what they hold; arrays by every byte.
    Functions from elsewhere are unknown: their code may change unseen.
    """
    try:
        told = json.dumps([code_digest(), _told(facts)], sort_keys=True)
    except Unknown:
        return None
    return hashlib.sha256(told.encode()).hexdigest()


@cache
def code_digest() -> str:
    """A SHA-256 of this package's source, and of the versions its numbers depend on."""
    digest = hashlib.sha256(json.dumps(versions(), sort_keys=True).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _told(value: Any) -> Any:
    """Plain JSON that says the same."""
    if value is None or isinstance(value, bool | int | float | np.generic):
        return [type(value).__name__, repr(value)]
    if isinstance(value, str):
        return ["str", value]
    if isinstance(value, Path):
        return ["path", value.name, *_named(value)]
    if isinstance(value, np.ndarray) and value.dtype != object:
        data = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return ["array", str(value.dtype), value.shape, data]
    if isinstance(value, Mapping):
        return ["mapping", [[_told(k), _told(v)] for k, v in value.items()]]
    if isinstance(value, list | tuple):
        return ["list", [_told(v) for v in value]]
    if isinstance(value, partial):
        given = [*value.args, *value.keywords.values()]
        files = [_named(v) for v in given if isinstance(v, str)]
        return ["call", _told(value.func), _told(value.args), _told(value.keywords), files]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return [type(value).__qualname__, _told(fields)]
    return _callable(value)


def _callable(value: Any) -> Any:
    """A function of this package, with the values it closes over and its defaults."""
    owner = getattr(value, "__self__", None)
    if owner is not None and hasattr(value, "__func__"):
        return ["method", _told(owner), _told(value.__func__)]
    if not str(getattr(value, "__module__", "")).startswith("emotion_rppg"):
        raise Unknown
    if isinstance(value, type):
        return ["class", value.__module__, value.__qualname__]
    if not isinstance(value, FunctionType):
        raise Unknown
    held = [cell.cell_contents for cell in value.__closure__ or ()]
    return [value.__module__, value.__qualname__, _told(held), _told(value.__defaults__ or ())]


def _named(name: str | Path) -> list[Any]:
    """Identity of the file or folder that goes by this name; empty if there is none."""
    try:
        path = Path(name)
        if not name or not path.exists():
            return []
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        return [_file(p, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    except (OSError, ValueError):  # a long text is no name; a file may vanish: it is then missed
        return []


@cache
def _file(path: Path, size: int, changed_ns: int) -> list[Any]:
    return [os.fspath(path.name), size, changed_ns, identity(path)["sha256_of_ends"]]
