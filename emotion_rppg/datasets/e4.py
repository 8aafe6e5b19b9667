"""Files of the Empatica E4 wrist band: one column, first the start (Unix s, UTC), then the rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal


def read_e4(path: str | Path, kind: str | None = None) -> tuple[Signal, float]:
    """A signal on the clock of its own beginning (0 s), and that beginning in Unix seconds.

    Raises
    ------
    InputError
        No such file, or not of that form; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}: the E4 folder is incomplete, unpack it again")
    start_s, rate_hz = e4_clock(path)
    try:
        samples = np.loadtxt(path, delimiter=",", skiprows=2, ndmin=1)
    except ValueError as error:
        raise InputError(f"{path}: {error}: want one number a line after start and rate") from None
    if samples.ndim != 1 or not len(samples):
        raise InputError(f"{path} holds samples of shape {samples.shape}: want one column of them")
    return Signal(samples, rate_hz, kind=kind), start_s


def e4_clock(path: Path) -> tuple[float, float]:
    """Start (Unix s) and rate (Hz) from the first two lines; nothing more is read."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            start_s, rate_hz = (float(file.readline().split(",")[0]) for _ in range(2))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} does not begin with a start time and a rate ({error}): is it an E4 file?"
        ) from error
    if not (start_s > 1e8 and 0 < rate_hz <= 1000):
        raise InputError(
            f"{path} begins with {start_s:g} and {rate_hz:g}: want Unix seconds and a rate in Hz"
        )
    return start_s, rate_hz
