"""Compare the tracked heart rate over time with that of single windows.

``python -m benchmarks.rate_over_time DATA``: camera waves of eleven people (UBFC-rPPG, POS and
CHROM) against their contact PPG, whole minutes and pieces of 20 s, and noise of 12 to 60 s. For
each second: is the highest peak of its window of 10 s within 3 bpm of the mean rate of the true
beats in that window, and is the tracked rate (`features.beats.rate_over_time`)? Then the share of
seconds with a quality of 0.6 or more and how many of these are right, with the constants of the
package and with constants that are fitted without the person.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.beats import _camera_waves, _people, reference
from emotion_rppg import Beats, Signal
from emotion_rppg.features.beats.rate_over_time import heart_rate_over_time, measures_of_run
from emotion_rppg.features.beats.rate_tracking import WINDOW_S
from emotion_rppg.pulse import METHODS
from emotion_rppg.signal_quality import LEAST_QUALITY, long_runs, rates_of_windows

RIGHT_BPM, PIECES_S = 3.0, (None, 20.0)
LEAST_BEATS = 4  # intervals in the window of a second for a true rate
EVIDENCE = ["context_db", "log_margin"]
NOISES, NOISE_S, RATE_HZ = 120, (12, 20, 40, 60), 30.0


def rows_of(wave: Signal, truth: Beats | None, person: str) -> pd.DataFrame:
    """Return a row a second: the evidence, ``quality``, ``tracked`` and ``single`` (right)."""
    found = heart_rate_over_time(wave)
    windows = np.array(rates_of_windows(wave, WINDOW_S, 0.5))
    nearest = np.abs(windows[:, 0] - found.times_s[:, None]).argmin(axis=1)
    true_bpm = np.array([_rate(truth, middle) for middle in found.times_s])
    evidence = np.concatenate([measures_of_run(run)[2] for run, _ in long_runs(wave)])
    table = pd.DataFrame(
        {
            "person": person,
            **dict(zip(EVIDENCE, evidence.T, strict=True)),
            "quality": found.quality,
            "tracked": np.abs(found.hr_bpm - true_bpm) <= RIGHT_BPM,
            "single": np.abs(windows[nearest, 1] - true_bpm) <= RIGHT_BPM,
        }
    )
    return table if truth is None else table[np.isfinite(true_bpm)]


def _rate(truth: Beats | None, middle_s: float) -> float:
    """Mean rate of the true beats in the window around a time, bpm; NaN for too few."""
    if truth is None:
        return float("nan")
    inside = truth.times_s[np.abs(truth.times_s - middle_s) <= WINDOW_S / 2]
    enough = len(inside) > LEAST_BEATS and np.ptp(inside) > WINDOW_S / 2
    return 60 / float(np.diff(inside).mean()) if enough else float("nan")


def cameras(data: Path, piece_s: float | None) -> Iterator[pd.DataFrame]:
    """Yield the rows of the camera waves, whole or in pieces."""
    waves = np.load(data / "rppg_waveforms" / "ubfc_11_people.npz")
    for person in _people(waves):
        truth = reference(waves[f"{person}_t"], waves[f"{person}_contact_ppg"])
        for _, wave in _camera_waves(waves, person):
            length = piece_s or wave.duration_s
            for k in range(int(wave.duration_s / length + 1e-6)):
                start = wave.start_s + k * length
                yield rows_of(wave.crop(start, start + length), truth, person)


def noises() -> Iterator[pd.DataFrame]:
    """Yield the rows of noise: white, brown, of two bands, and of colours through POS."""
    draw = np.random.default_rng(0)
    for number in range(NOISES):
        n = int(draw.choice(NOISE_S) * RATE_HZ)
        white = Signal(draw.normal(size=n), RATE_HZ)
        wave = (
            white.samples,
            np.cumsum(white.samples),
            white.bandpass(0.7, 4).samples,
            white.bandpass(0.7, 2.5).samples,
            METHODS["pos"](_colours(draw, n), RATE_HZ),
        )[number % 5]
        yield rows_of(Signal(wave, RATE_HZ, kind="rppg"), None, f"noise {number % 5}")


def _colours(draw: np.random.Generator, n: int) -> np.ndarray:
    """Draw colours without a pulse, (n, 3): slow drift and noise."""
    drift = np.cumsum(draw.normal(size=(n, 3)), axis=0)
    return np.asarray(100 + 0.05 * drift + 0.2 * draw.normal(size=(n, 3)))


def print_row(name: str, table: pd.DataFrame, quality: np.ndarray) -> None:
    """Print the shares of one group of seconds."""
    clear = quality >= LEAST_QUALITY
    right = f"{table.tracked[clear].mean():.0%}" if clear.any() else "–"
    cells = (f"{table.single.mean():.0%}", f"{table.tracked.mean():.0%}", f"{clear.mean():.1%}")
    print(f"| {name} | {len(table)} | {' | '.join(cells)} | {right} |")


def left_out(table: pd.DataFrame) -> np.ndarray:
    """Compute the quality of each second with constants that are fitted to the other people."""
    from sklearn.linear_model import LogisticRegression

    quality = np.zeros(len(table))
    for person in table.person.unique():
        own = (table.person == person).to_numpy()
        fitted = LogisticRegression(C=10).fit(table.loc[~own, EVIDENCE], table.tracked[~own])
        quality[own] = fitted.predict_proba(table.loc[own, EVIDENCE])[:, 1]
    fitted = LogisticRegression(C=10).fit(table[EVIDENCE], table.tracked)
    print(f"\nfitted to all: {fitted.intercept_[0]:.2f}, {fitted.coef_[0].round(2).tolist()}\n")
    return quality


def main(data: Path) -> None:
    """Print the table."""
    noise = pd.concat(noises())
    minutes, pieces = (pd.concat(cameras(data, piece_s)) for piece_s in PIECES_S)
    every = pd.concat([minutes, pieces, noise]).reset_index(drop=True)
    quality = left_out(every)
    print(
        "| seconds of | number | right by window | right by path | quality ≥ 0.6 | of these right |"
    )
    print("|---" * 6 + "|")
    for name, table in (("minutes", minutes), ("pieces of 20 s", pieces), ("noise", noise)):
        print_row(name, table, table.quality.to_numpy())
    people = ~every.person.str.startswith("noise").to_numpy()
    print_row("camera waves, person left out of the fit", every[people], quality[people])
    print_row("noise, a kind left out of the fit", every[~people], quality[~people])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
