"""Waves read from the frozen test clips of `synthesis/presets.py`, by classic methods and networks.

``python -m benchmarks.presets [METHOD|DIR …]``: heart rate, beat timing and RMSSD against what the
clips were made from. Drawn blood in one photograph: it compares methods, and says nothing of faces.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.beats import measures
from emotion_rppg import Signal, estimate, find_beats
from emotion_rppg.metrics import beat_errors, wave_correlation
from emotion_rppg.quality import heart_rate, judge, snr_db
from emotion_rppg.synthesis.presets import PRESETS, Truth, write_clip


def row(wave: Signal, truth: Truth) -> list[float]:
    """Error of the rate, SNR, r, jitter, F1, error of RMSSD, and whether the rate is believed."""
    (bpm, _, rmssd), beats = measures(truth.beats), find_beats(wave)
    errors = beat_errors(beats, truth.beats)
    r, _ = wave_correlation(*(w.bandpass(0.6, 4).samples for w in (wave, truth.wave)), wave.rate_hz)
    found = [abs(heart_rate(wave) - bpm), snr_db(wave, bpm), r, errors.jitter_ms, errors.f1]
    return [*found, abs(measures(beats)[2] - rmssd), float(judge(wave).hr_bpm is not None)]


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
    print("| method | HR MAE bpm | SNR dB | r | jitter ms | beat F1 | RMSSD MAE ms | believed |")
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
