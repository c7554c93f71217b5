"""``pileus status``: what runs, what answers, what is stuck."""

import contextlib
import pathlib

from deploy import supervisor
from deploy.daemons import DAEMONS


def daemons() -> dict[str, int]:
    """{daemon name: pid} of every daemon process on this host, by the name that it gave itself."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                comm = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if comm.startswith("p-"):
                match = next((n for n in DAEMONS if f"p-{n}"[:15] == comm), None)
                if match:
                    found[match] = int(entry.name)
    return found


def daemons_of(supervisor_pid: int) -> dict[str, int]:
    """{name or command: pid} of a supervisor and everything below it."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, level = {}, {supervisor_pid}
    while level:
        for pid in level:
            with contextlib.suppress(OSError):  # it ended meanwhile
                found[f"{pathlib.Path(f'/proc/{pid}/comm').read_text().strip()} {pid}"] = pid
        level = {p for p, parent in parents.items() if parent in level}
    return found


def pss_kib(pid: int) -> int:
    """Proportional set size, KiB: shared memory counted in shares."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def main(state: str) -> int:
    running = daemons()
    print(f"supervisor: {'pid ' + str(supervisor.running_pid(state)) if supervisor.running_pid(state) else 'not running'}")
    for name in DAEMONS:
        if name in running:
            print(f"{name:18} up    pid {running[name]:<7} {pss_kib(running[name]) / 1024:6.1f} MB")
        else:
            print(f"{name:18} DOWN")
    return 0 if len(running) == len(DAEMONS) else 1
