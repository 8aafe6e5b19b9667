"""Draw the waves of real faces by several readers: ``python -m benchmarks.real_waves DATA SVG``.

One row a clip and one line a reader, in standard deviations; grey where the quality is below 0.6,
that is where no heart rate would be reported. No picture of a face is drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.real_clips import Clip, clips
from emotion_rppg import Signal
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.pulse.estimate import estimate_each
from emotion_rppg.signal_quality import LEAST_QUALITY

SHOWN = ("evm_face", "lp_d9", "lp_d10", "talking_24fps", "s9_hand")
READERS = ("physnet", "pos", "chrom")
SECONDS, OFFSET = 10.0, 5.0


def draw(data: Path, out: Path) -> None:
    """Draw the first ten seconds of each clip."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "real waves"  # the same file each time
    from matplotlib import pyplot as plt

    shown = {clip.name: clip for clip in clips(data) if clip.name in SHOWN}
    figure, axes = plt.subplots(len(SHOWN), 1, figsize=(8, 1.9 * len(SHOWN)), sharex=True)
    for axis, name in zip(axes, SHOWN, strict=True):
        _draw_clip(axis, shown[name])
    axes[-1].set_xlabel("time, s")
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


def _draw_clip(axis: object, clip: Clip) -> None:
    """Draw the waves of one clip above each other."""
    readings = estimate_each(clip.video, READERS, device="cpu")
    for row, (reader, read) in enumerate(zip(READERS, readings, strict=True)):
        wave = read().bandpass(0.6, 4.0)
        clear = _clear(wave)
        level = -OFFSET * row
        rate = estimate_heart_rate(wave).hr_bpm
        text = f"{reader}: " + ("withheld" if rate is None else f"{rate:.0f} bpm")
        _line(axis, wave, ~clear, level, "0.7")
        _line(axis, wave, clear, level, f"C{row}")
        axis.text(SECONDS + 0.1, level, text, va="center", fontsize=8)  # type: ignore[attr-defined]
    axis.set(xlim=(0, SECONDS), yticks=[])  # type: ignore[attr-defined]
    axis.set_title(_title(clip), loc="left", fontsize=9)  # type: ignore[attr-defined]


def _clear(wave: Signal) -> np.ndarray:
    quality = np.zeros(len(wave)) if wave.quality is None else wave.quality
    return np.asarray(quality >= LEAST_QUALITY)


def _line(axis: object, wave: Signal, where: np.ndarray, level: float, colour: str) -> None:
    samples = np.where(where, wave.samples / np.nanstd(wave.samples) + level, np.nan)
    axis.plot(wave.times_s - wave.start_s, samples, color=colour, linewidth=0.9)  # type: ignore[attr-defined]


def _title(clip: Clip) -> str:
    if clip.range_bpm is None:
        return (
            f"{clip.name}: {clip.kind}, rate unknown"
            if clip.kind == "living"
            else (f"{clip.name}: {clip.kind}")
        )
    low, high = clip.range_bpm
    return f"{clip.name}: {clip.basis} {low:.0f}–{high:.0f} bpm"


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
