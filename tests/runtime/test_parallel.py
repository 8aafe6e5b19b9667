"""Jobs on processes and clusters: the same results in the same order wherever they run."""

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


def dies(x: int) -> int:
    os._exit(1)


def blocks_sigint(pause_s: float) -> bool:
    """Whether Ctrl-C does not reach the process that runs this."""
    time.sleep(pause_s)
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


JOBS = [(3, 0.5), (4, 0.0), (5, 0.0)]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers) -> None:
    assert list(map_in_order(slow_square, JOBS, workers=workers)) == [9, 16, 25]


def test_a_slow_job_does_not_hold_back_those_after_it() -> None:
    list(map_in_order(slow_square, [(1, 0.0)] * 2, workers=2))  # both processes are up
    found = list(map_unless_cached(slow_square, JOBS, lambda k: None, workers=2))
    assert sorted(found) == [(0, 9, True), (1, 16, True), (2, 25, True)]
    assert found[-1] == (0, 9, True)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows masks no signals")
def test_ctrl_c_reaches_this_process_and_none_of_its_workers() -> None:
    assert list(map_in_order(blocks_sigint, [(0.2,)] * 4, workers=2)) == [True] * 4
    assert not blocks_sigint(0.0)


def test_results_that_nobody_takes_are_dropped_in_silence() -> None:
    with warnings.catch_warnings():
        results = map_in_order(slow_square, [(k, 0.1) for k in range(8)], workers=2)
        assert next(results) == 0
    results.close()  # a warning would be an error


def test_what_is_kept_comes_first_and_is_not_run_again() -> None:
    run = []

    def square(x: int, pause_s: float) -> int:
        run.append(x)
        return x * x

    found = list(map_unless_cached(square, JOBS, {1: 16}.get))
    assert found == [(1, 16, False), (0, 9, True), (2, 25, True)]
    assert run == [3, 5]


def test_a_thread_begins_at_once_and_stays_a_few_items_ahead() -> None:
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


def test_what_goes_wrong_ahead_comes_after_what_went_well() -> None:
    def source():
        yield 1
        raise InputError("torn")

    items = prefetch(source())
    assert next(items) == 1
    with pytest.raises(InputError, match="torn"):
        next(items)


def test_a_thread_ahead_ends_with_its_reader() -> None:
    before = set(threading.enumerate())
    items = prefetch(itertools.count())
    next(items)
    assert set(threading.enumerate()) - before
    items.close()
    assert not set(threading.enumerate()) - before


def test_a_dead_worker_is_explained() -> None:
    with pytest.raises(InputError, match="fewer --workers"):
        list(map_in_order(dies, [(1,), (2,)], workers=2))


def test_an_unknown_scheduler_is_explained(monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.runtime.parallel._TIMEOUT_S", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(InputError, match="no Dask scheduler answers"):
            list(map_in_order(slow_square, JOBS, scheduler=address))


def test_a_cluster_gives_the_same_results(scheduler) -> None:
    assert list(map_in_order(operator.mul, [(3, 3), (4, 4)], scheduler=scheduler)) == [9, 16]
    found = map_unless_cached(operator.mul, [(3, 3), (4, 4)], {0: 8}.get, scheduler=scheduler)
    assert sorted(found) == [(0, 8, False), (1, 16, True)]


def test_a_cluster_without_workers_is_explained(monkeypatch) -> None:
    distributed = pytest.importorskip("distributed")
    bare = distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp://", dashboard_address=None
    )
    monkeypatch.setattr("emotion_rppg.runtime.parallel._TIMEOUT_S", 0.3)
    with bare, pytest.raises(InputError, match="no workers"):
        list(map_in_order(operator.mul, [(3, 3)], scheduler=bare.scheduler_address))
