"""Jobs give the same results in the same order on processes and clusters."""

import itertools
import operator
import os
import signal
import threading
import time
import warnings

import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.parallel import map_in_order, map_unless_cached, prefetch


def slow_square(x: int, pause_s: float) -> int:
    time.sleep(pause_s)
    return x * x


def end_process(x: int) -> int:
    os._exit(1)


def blocks_sigint(pause_s: float) -> bool:
    """Tell whether SIGINT is blocked in the process that runs this."""
    time.sleep(pause_s)
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


JOBS = [(3, 0.5), (4, 0.0), (5, 0.0)]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_results_have_the_order_of_the_jobs(workers) -> None:
    assert list(map_in_order(slow_square, JOBS, workers=workers)) == [9, 16, 25]


def test_a_slow_job_does_not_delay_the_results_of_others() -> None:
    list(map_in_order(slow_square, [(1, 0.0)] * 2, workers=2))  # both processes are up
    results = list(map_unless_cached(slow_square, JOBS, lambda k: None, workers=2))
    assert sorted(results) == [(0, 9, True), (1, 16, True), (2, 25, True)]
    assert results[-1] == (0, 9, True)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows masks no signals")
def test_ctrl_c_reaches_this_process_and_none_of_its_workers() -> None:
    assert list(map_in_order(blocks_sigint, [(0.2,)] * 4, workers=2)) == [True] * 4
    assert not blocks_sigint(0.0)


def test_closing_the_iterator_drops_the_other_results_without_a_warning() -> None:
    with warnings.catch_warnings():
        results = map_in_order(slow_square, [(k, 0.1) for k in range(8)], workers=2)
        assert next(results) == 0
    results.close()  # a warning would be an error


def test_cached_results_come_first_and_are_not_computed_again() -> None:
    run = []

    def square(x: int, pause_s: float) -> int:
        run.append(x)
        return x * x

    results = list(map_unless_cached(square, JOBS, {1: 16}.get))
    assert results == [(1, 16, False), (0, 9, True), (2, 25, True)]
    assert run == [3, 5]


def test_prefetching_starts_at_once_and_stays_a_few_items_ahead() -> None:
    made = []

    def source():
        for k in range(20):
            made.append(k)
            yield k

    items = prefetch(source())
    assert next(items) == 0
    time.sleep(0.2)
    assert made == [0, 1, 2, 3, 4]
    assert list(items) == list(range(1, 20))


def test_an_error_while_prefetching_is_raised_after_the_earlier_items() -> None:
    def source():
        yield 1
        raise InputError("torn")

    items = prefetch(source())
    assert next(items) == 1
    with pytest.raises(InputError, match="torn"):
        next(items)


def test_the_prefetching_thread_ends_with_its_iterator() -> None:
    before = set(threading.enumerate())
    items = prefetch(itertools.count())
    next(items)
    assert set(threading.enumerate()) - before
    items.close()
    assert not set(threading.enumerate()) - before


def test_the_death_of_a_worker_is_explained() -> None:
    with pytest.raises(InputError, match="fewer --workers"):
        list(map_in_order(end_process, [(1,), (2,)], workers=2))


def test_an_unknown_scheduler_is_explained(monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.runtime.parallel._TIMEOUT_S", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(InputError, match="no Dask scheduler answers"):
            list(map_in_order(slow_square, JOBS, scheduler=address))


def test_a_cluster_gives_the_same_results(scheduler) -> None:
    assert list(map_in_order(operator.mul, [(3, 3), (4, 4)], scheduler=scheduler)) == [9, 16]
    results = map_unless_cached(operator.mul, [(3, 3), (4, 4)], {0: 8}.get, scheduler=scheduler)
    assert sorted(results) == [(0, 8, False), (1, 16, True)]


def test_a_cluster_without_workers_is_explained(monkeypatch) -> None:
    distributed = pytest.importorskip("distributed")
    bare = distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp://", dashboard_address=None
    )
    monkeypatch.setattr("emotion_rppg.runtime.parallel._TIMEOUT_S", 0.3)
    with bare, pytest.raises(InputError, match="no workers"):
        list(map_in_order(operator.mul, [(3, 3)], scheduler=bare.scheduler_address))
