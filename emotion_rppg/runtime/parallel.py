"""Many jobs on several processes or machines, or one thread ahead of another."""

from __future__ import annotations

import os
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar, cast

from emotion_rppg.errors import InputError

_PATIENCE_S = 20.0  # to reach a scheduler
_AHEAD = 4  # of pictures, which may be large
Item = TypeVar("Item")
Result = TypeVar("Result")
Jobs = Iterable[tuple[Any, ...]]


def prefetch(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, made by a thread of their own, which begins at once and stays four ahead."""
    source, end = iter(items), object()
    thread = ThreadPoolExecutor(1)
    waiting = deque(thread.submit(next, source, end) for _ in range(_AHEAD))

    def taken() -> Iterator[Item]:
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, source, end))
                yield cast(Item, item)
        finally:
            thread.shutdown(cancel_futures=True)

    return taken()


def map_in_order(
    function: Callable[..., Any], jobs: Jobs, *, workers: int = 1, scheduler: str | None = None
) -> Iterator[Any]:
    """``function(*job)`` of each job, as soon as it and all before it are done.

    Parameters
    ----------
    workers : int
        Processes of this machine; with one, nothing leaves this process.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``: its workers take the place of
        ``workers``. They need the same package and see the same files under the same paths.

    Raises
    ------
    InputError
        No such scheduler, it has no workers, or a worker process died.
    """
    yield from _run(function, jobs, "generator", workers, scheduler)


def map_unless_cached(
    function: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    kept: Callable[[int], Result | None],
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[tuple[int, Result, bool]]:
    """Each job's number, its result and whether that is new: the kept ones, then as they are done.

    What comes is not lost behind a slower job. ``kept(number)`` is an earlier run's result or None;
    the other parameters and the errors are those of :func:`map_in_order`.
    """
    left = []
    for number in range(len(jobs)):
        if (found := kept(number)) is None:
            left.append(number)
        else:
            yield number, found, False
    numbered = ((function, number, jobs[number]) for number in left)
    for number, result in _run(_numbered, numbered, "generator_unordered", workers, scheduler):
        yield number, result, True


def _numbered(function: Callable[..., Any], number: int, job: tuple[Any, ...]) -> tuple[int, Any]:
    return number, function(*job)


def _run(
    function: Callable[..., Any], jobs: Jobs, order: str, workers: int, scheduler: str | None
) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if workers > 1:
        # workers inherit it; OpenCV's own threads on the same cores would only wait for each other
        os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    with _quietly(), _cluster(scheduler) as client:
        away = client is not None
        with parallel_config(backend="dask", client=client) if away else nullcontext():
            run = Parallel(n_jobs=-1 if away else workers, return_as=order)
        try:
            with _deaf_children() if workers > 1 and not away else nullcontext():
                results = run(delayed(function)(*job) for job in jobs)
            try:
                for result in results:  # noqa: UP028  (which would end it before the filters)
                    yield result
            finally:  # who is interrupted may leave other filters of warnings behind
                with _quietly():
                    results.close()
        except TerminatedWorkerError as error:
            raise InputError(
                "a worker process died, most often for lack of memory: what is finished is kept; "
                "run the same command again with fewer --workers"
            ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without two warnings of joblib that tell a user nothing."""
    with warnings.catch_warnings():
        # it starts a worker afresh once it has grown by 300 MB, which importing a
        # scientific library does; the results are the same
        warnings.filterwarnings("ignore", "A worker stopped while", UserWarning)
        # what an interruption cancels is said by whoever was interrupted
        warnings.filterwarnings("ignore", r"\d+ tasks ", UserWarning)
        yield


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes begun in here never hear Ctrl-C: who began them does, and ends them in silence.

    A terminal sends it to all; a worker that is starting would answer with a trace. What is
    blocked here is blocked in the children of this thread, and of the threads that it begins.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    for tracker in (resource_tracker, of_joblib):  # whose own start would let it through again
        tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[Any]:
    """A connection to the scheduler, closed at the end; None where there is none to reach."""
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--scheduler needs Dask: pip install 'emotion-rppg[cluster]'") from error
    try:
        client = Client(scheduler, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler!r}: want the tcp://host:port that "
            "`dask scheduler` prints when it starts"
        ) from error
    with client:
        try:  # a task calls for workers where a cluster starts them on demand
            client.submit(os.getpid, pure=False).result(timeout=_PATIENCE_S)
        except TimeoutError as error:
            raise InputError(
                f"the scheduler {scheduler} has no workers: start some with `dask worker`"
            ) from error
        yield client
