"""What lowers the beats' jitter without a training: ``python -m benchmarks.widths [CLIPS]``.

The bundled network on drawn clips that are neither training's nor the frozen preset's (other
people, H.264, other motion): by how wide a square about the face it is shown, averaged over
squares, mixed with POS or CHROM; then as the pictures' cells confirm it, and as they confirm POS,
and the true wave: no pilot can be better than that. ``python -m benchmarks.widths frozen`` says
the last of the frozen clips.
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
FIRST, CLIPS = 3000, 14  # numbers of people whom no other preset has
WIDTHS = (1.2, 1.4, 1.65, 1.9, 2.2)
TRUE, CELLS = "the true wave", "cells"
Waves = dict[str, np.ndarray]


def shown(look: FaceFrame, width: float, size: int) -> np.ndarray:
    """`crop`, had it another width."""
    assert look.box is not None
    x, y, w, h = look.box
    more = width / WIDEN
    wide = (x + w * (1 - more) / 2, y + h * (1 - more) / 2, w * more, h * more)
    return crop(FaceFrame(look.time_s, look.image, wide, look.landmarks), size)


def waves(path: Path, network: Network, widths: tuple[float, ...]) -> Waves:
    """What each width and method reads, (frames,) each; and the cells of the pictures."""
    looks = [
        (look.time_s, skin_mean(look), {w: shown(look, w, network.size) for w in widths})
        for look in track_face(Video(path))
    ]

    def read(width: float) -> np.ndarray:
        timed = ((at, pictures[width]) for at, _, pictures in looks)
        _, even = crops_at_times(timed, rate_hz=network.rate_hz)
        return overlap_add(even, network, chunk=round(CHUNK_S * network.rate_hz))

    colours = [(at, colour) for at, colour, _ in looks]
    found = {m: read_by_colour(colours, METHODS[m]).samples for m in ("pos", "chrom")}
    found[CELLS] = np.array([cells_of(pictures[WIDEN]) for _, _, pictures in looks])
    return found | {f"{w:g}": read(w) for w in widths}


def mixtures(w: Waves, rate_hz: float) -> Waves:
    """Averages of standardised waves, and one by the ratio of signal to noise."""
    return {
        "mean of 1.2, 1.4, 1.65": w["1.2"] + w["1.4"] + w["1.65"],
        "1.65 + POS": w["1.65"] + w["pos"],
        "1.65 + POS/4": w["1.65"] + w["pos"] / 4,
        "1.65 + CHROM/2": w["1.65"] + w["chrom"] / 2,
        "1.65 and POS by SNR": _ratio(w["1.65"], rate_hz) * w["1.65"]
        + _ratio(w["pos"], rate_hz) * w["pos"],
    }


def by_cells(w: Waves, rate_hz: float) -> Waves:
    """Waves as the cells confirm them."""
    n = min(len(w[CELLS]), *(len(w[name]) for name in (f"{WIDEN:g}", "pos", TRUE)))
    return {
        f"{name}, confirmed": refine(w[name][:n], w[CELLS][:n], rate_hz)
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
            told = read | by_cells(read, network.rate_hz)
            if len(widths) > 1:
                told |= mixtures(read, network.rate_hz)
            for name in sorted(told.keys() - {CELLS}):
                signal = Signal(told[name], network.rate_hz, kind="rppg")
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
