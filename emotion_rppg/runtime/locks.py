"""Advisory file locks that the OS releases when the owning process exits, however it exits."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from emotion_rppg.errors import InputError

SHARED_LOCK = ".run.lock"  # in a folder in which several processes rewrite one file
_log = logging.getLogger(__name__)
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # file systems without locks
_ATTEMPTS = 3  # the owner removes its lock file when it finishes; the next attempt opens a new one


@contextmanager
def exclusive_lock(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; fail at once if it is held.

    Raises
    ------
    InputError
        Another process holds it; ``doing`` describes the work for the message.
    """
    lock = _lock(path, _write_owner)
    if not any(_acquired(lock, blocking=False) for _ in range(_ATTEMPTS)):
        owner = _owner(path)
        raise InputError(
            f"another process{f' ({owner})' if owner else ''} is {doing}: wait until it is done, "
            "or give another --out"
        )
    try:
        yield
    finally:
        lock.release()


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Wait for the lock of a folder in which several processes rewrite one file; hold it."""
    lock = _lock(folder / SHARED_LOCK)
    _acquired(lock, blocking=True)
    try:
        yield
    finally:
        if sys.platform != "win32":  # Windows keeps open files; filelock removes it on release
            (folder / SHARED_LOCK).unlink(missing_ok=True)  # waiting processes open a new one
        lock.release()


def _lock(path: Path, on_acquired: Callable[[int], None] | None = None) -> BaseFileLock:
    """Make an OS lock; a marker file would remain after a killed process."""
    return FileLock(path, thread_local=False, fallback_to_soft=False, on_acquired=on_acquired)


def _acquired(lock: BaseFileLock, *, blocking: bool) -> bool:
    """Try to acquire the lock; on a file system without locks, warn and continue without."""
    try:
        lock.acquire(blocking=blocking)
    except Timeout:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _log.warning(
            "this file system has no locks: do not run the same command twice at once on it"
        )
    return True


def _write_owner(handle: int) -> None:
    """Write the process id after the first byte, which no other process can read on Windows."""
    os.truncate(handle, 0)
    os.write(handle, f" {os.getpid()}".encode())


def _owner(path: Path) -> str:
    """Read the process id that the owner wrote to the lock file; empty if unreadable."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(1)
            return file.read(40).decode("ascii", "replace").strip()
    except OSError:
        return ""
