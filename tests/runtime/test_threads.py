"""Numerical libraries get as many threads as there are free cores, unless the user chose."""

import builtins
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from emotion_rppg.runtime import threads
from emotion_rppg.runtime.parallel import map_in_order
from emotion_rppg.runtime.threads import (
    cgroup_quota,
    planned_threads,
    planned_torch_threads,
    threads_for,
    threads_set_by_user,
    usable_cores,
    variables,
)

CHOSEN = (*threads.COUNTS, *threads.WAITING, "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@pytest.fixture(autouse=True)
def fresh(monkeypatch) -> None:
    """Start each test with nothing chosen and no load measured."""
    for name in CHOSEN:
        monkeypatch.setenv(name, "")  # so that a variable that a test sets does not outlive it
        monkeypatch.delenv(name)
    monkeypatch.setattr(threads, "_planned_variables", set())
    monkeypatch.setattr(threads, "_load", threads._Load())


def a_machine(monkeypatch, *, cpus: int, busy: float = 0.0, quota: float = math.inf) -> None:
    """Pretend that this process runs on another machine."""
    monkeypatch.setattr(threads, "allowed_cpus", lambda: tuple(range(cpus)))
    monkeypatch.setattr(threads, "cgroup_quota", lambda root=None: quota)
    monkeypatch.setattr(threads._Load, "busy_cores", lambda self: busy)


# ---- the plan --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "busy", "workers", "expected"),
    [
        (1, 0.0, 1, 1),
        (2, 0.0, 1, 2),
        (2, 0.2, 1, 2),  # a system that does little else
        (2, 1.0, 1, 1),  # one other process on two cores
        (2, 2.0, 1, 1),
        (2, 9.0, 1, 1),
        (8, 7.0, 1, 1),  # one on each core but one
        (8, 3.5, 1, 4),
        (1.5, 0.0, 1, 1),
        (0.5, 0.0, 1, 1),
        (8, 0.0, 2, 4),
        (8, 0.0, 3, 2),
        (8, 0.0, 8, 1),
        (2, 0.0, 4, 1),
    ],
)
def test_as_many_threads_as_free_cores(cores, busy, workers, expected) -> None:
    assert threads_for(cores, busy=busy, workers=workers) == expected


@pytest.mark.parametrize(
    ("cpus", "busy", "quota", "workers", "environ", "expected"),
    [
        (2, 0.0, math.inf, 1, {}, 2),
        (2, 1.0, math.inf, 1, {}, 1),
        (16, 0.0, 2.0, 1, {}, 2),
        (16, 12.0, 2.0, 1, {}, 2),  # a container on a machine that is in use, but not full
        (16, 15.0, 2.0, 1, {}, 1),
        (16, 12.0, math.inf, 4, {}, 4),  # workers are planned without the load
        (16, 0.0, 4.0, 4, {}, 1),
        (2, 1.0, math.inf, 1, {"OMP_NUM_THREADS": "2"}, 2),
        (2, 0.0, math.inf, 1, {"OMP_NUM_THREADS": "1,1"}, 1),
        (2, 0.0, math.inf, 1, {"MKL_NUM_THREADS": "1"}, 1),
        (2, 0.0, math.inf, 2, {"OMP_NUM_THREADS": "2"}, 2),
        (2, 1.0, math.inf, 1, {"OMP_NUM_THREADS": "many"}, 1),
    ],
)
def test_the_plan_of_a_machine(monkeypatch, cpus, busy, quota, workers, environ, expected) -> None:
    a_machine(monkeypatch, cpus=cpus, busy=busy, quota=quota)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert planned_threads(workers=workers) == expected


# ---- what the system tells -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "max 100000"}, 1.0),
        ("0::/\n", {"cpu.max": "max 100000"}, math.inf),
        ("0::/\n", {}, math.inf),
        ("0::/host/name\n", {"cpu.max": "400000 100000"}, 4.0),  # seen from inside the container
        (
            "4:cpu,cpuacct:/x\n3:memory:/y\n",
            {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"},
            3.0,
        ),
        (
            "4:cpu:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"},
            math.inf,
        ),
        ("0::/\n", {"cpu.max": "nonsense"}, math.inf),
    ],
)
def test_the_quota_of_a_control_group(tmp_path, groups, files, expected) -> None:
    for name, text in {"proc/self/cgroup": groups}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cgroup_quota(tmp_path) == expected
    assert usable_cores(tmp_path) == min(len(threads.allowed_cpus()), expected)


def test_a_system_without_control_groups_has_no_quota(tmp_path) -> None:
    assert cgroup_quota(tmp_path) == math.inf


