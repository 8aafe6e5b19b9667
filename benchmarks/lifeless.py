"""Which clips are called pulses that hold none: ``python -m benchmarks.lifeless DATA [METHOD …]``.

Every clip is decoded and its face followed once for all methods. Of each method: the heart rate or
that it is withheld, the share of the clip called beats (`find_beats`, outside its gaps), and the
share whose quality is 0.5 or more, by the wave alone and after the pictures were asked.
Lifeless clips are statues, paintings, animated portraits and skin whose codec left no pulse; living
ones real faces, most of them in motion and without a true rate.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_rppg import Signal, Video, find_beats
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.estimate import estimate_each
from emotion_rppg.signal_quality import heart_rate, sample_quality

ALL = ("physnet", *METHODS)
CLEAR = 0.5
# kind of clip, files, region
CLIPS = (
    ("lifeless", "faces/not_alive/*", "face"),
    ("lifeless", "no_pulse/*.avi", "full"),
    ("living", "faces/known_rate/*", "face"),
    ("living", "faces/talking_24fps.mp4", "face"),
    ("living", "faces/real_motion/*", "face"),
    ("short or no face", "faces/containers/*", "face"),
)


@dataclass(frozen=True)
class Row:
    """What a method makes of a clip; ``hr_bpm`` is None where it is withheld."""

    kind: str
    clip: str
    method: str
    seconds: float
    called_s: float
    alone_s: float  # clear by the wave alone
    clear_s: float  # clear by wave and pictures
    spectrum_bpm: float
    hr_bpm: float | None
    reason: str


def clips(data: Path) -> Iterator[tuple[str, Video]]:
    for kind, pattern, region in CLIPS:
        for path in sorted(data.glob(pattern)):
            yield kind, Video(path, region=None if region == "face" else region)


def rows(data: Path, methods: tuple[str, ...] = ALL) -> Iterator[Row]:
    for kind, video in clips(data):
        try:
            waves = estimate_each(video, methods, device="cpu")
        except InputError as error:
            yield Row(kind, video.path.stem, "all", 0, 0, 0, 0, np.nan, None, str(error))
            continue
        for method, wave in zip(methods, waves, strict=True):
            yield _row(kind, video.path.stem, method, wave())


def _row(kind: str, clip: str, method: str, wave: Signal) -> Row:
    assert wave.quality is not None
    beats = find_beats(wave)
    verdict = estimate_heart_rate(wave, beats)
    called_s = beats.coverage * wave.duration_s if len(beats.times_s) else 0.0
    return Row(
        kind,
        clip,
        method,
        wave.duration_s,
        called_s,
        float(np.sum(sample_quality(wave) >= CLEAR)) / wave.rate_hz,
        float(np.sum(wave.quality >= CLEAR)) / wave.rate_hz,
        heart_rate(wave),
        verdict.hr_bpm,
        verdict.reason or "",
    )


def print_clips(found: list[Row]) -> None:
    """One line a clip, one column a method: the spectrum's rate and three shares of the clip."""
    methods = tuple(dict.fromkeys(row.method for row in found if row.method != "all"))
    print("spectrum's rate: called beats · clear by wave · and by pictures; bold: reported\n")
    print("| clip | s | " + " | ".join(methods) + " |")
    print("|---" * (len(methods) + 2) + "|")
    for clip in dict.fromkeys(row.clip for row in found):
        own = [row for row in found if row.clip == clip]
        if own[0].method == "all":
            print(f"| {clip} | – | " + " | ".join("refused" for _ in methods) + " |")
            continue
        print(f"| {clip} | {own[0].seconds:.1f} | " + " | ".join(map(_cell, own)) + " |")


def _cell(row: Row) -> str:
    shares = [f"{s / row.seconds:.0%}" for s in (row.called_s, row.alone_s, row.clear_s)]
    mark = "" if row.hr_bpm is None else "**"
    return f"{mark}{row.spectrum_bpm:.0f}{mark}: {' · '.join(shares)}"


def print_kinds(found: list[Row]) -> None:
    """Of each kind of clip and method: the share of all seconds called beats, and rates given."""
    print(
        "\n| clips | method | seconds | called beats | clear by the wave | and by the pictures "
        "| a rate is reported |\n|---|---|---|---|---|---|---|"
    )
    for kind in dict.fromkeys(row.kind for row in found):
        for method in dict.fromkeys(row.method for row in found if row.method != "all"):
            own = [row for row in found if (row.kind, row.method) == (kind, method)]
            sums = [sum(getattr(r, x) for r in own) for x in ("called_s", "alone_s", "clear_s")]
            seconds = max(sum(row.seconds for row in own), 1e-9)
            shares = " | ".join(f"{x / seconds:.1%}" for x in sums)
            given = sum(row.hr_bpm is not None for row in own)
            print(f"| {kind} | {method} | {seconds:.0f} | {shares} | {given} of {len(own)} |")


def main(given: list[str]) -> None:
    found = list(rows(Path(given[0]), tuple(given[1:]) or ALL))
    print_clips(found)
    print_kinds(found)


if __name__ == "__main__":
    main(sys.argv[1:])
