"""Run jobs on several processes or machines, or prefetch items in a thread."""

from __future__ import annotations

import os
import signal
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar, cast

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.threads import limit_worker, planned_threads, threads_set_by_user

_TIMEOUT_S = 20.0  # to reach a scheduler
_AHEAD = 4  # items prefetched; images may be large
Item = TypeVar("Item")
Result = TypeVar("Result")
Jobs = Iterable[tuple[Any, ...]]


def prefetch(items: Iterable[Item]) -> Iterator[Item]:
    """Iterate over the items in a background thread that starts at once and stays four ahead."""
    source, end = iter(items), object()
    thread = ThreadPoolExecutor(1)
    waiting = deque(thread.submit(next, source, end) for _ in range(_AHEAD))

    def iterate() -> Iterator[Item]:
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, source, end))
                yield cast(Item, item)
        finally:
            thread.shutdown(cancel_futures=True)

    return iterate()


def map_in_order(
    function: Callable[..., Any], jobs: Jobs, *, workers: int = 1, scheduler: str | None = None
) -> Iterator[Any]:
    """Compute ``function(*job)`` for all jobs and yield the results in the order of the jobs.

    Parameters
    ----------
    workers : int
        Processes on this machine; 1: everything runs in this process.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``, whose workers replace ``workers``. They
        need the same package and the same files under the same paths.

    Raises
    ------
    InputError
        The scheduler cannot be reached or has no workers, or a worker process died.
    """
    yield from _run(function, jobs, "generator", workers, scheduler)


def map_unless_cached(
    function: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    cached: Callable[[int], Result | None],
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[tuple[int, Result, bool]]:
    """Compute all jobs that are not cached; yield number, result and whether it is new.

    Cached results come first, then the others in the order in which they finish, so that the caller
    can cache each one without waiting for a slower job. ``cached(number)`` returns the result of an
    earlier run or None. The other parameters and the errors are those of :func:`map_in_order`.
    """
    missing = []
    for number in range(len(jobs)):
        if (result := cached(number)) is None:
            missing.append(number)
        else:
            yield number, result, False
    numbered = ((function, number, jobs[number]) for number in missing)
    for number, result in _run(_numbered, numbered, "generator_unordered", workers, scheduler):
        yield number, result, True


def _numbered(function: Callable[..., Any], number: int, job: tuple[Any, ...]) -> tuple[int, Any]:
    return number, function(*job)


def _run(
    function: Callable[..., Any], jobs: Jobs, order: str, workers: int, scheduler: str | None
) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    config: dict[str, Any]
    with _without_joblib_warnings(), _cluster(scheduler) as client:
        remote = client is not None
        if remote:
            config = {"backend": "dask", "client": client}
            function = partial(_on_cluster, _slots_of(client), os.getpid(), function)
        else:
            config = _plan_workers(workers)
        with parallel_config(**config) if config else nullcontext():
            run = Parallel(n_jobs=-1 if remote else workers, return_as=order)
        try:
            with _sigint_blocked_in_children() if workers > 1 and not remote else nullcontext():
                results = run(delayed(function)(*job) for job in jobs)
            try:
                for result in results:  # noqa: UP028  (yield from would close it too early)
                    yield result
            finally:  # after an interruption the warning filters may have been replaced
                with _without_joblib_warnings():
                    results.close()
        except TerminatedWorkerError as error:
            raise InputError(
                "a worker process died, most often for lack of memory: finished results are "
                "cached; run the same command again with fewer --workers"
            ) from error


def _plan_workers(workers: int) -> dict[str, Any]:
    """Share the cores among worker processes; return joblib's configuration that does so."""
    if workers == 1:
        return {}
    threads = planned_threads(workers=workers)
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", str(threads))  # inherited by the workers
    # what the user set in the environment is inherited, too
    limit = {} if threads_set_by_user() else {"inner_max_num_threads": threads}
    return {"backend": "loky", **limit}


def _slots_of(client: Any) -> dict[str, int]:
    """Count the jobs that run at a time on the machine of each worker of a cluster, by address."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    slots = Counter[str]()
    for worker in workers.values():
        slots[worker["host"]] += worker["nthreads"]
    return {address: slots[worker["host"]] for address, worker in workers.items()}


def _on_cluster(
    slots: dict[str, int], client_pid: int, function: Callable[..., Any], *job: Any
) -> Any:
    """Run a job after its process has limited its threads to its share of the machine's cores."""
    from distributed import get_worker

    if os.getpid() != client_pid:  # else the worker is a thread of the user's process
        limit_worker(slots.get(get_worker().address, 1))
    return function(*job)


@contextmanager
def _without_joblib_warnings() -> Iterator[None]:
    """Ignore two warnings of joblib that do not concern the user."""
    with warnings.catch_warnings():
        # joblib restarts a worker that grew by 300 MB, as after importing a scientific library;
        # the results are the same
        warnings.filterwarnings("ignore", "A worker stopped while", UserWarning)
        # the caller reports an interruption itself
        warnings.filterwarnings("ignore", r"\d+ tasks ", UserWarning)
        yield


@contextmanager
def _sigint_blocked_in_children() -> Iterator[None]:
    """Block SIGINT (Ctrl-C) in processes that are started in the block.

    A terminal sends SIGINT to all processes, and a worker that is starting would print a traceback.
    The parent process receives it and ends the workers. The mask is inherited by the children of
    this thread and of the threads that it starts.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    for tracker in (resource_tracker, of_joblib):  # starting one later would unblock the signal
        tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[Any]:
    """Connect to the Dask scheduler while the block runs; None without a scheduler."""
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--scheduler needs Dask: pip install 'emotion-rppg[cluster]'") from error
    try:
        client = Client(scheduler, timeout=_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler!r}: want the tcp://host:port that "
            "`dask scheduler` prints when it starts"
        ) from error
    with client:
        try:  # submit a task, because some clusters start workers on demand
            client.submit(os.getpid, pure=False).result(timeout=_TIMEOUT_S)
        except TimeoutError as error:
            raise InputError(
                f"the scheduler {scheduler} has no workers: start some with `dask worker`"
            ) from error
        yield client
