"""Plan how many threads the numerical libraries use, so that none waits for a core in use.

Threads of OpenMP that wait for each other do so in a loop. With one of them waiting for a core that
another process uses, all others spin, and two threads can take several times as long as one. The
libraries start as many threads as there are cores, used or not. This module plans as many as there
are free cores, and shortens the loops. What the user has set has priority: ``OMP_NUM_THREADS`` and
the like in the environment, or ``torch.set_num_threads``.

The output of a network does not depend on its number of threads.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # number of threads, if the user sets one
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # how threads wait
# Rounds of the loop in which a thread waits before it sleeps, about 0.2 ms instead of several: long
# enough for two threads that both run, short beside the time slices of two that share a core
SPINS, SPIN_MS = 10_000, 1
NEARLY = 0.25  # of a core in use by others that still counts as free
SHORTEST_S = 0.2  # over which the load is measured: processor time is counted in steps of 10 ms

_planned_variables: set[str] = set()  # set by this module, not by the user


# ---- cores -----------------------------------------------------------------------------------


def allowed_cpus() -> tuple[int, ...]:
    """Return the numbers of the processors that this process may run on (CPU affinity)."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def usable_cores(root: Path = Path("/")) -> float:
    """Compute how many cores this process may use: by CPU affinity and quota of its control group.

    ``root`` is the folder that holds ``proc`` and ``sys``.
    """
    return min(float(len(allowed_cpus())), cgroup_quota(root))


def cgroup_quota(root: Path = Path("/")) -> float:
    """Read the quota of this process's control groups (cgroup v1 or v2), cores; inf without one."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return math.inf
    quotas = [math.inf]
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # a container may see its own group as the root, or the name that the host knows
        group = Path(name.lstrip("/"))
        for folder in (group, *group.parents):
            quotas += [_quota_of(root / "sys/fs/cgroup" / sub / folder) for sub in ("", "cpu")]
    return min(quotas)


def _quota_of(folder: Path) -> float:
    """Read the quota of one control group, cores."""
    try:
        if (folder / "cpu.max").is_file():  # v2: "150000 100000", or "max 100000"
            quota, period = (folder / "cpu.max").read_text().split()
        else:  # v1: -1 for none
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        cores = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
    return cores if cores > 0 else math.inf


# ---- load ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Usage:
    """Processor time that other processes have used so far, at a time; both in seconds."""

    at_s: float
    others_s: float


def _usage(cpus: tuple[int, ...], path: Path = Path("/proc/stat")) -> _Usage | None:
    """Read the processor time of other processes on some processors; None if unknown.

    Processes of lower priority (nice) are not counted, since they leave the core to this one.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    used, names = 0, {f"cpu{number}" for number in cpus}
    is_nice = os.nice(0) > 0
    for line in lines:
        name, *ticks = line.split()
        if name in names:
            user, nice, system, _, _, irq, softirq, steal = map(int, ticks[:8])
            used += user + system + irq + softirq + steal + (nice if is_nice else 0)
    own_s = sum(os.times()[:2])
    return _Usage(time.monotonic(), used / os.sysconf("SC_CLK_TCK") - own_s)


