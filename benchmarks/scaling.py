"""Throughput against workers, by the clock: ``python -m benchmarks.scaling [MOST]``.

The same folder of drawn videos through ``features`` and the same table through ``evaluate``, with
1, 2, 4 … MOST processes (default: as many as there are cores) and with a Dask cluster of as many
workers. Processes are started anew each time, as a user's are. About ten minutes on two cores.
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
_AS_BEGUN = dict(os.environ)


def free(n: int) -> bytes:
    """An empty part of an MP4 of its own length, by which files of one content differ."""
    return struct.pack(">I4s", 8 + n, b"free") + bytes(n)


def counts(most: int) -> list[int]:
    """1, 2, 4 … and the last."""
    return sorted({min(2**k, most) for k in range(most.bit_length() + 1)})


def verb(*words: object) -> None:
    command = [sys.executable, "-m", "emotion_rppg.cli", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True, env=_AS_BEGUN)


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """The address of a Dask cluster on this machine, a process a worker.

    Without the threshold that Dask sets for glibc to give memory back, whatever its value: decoding
    pictures then takes a third to a half longer.
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
    """Shortest seconds of a verb whose output is new each time."""
    with cluster(workers) if dask else nullcontext("") as address:
        how = ("--scheduler", address) if dask else ("--workers", workers)

        def once() -> None:
            verb(*words, "--out", folder / f"{time.monotonic_ns()}.parquet", *how)

        return seconds_of({"": once}, ROUNDS)[""]


def main(given: Sequence[str]) -> None:
    most = int(given[0]) if given else os.cpu_count() or 1
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
