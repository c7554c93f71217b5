"""``pileus supervise``: runs the two zygotes and restarts one that ends. It is run by systemd, if there is one."""

import os
import pathlib
import signal
import subprocess
import sys
import time

from common import files
from deploy.daemons import DAEMONS

COUNTERS = "PROMETHEUS_MULTIPROC_DIR"  # as common.metrics.DIRECTORY, whose module imports what a supervisor does not need


def environment(state: str) -> dict[str, str]:
    """The environment of the daemons of a state directory; the directory of their counters is emptied.

    Fewer malloc arenas, because the arenas of idle threads are most of a daemon's memory.
    """
    counters = files.private_directory(pathlib.Path(state, "metrics"))
    for old in counters.glob("*.db"):
        old.unlink()
    return {**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1", COUNTERS: str(counters)}


class Supervisor:
    def __init__(self, state: str):
        self.state = state
        self.groups = {"green": [d.name for d in DAEMONS.values() if d.green],
                       "plain": [d.name for d in DAEMONS.values() if not d.green]}
        self.children: dict[str, subprocess.Popen] = {}
        self.environment: dict[str, str] = {}
        self.stopping = False

    def _start(self, group: str) -> None:
        words = [sys.executable, "-m", "deploy.zygote", "--state", self.state]
        words += (["--green"] if group == "green" else []) + self.groups[group]
        log = open(f"{self.state}/log/{group}.log", "ab")
        self.children[group] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        log.close()

    def run(self) -> int:
        os.makedirs(f"{self.state}/log", exist_ok=True)
        self.environment = environment(self.state)
        pid_file = pathlib.Path(self.state) / "supervisor.pid"
        pid_file.write_text(str(os.getpid()))
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        for group, names in self.groups.items():
            if names:
                self._start(group)
        while not self.stopping:
            for group, child in list(self.children.items()):
                if child.poll() is not None and not self.stopping:
                    time.sleep(0.5)
                    self._start(group)
            time.sleep(0.3)
        for child in self.children.values():
            try:
                child.wait(8)
            except subprocess.TimeoutExpired:
                child.kill()
        pid_file.unlink(missing_ok=True)
        return 0

    def _stop(self, signum, frame) -> None:
        self.stopping = True
        for child in self.children.values():
            child.terminate()


def running_pid(state: str) -> int | None:
    """The pid of the supervisor of a state directory, or None."""
    try:
        pid = int((pathlib.Path(state) / "supervisor.pid").read_text())
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    words = command.split(b"\0")
    if b"supervise" not in words or b"--state" not in words[:-1]:
        return None
    named = os.fsdecode(words[words.index(b"--state") + 1])
    return pid if os.path.realpath(named) == os.path.realpath(state) else None


def stop(state: str, timeout_s: float = 20) -> bool:
    """Stop the supervisor of a state directory and all its daemons; False if it was not running."""
    pid = running_pid(state)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while running_pid(state) and time.monotonic() < deadline:
        time.sleep(0.1)
    if running_pid(state):
        os.kill(pid, signal.SIGKILL)
    return True
