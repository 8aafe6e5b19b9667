"""A trained network is a folder: model.safetensors (numbers alone) + config.json (what they are).

Nothing here can run code from disk: safetensors holds arrays, JSON holds text, and of what
torch.save wrote only tensors and plain containers are read.
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
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    pass

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "MODEL_CARD.md"
MANIFEST_FACTS, PACKAGE = "manifest.json", "emotion_rppg"
TABLE_FACTS = "_table.json"  # in a partitioned table; what begins with _ is no part of the table
EVALUATION_FACTS = "settings.json"
_DAY_S = 86_400.0


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """A fresh folder that takes the place of ``folder`` only if the block ends without an error."""
    folder = Path(folder)
    check_folder(folder)
    if folder.is_symlink():
        folder = folder.resolve()  # what it points to is replaced, not the link
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        _swap(fresh, folder)
        _sweep(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_folder(folder: str | Path) -> None:
    """Refuse, before any work, a folder that :func:`whole_folder` would not replace."""
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and _ours(folder)):
        raise InputError(
            f"{folder} exists and is not an output of emotion-rppg: give another folder, or move it"
        )


def _swap(fresh: Path, folder: Path) -> None:
    """Two renames: whenever the process dies, the old or the new content is still whole."""
    aside = fresh.with_name(f"{fresh.name}.old")
    if folder.exists():
        os.replace(folder, aside)
    os.replace(fresh, folder)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what a kill left half-written beside a folder that is whole by now.

    Of a day ago and earlier: a younger one may belong to a process that is still writing.
    """
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-*"):
        known = re.fullmatch(r"[a-z0-9_]{8}(\.old)?", left.name.removeprefix(f".{folder.name}-"))
        with suppress(OSError):
            if known and left.is_dir() and time.time() - left.stat().st_mtime > _DAY_S:
                shutil.rmtree(left, ignore_errors=True)


def _ours(folder: Path) -> bool:
    """Empty, or wholly written by this package: a model, an evaluation, a synthetic study.

    A folder into which single files were written beside others' is not ours to replace; neither
    is a study with a manifest of its own.
    """
    if not any(folder.iterdir()):
        return True
    marks = [("run.json", "output", folder.name)]
    facts = (MANIFEST_FACTS, TABLE_FACTS, EVALUATION_FACTS)
    marks += [(name, "written_by", PACKAGE) for name in facts]
    if any(_said(folder / name).get(key) == value for name, key, value in marks):
        return True
    return {"kind", "version"} <= set(_said(folder / CONFIG))


def _said(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path that becomes ``path`` only if the block ends without an error."""
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
    """Strict JSON (NaN refused) with a final newline, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as fresh:
        fresh.write_text(text + "\n", encoding="utf-8")
