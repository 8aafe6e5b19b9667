"""Shared by all verbs: error messages, progress bars, text or JSON output, inputs by name."""

from __future__ import annotations

import errno
import io
import json
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from emotion_rppg.errors import InputError

LINE_EVERY_S = 30.0  # of progress, where standard error is no terminal
_DISK = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "your quota is used up; free some space, then run the same command again",
    errno.EFBIG: "the file is larger than this disk or account allows; choose another --out",
    errno.EROFS: "the disk is read-only; choose another --out",
    errno.EACCES: "choose an --out that you may write to",
    errno.EPERM: "choose an --out that you may write to",
    errno.EIO: "the disk reports a fault; choose another --out",
}


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn bad input into one sentence and exit 2, an interruption into exit 130.

    Any other exception is a bug and keeps its traceback.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        yield
    except InputError as error:
        typer.echo(f"emotion-rppg: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        if error.errno not in _DISK:
            raise
        fault = error.strerror or str(error)
        path = f" ({error.filename})" if error.filename else ""
        typer.echo(f"emotion-rppg: cannot write: {fault}{path}: {_DISK[error.errno]}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo(
            "emotion-rppg: interrupted; the files written so far are complete. Run the same "
            "command again: it continues where it can (`train`: add --resume)",
            err=True,
        )
        raise typer.Exit(130) from None


def split_names(text: str) -> list[str]:
    """Split a comma-separated option into names."""
    return [name.strip() for name in text.split(",") if name.strip()]


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar with the time left on standard error, or lines if it is no terminal."""
    if not sys.stderr.isatty():  # loading rich takes a tenth of a second
        with _progress_lines(title) as report:
            yield report
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _progress_lines(title: str) -> Iterator[Callable[[int, int], None]]:
    """Print a line every 30 s to standard error, such as a log file: what is done of how much."""
    start_s, state, ended = time.monotonic(), [0, 0], threading.Event()

    def report(done: int, total: int) -> None:
        state[:] = done, total

    def print_lines() -> None:
        while not ended.wait(LINE_EVERY_S):
            done, total = state
            share = f"{done} of {total}, " if total else ""
            minutes = (time.monotonic() - start_s) / 60
            typer.echo(f"emotion-rppg: {title}: {share}{minutes:.1f} min so far", err=True)

    thread = threading.Thread(target=print_lines, daemon=True)
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        thread.join()


def print_any_text() -> None:
    """Print "?" for a character that the console's encoding lacks, such as → in Windows' cp1252."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_result(text: str, as_json: bool, result: dict[str, Any]) -> None:
    """Print the result as text, or as one JSON object: in ASCII where the console is not UTF-8."""
    escaped = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") != "utf8"
    typer.echo(json.dumps(result, ensure_ascii=escaped, allow_nan=False) if as_json else text)


def count(number: int, noun: str) -> str:
    """Write a number with its noun: "1 window", "3 windows"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def json_number(value: float, digits: int = 2) -> float | None:
    """Round a number for JSON; NaN, which JSON cannot express, becomes None."""
    return None if value != value else round(float(value), digits)


def find_recordings(
    paths: list[Path],
    dataset: str | None,
    root: Path | None,
    *,
    channel: str | None = None,
    kind: str | None = None,
    with_events: bool = False,
) -> list[Any]:
    """List the recordings in the given paths, or in the folder of a data set.

    ``with_events`` lists the whole sessions of a data set whose recordings are parts of them.

    Raises
    ------
    InputError
        Neither or both are given, two recordings have the same name, or an option does not apply.
    """
    from emotion_rppg.study import as_recordings

    if (dataset is None) == (not paths):
        raise InputError(
            "no input: give paths, or --dataset NAME with --root DIR"
            if not paths
            else f"{len(paths)} path(s) and --dataset {dataset}: give one or the other"
        )
    if dataset is None:
        found = [
            recording
            for path in paths
            for recording in as_recordings(path, channel=channel, kind=kind)
        ]
        for name, count in Counter(recording.name for recording in found).items():
            if count > 1:
                raise InputError(
                    f"two inputs are called {name}: give one of them, or the folder that "
                    "contains both"
                )
        return found
    from emotion_rppg import datasets

    if channel is not None:
        raise InputError(
            f"--channel {channel} is for files only: the reader of {dataset} selects its channels; "
            "leave --channel out"
        )
    if root is None:
        raise InputError(f"--dataset {dataset} needs --root DIR, the folder of the data set")
    reader = datasets.find(dataset)
    if reader is datasets.DATASETS["folder"] and root.is_dir():
        return as_recordings(root, kind=kind)  # the user's own files, whose kind --source may say
    found_set = reader(root)
    has_sessions = with_events and hasattr(found_set, "list_sessions")
    return found_set.list_sessions() if has_sessions else list(found_set)
