"""Estimate the heart rate in degraded copies of a video.

``python -m benchmarks.reencoded VIDEO [METHOD ...]``: the video is compressed as by messengers,
reduced in frames and pixels, changed in exposure, and disturbed by noise and a trembling camera.
The table shows the heart rate that each method reports, or that it is withheld; default: PhysNet
and POS.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

from emotion_rppg import estimate
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate

X264 = ("-c:v", "libx264", "-crf")
CLEAN = (*X264, "18")
TREMBLE = "crop=iw-40:ih-40:20+15*sin(2*PI*t*0.7):20+10*sin(2*PI*t*1.3)"
VERSIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "H.264, CRF 32": ("a.mp4", (*X264, "32")),
    "H.264, CRF 38": ("b.mp4", (*X264, "38")),
    "H.264, 200 kbit/s": ("c.mp4", ("-c:v", "libx264", "-b:v", "200k")),
    "VP9, 300 kbit/s": ("d.webm", ("-c:v", "libvpx-vp9", "-b:v", "300k", "-cpu-used", "8")),
    "MJPEG": ("e.avi", ("-c:v", "mjpeg", "-q:v", "8")),
    "200 pixels wide": ("f.mp4", ("-vf", "scale=200:-2", *CLEAN)),
    "15 frames/s": ("g.mp4", ("-vf", "fps=15", *CLEAN)),
    "darker": ("h.mp4", ("-vf", "eq=gamma=0.5:brightness=-0.15", *CLEAN)),
    "brighter": ("i.mp4", ("-vf", "eq=gamma=1.6:brightness=0.1", *CLEAN)),
    "noise of 12 grey levels": ("j.mp4", ("-vf", "noise=alls=12:allf=t", *CLEAN)),
    "no colour": ("k.mp4", ("-vf", "format=gray", *CLEAN)),
    "trembling at 0.7 and 1.3 Hz": ("l.mp4", ("-vf", TREMBLE, *CLEAN)),
    "head rolling by 11° at 0.3 Hz": ("m.mp4", ("-vf", "rotate=0.2*sin(2*PI*t*0.3)", *CLEAN)),
}


def read(path: Path, method: str) -> str:
    """Format heart rate and quality as ``emotion-rppg pulse`` reports them."""
    result = estimate_heart_rate(estimate(path, method))
    rate = "withheld" if result.hr_bpm is None else f"{result.hr_bpm:.1f} bpm"
    return f"{rate} ({result.quality:.2f})"


def main(arguments: list[str]) -> None:
    """Print a table with a row per version and a column per method."""
    video, methods = Path(arguments[0]), arguments[1:] or ["physnet", "pos"]
    encoder = imageio_ffmpeg.get_ffmpeg_exe()
    print(f"| {video.name}: heart rate (quality) | " + " | ".join(methods) + " |")
    print("|---" * (len(methods) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for version, (name, options) in {"as it is": ("", ()), **VERSIONS}.items():
            path = Path(folder, name) if name else video
            if name:
                command = [encoder, "-y", "-loglevel", "error", "-i", str(video), *options, "-an"]
                subprocess.run([*command, str(path)], check=True)
            cells = " | ".join(read(path, method) for method in methods)
            print(f"| {version} | {cells} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
