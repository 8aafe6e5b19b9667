"""Write run.json, the provenance of an output: command, versions and identity of every input."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emotion_rppg._version import __version__
from emotion_rppg.runtime.atomic_files import write_json
from emotion_rppg.runtime.json_text import parse_json
from emotion_rppg.runtime.locks import folder_lock
from emotion_rppg.runtime.sequence_files import sequences_beside

RUN = "run.json"
_PACKAGES = ("numpy", "scipy", "pandas", "opencv-python", "torch", "scikit-learn", "neurokit2")
_END_BYTES = 1 << 20  # hashed at each end of a file


def identity(path: Path) -> dict[str, Any]:
    """Identify a file by name, size and SHA-256 (first and last MiB), a folder by its file list.

    The sequences beside a CSV belong to it and are identified as well.
    """
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
        digest.update(file.read(_END_BYTES))
        if size > _END_BYTES:
            file.seek(max(size - _END_BYTES, _END_BYTES))
            digest.update(file.read(_END_BYTES))
    facts = {"file": path.name, "bytes": size, "sha256_of_ends": digest.hexdigest()}
    beside = sequences_beside(path)
    has_sequences = path.suffix.lower() == ".csv" and beside.is_file()
    return facts | ({"sequences": identity(beside)} if has_sequences else {})


def versions() -> dict[str, str]:
    """List the versions of Python, this package and the libraries that numbers depend on."""
    installed = {"python": platform.python_version(), "emotion_rppg": __version__}
    for name in _PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


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

    Beside a file, the records of other outputs in the same folder are retained under ``others``.

    Parameters
    ----------
    name : str, optional
        Final name of the output, where ``output`` is still a temporary path.
    beside : bool
        Write the record beside an output folder instead of inside it.
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
    with folder_lock(folder):  # several outputs in one folder may be made at the same time
        if folder != output:
            others = _earlier_records(folder / RUN)
            others.pop(output.name, None)
            if others:
                record["others"] = others
        write_json(folder / RUN, record)
    return folder / RUN


def _earlier_records(path: Path) -> dict[str, Any]:
    """Read the records in a run.json by the names of their outputs; empty if damaged or absent."""
    try:
        before = parse_json(path.read_text(encoding="utf-8"))
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
