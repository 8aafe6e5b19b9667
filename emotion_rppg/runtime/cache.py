"""Cache results on disk under a key of everything they were made from, so that none is stale.

A run that was stopped continues from it (:func:`cache_beside`, next to the output until that is
complete), and runs share it (``--cache DIR``): tables, waves, and face crops for training.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.atomic_files import whole_file
from emotion_rppg.runtime.locks import sole
from emotion_rppg.signals import Signal

if TYPE_CHECKING:
    import pandas as pd

VARIABLE = "EMOTION_RPPG_CACHE"  # environment: the folder of kept results, where none is named
ENDING = ".kept"
LOCK = "lock"
_OURS = re.compile(r"[0-9a-f]{64}\.kept")
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Entry:
    """One kept result: its name, size in bytes and time of writing (Unix s)."""

    path: Path
    bytes: int
    written_s: float


@dataclass(frozen=True)
class Held:
    """How much a folder of kept results holds."""

    folder: Path
    results: int
    bytes: int


class Cache:
    """A folder of results, each a file named by the fingerprint of what it was made from.

    Several processes may share it: a file appears whole. One that is damaged, cut off or not of
    this format counts as absent.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{str(folder)!r} is a file; want a folder for kept results")

    def get(self, key: str | None) -> pd.DataFrame | Signal | dict[str, np.ndarray] | None:
        """The result kept under that fingerprint, or None; ``key=None`` names nothing."""
        if key is None:
            return None
        try:
            data = (self.folder / (key + ENDING)).read_bytes()
        except OSError:
            return None
        content, digest = data[:-_DIGEST], data[-_DIGEST:]
        if hashlib.sha256(content).digest() != digest:
            return None
        return _table(content) if content[:4] == b"PAR1" else _arrays(content)

    def keep(
        self, key: str | None, result: pd.DataFrame | Signal | Mapping[str, np.ndarray]
    ) -> None:
        """Keep a table, a wave, or arrays by name; ``key=None`` keeps nothing."""
        if key is None:
            return
        content = io.BytesIO()
        if isinstance(result, Signal):
            quality = np.array([]) if result.quality is None else result.quality
            clock = np.array([result.rate_hz, result.start_s])
            kind = np.array(result.kind or "")
            np.savez(content, samples=result.samples, clock=clock, kind=kind, quality=quality)
        elif isinstance(result, Mapping):
            np.savez(content, **result)
        else:
            result.to_parquet(content)
        data = content.getvalue()
        with whole_file(self.folder / (key + ENDING)) as fresh:
            fresh.write_bytes(data + hashlib.sha256(data).digest())

    def entries(self) -> list[Entry]:
        """What is kept, oldest first."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name):
                with suppress(FileNotFoundError):  # another process clears it, too
                    found.append(Entry(path, path.stat().st_size, path.stat().st_mtime))
        return sorted(found, key=lambda e: (e.written_s, e.path.name))

    def clear(self, *, before_s: float | None = None) -> list[Entry]:
        """Remove what is kept (only what was written before that Unix time); nothing else."""
        gone = [e for e in self.entries() if before_s is None or e.written_s < before_s]
        for entry in gone:
            entry.path.unlink(missing_ok=True)
        return gone


def _table(content: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(io.BytesIO(content))


def _arrays(content: bytes) -> Signal | dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as held:
        if "clock" not in held:
            return dict(held)
        rate_hz, start_s = held["clock"]
        return Signal(
            held["samples"],
            float(rate_hz),
            kind=str(held["kind"]) or None,
            start_s=float(start_s),
            quality=held["quality"] if held["quality"].size == len(held["samples"]) else None,
        )


def beside_name(output: Path) -> Path:
    """The hidden folder that keeps an unfinished output's results."""
    return output.parent / f".{output.name}.parts"


@contextmanager
def cache_beside(output: Path) -> Iterator[Cache]:
    """Results kept next to ``output`` while it is made, for this process alone.

    Removed when the block ends well; after an error or a kill they stay, so that the same
    command goes on where it was.

    Raises
    ------
    InputError
        Another process makes the same output, or nothing can be written there.
    """
    folder = beside_name(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write in {str(output.parent)!r} ({error.strerror}): give another --out"
        ) from error
    with sole(folder / LOCK, f"making {output}"):
        _sweep(output)
        kept = Cache(folder)
        try:
            yield kept
        except BaseException:
            if not kept.entries():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(output: Path) -> None:
    """Remove what a killed process left half-written: under the lock nobody else writes it."""
    half = re.compile(re.escape(f".{output.stem}-") + r"\w{8}" + re.escape(output.suffix))
    for path in output.parent.iterdir():
        if half.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
    for path in beside_name(output).iterdir():
        if path.name != LOCK and not _OURS.fullmatch(path.name):
            path.unlink(missing_ok=True)


def chosen_folder(folder: str | Path | None) -> Path | None:
    """The named folder of kept results, else that of the environment, else None."""
    named = folder or os.environ.get(VARIABLE)
    return Path(named) if named else None


def list_entries(folder: Path, *, clear: bool = False, older_days: float = 0.0) -> list[Held]:
    """What is kept in a folder, and beside unfinished outputs in it; removed if ``clear``.

    Raises
    ------
    InputError
        To be cleared, but an output is being made there now.
    """
    before_s = time.time() - 86400 * older_days if older_days else None
    unfinished = sorted(p for p in folder.glob(".*.parts") if p.is_dir())
    out = []
    for place in (folder, *unfinished):
        found = _cleared(place, before_s) if clear else Cache(place).entries()
        if found or place == folder:
            out.append(Held(place, len(found), sum(entry.bytes for entry in found)))
    return out


def _cleared(place: Path, before_s: float | None) -> list[Entry]:
    lock = place / LOCK
    if not lock.exists():
        return Cache(place).clear(before_s=before_s)
    with sole(lock, f"using the results in {place}"):
        found = Cache(place).clear(before_s=before_s)
        if not Cache(place).entries():
            shutil.rmtree(place, ignore_errors=True)
    return found
