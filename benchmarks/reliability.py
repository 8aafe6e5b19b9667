"""Is `quality` the chance that a rate is right within 3 bpm? ``python -m benchmarks.reliability``.

Windows of 10 and 30 s, one every 5 s, of the frozen test clips and, with a folder of real
recordings (``python -m benchmarks.reliability DATA``), of real waves that have a reference. Of each
group by quality: what it says on average -> how many were right (windows).

Right is within 3 bpm of the mean rate of the true beats. Where a heart changes its rate within a
window, the highest peak of a spectrum is elsewhere. So of the windows whose rate is given two more
shares are shown: right by what the same spectrum finds in the true wave, and the mean rate of the
beats that are found in the judged wave, right by that of the true ones.
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
BEFORE_S = 2.0  # the first true beat comes, or after the last, a wave may be judged
BINS = 5
CLASSIC = ("pos", "chrom", "green")
LEAST_SEEN = 0.95  # of a window, by the reference


class Wave(NamedTuple):
    source: str
    person: str
    wave: Signal
    truth: Beats
    true_wave: Signal | None = None


class Row(NamedTuple):
    person: str
    quality: float
    right: bool
    same: float  # right by the spectrum of the true wave; NaN without one
    beats: bool  # the mean rate of the beats is right
    given: bool


def clips(name: str = "moderate") -> Iterator[Wave]:
    preset = PRESETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(preset.clips):
            path = Path(folder) / f"{number}.mp4"
            truth = write_clip(preset, number, path)
            colours = [(look.time_s, skin_mean(look)) for look in track_face(Video(path))]
            for method in CLASSIC:
                wave = read_by_colour(colours, METHODS[method])
                yield Wave(f"preset {name}, {method}", str(number), wave, truth.beats, truth.wave)
            wave = estimate(path, "physnet")
            yield Wave(f"preset {name}, physnet", str(number), wave, truth.beats, truth.wave)
            path.unlink()


def cameras(data: Path) -> Iterator[Wave]:
    """The 11 people of whom the weights of `quality` were fitted, too."""
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
    """Finger PPG beside an ECG: at rest, in intensive care, still, speaking, turning the head."""
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


def rows(each: Wave, length_s: float) -> Iterator[Row]:
    """One a window whose reference saw enough."""
    wave, truth, own = each.wave, each.truth, find_beats(each.wave)
    for at in np.arange(*_stretch(each, length_s), STEP_S):
        true, piece = truth.crop(at, at + length_s), wave.crop(at, at + length_s)
        bpm = beat_measures(true).hr_bpm
        if true.coverage >= LEAST_SEEN and np.isfinite(bpm):
            said, found = judge(piece), heart_rate(piece)
            same = float("nan")
            if each.true_wave is not None:
                known = heart_rate(each.true_wave.crop(at, at + length_s))
                same = float(abs(found - known) <= RIGHT_BPM)
            right = bool(abs(found - bpm) <= RIGHT_BPM)
            beats = bool(abs(beat_measures(own.crop(at, at + length_s)).hr_bpm - bpm) <= RIGHT_BPM)
            yield Row(each.person, said.quality, right, same, beats, said.hr_bpm is not None)


def _stretch(each: Wave, length_s: float) -> tuple[float, float]:
    """From where to where a window may begin, that both the wave and its truth last through."""
    first = max(each.wave.start_s, each.truth.span_s[0] - BEFORE_S)
    return first, min(each.wave.end_s, each.truth.span_s[1] + BEFORE_S) - length_s + 0.1


def line(source: str, found: list[Row]) -> str:
    quality = np.array([row.quality for row in found])
    right = np.array([row.right for row in found], float)
    where = np.minimum((quality * BINS).astype(int), BINS - 1)
    cells = [
        f"{quality[where == k].mean():.2f} -> {right[where == k].mean():.2f} ({np.sum(where == k)})"
        if (where == k).any()
        else "–"
        for k in range(BINS)
    ]
    given = np.array([row.given for row in found])
    said = same = beats = "–"
    if given.any():
        people = np.array([row.person for row in found])
        low, high = clustered_ci(right[given, None], people[given], lambda x: float(x.mean()))
        said = f"{right[given].mean():.0%} [{low:.0%}, {high:.0%}] of {given.sum()}"
        share = np.mean([row.same for row in found if row.given])
        same = f"{share:.0%}" if np.isfinite(share) else "–"
        beats = f"{np.mean([row.beats for row in found if row.given]):.0%}"
    shown = [source, *cells, f"{ece(right, quality, bins=BINS):.2f}", said, same, beats]
    return f"| {' | '.join(shown)} |"


def tables(waves: list[Wave]) -> None:
    edges = " | ".join(f"{k / BINS:.1f}–{(k + 1) / BINS:.1f}" for k in range(BINS))
    for length_s in LENGTHS_S:
        print(f"\nwindows of {length_s} s\n")
        print(f"| waves | {edges} | ECE | right where a rate is given | by spectra | by beats |")
        print("|---|" + "---|" * (BINS + 4))
        for source in dict.fromkeys(wave.source for wave in waves):
            found = [row for wave in waves if wave.source == source for row in rows(wave, length_s)]
            if found:
                print(line(source, found))


def told(waves: list[Wave]) -> None:
    """Mean error of the rates that are given: of the spectrum's, and of what `pulse` tells."""
    print("\nerror of the rate that is told, bpm: windows, the spectrum's, `estimate_heart_rate`")
    for length_s in (*LENGTHS_S, 60):
        for source in dict.fromkeys(wave.source for wave in waves):
            own = [wave for wave in waves if wave.source == source]
            found = [pair for wave in own for pair in _errors(wave, length_s)]
            by_spectrum, by_judged = np.mean(found, axis=0)
            print(
                f"  {length_s:2d} s, {source:24s} {len(found):4d} windows: {by_spectrum:.2f} "
                f"{by_judged:.2f}, worst {np.max(found, axis=0).round(1)}"
            )


def _errors(each: Wave, length_s: float) -> Iterator[tuple[float, float]]:
    for at in np.arange(*_stretch(each, length_s), 2 * STEP_S):
        true, piece = each.truth.crop(at, at + length_s), each.wave.crop(at, at + length_s)
        bpm, said = beat_measures(true).hr_bpm, judge(piece).hr_bpm
        if said is not None and true.coverage >= LEAST_SEEN and np.isfinite(bpm):
            yield abs(said - bpm), abs((estimate_heart_rate(piece).hr_bpm or np.nan) - bpm)


def real(data: Path) -> list[Wave]:
    return [*cameras(data), *contact(data)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # NeuroKit2's
    known = real(Path(sys.argv[1])) if len(sys.argv) > 1 else []
    told(known)
    tables([*clips(), *known])
