"""Measure errors of reported numbers and the share withheld: ``python -m benchmarks.trust DATA``.

DATA contains ``welltory/``, ``wesad/``, ``rppg_waveforms/ubfc_11_people.npz``, ``faces/`` and
``no_pulse/``. Every recording is processed by `extract`; each table shows the share reported beside
the errors. Significance of noise in ``evaluate`` is measured by `benchmarks.noise`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import real_faces
from benchmarks.beats import _camera_waves, _people, reference
from emotion_rppg import Extraction, extract
from emotion_rppg.features.trust import kind_of
from emotion_rppg.metrics import beat_measures
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Signal

WINDOW_S, LEAST_OF_DEVICE = 60.0, 0.7  # least share of a window with intervals of the device
MOST_MS = 200.0  # an RMSSD above it needs confirmation by the device
SAME_MS = 10.0  # largest difference of an interval from the difference of its time stamps
MEASURES = {"hr_bpm": "hr_se_bpm", "sdnn_ms": "sdnn_se_ms", "rmssd_ms": "rmssd_se_ms"}
UNITS = {"hr_bpm": "bpm", "sdnn_ms": "ms", "rmssd_ms": "ms"}


class Window(NamedTuple):
    """One window: its name, the reference (HR, SDNN, RMSSD; NaN: unknown) and its row."""

    name: str
    truth: tuple[float, ...]
    covered: float  # share of it that the reference covers
    row: pd.Series


def rows_of(wave: Signal, length_s: float | None) -> pd.DataFrame:
    """Extract the feature rows of the windows of a wave."""
    recording = Recording("benchmark", "1", signals={wave.kind or "": wave})
    extraction = Extraction(length_s=length_s, step_s=length_s, families=("hrv",))
    return extract([recording], extraction)


# ---- recordings with a reference ---------------------------------------------------------------


def welltory(data: Path) -> Iterator[Window]:
    """Yield a finger on a phone's camera (red, inverted) against RR intervals of a chest belt."""
    for folder in sorted((data / "welltory").glob("subject_*")):
        table = pd.read_csv(folder / "PPG.csv")
        rr = np.array((folder / "RR.txt").read_text().split(), dtype=float)
        times, red = table["time"].to_numpy() / 1e3, table["R"].to_numpy(float)
        wave = Signal.from_times(times, -red, kind="rppg")
        rmssd = float(np.sqrt(np.mean(np.diff(rr) ** 2)))
        truth = (60e3 / float(rr.mean()), float(rr.std(ddof=1)), rmssd)
        yield Window(folder.name, truth, 1.0, rows_of(wave, None).iloc[0])


def ubfc(data: Path) -> Iterator[Window]:
    """Yield camera waves (POS, CHROM) of 11 people against their contact PPG."""
    waves = np.load(data / "rppg_waveforms" / "ubfc_11_people.npz")
    for person in _people(waves):
        finger = waves[f"{person}_contact_ppg"]
        truth = beat_measures(reference(waves[f"{person}_t"], finger))
        for method, wave in _camera_waves(waves, person):
            yield Window(f"{person} {method}", tuple(truth), 1.0, rows_of(wave, None).iloc[0])


def wesad(data: Path) -> Iterator[Window]:
    """Yield minutes of whole sessions of a wrist PPG against the intervals of the wristband."""
    for folder in sorted((data / "wesad").glob("S*/S*_E4_Data")):
        samples = np.loadtxt(folder / "BVP.csv", delimiter=",")[2:]
        device = np.genfromtxt(folder / "IBI.csv", delimiter=",", skip_header=1)
        wave = Signal(samples, 64, kind="bvp")
        table = rows_of(wave, WINDOW_S)
        for k, start in enumerate(table["start_s"]):
            covered, truth = _of_device(device, start)
            yield Window(folder.parent.name, truth, covered, table.iloc[k])


