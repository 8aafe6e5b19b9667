"""Read the files of --join before any work, and join them to a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.recordings import Recording
    from emotion_rppg.study.joining import Outside


def read_joins(texts: Sequence[str], rate_hz: float | None) -> list[Outside]:
    """Read every --join; report the faults of all in one message.

    Raises
    ------
    InputError
        A file that cannot be joined, two of one name, a rate without a file.
    """
    if not texts:
        if rate_hz is not None:
            raise InputError("--join-rate without --join: give the file as well")
        return []
    from emotion_rppg.study.joining import read_outside

    read: list[Outside] = []
    faults = []
    for text in texts:
        name, path = named_path(text)
        try:
            outside = read_outside(path, name=name, rate_hz=rate_hz)
        except InputError as error:
            faults.append(f"--join {text}: {error}")
            continue
        if outside.name in [other.name for other in read]:
            faults.append(f"--join {text}: {outside.name!r} is joined already: write NAME={path}")
        read.append(outside)
    if faults:
        raise InputError("; ".join(faults))
    return read


def check_joins(joins: Sequence[Outside], recordings: Sequence[Recording]) -> None:
    """Refuse files that belong to none of the recordings, before these are read."""
    from emotion_rppg.study.joining import check_recordings

    for outside in joins:
        check_recordings(outside, recordings)


def named_path(text: str) -> tuple[str | None, Path]:
    """Split ``NAME=FILE``; a file whose own name contains "=" is taken as it is."""
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        return None, Path(text)
    return name, Path(path)


def joined(table: pd.DataFrame, joins: Sequence[Outside]) -> pd.DataFrame:
    """Join every source to the table, in order."""
    from emotion_rppg.study.joining import join_outside

    for outside in joins:
        table = join_outside(table, outside)
    return table
