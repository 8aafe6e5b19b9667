"""A lock has one owner at a time, is refused with its name, and is released when it exits."""

import errno
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.locks import exclusive_lock, folder_lock

HOLD_LOCK = """
import sys
from pathlib import Path
from emotion_rppg.runtime.locks import exclusive_lock, folder_lock
name, path = sys.argv[1:]
lock = exclusive_lock(Path(path), "waiting") if name == "exclusive" else folder_lock(Path(path))
with lock:
    print("in", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(name: str, path: Path):
    """Start a process that holds a lock until it is killed."""
    command = [sys.executable, "-c", HOLD_LOCK, name, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"in\n"
            yield other
        finally:
            other.kill()


def test_a_second_process_is_refused_with_the_owner_until_the_first_is_killed(tmp_path) -> None:
    path = tmp_path / "lock"
    with another_process("exclusive", path) as other:
        for _ in range(2):  # the first refusal leaves the owner's name
            with (
                pytest.raises(InputError, match=rf"process \({other.pid}\) is making x: wait"),
                exclusive_lock(path, "making x"),
            ):
                pytest.fail("two owners")
        other.kill()
        other.wait()
        with exclusive_lock(path, "making x"):
            assert path.read_text() == f" {os.getpid()}"


def test_one_process_does_not_hold_a_lock_twice(tmp_path) -> None:
    with (
        exclusive_lock(tmp_path / "lock", "making x"),
        pytest.raises(InputError, match=rf"\({os.getpid()}\)"),
        exclusive_lock(tmp_path / "lock", "making x"),
    ):
        pytest.fail("two owners")


def test_a_lock_file_that_its_owner_just_removed_is_created_again(tmp_path, monkeypatch) -> None:
    path, opened, real = tmp_path / "parts" / "lock", [], os.open

    def open_and_lose(file, *rest, **more):
        handle = real(file, *rest, **more)
        if Path(file).name == path.name:
            opened.append(file)
            if len(opened) == 1:  # between our opening and our locking it
                path.unlink()
                path.parent.rmdir()
        return handle

    monkeypatch.setattr(os, "open", open_and_lose)
    with exclusive_lock(path, "making x"):
        assert len(opened) == 2
        assert path.read_text() == f" {os.getpid()}"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock to fail")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_used_with_a_warning(code, tmp_path, monkeypatch, caplog) -> None:
    import fcntl

    def flock(handle, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with exclusive_lock(tmp_path / "lock", "making x"), folder_lock(tmp_path):
        assert not (tmp_path / "lock").read_bytes(), "no marker that would outlive a kill"
    assert caplog.messages == 2 * [
        "this file system has no locks: do not run the same command twice at once on it"
    ]
    code = errno.EIO  # any other failure is one
    with (
        pytest.raises(OSError, match=os.strerror(code)),
        exclusive_lock(tmp_path / "lock", "making x"),
    ):
        pytest.fail("an owner")


def test_a_folder_lock_admits_one_at_a_time_and_leaves_no_file(tmp_path) -> None:
    counts = tmp_path / "count"
    counts.write_text("0")

    def add() -> None:
        for _ in range(5):
            with folder_lock(tmp_path):
                counts.write_text(str(int(counts.read_text()) + 1))

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.read_text() == "20"
    assert [path.name for path in tmp_path.iterdir()] == ["count"]


def test_a_folder_lock_is_waited_for_and_released_by_a_kill(tmp_path) -> None:
    order = []

    def wait() -> None:
        with folder_lock(tmp_path):
            order.append("mine")

    with another_process("folder", tmp_path) as other:
        waiting = Thread(target=wait)
        waiting.start()
        waiting.join(0.3)
        order.append("killed")
        other.kill()
        waiting.join()
    assert order == ["killed", "mine"]
    assert not list(tmp_path.iterdir())
