"""Fixtures of all tests: the folder of real recordings, a Dask scheduler; one thread a process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# cv2 reads these at its first import, which can be before the package sets them
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, never part of the repository; without it the test skips."""
    folder = Path(os.environ.get("EMOTION_RPPG_DATA") or _BESIDE_THE_CHECKOUT)
    if not folder.is_dir():
        pytest.skip("no real recordings: set EMOTION_RPPG_DATA to their folder")
    return folder


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Address of a Dask scheduler with two workers; without Dask the test skips."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address