class _Load:
    """Measure how many cores other processes use, between one call and the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: _Usage | None = None
        self._busy = 0.0

    def busy_cores(self) -> float:
        """Return the mean since the last call, if that was 0.2 s ago or more; 0 at first."""
        with self._lock:
            now, before = _usage(allowed_cpus()), self._before
            if now is None:
                return self._average()
            if before is None:
                self._before = now
            elif (passed_s := now.at_s - before.at_s) >= SHORTEST_S:
                self._busy = max((now.others_s - before.others_s) / passed_s, 0.0)
                self._before = now
            return self._busy

    def _average(self) -> float:
        """Return the load of the minute before the first call (macOS); 0 on Windows."""
        if self._before is None:
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
            self._before, self._busy = _Usage(0.0, 0.0), load
        return self._busy


_load = _Load()


# ---- plan ------------------------------------------------------------------------------------


def threads_for(cores: float, *, busy: float = 0.0, workers: int = 1) -> int:
    """Plan the number of threads of each of some processes that share a number of cores.

    Parameters
    ----------
    cores : float
        Cores that all the processes may use.
    busy : float
        How many of them other processes use.
    """
    return max(1, math.floor((cores - max(busy - NEARLY, 0.0)) / workers + 1e-9))


def threads_set_by_user(environ: Mapping[str, str] | None = None) -> int | None:
    """Return the number of threads that the user set in the environment, None without one."""
    environ = os.environ if environ is None else environ
    for name in COUNTS:
        first = environ.get(name, "").split(",")[0].strip()
        if name not in _planned_variables and first.isdecimal() and int(first) > 0:
            return int(first)
    return None


def planned_threads(*, workers: int = 1) -> int:
    """Plan the number of threads of this process, or of each of some worker processes.

    Worker processes are planned from all usable cores: their number is a choice of the user, and a
    change of the plan would start them anew.
    """
    if (by_user := threads_set_by_user()) is not None:
        return by_user
    busy = _load.busy_cores() if workers == 1 else 0.0
    # what others use of the machine limits a process only where less is left than its quota
    free = threads_for(len(allowed_cpus()), busy=busy, workers=workers)
    return min(free, threads_for(usable_cores(), workers=workers))


def measured_load(seconds: float = SHORTEST_S) -> float:
    """Measure how many cores other processes use, over a short time or since the last plan."""
    _load.busy_cores()
    time.sleep(seconds)
    return _load.busy_cores()


# ---- libraries -------------------------------------------------------------------------------


def variables(cores: float, allowed: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Choose the environment variables of thread libraries that the user has not set.

    ``allowed`` is the number of processors by CPU affinity, which the libraries know themselves.
    """
    chosen = {}
    if not any(name in environ for name in WAITING):
        chosen = {"GOMP_SPINCOUNT": str(SPINS), "KMP_BLOCKTIME": str(SPIN_MS)}
        if threads_for(cores) == 1:
            chosen = {"OMP_WAIT_POLICY": "PASSIVE"}
    if any(name in environ for name in COUNTS):
        return chosen
    if threads_for(cores) < allowed:
        chosen |= {name: str(threads_for(cores)) for name in COUNTS}
    if "OPENBLAS_NUM_THREADS" not in environ:
        chosen["OPENBLAS_NUM_THREADS"] = "1"  # for small matrices its threads only wait
    return chosen


def prepare_process(environ: MutableMapping[str, str] | None = None) -> None:
    """Set the environment of thread libraries, which read it when they load, and start measuring.

    Call it before NumPy, torch or scikit-learn is imported.
    """
    environ = os.environ if environ is None else environ
    chosen = variables(usable_cores(), len(allowed_cpus()), environ)
    environ.update(chosen)
    _planned_variables.update(chosen)
    _load.busy_cores()


def torch_threads() -> int:
    """Plan the number of threads of torch now: as many as there are free cores.

    It is never more than torch has, and exactly that where the user set it: in the environment, or
    by ``torch.set_num_threads`` to something else than torch's default.
    """
    import torch

    present = torch.get_num_threads()
    return min(present, planned_threads()) if _is_default(present) else present


@contextmanager
def planned_torch_threads() -> Iterator[None]:
    """Compute with the planned number of threads of torch, then restore the number before."""
    import torch

    before, planned = torch.get_num_threads(), torch_threads()
    if planned == before:
        yield
        return
    torch.set_num_threads(planned)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_default(threads: int) -> bool:
    """Tell whether torch starts with this number: its processors, or cores of two processors."""
    allowed = len(allowed_cpus())
    return threads in (allowed, allowed // 2, threads_for(usable_cores()))


def limit_worker(slots: int) -> None:
    """Limit the libraries of a cluster's worker that shares its machine with others.

    ``slots`` is the number of jobs that run on the machine at a time.
    """
    if threads_set_by_user() is not None:
        return
    threads = planned_threads(workers=slots)
    for name in (*COUNTS, "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    _planned_variables.update(COUNTS)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(min(threads, torch.get_num_threads()))
