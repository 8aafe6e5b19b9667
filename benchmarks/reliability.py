"""Test whether `quality` is the probability that a rate is right within 3 bpm.

``python -m benchmarks.reliability [DATA]``: windows of 10 and 30 s, one every 5 s, of the frozen
test clips and, with a folder of real recordings, of real waves with a reference. A cell shows, for
each group by quality: the mean quality -> the share of windows that are right (number of windows).

Right is within 3 bpm of the mean rate of the true beats. If a heart changes its rate within a
window, the highest peak of a spectrum is not at the mean rate. Therefore two more shares are shown
for the windows with a reported rate: right by the rate of the same spectrum in the true wave; and
the mean rate of the beats detected in the judged wave, right by that of the true beats.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.beats import CAMERA, reference
from benchmarks.presets_of_clips import PRESETS, write_clip
from emotion_rppg import Beats, Signal, Video, estimate, find_beats
from emotion_rppg.evaluation.statistics import clustered_ci
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.metrics import beat_measures, ece
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.estimate import read_by_colour
from emotion_rppg.signal_quality import heart_rate, judge
from emotion_rppg.video.face_tracking import skin_mean, track_face

RIGHT_BPM = 3.0
LENGTHS_S = (10, 30)
STEP_S = 5.0
BEFORE_S = 2.0  # time before the first and after the last true beat that a window may cover
BINS = 5
CLASSIC = ("pos", "chrom", "green")
LEAST_COVERAGE = 0.95  # of a window, by the reference


class Wave(NamedTuple):
    """A wave to judge, with its true beats."""

    source: str
    person: str
    wave: Signal
    truth: Beats
    true_wave: Signal | None = None


class Row(NamedTuple):
    """The result of one window."""

    person: str
    quality: float
    right: bool
    by_spectra: float  # right by the spectrum of the true wave; NaN without one
    by_beats: bool  # the mean rate of the beats is right
    reported: bool


def clips(name: str = "moderate") -> Iterator[Wave]:
    """Yield the waves of all methods for the clips of a preset."""
    preset = PRESETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(preset.clips):
            path = Path(folder) / f"{number}.mp4"
            truth = write_clip(preset, number, path)
            colours = [(face.time_s, skin_mean(face)) for face in track_face(Video(path))]
            for method in CLASSIC:
                wave = read_by_colour(colours, METHODS[method])
                yield Wave(f"preset {name}, {method}", str(number), wave, truth.beats, truth.wave)
            wave = estimate(path, "physnet")
            yield Wave(f"preset {name}, physnet", str(number), wave, truth.beats, truth.wave)
            path.unlink()


def cameras(data: Path) -> Iterator[Wave]:
    """Yield the waves of the 11 people to whom the weights of `quality` were fitted, too."""
    waves = np.load(data / "rppg_waveforms" / "ubfc_11_people.npz")
    for person in sorted({name.split("_")[0] for name in waves}):
        times = waves[f"{person}_t"]
        finger = waves[f"{person}_contact_ppg"]
        truth, contact = reference(times, finger), Signal.from_times(times, finger, kind="bvp")
        for method, sign in CAMERA.items():
            wave = waves[f"{person}_{method}"]
            signal = Signal.from_times(times[: len(wave)], sign * wave, kind="rppg")
            yield Wave("camera, 11 people", person, signal, truth, contact)


def contact(data: Path) -> Iterator[Wave]:
    """Yield finger PPG with an ECG: rest, intensive care, still, speaking, turning the head."""
    import pandas as pd

    pairs = []
    rest = pd.read_csv(data / "contact" / "neurokit" / "bio_resting_5min_100hz.csv")
    pairs.append(("rest", rest["PPG"], rest["ECG"], 100.0))
    care = pd.read_csv(data / "contact" / "bidmc" / "bidmc_01_Signals.csv")
    care.columns = care.columns.str.strip()
    pairs.append(("care", care["PLETH"], care["II"], 125.0))
    for path in sorted((data / "contact" / "ncku").glob("125_*.csv")):
        table = pd.read_csv(path, header=None)
        pairs.append(("ncku", table[2], table[3], 50.0))
    for person, finger, chest, rate in pairs:
        truth = find_beats(Signal(chest.to_numpy(float), rate, kind="ecg"))
        wave = Signal(finger.to_numpy(float), rate, kind="bvp")
        yield Wave("contact PPG against ECG", person, wave, truth)


def rows(judged: Wave, length_s: float) -> Iterator[Row]:
    """Yield a row per window that the reference covers."""
    wave, truth, detected = judged.wave, judged.truth, find_beats(judged.wave)
    for at in np.arange(*_starts(judged, length_s), STEP_S):
        true, piece = truth.crop(at, at + length_s), wave.crop(at, at + length_s)
        bpm = beat_measures(true).hr_bpm
        if true.coverage >= LEAST_COVERAGE and np.isfinite(bpm):
            judgement, rate = judge(piece), heart_rate(piece)
            by_spectra = float("nan")
            if judged.true_wave is not None:
                true_rate = heart_rate(judged.true_wave.crop(at, at + length_s))
                by_spectra = float(abs(rate - true_rate) <= RIGHT_BPM)
            right = bool(abs(rate - bpm) <= RIGHT_BPM)
            beat_bpm = beat_measures(detected.crop(at, at + length_s)).hr_bpm
            by_beats = bool(abs(beat_bpm - bpm) <= RIGHT_BPM)
            reported = judgement.hr_bpm is not None
            yield Row(judged.person, judgement.quality, right, by_spectra, by_beats, reported)


def _starts(judged: Wave, length_s: float) -> tuple[float, float]:
    """Range of window starts, s, in which the wave and its truth last for a window."""
    first = max(judged.wave.start_s, judged.truth.span_s[0] - BEFORE_S)
    return first, min(judged.wave.end_s, judged.truth.span_s[1] + BEFORE_S) - length_s + 0.1


def line(source: str, windows: list[Row]) -> str:
    """Format the row of a source."""
    quality = np.array([row.quality for row in windows])
    right = np.array([row.right for row in windows], float)
    where = np.minimum((quality * BINS).astype(int), BINS - 1)
    cells = [
        f"{quality[where == k].mean():.2f} -> {right[where == k].mean():.2f} ({np.sum(where == k)})"
        if (where == k).any()
        else "–"
        for k in range(BINS)
    ]
    given = np.array([row.reported for row in windows])
    reported = by_spectra = by_beats = "–"
    if given.any():
        people = np.array([row.person for row in windows])
        low, high = clustered_ci(right[given, None], people[given], lambda x: float(x.mean()))
        reported = f"{right[given].mean():.0%} [{low:.0%}, {high:.0%}] of {given.sum()}"
        share = np.mean([row.by_spectra for row in windows if row.reported])
        by_spectra = f"{share:.0%}" if np.isfinite(share) else "–"
        by_beats = f"{np.mean([row.by_beats for row in windows if row.reported]):.0%}"
    error = f"{ece(right, quality, bins=BINS):.2f}"
    shown = [source, *cells, error, reported, by_spectra, by_beats]
    return f"| {' | '.join(shown)} |"


def tables(waves: list[Wave]) -> None:
    """Print a table for each length of window."""
    edges = " | ".join(f"{k / BINS:.1f}–{(k + 1) / BINS:.1f}" for k in range(BINS))
    for length_s in LENGTHS_S:
        print(f"\nwindows of {length_s} s\n")
        print(f"| waves | {edges} | ECE | right where a rate is given | by spectra | by beats |")
        print("|---|" + "---|" * (BINS + 4))
        for source in dict.fromkeys(wave.source for wave in waves):
            own = [wave for wave in waves if wave.source == source]
            windows = [row for wave in own for row in rows(wave, length_s)]
            if windows:
                print(line(source, windows))


def rate_errors(waves: list[Wave]) -> None:
    """Print the mean errors of reported rates: of the spectrum and of `estimate_heart_rate`."""
    print("\nmean error of the reported rates, bpm: windows, the spectrum, `estimate_heart_rate`")
    for length_s in (*LENGTHS_S, 60):
        for source in dict.fromkeys(wave.source for wave in waves):
            own = [wave for wave in waves if wave.source == source]
            errors = [pair for wave in own for pair in _errors(wave, length_s)]
            by_spectrum, by_estimate = np.mean(errors, axis=0)
            print(
                f"  {length_s:2d} s, {source:24s} {len(errors):4d} windows: {by_spectrum:.2f} "
                f"{by_estimate:.2f}, largest {np.max(errors, axis=0).round(1)}"
            )


def _errors(judged: Wave, length_s: float) -> Iterator[tuple[float, float]]:
    """Errors of both rates, bpm, of each window in which both are reported."""
    for at in np.arange(*_starts(judged, length_s), 2 * STEP_S):
        true, piece = judged.truth.crop(at, at + length_s), judged.wave.crop(at, at + length_s)
        bpm = beat_measures(true).hr_bpm
        if true.coverage < LEAST_COVERAGE or not np.isfinite(bpm):
            continue
        by_spectrum, estimated = judge(piece).hr_bpm, estimate_heart_rate(piece).hr_bpm
        if by_spectrum is not None and estimated is not None:
            yield abs(by_spectrum - bpm), abs(estimated - bpm)


def real(data: Path) -> list[Wave]:
    """Return all real waves with a reference."""
    return [*cameras(data), *contact(data)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # NeuroKit2's
    real_waves = real(Path(sys.argv[1])) if len(sys.argv) > 1 else []
    rate_errors(real_waves)
    tables([*clips(), *real_waves])
