"""Write files and folders atomically: complete, or not at all.

A folder is written beside its destination and then renamed. Only an output of this package is
replaced, never another folder of the user.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.json_text import parse_json

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "MODEL_CARD.md"
MANIFEST_FACTS, PACKAGE = "manifest.json", "emotion_rppg"
TABLE_FACTS = "_table.json"  # in a partitioned table; Parquet readers ignore names with _ in front
EVALUATION_FACTS = "settings.json"
_DAY_S = 86_400.0


@contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Open a temporary folder that replaces ``folder`` if the block ends without an error.

    Raises
    ------
    InputError
        ``folder`` exists and is not an output of this package.
    """
    folder = Path(folder)
    check_folder(folder)
    if folder.is_symlink():
        folder = folder.resolve()  # replace the target, not the link
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        _swap(fresh, folder)
        _remove_partial_folders(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_folder(folder: str | Path) -> None:
    """Refuse, before any work, a folder that :func:`atomic_folder` would not replace."""
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and _is_own_output(folder)):
        raise InputError(
            f"{folder} exists and is not an output of emotion-rppg: give another folder, or move it"
        )


def _swap(fresh: Path, folder: Path) -> None:
    """Replace a folder by two renames: a kill leaves the old or the new content complete."""
    aside = fresh.with_name(f"{fresh.name}.old")
    if folder.exists():
        os.replace(folder, aside)
    os.replace(fresh, folder)
    shutil.rmtree(aside, ignore_errors=True)


def _remove_partial_folders(folder: Path) -> None:
    """Remove temporary folders that killed processes left beside a folder.

    Only those older than a day: a younger one may belong to a process that is still writing.
    """
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-*"):
        suffix = left.name.removeprefix(f".{folder.name}-")
        is_temporary = re.fullmatch(r"[a-z0-9_]{8}(\.old)?", suffix)
        with suppress(OSError):
            if is_temporary and left.is_dir() and time.time() - left.stat().st_mtime > _DAY_S:
                shutil.rmtree(left, ignore_errors=True)


def _is_own_output(folder: Path) -> bool:
    """Tell whether a folder is empty or an output of this package: model, evaluation, study, table.

    A folder with single output files among files of the user is not, nor is a study with the user's
    own manifest.
    """
    if not any(folder.iterdir()):
        return True
    marks = [("run.json", "output", folder.name)]
    facts = (MANIFEST_FACTS, TABLE_FACTS, EVALUATION_FACTS)
    marks += [(name, "written_by", PACKAGE) for name in facts]
    if any(_read_object(folder / name).get(key) == value for name, key, value in marks):
        return True
    return {"kind", "version"} <= set(_read_object(folder / CONFIG))


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty if there is none."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Open a temporary path that replaces ``path`` if the block ends without an error.

    Raises
    ------
    InputError
        ``path`` is a folder, or nothing can be written there.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise InputError(f"{path} is a folder; want the name of a file to write")
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}): choose another place") from error
    os.close(handle)
    fresh = Path(name)
    try:
        yield fresh
        fresh.chmod(0o644)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON (no NaN) with a final newline, atomically."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as fresh:
        fresh.write_text(text + "\n", encoding="utf-8")
