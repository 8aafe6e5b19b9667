"""Many jobs on several processes, their results in the order of the jobs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def in_order(
    function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], *, workers: int = 1
) -> Iterator[Any]:
    """``function(*job)`` of each job, as soon as it and all before it are done.

    With one worker nothing leaves this process.
    """
    from joblib import Parallel, delayed

    if workers > 1:
        # workers inherit it; OpenCV's own threads on the same cores would only wait for each other
        os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    with warnings.catch_warnings():
        # joblib starts a worker afresh once it has grown by 300 MB, which importing a
        # scientific library does; the results are the same
        warnings.filterwarnings("ignore", "A worker stopped while", UserWarning)
        calls = (delayed(function)(*job) for job in jobs)
        yield from Parallel(n_jobs=workers, return_as="generator")(calls)
