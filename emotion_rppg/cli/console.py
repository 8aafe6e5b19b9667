"""What every verb does alike: errors of one sentence, bars, text or JSON, inputs by name."""

from __future__ import annotations

import errno
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from emotion_rppg.errors import InputError

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
def plainly() -> Iterator[None]:
    """Bad input is one sentence and exit 2; an interruption is exit 130; a bug keeps its trace."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        yield
    except InputError as error:
        typer.echo(f"emotion-rppg: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        if error.errno not in _DISK:
            raise
        what = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        typer.echo(f"emotion-rppg: cannot write: {what}{where}: {_DISK[error.errno]}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo(
            "emotion-rppg: interrupted; files already written are whole, and the same command "
            "goes on where it can",
            err=True,
        )
        raise typer.Exit(130) from None


def names_in(text: str) -> list[str]:
    """Names that commas part."""
    return [name.strip() for name in text.split(",") if name.strip()]


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, on standard error and only where somebody watches."""
    if not sys.stderr.isatty():  # loading rich takes a tenth of a second
        yield lambda done, total: None
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
def hushed(name: str) -> Iterator[None]:
    """Warnings of one logger are not shown while the block runs."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def say(text: str, as_json: bool, result: dict[str, Any]) -> None:
    """The result for a person, or for a program."""
    typer.echo(json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text)


def number(value: float, digits: int = 2) -> float | None:
    """A JSON number; NaN, which JSON does not know, becomes null."""
    return None if value != value else round(float(value), digits)


def recordings_of(
    paths: list[Path],
    dataset: str | None,
    root: Path | None,
    *,
    channel: str | None = None,
    kind: str | None = None,
) -> list[Any]:
    """The recordings that the arguments name: paths, or a data set and its folder."""
    from emotion_rppg.study import as_recordings

    if (dataset is None) == (not paths):
        raise InputError("give either paths, or --dataset NAME with --root DIR")
    if dataset is None:
        found = [
            recording
            for path in paths
            for recording in as_recordings(path, channel=channel, kind=kind)
        ]
        for name, count in Counter(recording.name for recording in found).items():
            if count > 1:
                raise InputError(
                    f"two inputs are called {name}: give the folder above them instead"
                )
        return found
    from emotion_rppg import datasets

    if channel is not None:
        raise InputError(f"--channel {channel} is of files: the reader of {dataset} knows its own")
    if root is None:
        raise InputError(f"--dataset {dataset} needs --root DIR, the folder it lies in")
    return list(datasets.find(dataset)(root))
