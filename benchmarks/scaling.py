"""Measure wall-clock time against the number of workers: ``python -m benchmarks.scaling [MOST]``.

The same folder of synthetic videos is processed by ``features`` and the same table by ``evaluate``,
with 1, 2, 4 … MOST processes (default: the number of cores) and with a Dask cluster of as many
workers. Each run starts new processes, as a user does. It takes about ten minutes on two cores.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.speed import seconds_of, write_clip
from emotion_rppg.datasets.synthetic import write_study

VIDEOS, SECONDS = 12, 30
PEOPLE, TRIALS = 24, 6
HEADS = "selected,forest,boosting"
ROUNDS = 2
_ENVIRONMENT = dict(os.environ)


def free(n: int) -> bytes:
    """Return an empty MP4 box of a given length, which makes files of the same content differ."""
    return struct.pack(">I4s", 8 + n, b"free") + bytes(n)


def counts(most: int) -> list[int]:
    """Return 1, 2, 4 … and the largest number."""
    return sorted({min(2**k, most) for k in range(most.bit_length() + 1)})


def verb(*words: object) -> None:
    """Run a verb of the command line."""
    command = [sys.executable, "-m", "emotion_rppg.cli", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True, env=_ENVIRONMENT)


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Start a Dask cluster on this machine, a process per worker, and yield its address.

    Without the malloc threshold that Dask sets for glibc: with any value, decoding of frames takes
    a third to a half longer.
    """
    import dask
    import distributed

    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1}}),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        ) as made,
    ):
        yield made.scheduler_address


def timed(words: Sequence[object], folder: Path, workers: int, dask: bool) -> float:
    """Measure the shortest time of a verb, s; its output is new each time."""
    with cluster(workers) if dask else nullcontext("") as address:
        options = ("--scheduler", address) if dask else ("--workers", workers)

        def once() -> None:
            verb(*words, "--out", folder / f"{time.monotonic_ns()}.parquet", *options)

        return seconds_of({"": once}, ROUNDS)[""]


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    most = int(arguments[0]) if arguments else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "videos").mkdir()
        first = write_clip(folder / "videos" / "0.mp4", SECONDS)
        for n in range(1, VIDEOS):
            (folder / "videos" / f"{n}.mp4").write_bytes(first.read_bytes() + free(n))
        write_study(folder / "s", people=PEOPLE, trials=TRIALS, duration_s=60, video=False)
        verb("features", folder / "s", "--whole", "--out", folder / "t.parquet")
        work = {
            f"`features`, {VIDEOS} videos of {SECONDS} s": ("features", folder / "videos"),
            f"`evaluate`, {PEOPLE} people × {HEADS}": (
                *("evaluate", "--table", folder / "t.parquet", "--target", "arousal"),
                *("--heads", HEADS),
            ),
        }
        print("| | workers | seconds | × one process | with Dask, seconds |\n|---|---|---|---|---|")
        for what, words in work.items():
            one = 0.0
            for workers in counts(most):
                own, dask = (timed(words, folder, workers, dask) for dask in (False, True))
                one = one or own
                print(f"| {what} | {workers} | {own:.1f} | {one / own:.2f} | {dask:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
