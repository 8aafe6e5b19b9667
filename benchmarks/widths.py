"""Measure what lowers beat jitter without training: ``python -m benchmarks.widths [CLIPS]``.

The bundled network reads drawn clips that are neither in training nor in the frozen preset (other
people, H.264, other motion): with crops of several widths, averaged over widths, and mixed with POS
or CHROM. Then its wave, that of POS and the true wave are refined by spatial cells; no pilot can be
better than the true wave. ``python -m benchmarks.widths frozen`` refines the waves of the frozen
clips.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.presets import row
from benchmarks.presets_of_clips import PRESETS, Preset, Truth, write_clip
from emotion_rppg import Signal, Video
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.estimate import read_by_colour
from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, crops_at_times, overlap_add
from emotion_rppg.pulse.inference.spatial_refinement import cells_of, refine
from emotion_rppg.pulse.inference.trained_network import BUNDLED, Network, load_network
from emotion_rppg.signal_quality import heart_rate, snr_db
from emotion_rppg.video.face_tracking import WIDEN, FaceFrame, crop, skin_mean, track_face

TRIAL = Preset(
    codecs=(("h264", 11), ("h264", 14), ("h264", 16)),
    jumps_px=1.5,
    turns_deg=1.0,
    jumps_hz=0.4,
    passing=0.02,
    screen=0.02,
    noise=2.0,
)
FIRST, CLIPS = 3000, 14  # numbers of people in no other preset
WIDTHS = (1.2, 1.4, 1.65, 1.9, 2.2)
TRUE, CELLS = "the true wave", "cells"
Waves = dict[str, np.ndarray]


def crop_of_width(frame: FaceFrame, width: float, size: int) -> np.ndarray:
    """Crop the face as `crop` does, with another width in face sizes."""
    assert frame.box is not None
    x, y, w, h = frame.box
    more = width / WIDEN
    wide = (x + w * (1 - more) / 2, y + h * (1 - more) / 2, w * more, h * more)
    return crop(FaceFrame(frame.time_s, frame.image, wide, frame.landmarks), size)


def waves(path: Path, network: Network, widths: tuple[float, ...]) -> Waves:
    """Compute the wave (frames,) of each width and method, and the cells of the crops."""
    frames = [
        (frame.time_s, skin_mean(frame), {w: crop_of_width(frame, w, network.size) for w in widths})
        for frame in track_face(Video(path))
    ]

    def read(width: float) -> np.ndarray:
        timed = ((at, crops[width]) for at, _, crops in frames)
        _, even = crops_at_times(timed, rate_hz=network.rate_hz)
        return overlap_add(even, network, chunk=round(CHUNK_S * network.rate_hz))

    colours = [(at, colour) for at, colour, _ in frames]
    found = {m: read_by_colour(colours, METHODS[m]).samples for m in ("pos", "chrom")}
    found[CELLS] = np.array([cells_of(crops[WIDEN]) for _, _, crops in frames])
    return found | {f"{w:g}": read(w) for w in widths}


def mixtures(w: Waves, rate_hz: float) -> Waves:
    """Average standardised waves; one mixture is weighted by the signal-to-noise ratio."""
    return {
        "mean of 1.2, 1.4, 1.65": w["1.2"] + w["1.4"] + w["1.65"],
        "1.65 + POS": w["1.65"] + w["pos"],
        "1.65 + POS/4": w["1.65"] + w["pos"] / 4,
        "1.65 + CHROM/2": w["1.65"] + w["chrom"] / 2,
        "1.65 and POS by SNR": _ratio(w["1.65"], rate_hz) * w["1.65"]
        + _ratio(w["pos"], rate_hz) * w["pos"],
    }


def refined_waves(w: Waves, rate_hz: float) -> Waves:
    """Refine waves by the spatial cells."""
    n = min(len(w[CELLS]), *(len(w[name]) for name in (f"{WIDEN:g}", "pos", TRUE)))
    return {
        f"{name}, refined": refine(w[name][:n], w[CELLS][:n], rate_hz)
        for name in (f"{WIDEN:g}", "pos", TRUE)
    }


def _ratio(wave: np.ndarray, rate_hz: float) -> float:
    signal = Signal(wave, rate_hz, kind="rppg")
    return float(10 ** (snr_db(signal, heart_rate(signal)) / 10))


def main(clips: int, preset: Preset, first: int, widths: tuple[float, ...]) -> None:
    network = load_network(BUNDLED["physnet"], device="cpu")
    found: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(clips):
            path = Path(folder) / f"{number}.mp4"
            truth: Truth = write_clip(preset, first + number, path)
            read = waves(path, network, widths) | {TRUE: truth.wave.samples}
            shown = read | refined_waves(read, network.rate_hz)
            if len(widths) > 1:
                shown |= mixtures(read, network.rate_hz)
            for name in sorted(shown.keys() - {CELLS}):
                signal = Signal(shown[name], network.rate_hz, kind="rppg")
                found.setdefault(name, []).append(row(signal, truth))
    print("| read | SNR dB | r | jitter ms | RMSSD MAE ms |\n|---|---|---|---|---|")
    for name, table in found.items():
        middle, mean = np.nanmedian(table, axis=0), np.nanmean(table, axis=0)
        cells = f"{middle[1]:.1f} | {middle[2]:.3f} | {middle[3]:.1f} | {mean[5]:.1f}"
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["frozen"]:
        main(PRESETS["moderate"].clips, PRESETS["moderate"], 0, (WIDEN,))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else CLIPS, TRIAL, FIRST, WIDTHS)
