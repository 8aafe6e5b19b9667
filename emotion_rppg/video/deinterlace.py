"""Decode interlaced videos with ffmpeg, because OpenCV returns wrong frames for them.

OpenCV asks FFmpeg's scaler to convert interlaced frames to progressive ones. The scaler refuses,
and OpenCV returns the same old buffer for every frame without an error (observed with
opencv-python 5.0). Such a video is decoded by the ffmpeg of the package imageio-ffmpeg, which
deinterlaces it with its filter yadif.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_FIELD_ORDER = re.compile(rb"Video: .*\b(top|bottom) (coded )?first")


def is_interlaced(path: Path) -> bool:
    """Tell whether the header of a video says that it is interlaced (ffmpeg reads it in 50 ms)."""
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-i", str(path)]
    probe = subprocess.run(command, capture_output=True, check=False)
    return bool(_FIELD_ORDER.search(probe.stderr))


def deinterlaced_frames(path: Path, *, skip: int, height: int, width: int) -> Iterator[np.ndarray]:
    """Decode the deinterlaced frames after the first ``skip``: RGB uint8 (height, width, 3).

    They are upright, one for each frame of the file.
    """
    from imageio_ffmpeg import get_ffmpeg_exe

    only_interlaced = ("-vf", "yadif=mode=send_frame:deint=interlaced")
    raw = ("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    command = [get_ffmpeg_exe(), "-v", "quiet", "-nostdin", "-i", str(path), *only_interlaced, *raw]
    size = height * width * 3
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            for number in range(2**62):
                data = process.stdout.read(size)
                if len(data) < size:
                    return
                if number >= skip:
                    yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
        finally:
            process.kill()
