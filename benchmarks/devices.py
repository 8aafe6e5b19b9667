"""Read every file of recorders and compare its heart rate: ``python -m benchmarks.devices DATA``.

DATA has the folders ``devices`` and ``contact`` and perhaps ``welltory``, ``cogwear``, ``hku956``
and ``wesad``. The truth is the file's own: expert beats, intervals that the device detected, or
another sensor of the same heart, over the same seconds. A file without a rate is read a second time
with the rate that its authors published, given as a user would give it: in a JSON beside it.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from emotion_rppg import Beats, Signal, find_beats
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.formats.empatica import read_session
from emotion_rppg.formats.signal_files import is_session, is_signal_file, signals_in

PULSES = ("ecg", "bvp", "rppg")
SKIPPED = ("LICENSE", "README", "info.txt")
WINDOW_S = 60.0
Truth = Callable[[Path, Signal], float | None]


@dataclass(frozen=True)
class Given:
    """What a user has to say about a file: facts of a JSON beside it, or options."""

    facts: dict[str, object] = field(default_factory=dict)
    channel: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Row:
    """A line of the table: file, what was read, rate (Hz), heart rate and its truth (bpm)."""

    file: str
    read: str
    rate_hz: float | None = None
    hr_bpm: float | None = None
    truth_bpm: float | None = None
    note: str = ""

    def text(self) -> str:
        cells = [self.file, self.read]
        cells += [_number(value, 2) for value in (self.rate_hz, self.hr_bpm, self.truth_bpm)]
        known = self.hr_bpm is not None and self.truth_bpm is not None
        cells.append(f"{100 * (self.hr_bpm / self.truth_bpm - 1):+.1f} %" if known else "–")  # type: ignore[operator]
        return f"| {' | '.join([*cells, self.note])} |"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def mean_rate(intervals_ms: np.ndarray) -> float | None:
    return 60e3 / float(np.mean(intervals_ms)) if len(intervals_ms) > 2 else None


# ---- truths ----------------------------------------------------------------------------------


def expert_beats(path: Path, wave: Signal) -> float | None:
    """Return the rate of the beats that experts labelled, of a record of PhysioNet."""
    import wfdb

    labels = wfdb.rdann(str(path.with_suffix("")), "atr")
    beats = [
        s for s, symbol in zip(labels.sample, labels.symbol, strict=True) if symbol in "NLRVA/"
    ]
    return mean_rate(1000 * np.diff(beats) / wave.rate_hz)


def other_channel(channel: str, kind: str) -> Truth:
    """Return the rate of another sensor in the same file."""

    def truth(path: Path, wave: Signal) -> float | None:
        other = signals_in(path, channel=channel, kind=kind)[kind]()
        return estimate_heart_rate(other).hr_bpm

    return truth


def polar_intervals(path: Path, wave: Signal) -> float | None:
    """Return the rate of the intervals that a Polar sensor did not block."""
    rows = np.genfromtxt(
        path.with_name(path.name.replace("PPG", "PPI")), delimiter=";", skip_header=1
    )
    return mean_rate(rows[rows[:, 3] == 0, 1])


def device_beats(path: Path, wave: Signal) -> float | None:
    """Return the rate of the beats that a wristband detected, within the seconds of the wave."""
    beats = read_session(path).beats
    if beats is None:
        return None
    inside = beats.times_s < wave.end_s
    first = np.flatnonzero(inside)
    return None if len(first) < 3 else mean_rate(_within(beats.intervals_ms, inside))


def _within(intervals_ms: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return intervals_ms[: max(0, int(inside.sum()) - 1)]


def sample_numbers(path: Path, wave: Signal) -> float | None:
    """Return the rate of the beats whose sample numbers are in a table of their own."""
    beats = np.loadtxt(path.with_name(path.stem + "_ann.csv"))
    return mean_rate(1000 * np.diff(beats) / wave.rate_hz)


def chest_band(path: Path, wave: Signal) -> float | None:
    """Return the rate of a chest band's intervals in the seconds of the wave's own intervals.

    The two were started by hand: their lag is that of the best correlation.
    """
    true_ms = np.array((path.parent / "RR.txt").read_text().split(), dtype=float)
    ends_s = np.cumsum(true_ms) / 1000 + wave.start_s
    ends, own_ms = _intervals(find_beats(wave))
    if len(own_ms) < 10:
        return mean_rate(true_ms)
    lags = np.arange(-30, 30, 0.05)
    shifted = [np.interp(ends + lag, ends_s, true_ms) for lag in lags]
    agree = [np.corrcoef(own_ms, true)[0, 1] if np.ptp(true) else -1.0 for true in shifted]
    return mean_rate(shifted[int(np.argmax(agree))])


def _intervals(beats: Beats) -> tuple[np.ndarray, np.ndarray]:
    """Return end (s) and length (ms) of the intervals that no gap interrupts."""
    times = beats.times_s
    whole = [
        not any(begin < b and end > a for begin, end in beats.gaps) for a, b in pairwise(times)
    ]
    return times[1:][whole], 1000 * np.diff(times)[whole]


def same_recording(name: str) -> Truth:
    """Return the rate in a copy of the recording in another format."""

    def truth(path: Path, wave: Signal) -> float | None:
        return estimate_heart_rate(signals_in(path.with_name(name))["ecg"]()).hr_bpm

    return truth


TRUTHS: dict[str, Truth] = {
    "devices/physionet/100.*": expert_beats,
    "devices/physionet/v102s.*": other_channel("V", "ecg"),
    "devices/biobss_polar/Polar_Sense_PPG.txt": polar_intervals,
    "devices/heartpy/118e00.csv": sample_numbers,
    "devices/flirt/empatica": device_beats,
    "devices/devicely/Empatica_test_data/*": device_beats,
    "devices/biopac_acq/physio-3.9.1.acq": same_recording("physio-5.0.1.acq"),
    "devices/biopac_acq/physio-5.0.1.acq": same_recording("physio-3.9.1.acq"),
    "contact/bidmc/*.csv": other_channel("ecg", "ecg"),
    "contact/neurokit/*.csv": other_channel("ecg", "ecg"),
    "contact/vitallens/*.csv": other_channel("ecg", "ecg"),
    "contact/ncku/*.csv": other_channel("ecg", "ecg"),
    "welltory/*/PPG.csv": chest_band,
    "wesad/*/*": device_beats,
}
# published by the authors of the files, which do not state it
_FIVE = ["counter", "tick", "ppg", "ecg", "ecg2", "ecg3"]
GIVEN: dict[str, Given] = {
    "devices/heartpy/data.csv": Given({"SamplingFrequency": 100, "Columns": ["ppg"]}),
    "devices/heartpy/data2.csv": Given({"SamplingFrequency": 117}, "hr", "bvp"),
    "devices/heartpy/data3.csv": Given({}, "hr", "bvp"),
    "devices/heartpy/118e00.csv": Given({"SamplingFrequency": 360, "Columns": ["ecg"]}),
    "contact/neurokit/*.csv": Given({"SamplingFrequency": 100}, "ppg", "bvp"),
    "contact/vitallens/*.csv": Given({"SamplingFrequency": 30}, "ppg", "bvp"),
    "contact/ncku/*.csv": Given({"SamplingFrequency": 50, "Columns": _FIVE}, "ppg", "bvp"),
}


# ---- the table -------------------------------------------------------------------------------


def _match(table: dict, relative: Path):  # type: ignore[type-arg, no-untyped-def]
    return next((value for glob, value in table.items() if relative.match(glob)), None)


def read(data: Path, path: Path, given: Given | None = None) -> list[Row]:
    """Read the pulse waves of a file, as they are or with what a user has to say."""
    relative = path.relative_to(data)
    if given is None:
        return _rows(relative, path, path, Given())
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(path, folder))
        if given.facts:
            copy.with_suffix(".json").write_text(json.dumps(given.facts))
        said = "+ " + ", ".join([*(f"{k}={v}" for k, v in given.facts.items() if k != "Columns")])
        return _rows(relative, path, copy, given, said.removesuffix("+ "))


def _rows(relative: Path, path: Path, copy: Path, given: Given, said: str = "") -> list[Row]:
    try:
        found = signals_in(copy, channel=given.channel, kind=given.kind)
        pulses = [kind for kind in PULSES if kind in found]
        if not pulses:
            return [Row(str(relative), ", ".join(found), note="no pulse wave or ECG")]
        return [_row(relative, path, copy, found[kind](), said) for kind in pulses]
    except InputError as error:
        reason = str(error).replace(str(copy), copy.name)[:160].replace("|", "/")
        return [Row(str(relative), "refused", note=reason)]


def _row(relative: Path, path: Path, copy: Path, wave: Signal, said: str) -> Row:
    judgement = estimate_heart_rate(wave)
    truth = _match(TRUTHS, relative)
    if truth is None:
        true_bpm = None
    elif truth in (expert_beats, polar_intervals, sample_numbers, device_beats, chest_band):
        true_bpm = truth(path, wave)
    else:
        true_bpm = truth(copy if said else path, wave)
    note = " ".join(part for part in (said, judgement.reason or "") if part)
    kind = f"{wave.kind} {wave.duration_s:.0f} s"
    return Row(str(relative), kind, wave.rate_hz, judgement.hr_bpm, true_bpm, note)


def entries(folder: Path) -> Iterator[Path]:
    """Iterate over files and sessions, each session once."""
    sessions: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if any(session in path.parents for session in sessions):
            continue
        if path.is_dir():
            if is_session(path):
                sessions.append(path)
                yield path
        elif not path.name.startswith(SKIPPED) and path.suffix not in (".json", ".atr"):
            yield path


def rows_of(data: Path) -> Iterator[Row]:
    """Iterate over the lines of the table."""
    folders = [data / name for name in ("devices", "contact", "welltory", "wesad")]
    for path in (path for folder in folders if folder.is_dir() for path in entries(folder)):
        relative = path.relative_to(data)
        if relative.parts[0] in ("welltory", "wesad") and not _match(TRUTHS, relative):
            continue
        if not is_signal_file(path):
            yield Row(str(relative), "refused", note="not a signal file by its name")
            continue
        yield from read(data, path)
        given = _match(GIVEN, relative)
        if given is not None:
            yield from read(data, path, given)


# ---- two devices at once ---------------------------------------------------------------------


def windows(wave: Signal, start_s: float, end_s: float) -> np.ndarray:
    """Return the heart rate of each minute, NaN where it is withheld."""
    starts = np.arange(start_s, end_s - WINDOW_S + 1e-6, WINDOW_S)
    rates = [estimate_heart_rate(wave.crop(at, at + WINDOW_S)).hr_bpm for at in starts]
    return np.array([np.nan if rate is None else rate for rate in rates])


def polar_minutes(data: Path) -> str:
    """Compare a Polar sensor's wave with its own intervals, minute by minute.

    The app stamps intervals when they arrive: the lag of their clock is that of the best
    correlation with the intervals of the wave.
    """
    folder = data / "devices" / "biobss_polar"
    wave = signals_in(folder / "Polar_Sense_PPG.txt")["bvp"]()
    rows = np.genfromtxt(folder / "Polar_Sense_PPI.txt", delimiter=";", skip_header=1)
    ends_s = np.cumsum(rows[:, 1]) / 1000 + wave.start_s
    ends_s += _lag(wave, ends_s, rows[:, 1])
    true = []
    for at in np.arange(wave.start_s, wave.end_s - WINDOW_S + 1e-6, WINDOW_S):
        inside = (ends_s > at) & (ends_s <= at + WINDOW_S) & (rows[:, 3] == 0)
        true.append(mean_rate(rows[inside, 1]) or np.nan)
    difference = np.abs(windows(wave, wave.start_s, wave.end_s) - np.array(true))
    return f"Polar PPG against PPI, minutes: {_summary(difference)}"


def _lag(wave: Signal, ends_s: np.ndarray, intervals_ms: np.ndarray) -> float:
    """Return the lag (s) at which intervals agree best with those of the wave."""
    beats = find_beats(wave).times_s
    usual = np.diff(beats) < 2 * np.median(np.diff(beats))
    middle, own = ((beats[1:] + beats[:-1]) / 2)[usual], np.diff(beats)[usual]
    grid = np.arange(wave.start_s + 45, wave.end_s - 45, 0.25)
    at_wave = np.interp(grid, middle, own)
    lags = np.arange(-40, 40, 0.25)
    agree = [
        np.corrcoef(at_wave, np.interp(grid, ends_s + lag - intervals_ms / 2000, intervals_ms))[
            0, 1
        ]
        for lag in lags
    ]
    return float(lags[int(np.argmax(agree))])


def wrist_pairs(data: Path) -> list[str]:
    """Compare a Samsung watch with an E4 on the other wrist, minute by minute."""
    lines, together = [], []
    for path in sorted((data / "cogwear").rglob("samsung_bvp.csv")):
        try:
            watch = signals_in(path)["bvp"]()
            band = signals_in(path.with_name("empatica_bvp.csv"))["bvp"]()
        except (InputError, KeyError) as error:
            lines.append(f"{path.relative_to(data)}: {error}")
            continue
        span = max(watch.start_s, band.start_s), min(watch.end_s, band.end_s)
        difference = np.abs(windows(watch, *span) - windows(band, *span))
        lines.append(f"{path.parent.relative_to(data)}: {_summary(difference)}")
        together.append(difference)
    if together:
        lines.append(f"Samsung against E4, all minutes: {_summary(np.concatenate(together))}")
    return lines


def song_records(data: Path) -> str:
    """Compare waves of an E4 without header, read with their published rate, with its intervals.

    Songs count whose intervals cover at least half of the wave.
    """
    facts = Given({"SamplingFrequency": 64, "Columns": ["bvp"]})
    differences = []
    for path in sorted((data / "hku956").glob("*/*/BVP/*.csv"))[::10]:
        (row,) = read(data, path, facts)
        intervals_s = np.loadtxt(path.parent.with_name("IBI") / path.name, ndmin=1)
        samples = len(path.read_text().split())
        if row.hr_bpm is not None and intervals_s.sum() > samples / 64 / 2:
            differences.append(abs(row.hr_bpm - 60 / float(np.mean(intervals_s))))
    return f"hku956, every tenth song: {_summary(np.array(differences))}"


def _summary(difference: np.ndarray) -> str:
    known = difference[np.isfinite(difference)]
    if not len(known):
        return f"0 of {len(difference)} compared"
    return (
        f"{len(known)} of {len(difference)} compared, median difference "
        f"{np.median(known):.2f} bpm, 90 % within {np.quantile(known, 0.9):.2f}"
    )


def main(data: Path) -> None:
    logging.disable(logging.WARNING)
    print(
        "| file | read | rate, Hz | HR | truth | difference | note |\n|---|---|---|---|---|---|---|"
    )
    for row in rows_of(data):
        print(row.text(), flush=True)
    if (data / "devices" / "biobss_polar").is_dir():
        print("\n" + polar_minutes(data))
    print("\n".join(wrist_pairs(data)))
    if (data / "hku956").is_dir():
        print(song_records(data))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m benchmarks.devices DATA")
    main(Path(sys.argv[1]))
