"""List the clips of real faces, their true or agreed heart rates, and degraded versions of them.

``python -m benchmarks.real_clips DATA`` prints the agreed rate of every clip without a truth. The
rule: mean colours of forehead, both cheeks and all three are estimated by seven classic methods;
if at least 16 of these 28 spectra have their peak within 3 bpm of a common rate, the clip has a
consensus, which is the range of the middle four fifths of them. A clip of less than 10 s has none.
The results are frozen in ``real_clips.csv``: no network may change what it is compared with.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from emotion_rppg import Video
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.estimate import read_by_colour
from emotion_rppg.signal_quality import heart_rate
from emotion_rppg.video.face_tracking import FaceFrame, face_cells, skin_of, track_face

# kind of clip, files, region
FOLDERS = (
    ("living", "faces/known_rate/*", "face"),
    ("living", "faces/talking_24fps.mp4", "face"),
    ("living", "faces/no_face/face_then_none.mov", "face"),
    ("living", "faces/real_motion/*", "face"),
    ("lifeless", "faces/not_alive/*", "face"),
    ("lifeless", "no_pulse/*.avi", "full"),
    ("no face or short", "faces/no_face/no_face.mp4", "face"),
    ("no face or short", "faces/containers/*", "face"),
)
RATES = Path(__file__).with_suffix(".csv")
NEAR_BPM, LEAST_AGREE, LEAST_S, CELLS = 3.0, 16, 10.0, 16

X264 = ("-c:v", "libx264", "-crf")
CLEAN = (*X264, "18")
TREMBLE = "crop=iw-40:ih-40:20+15*sin(2*PI*t*0.7):20+10*sin(2*PI*t*1.3)"
EVEN = "scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p"  # as these codecs want it
# file, filter, codec
VERSIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "CRF 28": ("a.mp4", "null", (*X264, "28")),
    "CRF 35": ("b.mp4", "null", (*X264, "35")),
    "200 kbit/s": ("c.mp4", "null", ("-c:v", "libx264", "-b:v", "200k")),
    "VP9, 300 kbit/s": (
        "d.webm",
        "null",
        ("-c:v", "libvpx-vp9", "-b:v", "300k", "-cpu-used", "8"),
    ),
    "MJPEG": ("e.avi", "null", ("-c:v", "mjpeg", "-q:v", "8")),
    "half size": ("f.mp4", "scale=iw/2:-2", CLEAN),
    "15 frames/s": ("g.mp4", "fps=15", CLEAN),
    "darker": ("h.mp4", "eq=gamma=0.5:brightness=-0.15", CLEAN),
    "brighter": ("i.mp4", "eq=gamma=1.6:brightness=0.1", CLEAN),
    "noise": ("j.mp4", "noise=alls=12:allf=t", CLEAN),
    "no colour": ("k.mp4", "format=gray", CLEAN),
    "trembling": ("l.mp4", TREMBLE, CLEAN),
    "rolling head": ("m.mp4", "rotate=0.2*sin(2*PI*t*0.3)", CLEAN),
}


@dataclass(frozen=True)
class Clip:
    """A clip: its name, kind, video, and the range of its true or agreed rate, bpm (or None)."""

    name: str
    kind: str
    video: Video
    range_bpm: tuple[float, float] | None = None
    basis: str = ""  # "truth", "consensus", or empty

    def contains(self, bpm: float) -> bool:
        """Tell whether a rate is within 3 bpm of the range."""
        if self.range_bpm is None:
            return False
        low, high = self.range_bpm
        return low - NEAR_BPM <= bpm <= high + NEAR_BPM


def clips(data: Path) -> Iterator[Clip]:
    """Yield all clips of a folder of data; one that ``real_clips.csv`` lacks has no rate."""
    rates = frozen_rates()
    for kind, pattern, region in FOLDERS:
        for path in sorted(data.glob(pattern)):
            video = Video(path, region=None if region == "face" else region)
            yield Clip(path.stem, kind, video, *rates.get(path.stem, (None, "")))


def frozen_rates() -> dict[str, tuple[tuple[float, float], str]]:
    """Read the range of rates, bpm, and its basis for each clip that has one."""
    with RATES.open() as file:
        return {
            row["clip"]: ((float(row["low_bpm"]), float(row["high_bpm"])), row["basis"])
            for row in csv.DictReader(file)
        }


def degraded(clip: Clip, version: str, folder: Path) -> Clip:
    """Write a degraded version of a clip into a folder."""
    name, change, codec = VERSIONS[version]
    path = folder / name
    source = str(clip.video.path)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", source]
    command += ["-vf", f"{change},{EVEN}", *codec, "-an", str(path)]
    subprocess.run(command, check=True)
    return Clip(clip.name, clip.kind, Video(path, region=clip.video.region), clip.range_bpm)


# ---- consensus of classic methods ------------------------------------------------------------


def consensus(video: Video) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Estimate 28 rates of a clip, bpm, and the range that most agree on, or None."""
    rows = [(frame.time_s, region_colours(frame)) for frame in track_face(video)]
    rates = []
    for region in range(4):
        colours = [(time, values[region]) for time, values in rows]
        rates += [heart_rate(read_by_colour(colours, method)) for method in METHODS.values()]
    found = np.array(rates)
    return found, agreed_range(found) if rows[-1][0] - rows[0][0] >= LEAST_S - 0.1 else None


def agreed_range(rates_bpm: np.ndarray) -> tuple[float, float] | None:
    """Compute the range of the largest group of rates if 16 of them agree, else None."""
    near = np.abs(rates_bpm[:, None] - rates_bpm) <= NEAR_BPM
    group = rates_bpm[near[near.sum(axis=1).argmax()]]
    if len(group) < LEAST_AGREE:
        return None
    low, high = np.quantile(group, [0.1, 0.9])
    return float(low), float(high)


def region_colours(frame: FaceFrame) -> np.ndarray:
    """Compute the mean colours of forehead, two cheeks and all of them, (4, 3); NaN: missing."""
    if frame.box is None or frame.landmarks is None:
        return np.full((4, 3), np.nan)
    cells, skin = face_cells(frame, CELLS), skin_of(frame, CELLS)
    x, y, w, h = frame.box
    middle = (np.arange(CELLS) + 0.5) / CELLS
    above = np.repeat((y + h * middle < frame.landmarks[:2, 1].mean())[:, None], CELLS, axis=1)
    left = np.repeat((x + w * middle < frame.landmarks[2, 0])[None], CELLS, axis=0)
    parts = (above, ~above & left, ~above & ~left, np.ones_like(above))
    weights = np.stack([skin * part for part in parts])
    sums = weights.sum(axis=(1, 2))
    colours = np.einsum("rij,ijk->rk", weights, cells) / np.maximum(sums, 1e-9)[:, None]
    return np.where(sums[:, None] > 0.5, colours, np.nan)


def main(data: Path) -> None:
    """Print the number of spectra that agree, and their range, for each clip of a face."""
    print("| clip | agree, of 28 | range, bpm |\n|---|---|---|")
    for clip in clips(data):
        if clip.kind != "living":
            continue
        try:
            rates, agreed = consensus(clip.video)
        except InputError as error:
            print(f"| {clip.name} | – | {error} |")
            continue
        near = int((np.abs(rates[:, None] - rates) <= NEAR_BPM).sum(axis=1).max())
        text = "none" if agreed is None else f"{agreed[0]:.1f}–{agreed[1]:.1f}"
        print(f"| {clip.name} | {near} | {text} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
