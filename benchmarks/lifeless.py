"""Measure false detections in clips without a pulse.

``python -m benchmarks.lifeless DATA [METHOD …]``. Every clip is decoded and its face tracked once
for all methods. The results of each method are the heart rate (or withheld), the share of time with
detected beats (`find_beats`, outside gaps), and the share with a quality of 0.5 or more, by the
wave alone and after the check of the video frames. Lifeless clips are statues, paintings, animated
portraits, and skin whose pulse the codec removed; living clips are real faces, most of them moving
and without a true rate.
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
    """Result of a method on a clip; ``hr_bpm`` is None if withheld."""

    kind: str
    clip: str
    method: str
    seconds: float
    detected_s: float  # with detected beats
    alone_s: float  # clear by the wave alone
    clear_s: float  # clear by the wave and the video frames
    spectrum_bpm: float
    hr_bpm: float | None
    reason: str


def clips(data: Path) -> Iterator[tuple[str, Video]]:
    """Yield the kind and the video of each clip."""
    for kind, pattern, region in CLIPS:
        for path in sorted(data.glob(pattern)):
            yield kind, Video(path, region=None if region == "face" else region)


def rows(data: Path, methods: tuple[str, ...] = ALL) -> Iterator[Row]:
    """Yield the result of each method on each clip."""
    for kind, video in clips(data):
        try:
            waves = estimate_each(video, methods, device="cpu")
        except InputError as error:
            yield Row(kind, video.path.stem, "all", 0, 0, 0, 0, np.nan, None, str(error))
            continue
        for method, wave in zip(methods, waves, strict=True):
            yield _row(kind, video.path.stem, method, wave())


def _row(kind: str, clip: str, method: str, wave: Signal) -> Row:
    """Result of one wave."""
    assert wave.quality is not None
    beats = find_beats(wave)
    rate = estimate_heart_rate(wave, beats)
    detected_s = beats.coverage * wave.duration_s if len(beats.times_s) else 0.0
    return Row(
        kind,
        clip,
        method,
        wave.duration_s,
        detected_s,
        float(np.sum(sample_quality(wave) >= CLEAR)) / wave.rate_hz,
        float(np.sum(wave.quality >= CLEAR)) / wave.rate_hz,
        heart_rate(wave),
        rate.hr_bpm,
        rate.reason or "",
    )


def print_clips(results: list[Row]) -> None:
    """Print a row per clip and a column per method: rate of the spectrum and three shares."""
    methods = tuple(dict.fromkeys(row.method for row in results if row.method != "all"))
    print(
        "rate of the spectrum: detected beats · clear by the wave · and by the frames; "
        "bold: reported\n"
    )
    print("| clip | s | " + " | ".join(methods) + " |")
    print("|---" * (len(methods) + 2) + "|")
    for clip in dict.fromkeys(row.clip for row in results):
        own = [row for row in results if row.clip == clip]
        if own[0].method == "all":
            print(f"| {clip} | – | " + " | ".join("refused" for _ in methods) + " |")
            continue
        print(f"| {clip} | {own[0].seconds:.1f} | " + " | ".join(map(_cell, own)) + " |")


def _cell(row: Row) -> str:
    """The cell of a method and clip."""
    shares = [f"{s / row.seconds:.0%}" for s in (row.detected_s, row.alone_s, row.clear_s)]
    mark = "" if row.hr_bpm is None else "**"
    return f"{mark}{row.spectrum_bpm:.0f}{mark}: {' · '.join(shares)}"


def print_kinds(results: list[Row]) -> None:
    """Print shares of time and the number of reported rates of each kind of clip and method."""
    print(
        "\n| clips | method | seconds | detected beats | clear by the wave | and by the frames "
        "| heart rate reported |\n|---|---|---|---|---|---|---|"
    )
    for kind in dict.fromkeys(row.kind for row in results):
        for method in dict.fromkeys(row.method for row in results if row.method != "all"):
            own = [row for row in results if (row.kind, row.method) == (kind, method)]
            sums = [sum(getattr(r, x) for r in own) for x in ("detected_s", "alone_s", "clear_s")]
            seconds = max(sum(row.seconds for row in own), 1e-9)
            shares = " | ".join(f"{x / seconds:.1%}" for x in sums)
            reported = sum(row.hr_bpm is not None for row in own)
            print(f"| {kind} | {method} | {seconds:.0f} | {shares} | {reported} of {len(own)} |")


def main(arguments: list[str]) -> None:
    """Print all results for a folder of data and optional methods."""
    results = list(rows(Path(arguments[0]), tuple(arguments[1:]) or ALL))
    print_clips(results)
    print_kinds(results)


if __name__ == "__main__":
    main(sys.argv[1:])
