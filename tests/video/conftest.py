"""Make small test videos with the ffmpeg of the package imageio-ffmpeg."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def ffmpeg(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``ffmpeg(name, *arguments) -> path`` of the file made; ``@x`` stands for the file x."""
    from imageio_ffmpeg import get_ffmpeg_exe

    folder = tmp_path_factory.mktemp("videos")

    def run(name: str, *arguments: str) -> Path:
        resolved = [str(folder / a[1:]) if a.startswith("@") else a for a in arguments]
        command = [get_ffmpeg_exe(), "-v", "error", "-y", *resolved, str(folder / name)]
        subprocess.run(command, check=True)
        return folder / name

    return run


@pytest.fixture(scope="session")
def clip(ffmpeg: Callable[..., Path]) -> Path:
    """Three seconds, 30 frames a second, 160×120, H.264, its index in front."""
    source = "testsrc=size=160x120:rate=30:duration=3"
    encode = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart")
    return ffmpeg("clip.mp4", "-f", "lavfi", "-i", source, *encode)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write(frames, rate) -> path`` of a lossless video of RGB pictures (n, h, w, 3)."""
    from imageio_ffmpeg import get_ffmpeg_exe

    def run(frames: np.ndarray, rate: float = 30) -> Path:
        n, height, width, _ = frames.shape
        path = tmp_path / f"video{n}.mkv"
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate))
        lossless = ("-c:v", "ffv1", "-pix_fmt", "bgra")
        command = [get_ffmpeg_exe(), "-v", "error", "-y", *raw, "-i", "-", *lossless, str(path)]
        subprocess.run(command, input=frames.tobytes(), check=True)
        return path

    return run


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    from skimage.data import astronaut

    return np.asarray(astronaut())
