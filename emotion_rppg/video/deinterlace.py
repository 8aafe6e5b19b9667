"""Pictures of interlaced films, of which OpenCV gives an old buffer without saying so.

OpenCV asks FFmpeg's scaler to make progressive pictures of interlaced ones; the scaler refuses,
and OpenCV hands out whatever its memory held, each time the same, as if all were well (seen with
opencv-python 5.0). Such a film is decoded by the ffmpeg that imageio-ffmpeg brings, its fields
woven together (yadif).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_ORDER = re.compile(rb"Video: .*\b(top|bottom) (coded )?first")


def is_interlaced(path: Path) -> bool:
    """Whether the stream says that its pictures are fields; asks ffmpeg, some 50 ms."""
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-i", str(path)]
    told = subprocess.run(command, capture_output=True, check=False)
    return bool(_ORDER.search(told.stderr))


def woven(path: Path, *, skip: int, height: int, width: int) -> Iterator[np.ndarray]:
    """RGB pictures, uint8 (height, width, 3), upright, from picture ``skip`` on, one a frame."""
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
