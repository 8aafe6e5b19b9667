"""One process at a time: locks that the system lets go when a process dies, however it dies."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emotion_rppg.errors import InputError

_log = logging.getLogger(__name__)
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # some network disks know none
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}


@contextmanager
def sole(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; it is left behind, empty of meaning.

    Raises
    ------
    InputError
        Another process holds it: ``doing`` says what both wanted to do.
    """
    handle = _opened(path, doing)
    try:
        yield
    finally:
        os.close(handle)


def _opened(path: Path, doing: str) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _grab(handle, wait=False)
        except OSError as error:
            who = os.read(handle, 40).decode("ascii", "replace").strip() if os.name != "nt" else ""
            os.close(handle)
            if error.errno not in _BUSY:
                raise
            raise InputError(
                f"another process{f' ({who})' if who else ''} is {doing}: wait until it is done, "
                "or give another --out"
            ) from error
        if _still_there(handle, path):
            os.truncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
            return handle
        os.close(handle)  # its last holder removed it meanwhile


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait for one's turn to write a file of the folder that several processes rewrite."""
    if sys.platform == "win32":  # a folder cannot be opened there
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _grab(handle, wait=True)
        yield
    finally:
        os.close(handle)


def _grab(handle: int, *, wait: bool) -> None:
    """Lock, or raise an OSError of ``_BUSY``; a disk without locks is used without, and it says."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _log.warning("this disk knows no locks: do not start the same command twice on it")
