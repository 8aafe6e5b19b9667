"""Cache results on disk under keys that change with everything they depend on.

Cached are tables, waves, and face crops for training. An interrupted run continues from the cache
beside its output (:func:`cache_beside`), and several runs may share one (``--cache DIR``).
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
from emotion_rppg.runtime.atomic_files import atomic_file
from emotion_rppg.runtime.locks import exclusive_lock
from emotion_rppg.signals import Signal

if TYPE_CHECKING:
    import pandas as pd

VARIABLE = "EMOTION_RPPG_CACHE"  # environment variable: the cache folder if none is given
ENDING = ".kept"
LOCK = "lock"
_CACHE_FILE = re.compile(r"[0-9a-f]{64}\.kept")
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Entry:
    """One cached result: its file, size in bytes and time of writing (Unix time, s)."""

    path: Path
    bytes: int
    written_s: float


@dataclass(frozen=True)
class CacheUsage:
    """Number and size (bytes) of the cached results in a folder."""

    folder: Path
    results: int
    bytes: int


class Cache:
    """Folder of cached results; each file is named by the fingerprint of its inputs.

    Several processes may share a folder, because files are written atomically. A file that is
    damaged, truncated or of another format counts as absent.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{str(folder)!r} is a file; want a folder for cached results")

    def __repr__(self) -> str:
        return f"Cache({str(self.folder)!r})"

    def get(self, key: str | None) -> pd.DataFrame | Signal | dict[str, np.ndarray] | None:
        """Read the result cached under that fingerprint; None if absent or ``key`` is None."""
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

    def put(
        self, key: str | None, result: pd.DataFrame | Signal | Mapping[str, np.ndarray]
    ) -> None:
        """Cache a table, a wave, or arrays by name; with ``key=None`` nothing is cached."""
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
        with atomic_file(self.folder / (key + ENDING)) as fresh:
            fresh.write_bytes(data + hashlib.sha256(data).digest())

    def entries(self) -> list[Entry]:
        """List the cached results, oldest first."""
        if not self.folder.is_dir():
            return []
        entries = []
        for path in self.folder.iterdir():
            if _CACHE_FILE.fullmatch(path.name):
                with suppress(FileNotFoundError):  # another process may clear the folder now
                    entries.append(Entry(path, path.stat().st_size, path.stat().st_mtime))
        return sorted(entries, key=lambda e: (e.written_s, e.path.name))

    def clear(self, *, before_s: float | None = None) -> list[Entry]:
        """Remove cached results, all or those written before a Unix time, s; return them."""
        removed = [e for e in self.entries() if before_s is None or e.written_s < before_s]
        for entry in removed:
            entry.path.unlink(missing_ok=True)
        return removed


def _table(content: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(io.BytesIO(content))


def _arrays(content: bytes) -> Signal | dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        if "clock" not in arrays:
            return dict(arrays)
        rate_hz, start_s = arrays["clock"]
        samples, quality = arrays["samples"], arrays["quality"]
        return Signal(
            samples,
            float(rate_hz),
            kind=str(arrays["kind"]) or None,
            start_s=float(start_s),
            quality=quality if quality.size == len(samples) else None,
        )


def beside_name(output: Path) -> Path:
    """Name the hidden folder with the cached results of an unfinished output."""
    return output.parent / f".{output.name}.parts"


@contextmanager
def cache_beside(output: Path) -> Iterator[Cache]:
    """Open a cache beside ``output`` while it is made, for this process alone.

    The cache is removed when the block ends without an error. After an error or a kill it remains,
    so that the same command continues where it stopped.

    Raises
    ------
    InputError
        Another process makes the same output, or the folder cannot be written.
    """
    folder = beside_name(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write in {str(output.parent)!r} ({error.strerror}): give another --out"
        ) from error
    with exclusive_lock(folder / LOCK, f"making {output}"):
        _remove_partial_files(output)
        cache = Cache(folder)
        try:
            yield cache
        except BaseException:
            if not cache.entries():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _remove_partial_files(output: Path) -> None:
    """Remove half-written files of a killed process; the caller holds the lock on the output."""
    partial = re.compile(re.escape(f".{output.stem}-") + r"\w{8}" + re.escape(output.suffix))
    for path in output.parent.iterdir():
        if partial.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
    for path in beside_name(output).iterdir():
        if path.name != LOCK and not _CACHE_FILE.fullmatch(path.name):
            path.unlink(missing_ok=True)


def chosen_folder(folder: str | Path | None) -> Path | None:
    """Choose the cache folder: the given one, else that of the environment variable, else None."""
    named = folder or os.environ.get(VARIABLE)
    return Path(named) if named else None


def list_entries(folder: Path, *, clear: bool = False, older_days: float = 0.0) -> list[CacheUsage]:
    """List the cached results of a folder and of unfinished outputs in it; ``clear`` removes them.

    Raises
    ------
    InputError
        With ``clear``: an output is being made there now.
    """
    before_s = time.time() - 86400 * older_days if older_days else None
    unfinished = sorted(p for p in folder.glob(".*.parts") if p.is_dir())
    usage = []
    for place in (folder, *unfinished):
        entries = _clear(place, before_s) if clear else Cache(place).entries()
        if entries or place == folder:
            usage.append(CacheUsage(place, len(entries), sum(entry.bytes for entry in entries)))
    return usage


def _clear(place: Path, before_s: float | None) -> list[Entry]:
    """Remove the cached results of a folder, unless a process is using them; return them."""
    lock = place / LOCK
    if not lock.exists():
        return Cache(place).clear(before_s=before_s)
    with exclusive_lock(lock, f"using the results in {place}"):
        removed = Cache(place).clear(before_s=before_s)
        if not Cache(place).entries():
            shutil.rmtree(place, ignore_errors=True)
    return removed
