"""run.json: what made an output: the command, the versions, the identity of every input."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emotion_rppg._version import __version__
from emotion_rppg.runtime.atomic_files import write_json
from emotion_rppg.runtime.locks import turn

RUN = "run.json"
_PACKAGES = ("numpy", "scipy", "pandas", "opencv-python", "torch", "scikit-learn", "neurokit2")
_WHOLE = 1 << 20


def identity(path: Path) -> dict[str, Any]:
    """Name, size and a SHA-256 of a file (first and last MB when larger) or of a folder's list."""
    path = Path(path)
    if path.is_dir():
        names = sorted(
            f"{p.relative_to(path).as_posix()} {p.stat().st_size}"
            for p in path.rglob("*")
            if p.is_file()
        )
        listing = hashlib.sha256("\n".join(names).encode()).hexdigest()
        return {"folder": path.name, "files": len(names), "listing_sha256": listing}
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_WHOLE))
        if size > _WHOLE:
            file.seek(max(size - _WHOLE, _WHOLE))
            digest.update(file.read(_WHOLE))
    return {"file": path.name, "bytes": size, "sha256_of_ends": digest.hexdigest()}


def versions() -> dict[str, str]:
    """Python, this package and the libraries that numbers depend on."""
    found = {"python": platform.python_version(), "emotion_rppg": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_run(
    output: Path,
    verb: str,
    arguments: Mapping[str, Any],
    inputs: Iterable[Path] = (),
    *,
    name: str | None = None,
    beside: bool = False,
) -> Path:
    """Write run.json inside an output folder, or beside an output file.

    Beside a file, records of other outputs in the same folder are kept under ``others``.
    ``name`` is what the output will be called, where it is still in the making; ``beside`` keeps
    the record out of a folder that is to hold nothing else.
    """
    folder = output if output.is_dir() and not beside else output.parent
    record: dict[str, Any] = {
        "output": name or output.name,
        "verb": verb,
        "arguments": {k: _plain(v) for k, v in arguments.items()},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "inputs": [identity(path) for path in inputs if Path(path).exists()],
    }
    with turn(folder):  # outputs beside each other may be made at the same time
        if folder != output:
            others = _earlier(folder / RUN)
            others.pop(output.name, None)
            if others:
                record["others"] = others
        write_json(folder / RUN, record)
    return folder / RUN


def _earlier(path: Path) -> dict[str, Any]:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(before, dict) or "output" not in before:
        return {}
    others = before.pop("others", {})
    return {**(others if isinstance(others, dict) else {}), before["output"]: before}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
