"""Compare pulse readers on real faces, on lifeless clips, and on degraded versions of both.

``python -m benchmarks.real_faces DATA [--methods a,b,DIR] [--versions none|all|a,b] [--out CSV]``.
Rows are written to the CSV as they are measured; the same command continues with what is missing.
Every clip is decoded and its face tracked once for all readers. A reader is a method, ``physnet``,
or the folder of a network, as of a converted public checkpoint. For each clip and reader: the rate
of the spectrum and of the beats, whether they agree within 3 bpm, the quality, the share of time
with detected beats (outside gaps), and the heart rate that is reported, or the reason. A reported
rate is right if it is within 3 bpm of the truth or the consensus (`benchmarks.real_clips`), and
wrong if it is not or the clip is lifeless. Clips without either have no right answer; reports on
them are counted apart.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import monkeys
from benchmarks.real_clips import NEAR_BPM, VERSIONS, Clip, clips, degraded
from emotion_rppg import Signal, find_beats
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.metrics import beat_measures
from emotion_rppg.pulse import DONORS, METHODS
from emotion_rppg.pulse.estimate import estimate_each
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.signal_quality import heart_rate

READERS = ("physnet", *METHODS)
AS_IS = "as it is"
TRAINED_ON = "in the training of this network"
GROUPS = ("rate known", "rate unknown", "lifeless", "no face or short")
OUTCOMES = ("right", "wrong", "withheld")


@dataclass(frozen=True)
class Row:
    """The result of a reader on a version of a clip; ``hr_bpm`` is NaN if withheld."""

    clip: str
    group: str
    version: str
    reader: str
    seconds: float
    spectrum_bpm: float
    beats_bpm: float
    agree: bool
    quality: float
    beats_share: float
    hr_bpm: float
    reason: str
    outcome: str  # right, wrong, withheld; for clips without a known rate: reported, withheld


def rows_of(clip: Clip, version: str, readers: tuple[str, ...]) -> Iterator[Row]:
    """Yield the result of each reader on a clip."""
    try:
        waves = estimate_each(clip.video, readers, device="cpu")
    except InputError as error:
        for reader in readers:
            yield _row(clip, version, reader, error)
        return
    for reader, wave in zip(readers, waves, strict=True):
        try:
            yield _row(clip, version, reader, wave())
        except InputError as error:
            yield _row(clip, version, reader, error)


def _row(clip: Clip, version: str, reader: str, wave: Signal | InputError) -> Row:
    """Result of one wave, or of a refusal."""
    named = (clip.name, _group(clip), version, Path(reader).name)
    if isinstance(wave, InputError):
        nan = float("nan")
        return Row(*named, 0.0, nan, nan, False, 0.0, 0.0, nan, str(wave), "withheld")
    if clip.video.path.name in _donors(reader):
        nan = float("nan")
        return Row(*named, 0.0, nan, nan, False, 0.0, 0.0, nan, TRAINED_ON, "withheld")
    beats = find_beats(wave)
    judged = estimate_heart_rate(wave, beats)
    spectrum, of_beats = heart_rate(wave), beat_measures(beats).hr_bpm
    return Row(
        *named,
        wave.duration_s,
        spectrum,
        of_beats,
        abs(spectrum - of_beats) <= NEAR_BPM,
        judged.quality,
        beats.coverage if len(beats.times_s) else 0.0,
        float("nan") if judged.hr_bpm is None else judged.hr_bpm,
        judged.reason or "",
        _outcome(clip, judged.hr_bpm),
    )


def _donors(reader: str) -> list[str]:
    """File names of the videos that a network was trained on without labels."""
    if reader in METHODS:
        return []
    people = read_config(BUNDLED.get(reader, reader)).get("trained_on", {})
    return [] if isinstance(people, str) else list(people.get(DONORS, ()))


def _outcome(clip: Clip, bpm: float | None) -> str:
    if bpm is None:
        return "withheld"
    if clip.range_bpm is not None:
        return "right" if clip.contains(bpm) else "wrong"
    return "reported" if clip.kind == "living" else "wrong"


def _group(clip: Clip) -> str:
    if clip.kind != "living":
        return clip.kind
    return "rate unknown" if clip.range_bpm is None else "rate known"


def measure(
    data: Path,
    readers: tuple[str, ...],
    versions: tuple[str, ...],
    done: Collection[tuple[str, str]] = (),
) -> Iterator[Row]:
    """Yield all rows: each clip as it is, and degraded if its right answer is known.

    Names and versions of clips in ``done`` are left out.
    """
    for clip in clips(data):
        if (clip.name, AS_IS) not in done:
            yield from rows_of(clip, AS_IS, readers)
        if clip.range_bpm is None and clip.kind != "lifeless":
            continue
        for version in versions:
            if (clip.name, version) not in done:
                with tempfile.TemporaryDirectory() as folder:
                    yield from rows_of(degraded(clip, version, Path(folder)), version, readers)


# ---- tables ------------------------------------------------------------------------------------


def print_clips(rows: list[Row]) -> None:
    """Print a row per clip as it is, and a column per reader."""
    own = [row for row in rows if row.version == AS_IS]
    readers = tuple(dict.fromkeys(row.reader for row in own))
    print("spectrum / beats, bpm (quality, share of time with beats); bold: reported\n")
    print("| clip | s | " + " | ".join(readers) + " |")
    print("|---" * (len(readers) + 2) + "|")
    for clip in dict.fromkeys(row.clip for row in own):
        of_clip = [row for row in own if row.clip == clip]
        cells = " | ".join(map(_cell, of_clip))
        print(f"| {clip} | {max(row.seconds for row in of_clip):.1f} | {cells} |")


def _cell(row: Row) -> str:
    """The cell of a reader and clip."""
    if not row.seconds:
        return "trained on" if row.reason == TRAINED_ON else "refused"
    mark = "**" if np.isfinite(row.hr_bpm) else ""
    rates = f"{mark}{row.spectrum_bpm:.0f} / {row.beats_bpm:.0f}{mark}".replace("nan", "–")
    return f"{rates} ({row.quality:.2f}, {row.beats_share:.0%})"


def print_counts(rows: list[Row]) -> None:
    """Print a row per reader: what it reports of each group of clips, as they are and degraded."""
    groups = {
        (group, as_is): [r for r in rows if r.group == group and (r.version == AS_IS) == as_is]
        for group, as_is in itertools.product(GROUPS, (True, False))
    }
    groups = {key: own for key, own in groups.items() if own}
    readers = tuple(dict.fromkeys(row.reader for row in rows))
    print(
        "\nrate known: right · wrong · withheld; others: reported rates, and the share of time "
        "with detected beats; in brackets the number of readings\n"
    )
    heads = [
        f"{group}, {AS_IS if as_is else 'degraded'} ({len(own) // len(readers)})"
        for (group, as_is), own in groups.items()
    ]
    print("| reader | " + _joined(heads))
    print("|---" * (len(heads) + 1) + "|")
    for reader in readers:
        cells = [_count([r for r in own if r.reader == reader]) for own in groups.values()]
        print(f"| {reader} | " + _joined(cells))


def _count(own: list[Row]) -> str:
    """What one reader reports of one group."""
    if own[0].group == GROUPS[0]:
        return " · ".join(str(sum(r.outcome == outcome for r in own)) for outcome in OUTCOMES)
    seconds = max(sum(r.seconds for r in own), 1e-9)
    share = sum(r.seconds * r.beats_share for r in own) / seconds
    return f"{sum(np.isfinite(r.hr_bpm) for r in own)}, {share:.1%}"


def print_versions(rows: list[Row]) -> None:
    """Print the right, wrong and withheld rates of each version of the clips with a known rate."""
    readers = tuple(dict.fromkeys(row.reader for row in rows))
    print("\nright · wrong · withheld of the clips with a known rate\n")
    print("| version | " + " | ".join(readers) + " |")
    print("|---" * (len(readers) + 1) + "|")
    for version in dict.fromkeys(row.version for row in rows):
        own = [r for r in rows if (r.version, r.group) == (version, GROUPS[0])]
        cells = [
            " · ".join(
                str(sum(r.outcome == x for r in own if r.reader == reader)) for x in OUTCOMES[:3]
            )
            for reader in readers
        ]
        print(f"| {version} | " + _joined(cells))


def _joined(cells: Iterable[object]) -> str:
    return " | ".join(map(str, cells)) + " |"


def main(arguments: list[str]) -> None:
    """Measure, write the rows as they come, and print all tables."""
    options = _options(arguments)
    readers = tuple(options.methods.split(",")) if options.methods else READERS
    versions = {"all": tuple(VERSIONS), "none": ()}.get(options.versions)
    versions = tuple(options.versions.split(",")) if versions is None else versions
    rows = _read_rows(options.out)
    done = {(row.clip, row.version) for row in rows}
    for row in measure(options.data, readers, versions, done):
        rows.append(row)
        if options.out:
            line = pd.DataFrame([asdict(row)])
            line.to_csv(options.out, mode="a", header=len(rows) == 1, index=False)
    print_clips(rows)
    print_counts(rows)
    print_versions(rows)
    monkeys.main(options.data)


def _read_rows(path: Path | None) -> list[Row]:
    """Read the rows of an interrupted run; none without a file."""
    if path is None or not path.exists():
        return []
    table = pd.read_csv(
        path, keep_default_na=False, na_values={"hr_bpm": "", "beats_bpm": "", "spectrum_bpm": ""}
    )
    return [Row(**record) for record in table.to_dict("records")]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.real_faces", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", default="")
    parser.add_argument("--versions", default="all")
    parser.add_argument("--out", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
