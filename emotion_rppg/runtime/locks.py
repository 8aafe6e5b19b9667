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

TURN = ".run.lock"  # in a folder in which several processes rewrite one file
_log = logging.getLogger(__name__)
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # some network disks have none
_ATTEMPTS = 3  # an owner that is done removes its file: the next attempt opens another


@contextmanager
def sole(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs, or refuse at once.

    Raises
    ------
    InputError
        Another process holds it: ``doing`` says what both wanted to do.
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
def turn(folder: Path) -> Iterator[None]:
    """Wait for the turn to write a file of the folder that several processes rewrite."""
    lock = _lock(folder / TURN)
    _acquired(lock, blocking=True)
    try:
        yield
    finally:
        if sys.platform != "win32":  # there an open file stays; filelock removes it on release
            (folder / TURN).unlink(missing_ok=True)  # whoever waits for it opens another
        lock.release()


def _lock(path: Path, on_acquired: Callable[[int], None] | None = None) -> BaseFileLock:
    """The OS's own lock, never a marker file: that would outlive a killed process."""
    return FileLock(path, thread_local=False, fallback_to_soft=False, on_acquired=on_acquired)


def _acquired(lock: BaseFileLock, *, blocking: bool) -> bool:
    """Whether the lock is held now; a disk without locks is used without, with a warning."""
    try:
        lock.acquire(blocking=blocking)
    except Timeout:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _log.warning("this disk knows no locks: do not start the same command twice on it")
    return True


def _write_owner(handle: int) -> None:
    """Write the process id behind the file's first byte, which Windows lets nobody else read."""
    os.truncate(handle, 0)
    os.write(handle, f" {os.getpid()}".encode())


def _owner(path: Path) -> str:
    """The process id that the owner of a lock file wrote; empty if it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(1)
            return file.read(40).decode("ascii", "replace").strip()
    except OSError:
        return ""