def _of_device(device: np.ndarray, start_s: float) -> tuple[float, tuple[float, ...]]:
    """Share of a window that the intervals of a device cover, and their HR, SDNN and RMSSD."""
    own = device[(device[:, 0] >= start_s) & (device[:, 0] < start_s + WINDOW_S)]
    if len(own) < 3:
        return 0.0, (float("nan"),) * 3
    times, ms = own[:, 0], 1e3 * own[:, 1]
    joined = np.abs(1e3 * np.diff(times) - ms[1:]) < SAME_MS
    step = np.diff(ms)[joined]
    rmssd = float(np.sqrt(np.mean(step**2))) if len(step) > 5 else float("nan")
    truth = (60e3 / float(ms.mean()), float(ms.std(ddof=1)), rmssd)
    return float(ms.sum() / 1e3 / WINDOW_S), truth


# ---- tables ------------------------------------------------------------------------------------


def print_errors(title: str, windows: list[Window]) -> np.ndarray:
    """Print errors; return whether the truth is within two standard errors, (n, 3), or NaN."""
    print(f"\n{title}: {len(windows)} windows")
    print("| measure | reported | mean error | median error | bias | r | truth within 2 SE |")
    print("|---|---|---|---|---|---|---|")
    inside = np.full((len(windows), len(MEASURES)), np.nan)
    for k, (name, error) in enumerate(MEASURES.items()):
        measured = np.array([w.row[name] for w in windows], dtype=float)
        se = np.array([w.row[error] for w in windows], dtype=float)
        truth = np.array([w.truth[k] for w in windows])
        difference, known = measured - truth, np.isfinite(measured - truth)
        inside[known, k] = np.abs(difference[known]) <= 2 * se[known]
        r = np.corrcoef(measured[known], truth[known])[0, 1] if known.sum() > 2 else np.nan
        unit = UNITS[name]
        print(
            f"| {name} | {known.mean():.0%} | {np.abs(difference[known]).mean():.2f} {unit} "
            f"| {np.median(np.abs(difference[known])):.2f} {unit} "
            f"| {difference[known].mean():+.2f} {unit} "
            f"| {r:.2f} | {np.nanmean(inside[:, k]):.0%} |"
        )
    return inside


def print_reasons(windows: list[Window]) -> None:
    """Print the number of windows with each reason."""
    reasons = pd.Series([kind_of(str(w.row["reason"])) for w in windows])
    print("\nreasons: " + "; ".join(f"{n} × {r}" for r, n in reasons.value_counts().items()))


def print_wrist(windows: list[Window]) -> None:
    """Print results of all windows of the wrist, including those without device intervals."""
    rmssd = np.array([w.row["rmssd_ms"] for w in windows], dtype=float)
    known = np.isfinite(rmssd)
    high = [w for w, value in zip(windows, rmssd, strict=True) if value > MOST_MS]
    unconfirmed = [w for w in high if not w.truth[2] > MOST_MS]
    rates = np.isfinite([float(w.row["hr_bpm"]) for w in windows])
    print(
        f"\nall {len(windows)} windows of the wrist: heart rate in {rates.mean():.0%}, RMSSD in "
        f"{known.mean():.0%}, median {np.median(rmssd[known]):.0f} ms; above {MOST_MS:g} ms "
        f"{len(high)}, of which the device does not confirm {len(unconfirmed)}"
    )
    print_reasons(windows)


def main(data: Path) -> None:
    """Print all tables."""
    warnings.simplefilter("ignore")  # NeuroKit2's
    finger, camera, wrist = list(welltory(data)), list(ubfc(data)), list(wesad(data))
    clean = [w for w in wrist if w.covered >= LEAST_OF_DEVICE and np.isfinite(w.truth[2])]
    inside = [
        print_errors("finger on a phone's camera (Welltory) against a chest belt", finger),
        print_errors("camera waves (UBFC-rPPG) against the contact PPG", camera),
        print_errors("wrist (WESAD), where the device covers 70 %, against its intervals", clean),
    ]
    shares = np.nanmean(np.concatenate(inside)[:, 1:], axis=0)
    print(f"\ntruth within two standard errors, all: SDNN {shares[0]:.0%}, RMSSD {shares[1]:.0%}")
    print_wrist(wrist)
    real_faces.print_counts(list(real_faces.measure(data, real_faces.READERS, ())))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m benchmarks.trust DATA_FOLDER")
    main(Path(sys.argv[1]))