def proc_stat(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["cpu 9 9 9 9 9 9 9 9 0 0", *rows, "intr 1 2 3", ""]))
    return path


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="no clock ticks on Windows")
def test_processor_time_of_others_is_that_of_the_allowed_processors(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "times", lambda: (0.25, 0.25, 7.0, 7.0, 0.0))
    monkeypatch.setattr(os, "nice", lambda by: 0)
    tick = os.sysconf("SC_CLK_TCK")
    path = proc_stat(
        tmp_path / "stat",
        f"cpu0 {tick} {50 * tick} {tick} {9 * tick} {9 * tick} 0 0 {tick} 0 0",
        f"cpu1 {90 * tick} 0 0 0 0 0 0 0 0 0",
    )
    usage = threads._usage((0,), path)
    assert usage is not None
    assert usage.others_s == pytest.approx(3 - 0.5)  # user, system and steal, less its own
    monkeypatch.setattr(os, "nice", lambda by: 5)  # the nice ones have its own priority
    usage = threads._usage((0,), path)
    assert usage is not None
    assert usage.others_s == pytest.approx(53 - 0.5)


def test_the_load_is_that_since_the_last_plan(monkeypatch) -> None:
    rows = iter([(0.0, 100.0), (2.0, 103.0), (2.1, 103.0), (4.0, 103.0), (5.0, 102.9)])
    monkeypatch.setattr(threads, "_usage", lambda cpus: threads._Usage(*next(rows)))
    load = threads._Load()
    assert load.busy_cores() == 0.0  # nothing to compare with
    assert load.busy_cores() == 1.5
    assert load.busy_cores() == 1.5  # too short a time
    assert load.busy_cores() == 0.0
    assert load.busy_cores() == 0.0  # never below


def test_without_the_times_of_processors_the_average_at_the_start_counts(monkeypatch) -> None:
    monkeypatch.setattr(threads, "_usage", lambda cpus: None)
    averages = iter([(1.5, 0.0, 0.0), (9.0, 0.0, 0.0)])
    monkeypatch.setattr(os, "getloadavg", lambda: next(averages), raising=False)
    load = threads._Load()
    assert [load.busy_cores(), load.busy_cores()] == [1.5, 1.5]
    monkeypatch.delattr(os, "getloadavg")
    assert threads._Load().busy_cores() == 0.0


# ---- the environment of the libraries ----------------------------------------------------------

