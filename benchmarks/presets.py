"""Compare methods on the frozen test clips of `presets_of_clips.py`.

``python -m benchmarks.presets [METHOD|DIR …]``: errors of heart rate, beat timing and RMSSD against
the known truth. The clips have a synthetic pulse in one photograph: they compare methods and say
nothing about real faces.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.presets_of_clips import PRESETS, Truth, write_clip
from emotion_rppg import Signal, estimate, find_beats
from emotion_rppg.evaluation.pulse_agreement import compare_waves


def row(wave: Signal, truth: Truth) -> list[float]:
    """Compute error of the rate, SNR, r, jitter, F1, error of RMSSD; 1 if the rate is accepted."""
    found: dict[str, Any] = compare_waves(wave, find_beats(wave), truth.wave, truth.beats)
    rate, rmssd = found["hr_bpm"] - found["hr_true_bpm"], found["rmssd_ms"] - found["rmssd_true_ms"]
    plain = [found[name] for name in ("snr_db", "r", "beat_jitter_ms", "beat_f1")]
    return [abs(rate), *plain, abs(rmssd), 1 - found["withheld"]]


def main(methods: list[str], name: str = "moderate", clips: int | None = None) -> None:
    preset = PRESETS[name]
    rows: dict[str, list[list[float]]] = {method: [] for method in methods}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(clips or preset.clips):
            path = Path(folder) / f"{number}.mp4"
            truth = write_clip(preset, number, path)
            for method in methods:
                rows[method].append(row(estimate(path, method), truth))
            path.unlink()
    print(f"preset {name}, {len(rows[methods[0]])} clips of {preset.seconds:g} s\n")
    print("| method | HR MAE bpm | SNR dB | r | jitter ms | beat F1 | RMSSD MAE ms | accepted |")
    print("|---|---|---|---|---|---|---|---|")
    for method, found in rows.items():
        table = np.array(found)
        middle = np.nanmedian(table, axis=0)
        mean = np.nanmean(table, axis=0)
        print(
            f"| {Path(method).name} | {mean[0]:.2f} | {middle[1]:.1f} | {middle[2]:.2f} | "
            f"{middle[3]:.1f} | {middle[4]:.2f} | {mean[5]:.1f} | {mean[6]:.0%} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["pos", "chrom", "green"])
