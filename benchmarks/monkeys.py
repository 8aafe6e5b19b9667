"""Estimate the heart rates of three sessions of monkey faces, given as mean colours.

``python -m benchmarks.monkeys DATA``. Rhesus monkeys (Unakafov et al. 2018) have 96 to 230 beats a
minute; a pulse oximeter gives one rate for each segment of 8.5 or 5 s. The rate of a segment is
that of the spectrum of a window around its middle, or the tracked rate at its middle
(`features.beats.rate_over_time`). Printed: the median error, the share of segments within 3 and 10
bpm, and the same of segments with a quality of 0.6 or more.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotion_rppg import Signal
from emotion_rppg.features.beats.rate_over_time import heart_rate_over_time
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.estimate import read_by_colour
from emotion_rppg.signal_quality import LEAST_QUALITY, rates_of_windows

WINDOW_S = 15.0


class Session(NamedTuple):
    """A session: frames per second, seconds of a reference segment, values of a frame."""

    name: str
    rate_hz: float
    segment_s: float
    channels: int


SESSIONS = (
    Session("Session1", 30.0, 8.5, 3),
    Session("Session2IR", 30.0, 8.5, 1),
    Session("Session3", 50.0, 5.0, 3),
)


def read_session(data: Path, session: Session) -> tuple[np.ndarray, np.ndarray]:
    """Read the colours (n, 3 or 1) and the reference rates of a session, bpm (segments,)."""
    folder = data / "monkey_faces" / session.name
    values = np.fromfile(folder / f"{session.name}.bin", dtype="<f4").astype(float)
    rates = np.genfromtxt(folder / f"{session.name}_REF.csv", delimiter=",").ravel()
    return values.reshape(-1, session.channels), rates


def waves(colours: np.ndarray, rate_hz: float) -> dict[str, Signal]:
    """Compute the wave of each method; of one channel, the inverted channel alone."""
    if colours.shape[1] == 1:
        return {"inverted channel": Signal(-colours[:, 0], rate_hz, kind="rppg")}
    rows = list(zip(np.arange(len(colours)) / rate_hz, colours, strict=True))
    return {name: read_by_colour(rows, method) for name, method in METHODS.items()}


def windows_of(wave: Signal, middles_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate rate in bpm and quality of the windows around times, by the spectrum alone."""
    windows = np.array(rates_of_windows(wave, WINDOW_S, 0.5))
    nearest = np.abs(windows[:, 0] - middles_s[:, None]).argmin(axis=1)
    return windows[nearest, 1], windows[nearest, 3]


def tracked(wave: Signal, middles_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate rate in bpm and quality at times by the path over the whole session."""
    found = heart_rate_over_time(wave)
    rates = np.interp(middles_s, found.times_s, found.hr_bpm)
    return rates, np.interp(middles_s, found.times_s, found.quality)


def print_row(
    name: str, rates_bpm: np.ndarray, reference_bpm: np.ndarray, quality: np.ndarray
) -> None:
    """Print the errors of the rates of one session by one estimator."""
    size, clear = np.abs(rates_bpm - reference_bpm), quality >= LEAST_QUALITY
    print(
        f"| {name} | {len(size)} | {np.nanmedian(size):.1f} "
        f"| {np.mean(size <= 3):.0%} | {np.mean(size <= 10):.0%} | {clear.mean():.0%} "
        f"| {np.nanmedian(size[clear]) if clear.any() else float('nan'):.1f} |"
    )


NAMES = {windows_of: "window", tracked: "path"}


def main(data: Path) -> None:
    """Print two rows per session and method: by single windows and by the path."""
    print(
        "\n| monkey session | method | rate of | segments | median error, bpm | ≤ 3 bpm "
        "| ≤ 10 bpm | quality ≥ 0.6 | median error of these |"
    )
    print("|---" * 9 + "|")
    for session in SESSIONS:
        colours, reference = read_session(data, session)
        middles = (np.arange(len(reference)) + 0.5) * session.segment_s
        for method, wave in waves(colours, session.rate_hz).items():
            for estimator in (windows_of, tracked):
                rates, quality = estimator(wave, middles)
                print_row(
                    f"{session.name} | {method} | {NAMES[estimator]}", rates, reference, quality
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