SHORT_LOOP = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
ONE_BLAS = {"OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("cores", "allowed", "environ", "expected"),
    [
        (2.0, 2, {}, SHORT_LOOP | ONE_BLAS),
        (1.0, 1, {}, {"OMP_WAIT_POLICY": "PASSIVE"} | ONE_BLAS),
        (
            4.0,
            16,
            {},
            SHORT_LOOP | ONE_BLAS | {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4"},
        ),
        (2.0, 2, {"OMP_WAIT_POLICY": "ACTIVE"}, ONE_BLAS),
        (2.0, 2, {"GOMP_SPINCOUNT": "7"}, ONE_BLAS),
        (4.0, 16, {"OMP_NUM_THREADS": "8"}, SHORT_LOOP),
        (2.0, 2, {"OPENBLAS_NUM_THREADS": "2"}, SHORT_LOOP),
    ],
)
def test_variables_that_the_user_has_not_set(cores, allowed, environ, expected) -> None:
    assert variables(cores, allowed, environ) == expected


def test_a_variable_of_the_plan_is_no_choice_of_the_user(monkeypatch) -> None:
    a_machine(monkeypatch, cpus=16, quota=4.0, busy=14.0)
    environ: dict[str, str] = {}
    threads.prepare_process(environ)
    assert environ["OMP_NUM_THREADS"] == "4"
    assert threads_set_by_user(environ) is None
    assert planned_threads() == 2


COMMAND_LINE = """
import os, sys
sys.argv = ["emotion-rppg", "--version"]
import emotion_rppg.cli
assert not {"torch", "numpy", "cv2"} & set(sys.modules), "loaded before the environment is set"
try:
    emotion_rppg.cli.main()
except SystemExit:
    pass
import torch
print(torch.get_num_threads(), *(os.environ.get(name, "-") for name in sys.stdin.read().split()))
"""
READ = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_NUM_THREADS")


def of_command_line(*, pinned: bool = False, **chosen: str) -> list[str]:
    """Return torch's number of threads and the variables READ in a process of a verb."""
    environ = {k: v for k, v in os.environ.items() if k not in CHOSEN} | chosen
    pin = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n" if pinned else ""
    run = subprocess.run(
        [sys.executable, "-c", pin + COMMAND_LINE],
        input=" ".join(READ),
        capture_output=True,
        text=True,
        env=environ,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1].split()


@pytest.mark.slow
def test_the_command_line_sets_the_environment_before_torch_loads() -> None:
    found = of_command_line()
    if threads_for(usable_cores()) > 1:
        assert found[2:] == ["-", "10000", "1"]
    else:
        assert found[2:] == ["PASSIVE", "-", "1"]
    assert int(found[0]) <= len(threads.allowed_cpus())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_the_command_line_on_one_core_has_one_thread_that_never_spins() -> None:
    assert of_command_line(pinned=True) == ["1", "-", "PASSIVE", "-", "1"]


@pytest.mark.slow
def test_the_command_line_leaves_what_the_user_set() -> None:
    chosen = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_NUM_THREADS": "2"}
    assert of_command_line(**chosen) == ["1", "1", "ACTIVE", "-", "2"]


# ---- torch in this process -----------------------------------------------------------------------


@pytest.fixture
def torch_with_eight():
    """torch as it starts on a machine of eight cores."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield torch
    torch.set_num_threads(before)


def test_torch_computes_with_the_planned_threads_and_has_its_own_again(
    monkeypatch, torch_with_eight
) -> None:
    a_machine(monkeypatch, cpus=8, busy=6.0)
    with planned_torch_threads():
        assert torch_with_eight.get_num_threads() == 2
    assert torch_with_eight.get_num_threads() == 8
    a_machine(monkeypatch, cpus=8, busy=0.0)
    with planned_torch_threads():
        assert torch_with_eight.get_num_threads() == 8


def test_a_number_of_threads_that_the_user_gave_torch_stays(monkeypatch, torch_with_eight) -> None:
    a_machine(monkeypatch, cpus=8, busy=7.0)
    torch_with_eight.set_num_threads(3)
    with planned_torch_threads():
        assert torch_with_eight.get_num_threads() == 3


def test_the_environment_of_the_user_limits_torch_only_as_torch_read_it(
    monkeypatch, torch_with_eight
) -> None:
    a_machine(monkeypatch, cpus=8, busy=7.0)
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with planned_torch_threads():
        assert torch_with_eight.get_num_threads() == 8


def test_a_network_computes_with_the_planned_threads(monkeypatch, torch_with_eight) -> None:
    from emotion_rppg.pulse.inference.trained_network import Network

    a_machine(monkeypatch, cpus=8, busy=5.0)
    seen = []

    def module(x):
        seen.append(torch_with_eight.get_num_threads())
        return x.mean(dim=(1, 3, 4))

    config = {"rate_hz": 30.0, "size": 2, "normalisation": "raw", "polarity": 1, "lag_s": 0.0}
    Network(module, config, "cpu")(threads_clip())
    assert seen == [3]


def threads_clip():
    import numpy as np

    return np.random.default_rng(0).integers(0, 255, (32, 2, 2, 3)).astype(np.uint8)


@pytest.mark.parametrize(("chosen", "expected"), [({}, 3), ({"OPENCV_FOR_THREADS_NUM": "5"}, 0)])
def test_opencv_starts_with_the_planned_threads(monkeypatch, chosen, expected) -> None:
    from emotion_rppg.video import frames

    a_machine(monkeypatch, cpus=8, busy=5.0)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    given = [0]
    fake = SimpleNamespace(setNumThreads=given.append, __spec__=None)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr("builtins.__import__", importing("cv2", fake))
    frames.opencv()
    assert given[-1] == expected


def importing(module: str, instead: object):
    """Return an import function that gives an object in place of one module."""
    original = builtins.__import__
    return lambda name, *rest: instead if name == module else original(name, *rest)


# ---- workers -------------------------------------------------------------------------------------


def environment_of(names: tuple[str, ...]) -> list[str | None]:
    return [os.environ.get(name) for name in names]


COUNTED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@pytest.mark.slow
def test_workers_share_the_cores(monkeypatch) -> None:
    a_machine(monkeypatch, cpus=6, busy=5.0)
    assert list(map_in_order(environment_of, [(COUNTED,)] * 2, workers=2)) == [["3", "3", "3"]] * 2


@pytest.mark.slow
def test_workers_have_the_threads_that_the_user_set(monkeypatch) -> None:
    a_machine(monkeypatch, cpus=6)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    found = list(map_in_order(environment_of, [(COUNTED[:2],)] * 2, workers=2))
    assert found == [["5", "2"]] * 2


def test_a_worker_of_a_cluster_shares_its_machine(monkeypatch) -> None:
    a_machine(monkeypatch, cpus=8)
    threads.limit_worker(4)
    assert environment_of(COUNTED[:2]) == ["2", "2"]
    for name in COUNTED[:2]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(threads, "_planned_variables", set())
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    threads.limit_worker(4)
    assert environment_of(COUNTED[:1]) == ["7"]


def test_jobs_of_a_cluster_know_how_many_share_their_machine() -> None:
    from emotion_rppg.runtime.parallel import _slots_of

    class Client:
        def scheduler_info(self, n_workers: int = 5):
            assert n_workers == -1
            hosts = {"tcp://a:1": "a", "tcp://a:2": "a", "tcp://b:1": "b"}
            return {"workers": {k: {"host": host, "nthreads": 2} for k, host in hosts.items()}}

    assert _slots_of(Client()) == {"tcp://a:1": 4, "tcp://a:2": 4, "tcp://b:1": 2}


def test_a_job_of_a_cluster_limits_its_process_to_its_share(monkeypatch) -> None:
    distributed = pytest.importorskip("distributed")
    from emotion_rppg.runtime import parallel

    limits: list[int] = []
    monkeypatch.setattr(parallel, "limit_worker", limits.append)
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(address="tcp://a:1"))
    slots = {"tcp://a:1": 4}
    assert parallel._on_cluster(slots, os.getpid() + 1, max, 1, 2) == 2
    assert limits == [4]
    assert parallel._on_cluster(slots, os.getpid(), max, 1, 2) == 2  # a thread of the caller
    assert limits == [4]
