"""The daemons of a cloud as processes: which are running, and their resource usage."""

import contextlib

import psutil

from deploy import statedir, supervisor
from deploy.daemons import DAEMONS


def daemons(parent_pid: int | None = None) -> dict[str, int]:
    """{daemon name: pid} below a supervisor or zygote, by the process names that the daemons set; without one, of
    every cloud here."""
    names, found = {f"p-{n}"[:15]: n for n in DAEMONS}, {}
    processes = psutil.Process(parent_pid).children(recursive=True) if parent_pid else psutil.process_iter()
    for process in processes:
        with contextlib.suppress(psutil.Error):  # it has just ended
            if process.name() in names:
                found[names[process.name()]] = process.pid
    return found


def daemons_of(supervisor_pid: int) -> dict[str, int]:
    """{name or command: pid} of a supervisor and everything below it."""
    top, found = psutil.Process(supervisor_pid), {}
    for process in (top, *top.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            found[f"{process.name()} {process.pid}"] = process.pid
    return found


def pss_kib(pid: int) -> int:
    """Proportional set size, KiB: shared memory counted in shares. 0: the process has ended."""
    try:
        return psutil.Process(pid).memory_full_info().pss // 1024
    except psutil.NoSuchProcess:
        return 0


def of_cloud(state: str) -> dict[str, int | None]:
    """{daemon: pid, or None if it is not running} of a state directory; a fake cloud is one process, ``pileus``."""
    if statedir.load(state).driver == statedir.FAKE:
        return {"pileus": statedir.holder_pid(state)}
    above = supervisor.running_pid(state)
    running = daemons(above) if above else {}
    return {"supervisor": above, **{name: running.get(name) for name in DAEMONS}}
